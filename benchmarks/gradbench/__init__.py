"""The evals of the public GradBench suite, and four workloads of our own, by every tool.

`tools.py` has a class for each tool: how it differentiates, loops and compiles. Each module of
`evals/` states a formula once, for all tools. `contest.py` compares the results, then the times;
`memory.py` and `limits.py` measure the rest; `targets.py` says what is to be reached. `report.py`,
`page.py` and `plot.py` show a run.

    python -m benchmarks gradbench gmm lse --plot ratios.svg --json run.json
"""
