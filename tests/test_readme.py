"""What the README promises about adding a primitive, carried out as written."""

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
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "-n0", "-k", sys.argv[2], sys.argv[3]]))
"""


def test_one_row_adds_a_primitive_and_the_table_test_covers_it():
    section = (ROOT / "README.md").read_text().partition("## Adding a primitive")[2]
    row = re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)
    name = re.search(r"^(\w+) = ", row, re.MULTILINE).group(1)
    table_test = "tests/autodiff/ops/test_table.py"
    done = subprocess.run(
        [sys.executable, "-c", RUN, row, name, table_test],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout).group(1)) >= 7

    broken = row.replace("1 / sqrt", "2 / sqrt")
    assert broken != row
    done = subprocess.run(
        [sys.executable, "-c", RUN, broken, name, table_test],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "numerical" in done.stdout
