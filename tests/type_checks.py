"""Strict type checkers on ordinary uses: `python -m tests.type_checks` runs mypy and pyright.

`python -m tests.type_checks mypy`, a step of the gate, runs one of them. pyright is found on PATH,
or run by npx.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import autodiff

ROOT = Path(__file__).parent.parent
USES = ROOT / "tests" / "uses" / "ordinary.py"


def sources(folder: Path) -> list[str]:
    """Write the checked files into a folder: ordinary uses, and an import of every public name."""
    names = ", ".join(autodiff.__all__)
    (folder / "every_name.py").write_text(f"from autodiff import {names}\n\nprint({names})\n")
    (folder / "ordinary.py").write_text(USES.read_text())
    return ["every_name.py", "ordinary.py"]


def mypy(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run mypy in strict mode on the sources in a folder."""
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir=cache", *sources(folder)]
    environment = os.environ | {"MYPYPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def pyright(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run pyright in strict mode on the sources in a folder."""
    settings = {
        "include": sources(folder),
        "extraPaths": [str(ROOT)],
        "typeCheckingMode": "strict",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    found = shutil.which("pyright")
    command = [found] if found else ["npx", "--yes", "pyright"]
    command += ["--pythonpath", sys.executable]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def main() -> int:
    checks = {"mypy": mypy, "pyright": pyright}
    parser = argparse.ArgumentParser(prog="python -m tests.type_checks", description=__doc__)
    parser.add_argument("checkers", nargs="*", metavar="CHECKER", help=", ".join(checks))
    names = parser.parse_args().checkers or [*checks]
    if unknown := {*names} - {*checks}:
        parser.error(f"no such checker: {', '.join(sorted(unknown))}")
    worst = 0
    for name in names:
        check = checks[name]
        with TemporaryDirectory() as folder:
            done = check(Path(folder))
        print(f"{name}: {done.stdout}{done.stderr}", end="")
        worst = max(worst, abs(done.returncode))
    print("types:", "no complaint" if worst == 0 else "complaints, see above")
    return worst


if __name__ == "__main__":
    sys.exit(main())
