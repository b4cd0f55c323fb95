"""What the README promises about adding a primitive, carried out as written."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

RUN = """
import sys
import pytest
from autodiff.ops import elementwise as module
exec(sys.argv[1], vars(module))
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-k", sys.argv[2], sys.argv[3]]))
"""


def with_row(row, name):
    """Run the table's test of one row, in a process whose table has that row."""
    # no plug-in of whoever runs this: one that warns would fail what it has no part in
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    return subprocess.run(
        [sys.executable, "-c", RUN, row, name, "tests/autodiff/ops/test_table.py"],
        cwd=ROOT,
        env={**environment, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
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
