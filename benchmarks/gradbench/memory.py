"""Peak memory of a call, in a child process for each tool.

The resident memory is what every library's allocations show in. Its peak is reset before three
calls, after two for warming up; what the process held before them is taken off.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.derivatives import FLOOR
from benchmarks.gradbench.rows import ROWS
from benchmarks.gradbench.tools import MAKERS

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
CALLS = 3


def peaks(tool: str, rows: Sequence[str]) -> dict[str, int]:
    """Return the bytes of each row, all of which the tool can run; nothing where not on Linux."""
    if not RESET.exists() or not rows:
        return {}
    # with this threshold, glibc gives large arrays back when they are freed
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}
    command = [sys.executable, "-m", "benchmarks.gradbench.memory", tool, *rows]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def _status(field: str) -> int:
    """Return a field of the process's status, in bytes."""
    lines = STATUS.read_text().splitlines()
    line = next(line for line in lines if line.startswith(field + ":"))
    return 1024 * int(line.split()[1])


def _peak(tool: str, row: str) -> int:
    workload = ROWS[row].workload(*ROWS[row].sizes)
    candidate = workload.floor() if tool == FLOOR else workload.candidate(MAKERS[tool]())
    assert candidate, f"{row} has nothing by hand"
    for _ in range(2):
        candidate.step()
    gc.collect()
    RESET.write_text("5")
    before = _status("VmRSS")
    for _ in range(CALLS):
        candidate.step()
    return max(_status("VmHWM") - before, 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tool")
    parser.add_argument("rows", nargs="+")
    options = parser.parse_args()
    print(json.dumps({row: _peak(options.tool, row) for row in options.rows}))


if __name__ == "__main__":
    main()
