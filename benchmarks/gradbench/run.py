"""A run: the rows' contests one after the other, as a dict that JSON can hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from statistics import median, quantiles
from typing import Any

from benchmarks.__main__ import machine
from benchmarks.gradbench.contest import compare, entered, race
from benchmarks.gradbench.limits import limits
from benchmarks.gradbench.memory import peaks
from benchmarks.gradbench.rows import ROWS, Row
from benchmarks.gradbench.tools import CONTESTANTS, Tool, available
from benchmarks.timing import ratio, report

ROUNDS = 15


def run(
    rows: Mapping[str, Row], rounds: int, threads: int, slow: bool, memory: bool
) -> dict[str, Any]:
    """Measure rows, and print the times of each as soon as they are there.

    Returns
    -------
    dict
        `machine` (text), `load` (mean number of running processes, at the start and at the end),
        `limits`, `skipped` (why tools are missing), and `rows`. A row has `what`, `kind`, `rtol`,
        `nodes`, `skipped`, and `tools`. A tool has the `median` and `quartiles` of a call in
        nanoseconds, the seconds of its `first` call, the `ratios` of its time to that of each tool,
        and the `peak` of its memory in bytes.

    Raises
    ------
    Disagreement
        If two tools have different results.
    """
    tools, skipped = available(slow)
    loads = [os.getloadavg()]
    found = limits()
    # the first use of a library starts threads and compilers, which is no row's own cost
    entered(ROWS["hello"].workload(*ROWS["hello"].tiny), tools)
    measured = {}
    for name, row in rows.items():
        print(f"\n{name}: {row.what}", flush=True)
        measured[name] = _measured(name, row, tools, rounds)
    if memory:
        for tool in CONTESTANTS:
            theirs = [name for name, row in measured.items() if tool in row["tools"]]
            for name, peak in peaks(tool, theirs).items():
                measured[name]["tools"][tool]["peak"] = peak
    loads.append(os.getloadavg())
    return {
        "machine": machine(threads),
        "load": [load[0] for load in loads],
        "limits": found,
        "skipped": skipped,
        "rows": measured,
    }


def _measured(name: str, row: Row, tools: Mapping[str, Tool], rounds: int) -> dict[str, Any]:
    workload = row.workload(*row.sizes)
    contestants, skipped = entered(workload, tools)
    for tool, reason in skipped.items():
        print(f"  {tool}: skipped, {reason}")
    compare(name, contestants, workload.rtol)
    times = race(contestants, rounds)
    report(times, "us", 1e3)
    return {
        "what": row.what,
        "kind": row.kind,
        "rtol": workload.rtol,
        "nodes": workload.nodes,
        "skipped": skipped,
        "tools": {
            tool: {
                "median": median(samples),
                "quartiles": quantiles(samples, n=4, method="inclusive"),
                "first": contestants[tool].first,
                "ratios": {other: ratio(times, tool, other) for other in times},
            }
            for tool, samples in times.items()
        },
    }
