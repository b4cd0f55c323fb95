"""The command line, called as a user calls it."""

import contextlib
import io
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff
from autodiff.cli.command import main
from autodiff.testing import check_grads

PRICE = "log(x1) + x1*x2 - sin(x2)"
AT = ["x1=2", "x2=5"]


@pytest.fixture
def run(capsys):
    """Call the command; return the exit status, its output and its errors."""

    def call(*argv):
        try:
            status = main(argv)
        except SystemExit as end:
            status = end.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.fixture
def answer(run):
    """Return the JSON object of a successful call."""

    def call(*argv):
        status, out, err = run(*argv, "--json")
        assert (status, err) == (0, "")
        return json.loads(out, parse_constant=pytest.fail)

    return call


def test_value_gradient_and_trace(run):
    status, out, err = run(PRICE, *AT)
    assert (status, err) == (0, "")
    head, numbers, trace = out.rstrip().split("\n\n")
    assert head == f"y = {PRICE}  at  x1 = 2, x2 = 5"
    assert numbers.splitlines() == [
        "y = 11.652071455223084",
        "∂y/∂x1 = 5.5",
        "∂y/∂x2 = 1.7163378145367738",
    ]
    assert "v₁ = log(v₋₁) = 0.693147" in trace
    assert "\x1b" not in out


def test_json(answer):
    assert answer(PRICE, *AT, "--order", "2", "--check") == {
        "expression": PRICE,
        "point": {"x1": 2, "x2": 5},
        "value": 11.652071455223084,
        "gradient": {"x1": 5.5, "x2": 1.7163378145367738},
        "hessian": {
            "variables": ["x1", "x2"],
            "matrix": [[-0.25, 1], [1, pytest.approx(np.sin(5))]],
        },
        "check": {
            "passed": True,
            "comparisons": [
                check._asdict() | {"argument": ["x1", "x2"][check.argument]}
                for check in check_grads(
                    lambda x1, x2: autodiff.log(x1) + x1 * x2 - autodiff.sin(x2), 2.0, 5.0, order=2
                )
            ],
        },
    }


@given(st.floats(0.1, 3), st.floats(-3, 3))
def test_numbers_go_in_and_out_unchanged(x, y):
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert main(["x*y + x", f"x={x!r}", f"y={y!r}", "--json"]) == 0
    found = json.loads(out.getvalue())
    assert found["point"] == {"x": x, "y": y}
    assert found["gradient"] == {"x": y + 1, "y": x}


def test_json_has_strings_for_infinities_and_nan(answer):
    found = answer("log(x) + y", "x=0", "y=nan")
    assert (found["value"], found["gradient"]["x"]) == ("NaN", "Infinity")
    assert answer("log(x)", "x=0")["value"] == "-Infinity"
    assert answer("[x, 2] / 0", "x=-1")["value"] == ["-Infinity", "Infinity"]


def test_one_variable_to_any_order(answer, run):
    found = answer("x**5", "x=2", "--order", "6")
    assert found["gradient"] == {"x": 80}
    np.testing.assert_allclose(found["higher"], [160, 240, 240, 120, 0], atol=1e-12)
    assert "∂²y/∂x² = 160" in run("x**5", "x=2", "--order=6")[1]
    assert "∂⁶y/∂x⁶ = 0" in run("x**5", "x=2", "--order=6")[1]


def test_hessians_are_labelled(run, answer):
    _, out, _ = run("a * x[0] * x[1]", "a=3", "x=[1,2]", "--order", "2")
    assert out.split("\n\n")[2].splitlines() == [
        "Hessian",
        "      a  x[0]  x[1]",
        "   a  0     2     1",
        "x[0]  2     0     3",
        "x[1]  1     3     0",
    ]
    found = answer("sum(A @ A)", "A=[[1,2],[3,4]]", "--order=2")["hessian"]
    assert found["variables"] == ["A[0, 0]", "A[0, 1]", "A[1, 0]", "A[1, 1]"]
    assert found["matrix"] == [[2, 1, 1, 0], [1, 0, 2, 1], [1, 2, 0, 1], [0, 1, 1, 2]]
    many = f"x={[*range(20)]}"
    assert "..." not in run("sum(x**3)", many, "--order=2")[1]


def test_arrays_have_jacobians(run, answer):
    found = answer("A @ x", "A=[[1, 2], [3, 4]]", "x=[1,-1]")
    assert found["value"] == [-1, -1]
    assert found["jacobian"]["x"] == [[1, 2], [3, 4]]
    assert np.shape(found["jacobian"]["A"]) == (2, 2, 2)
    status, out, _ = run("x * 2", "x=[1, 2]")
    assert status == 0
    assert "∂y/∂x = [[2., 0.],\n         [0., 2.]]" in out
    assert "Jacobian" in out
    assert "y = [0.]" in run("x * 0", "x=[-1]")[1]
    assert "trace ↓" not in out


def test_several_points(run):
    status, out, _ = run("a * x", "a=3", "--at", "x=1", "--at", "x=[1, 2],a=2", "--json")
    assert status == 0
    first, second = map(json.loads, out.splitlines())
    assert (first["value"], second["value"]) == (3, [2, 4])
    blocks = run("x**2", "--at=x=-1", "--at=x=-2")[1].split("y = x**2")
    assert ["∂y/∂x = -2" in blocks[1], "∂y/∂x = -4" in blocks[2]] == [True, True]


def test_the_result_has_a_name_of_its_own(run):
    assert "∂f/∂y = 4" in run("y**2", "y=2")[1]
    assert "∂z/∂f = 4" in run("f**2 + 0*y", "y=2", "f=2")[1]


def test_signs_and_constants(answer):
    assert answer("-x**2", "x=-2")["value"] == -4
    assert answer("-x", "x=-1e-3")["value"] == 1e-3
    assert answer("x", "x = pi/2")["value"] == np.pi / 2
    assert answer("2**3 - e*0")["value"] == 8
    assert answer("x**2", "--order", "2", "x=3")["value"] == 9
    assert answer("温度 * 2", "温度=3")["gradient"] == {"温度": 2}


def test_an_expression_without_variables_has_a_value(run):
    status, out, _ = run("2 + 3")
    assert status == 0
    assert "y = 5" in out
    assert "no variable" in out


def test_a_check_prints_its_bounds(run):
    status, out, _ = run("sum(exp(x))", "x=[1,2]", "--check")
    assert status == 0
    table = out.split("\n\n")[2].splitlines()
    assert " ".join(table[1].split()) == "order by reverse mode forward mode numerical ± bound"
    for row in table[2:]:
        order, by, reverse, forward, numerical, bound = row.split()
        assert (order, by) == ("1", "x")
        assert abs(float(reverse) - float(numerical)) < 1e-8
        assert abs(float(forward) - float(numerical)) < 1e-8
        assert 0 < float(bound) < 1e-8


def test_a_failed_check_sets_the_exit_status(run, monkeypatch):
    status, out, err = run("relu(x)", "x=0", "--check")  # a kink
    assert status == 1
    assert "∂y/∂x = 0" in out
    assert "kink" in err
    status, out, _ = run("relu(x)", "--at", "x=0", "--at", "x=1", "--check", "--json")
    assert status == 1
    assert [json.loads(line)["check"]["passed"] for line in out.splitlines()] == [False, True]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["x*y", "x=1"], "no value for y: give y=…"),
        (["x*y", "x=1", "y=1", "z=1"], "z is not in the expression"),
        (["x", "x=1", "e=1"], "'e' is not a variable"),
        (["x", "x=1", "x=2"], "x has two values"),
        (["x", "x"], "is not an assignment"),
        (["x", "x=[1,", "2]"], "is not closed"),
        (["x", "x=y"], "x=y contains a variable"),
        (["x", "x="], "expression is empty"),
        (["x", "sin(x)=1"], "is not a variable name"),
        (["x", "2=1"], "is not a variable name"),
        (["x=2"], "cannot continue"),
        (["sine(x)", "x=1"], "did you mean sin or sinh?\n    sine(x)\n    ^^^^\n"),
        (["x.real", "x=1"], "attributes are not supported"),
        (["x + y", "x=[1,2]", "y=[1,2,3]"], "shape"),
        (["x*y", "x=1", "y=1", "--order=3"], "--order 3 needs one scalar variable"),
        (["x*2", "x=[1,2]", "--order=2"], "take sum(…)"),
        (["x", "x=1", "--order=0"], "--order"),
        (["x", "x=1", "--order=99"], "--order"),
        (["x", "x=1", "--orde=2"], "--orde"),
        (["x", "x=1", "--json", "--latex"], "not allowed"),
        (["x", "--at", "x"], "is not an assignment"),
        (["x", "--at", "x=1", "--at", "x=2", "--draw", "x.svg"], "one point"),
        (["1 + 1", "--draw", "x.svg"], "no graph"),
        (["--explore", "x**2", "x=2"], "--explore=page.html"),
        (["eigvals(A)", "A=[[0, 1], [-1, 0]]"], "complex"),
        (["sum(cross_entropy(A))", "A=[[1,2],[3,4]]"], "a label for each row"),
        (["outer(x, x)", f"x={[0] * 2000}"], "1,000,000"),
    ],
)
def test_misuse(run, argv, message):
    status, out, err = run(*argv)
    assert status == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_drawing_and_exploring(run, monkeypatch, tmp_path):
    path = tmp_path / "graph.svg"
    assert run(PRICE, *AT, "--draw", str(path))[0] == 0
    text = path.read_text()
    assert "x1" in text
    assert "5.5" in text or "5 " in text
    assert [*tmp_path.iterdir()] == [path]
    for wrong in ("graph.none", "graph"):
        status, _, err = run("x", "x=1", "--draw", str(tmp_path / wrong))
        assert status == 2
        assert err.startswith("autodiff: ")

    explored = []

    def explore(y, path):
        explored.append((y.data, y.grad, path))
        return SimpleNamespace(path=Path("page.html").absolute())

    monkeypatch.setattr(autodiff, "explore", explore, raising=False)
    status, out, err = run("x**2", "x=3", "--explore", "--json")
    assert status == 0
    assert json.loads(out)
    assert err == f"explorer: {Path('page.html').absolute()}\n"
    assert run("x**2", "x=3", "--explore=page.html")[0] == 0
    assert run("x*2", "x=[3]", "--explore=page.html")[0] == 0
    assert explored == [(9, 1, None), (9, 1, "page.html"), ([6], [1], "page.html")]


def test_latex(run, monkeypatch):
    class Written:
        latex = "y = x^2"

    monkeypatch.setattr(autodiff, "expression", lambda y: Written, raising=False)
    monkeypatch.setattr(autodiff, "trace", lambda y: Written, raising=False)
    assert run("x**2", "x=3", "--latex") == (0, "y = x^2\n\ny = x^2\n", "")
    assert run("x**2", "x=[3,4]", "--latex") == (0, "y = x^2\n", "")
    assert run("1 + 1", "--latex")[:2] == (2, "")


def test_help_and_version(run):
    status, out, _ = run("--help")
    assert status == 0
    for option in ("--at", "--order", "--check", "--draw", "--explore", "--latex", "--json"):
        assert option in out
    assert run("--version")[1] == f"autodiff {autodiff.__version__}\n"


def test_the_examples_of_the_help_run(run, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    examples = [line for line in run("--help")[1].splitlines() if line.startswith("  autodiff ")]
    assert len(examples) > 3
    for example in examples:
        assert run(*shlex.split(example)[1:])[0] == 0


@pytest.mark.parametrize(
    ("tty", "env", "coloured"),
    [
        (True, {}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colours_are_for_terminals(run, monkeypatch, tty, env, coloured):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty)
    assert ("\x1b[34m4\x1b[0m" in run("x**2", "x=2")[1]) == coloured


def command(*argv, **options):
    """Run a process, with output in bytes."""
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.Popen(
        [sys.executable, "-m", "autodiff", *argv],
        cwd=Path(autodiff.__file__).parent.parent,
        stderr=subprocess.PIPE,
        **options,
    )


def test_a_terminal_without_unicode_shows_ascii():
    process = command("x**2", "x=3", env={**os.environ, "PYTHONIOENCODING": "cp1252"})
    out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b"?y/?x = 6" in out


def test_a_closed_pipe_is_no_error():
    # buffered, so that output remains to be written at the end
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    process = command("x**2", "x=3", env=buffered)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141
    process.stderr.close()
