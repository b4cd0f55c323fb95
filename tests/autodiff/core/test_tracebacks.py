"""Tracebacks in IPython and pytest end at the user's line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autodiff import draw
from autodiff.core.tracebacks import SWITCH, shortened

ROOT = Path(__file__).parents[3]

SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="NoColor", history_manager=None)
shell.history_manager.enabled = False
for cell in sys.argv[1:]:
    shell.run_cell(cell)
"""
IMPORTS = """
import numpy as np
from autodiff import Tensor, Value, draw, grad
from nn import Affine, Layer, Sequential
x1, t = Value(2.0), Tensor([1.0, 2.0])
"""


def run(*arguments, full=False, cwd=ROOT, **environment):
    kept = {name: value for name, value in os.environ.items() if name != SWITCH}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**kept, **environment, **({SWITCH: "full"} if full else {}), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.fixture
def shown(tmp_path):
    pytest.importorskip("IPython")

    def show(*cells, **options):
        return run("-c", SHELL, IMPORTS, *cells, IPYTHONDIR=str(tmp_path), **options)

    return show


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("x1 + 'a'", "TypeError: add cannot take str 'a'"),
        ("t + np.ones(3)", r"ValueError: add cannot take float64 of shape \(2,\)"),  # has a cause
        ("np.linalg.inv(t)", "LinAlgError: inv cannot take"),  # the cause is NumPy's
        ("float(x1)", r"TypeError: float\(x1\): a Value does not turn"),
        ("grad(3.0)(1.0)", "TypeError: "),
        ("draw(3.0)", "TypeError: "),
        ("Affine.initial(3, 2)(np.ones(4))", r"ValueError: Affine\(3, 2\) needs"),
    ],
)
def test_ipython_ends_at_the_users_line(shown, cell, error):
    text = shown(cell)
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 5, text
    assert lines[-2] == f"----> 1 {cell}"
    assert re.match(error, lines[-1])


def test_ipython_shows_user_functions_that_we_call(shown):
    text = shown("def inner(x):\n    return x + 'a'", "grad(inner)(3.0)")
    assert re.findall("-> . (.*)", text) == ["grad(inner)(3.0)", "    return x + 'a'"]
    assert "autodiff/" not in text
    assert "contextlib" not in text


def test_ipython_shows_a_cause_in_user_code(shown):
    text = shown(
        "class Own(Layer):\n    def __call__(self, x, params=None):\n        int('no number')",
        "Sequential(Own())(t)",
    )
    arrows = [line.strip() for line in re.findall("-> . (.*)", text)]
    assert arrows == ["int('no number')", "Sequential(Own())(t)"]
    assert "direct cause" in text
    assert "layer 1 of Sequential: invalid literal" in text
    assert "/layers.py" not in text


def test_ipython_shows_all_frames_on_request(shown):
    assert "autodiff/nodes/value.py" in shown("x1 + 'a'", full=True)
    assert "autodiff/nodes/value.py" in shown(f"%env {SWITCH}=full", "x1 + 'a'")


def test_a_debugger_still_finds_every_frame_and_cause(shown):
    text = shown(
        "np.linalg.inv(t)",
        "import sys, traceback\n"
        "shown = sys.last_type, sys.last_value, sys.last_traceback\n"
        "print(''.join(traceback.format_exception(*shown)))",
    )
    assert text.count("autodiff/nodes/tensor.py") >= 2
    assert "direct cause" in text


def test_errors_without_our_frames_are_unchanged(shown):
    text = shown("np.linalg.inv(np.ones(2))", "1 +")
    assert "numpy/linalg" in text
    assert "SyntaxError" in text


PYTEST = """
import numpy as np
import pytest
from autodiff import Tensor, Value, check_grads, draw
from nn import Affine

@pytest.mark.parametrize("call", [
    lambda: Value(2.0) + "a",
    lambda: draw(3.0),
    lambda: Affine.initial(3, 2)(np.ones(4)),
    lambda: check_grads(lambda x: Tensor([x.data]), np.array(1.0)),
])
def test_own(call):
    call()
"""


@pytest.mark.parametrize("full", [False, True])
def test_pytest_ends_at_the_users_line(tmp_path, full):
    (tmp_path / "test_own.py").write_text(PYTEST)
    text = run("-m", "pytest", "-q", "-p", "no:cacheprovider", full=full, cwd=tmp_path)
    assert "4 failed" in text
    places = re.findall(r"^(\S+\.py):\d+: ", text, re.MULTILINE)
    ours = [place for place in places if "test_own.py" not in place]
    assert bool(ours) == full


def test_a_traceback_with_only_our_frames_is_unchanged():
    try:
        draw(3.0)
    except TypeError as error:
        inside = error.__traceback__.tb_next
    assert shortened(inside) is inside
    assert shortened(None) is None
