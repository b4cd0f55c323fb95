"""The README's test command and its section on adding a primitive, executed."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parent.parent

ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
RUN = """
import sys
import pytest
from autodiff.ops import elementwise as module
exec(sys.argv[1], vars(module))
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", sys.argv[2], sys.argv[3]]))
"""


def with_row(row, name):
    """Run the table's test of one row, in a process with that row in its table."""
    return subprocess.run(
        [sys.executable, "-c", RUN, row, name, "tests/autodiff/ops/test_table.py"],
        cwd=ROOT,
        # without the user's plug-ins, whose warnings would fail the test
        env={**ENVIRONMENT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_row_adds_a_primitive_and_the_table_test_covers_it():
    section = (ROOT / "README.md").read_text().partition("## Adding a primitive")[2]
    row = re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)
    name = re.search(r"^(\w+) = ", row, re.MULTILINE).group(1)
    done = with_row(row, name)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) >= 7

    broken = row.replace("1 / sqrt", "2 / sqrt")
    assert broken != row
    done = with_row(broken, name)
    assert done.returncode == 1
    assert "numerical" in done.stdout


def test_the_whole_suite_uses_all_cores():
    pytest.importorskip("xdist")
    done = subprocess.run(
        # a small file instead of the whole suite
        [sys.executable, "-m", "pytest", "-o", "testpaths=tests/test_rooms.py"],
        cwd=ROOT,
        env={**ENVIRONMENT, "PYTEST_XDIST_AUTO_NUM_WORKERS": "1"},  # one core is quicker to start
        capture_output=True,
        text=True,
        check=True,
    )
    assert "created: 1/1 worker" in done.stdout


@pytest.mark.parametrize(
    ("named", "options", "processes"),
    [
        (False, {}, "auto"),
        (False, {"numprocesses": 0}, 0),
        (True, {"numprocesses": 3}, 3),
        (True, {}, None),
        (False, {"keyword": "matmul"}, None),
        (False, {"markexpr": "slow"}, None),
        (False, {"capture": "no"}, None),
        (False, {"usepdb": True}, None),
        (False, {"lf": True}, None),
    ],
)
def test_a_test_by_hand_runs_where_it_can_be_debugged(pytestconfig, named, options, processes):
    conftest = str(ROOT / "tests" / "conftest.py")
    (plugin,) = (
        plugin
        for plugin in pytestconfig.pluginmanager.get_plugins()
        if getattr(plugin, "__file__", None) == conftest
    )
    option = SimpleNamespace(**{"numprocesses": None, "capture": "fd", **options})
    source = pytest.Config.ArgsSource
    plugin.pytest_cmdline_main(
        SimpleNamespace(
            args_source=source.ARGS if named else source.TESTPATHS,
            option=option,
            getoption=lambda name, default=None: getattr(option, name, default),
        )
    )
    assert option.numprocesses == processes
