"""`python -m benchmarks gradbench`, whose own options these are."""

from __future__ import annotations

import argparse
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.gradbench import report
from benchmarks.gradbench.page import markdown
from benchmarks.gradbench.plot import plot
from benchmarks.gradbench.rows import ROWS, chosen
from benchmarks.gradbench.run import ROUNDS, run
from benchmarks.timing import table

TABLES = {
    "time of a call, over that of jax.jit": report.ratios,
    "first call, ms": report.first_calls,
    "peak memory of a call, MB": report.memory,
    "targets": report.targets,
    "the machine": report.limits,
}


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks gradbench", description=__doc__)
    parser.add_argument(
        "rows",
        nargs="*",
        metavar="ROW",
        help=f"a row or the beginning of several: {', '.join(ROWS)} (default: all)",
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    parser.add_argument("--slow", action="store_true", help="with torch.compile")
    parser.add_argument("--no-memory", action="store_true", help="without peaks of memory")
    parser.add_argument("--json", metavar="FILE", type=Path, help="keep the run")
    parser.add_argument(
        "--load", metavar="FILE", type=Path, help="show a kept run, measure nothing"
    )
    parser.add_argument("--plot", metavar="FILE", type=Path, help="draw the ratios")
    parser.add_argument("--markdown", metavar="FILE", type=Path, help="write docs/performance.md")
    return parser


def measured(options: argparse.Namespace) -> Any:
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    rows = chosen(options.rows)
    return run(rows, options.rounds, threads, options.slow, not options.no_memory)


def main() -> int:
    parser = arguments()
    options = parser.parse_args()
    if options.rounds < 2:
        parser.error("--rounds must be at least 2, for quartiles")
    try:
        chosen(options.rows)
    except ValueError as error:
        parser.error(str(error))
    if options.plot and not find_spec("matplotlib"):
        parser.error("--plot needs matplotlib: pip install matplotlib")
    made = json.loads(options.load.read_text()) if options.load else measured(options)
    if options.json:
        options.json.write_text(json.dumps(made, indent=1))
    for title, tabulated in TABLES.items():
        print(f"\n{title}:")
        table(tabulated(made))
    print(report.load(made))
    if options.plot:
        plot(made, options.plot)
    if options.markdown:
        options.markdown.write_text(markdown(made), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
