"""All deep tests of derivatives and of the engine, with their counts: `python -m tests.deep`.

Takes half an hour on two cores, so it is not part of the gate; `python -m tests.deep ladder kinks`
runs some parts only. Each part is a command whose last line has its counts. All counts are printed
again at the end. The exit status is the highest of the parts.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from time import monotonic

ROOT = Path(__file__).parent.parent

PARTS = {
    "ladder": "-m tests.ladder",
    "accuracy": "-m tests.accuracy",
    "programs": "-m tests.programs 2000",
    "kinks": "-m tests.kink_measures",
    "peers": "-m tests.peers",
    "mutants": "-m tests.mutants",
    "kills": "tests/nn/test_checkpoints.py 100",
    "million": "-m tests.large",
    "types": "-m tests.type_checks",
}


def run(part: str) -> tuple[int, str]:
    """Return the exit status and the counts of a part."""
    start, last = monotonic(), ""
    command = [sys.executable, *PARTS[part].split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    print(f"==> {' '.join(['python', *command[1:]])}", flush=True)
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    minutes = (monotonic() - start) / 60
    status = "" if process.returncode == 0 else f" FAILED ({process.returncode}):"
    return process.returncode, f"{part:9}{status} {last} ({minutes:.1f} min)"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.deep", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parts = parser.parse_args().parts or [*PARTS]
    if unknown := {*parts} - {*PARTS}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    found = [run(part) for part in parts]
    print("", *[counts for _, counts in found], sep="\n")
    return max(abs(status) for status, _ in found)


if __name__ == "__main__":
    sys.exit(main())
