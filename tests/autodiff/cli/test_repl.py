"""The REPL, with piped input and on a terminal."""

import builtins
import io
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import autodiff
from autodiff import Tensor, Value
from autodiff.cli import repl
from autodiff.cli.command import main
from autodiff.views.tree import tree

ROOT = Path(autodiff.__file__).parent.parent
SHOWN = """\
Value(11.6521)
∂/∂x1 = 5.5, ∂/∂x2 = 1.71634

−            11.6521
├─ +         10.6931
│  ├─ log    0.693147
│  │  └─ x1  2
│  └─ ×      10
│     ├─ x1  2
│     └─ x2  5
└─ sin       −0.958924
   └─ x2     5
"""


@pytest.fixture
def piped(monkeypatch, capsys):
    """Run piped input; return the exit status, the output and the errors."""
    monkeypatch.setattr(builtins, "_", None, raising=False)

    def run(text):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        status = main([])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def test_an_expression_shows_its_gradient_and_graph(piped):
    hook = sys.displayhook
    assert piped("log(x1) + x1*x2 - sin(x2)\n") == (0, SHOWN, "")
    assert sys.displayhook is hook


def test_statements_are_run_one_by_one(piped):
    status, out, err = piped("a = 2\na + 1\nfor i in range(2):\n    a * i\n\n_ + 5\nnp.sin(0.0)\n")
    assert (status, err) == (0, "")
    assert out.split() == ["3", "0", "2", "7", "np.float64(0.0)"]
    assert piped("if True:\n    42")[1] == "42\n"


def test_the_last_result_is_kept(piped):
    assert piped("x1 * 4\n_.data\n")[1].endswith("8.0\n")


def test_it_ends_at_the_first_error(piped):
    for wrong, message in (("1/0", "ZeroDivisionError"), ("1 +", "SyntaxError")):
        status, out, err = piped(f"1\n{wrong}\n2\n")
        assert (status, out) == (1, "1\n")
        assert message in err
    with pytest.raises(SystemExit) as end:
        piped("exit(3)")
    assert end.value.code == 3


def test_a_trace_shows_the_chain_that_several_statements_made(piped):
    status, out, _ = piped("a = x1*2\nb = a+1\ntrace(b)\nb\n")
    assert status == 0
    assert "v₁ = v₀ × 2 = 4" in out
    assert "v₂ = v₁ + 1 = 5" in out
    assert "b = +     5\n├─ a = ×  4\n│  ├─ x1  2" in out


def test_all_names_are_there():
    names = repl.namespace()
    assert names["np"] is np
    assert all(names[name] is getattr(autodiff, name) for name in autodiff.__all__)
    for line in repl.GREETING.splitlines():
        assert len(line) < 80 or "imported" in line
    expression = repl.GREETING.split("Try  ")[1].split("  or")[0]
    assert f"{repl.description(eval(expression, names), names)}\n" == SHOWN


def test_no_grad_is_touched():
    names = repl.namespace()
    y = names["x1"] * 2
    repl.description(y, names)
    assert y.grad is None
    assert names["x1"].grad is None


def test_variables_go_by_the_names_they_are_bound_to():
    a, _1 = Value(3), Value(2)
    shown = repl.description(a * _1, {"a": a, "_1": _1, "b": 5, "_": a})
    assert "∂/∂a = 2" in shown
    assert "∂/∂Value = 3" in shown
    assert "─ a " in shown
    assert "_1" not in shown


def test_variables_and_arrays():
    x = Tensor([1.0, 2.0], name="x")
    assert repl.description(x, {}) == repr(x)
    assert "∂" not in repl.description(x * 2, {})
    assert "×" in repl.description(x * 2, {})
    assert "∂/∂x = [2, 2]" in repl.description(autodiff.sum(x * 2), {})


def test_results_without_gradient_are_shown_too():
    x = Tensor(np.ones(2), name="x")
    y = autodiff.sum(x * x)
    x.data = np.zeros(2)
    assert "(Tensor 'x' was assigned after" in repl.description(y, {})
    with pytest.raises(RuntimeError, match="assigned after"):
        tree(y)
    z = Tensor(np.array(1 + 2j), name="z")
    assert "×" in repl.description(z * z, {})


def test_large_graphs_are_not_walked(monkeypatch):
    monkeypatch.setattr(repl, "MOST_NODES", 100)
    y = x = Value(1, name="x")
    for _ in range(99):
        y = autodiff.sin(y)
    assert "∂/∂x" in repl.description(y, {})
    assert "more than 100 nodes" in repl.description(autodiff.sin(y), {})
    many = sum(Value(i, name=f"x{i}") for i in range(25))
    assert "and by 15 more" in repl.description(many, {})
    assert x.grad is None


def typed(code, lines, prompt, tmp_path):
    """Return the output of a process on a terminal, for lines typed at its prompts."""
    pty = pytest.importorskip("pty", reason="a system without pseudo-terminals")
    ours, theirs = pty.openpty()
    env = {
        **os.environ,
        "XDG_STATE_HOME": str(tmp_path),
        "IPYTHONDIR": str(tmp_path),
        "TERM": "dumb",
        "PYTHONIOENCODING": "utf-8",
    }
    shown = b""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, env=env
    ) as process:
        os.close(theirs)
        for line in [*lines, "exit()\n"]:
            seen = len(shown)
            while prompt not in shown[seen:]:
                assert select.select([ours], [], [], 60)[0], "no prompt, and no end"
                shown += os.read(ours, 4096)
            os.write(ours, line.encode())
        with suppress(OSError):  # Linux raises it when the other end is closed
            while part := os.read(ours, 4096):
                shown += part
        assert process.wait() == 0
    os.close(ours)
    return shown.decode().replace("\r\n", "\n")


def test_the_standard_repl_on_a_terminal(tmp_path):
    pytest.importorskip("readline")
    shown = typed(
        "from autodiff.cli.repl import *; run_standard(namespace())",
        ["log(x1) + x1*x2 - sin(x2)\n", "_.data > 11\n", "softp\t0.0)\n"],
        b">>> ",
        tmp_path,
    )
    assert repl.GREETING in shown
    assert SHOWN in shown
    assert "True\n" in shown
    assert "0.693147" in shown.split("True\n")[1]  # softplus, completed
    history = (tmp_path / "autodiff" / "history").read_text()
    assert "softplus(0.0)" in history


def test_it_runs_without_readline(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "readline", None)
    with repl._line_editing({}):
        pass
    monkeypatch.undo()
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))  # no history can be kept here
    with repl._line_editing({}):
        pass


def test_ipython_on_a_terminal(tmp_path):
    pytest.importorskip("IPython")
    shown = typed(
        "from autodiff.cli.repl import *; run_ipython(namespace())",
        ["log(x1) + x1*x2 - sin(x2)\n"],
        b"]: ",
        tmp_path,
    )
    assert repl.GREETING.splitlines()[0] in shown
    for line in SHOWN.splitlines():
        assert line in shown
