"""`import autodiff` against `import numpy`, each in a fresh interpreter.

Bytecode is cached in a temporary folder, which keeps the tree clean and compilation untimed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.timing import OURS, interleaved, report, rounds, target

TIMED = "from time import perf_counter_ns as t; s = t(); import {}; print(t() - s)"
ALLOWED = 20


def interpreter(cache: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**kept, "PYTHONPYCACHEPREFIX": cache},
        capture_output=True,
        text=True,
        check=True,
    )


def fresh(cache: str, module: str) -> float:
    """Return the nanoseconds of the import statement in a new interpreter."""
    return float(interpreter(cache, "-c", TIMED.format(module)).stdout)


def slowest(cache: str, module: str, count: int) -> list[tuple[float, str]]:
    """Return the slowest modules that NumPy does not import, with their own milliseconds."""
    log = interpreter(cache, "-X", "importtime", "-c", f"import numpy; import {module}").stderr
    found = re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", log)
    numpy_done = [name for _, name in found].index("numpy")
    return sorted([(int(us) / 1e3, name) for us, name in found[numpy_done + 1 :]], reverse=True)[
        :count
    ]


def main() -> None:
    with TemporaryDirectory() as cache:
        turns = {module: partial(fresh, cache, module) for module in ("numpy", OURS)}
        times = interleaved(turns, rounds(25))
        report(times, "ms", 1e6)
        pairs = zip(times[OURS], times["numpy"], strict=True)
        extra = median(ours - numpy for ours, numpy in pairs) / 1e6
        target("ms beyond numpy", extra, ALLOWED)
        if extra > ALLOWED:
            for milliseconds, name in slowest(cache, OURS, 8):
                print(f"    {name}: {milliseconds:.1f} ms of its own")


if __name__ == "__main__":
    main()
