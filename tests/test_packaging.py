"""The version, what a wheel installs, and the commands that install extras."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import autodiff
from autodiff.core.about import install

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_version_is_stated_once():
    assert re.fullmatch(r"\d+\.\d+\.\d+", autodiff.__version__)
    assert PYPROJECT["project"]["dynamic"] == ["version"]
    source = (ROOT / PYPROJECT["tool"]["hatch"]["version"]["path"]).read_text()
    assert re.findall(r'^VERSION = "(.+)"', source, re.MULTILINE) == [autodiff.__version__]


def test_a_wheel_installs_no_demos_and_no_benchmarks():
    wheel = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["packages"] == ["autodiff", "nn"]


def test_demos_run_from_a_clone():
    done = subprocess.run(
        [sys.executable, "-m", "demos"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "mnist" in done.stdout


def test_every_command_that_installs_an_extra_is_for_a_clone():
    """`autodiff-nn` is not on PyPI."""
    extras = PYPROJECT["project"]["optional-dependencies"]
    told = set()
    for folder in ("autodiff", "nn", "demos", "docs", "."):
        pattern = "*.md" if folder == "." else "**/*.*"
        for path in (ROOT / folder).glob(pattern):
            if path.suffix in (".py", ".md"):
                text = path.read_text("utf-8")
                assert not re.search(r"install .?autodiff-nn", text), path
                told |= {*re.findall(r"\binstall\([\"'](\w+)[\"']\)", text)}
    assert told
    assert told <= extras.keys()
    assert install("demos") in (ROOT / "README.md").read_text("utf-8")
