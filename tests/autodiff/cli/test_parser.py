"""Expressions in text: their meaning, and errors for any other text."""

import ast
import math
import unicodedata
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import autodiff
from autodiff import Tensor, Value, grad
from autodiff.cli.parser import (
    CONSTANTS,
    FUNCTIONS,
    HIGHEST,
    LARGEST,
    LONGEST,
    ExpressionError,
    parse,
)
from autodiff.core.columns import width


def refused(text, **values):
    """Return the error for a text, from parsing or computing it."""
    with pytest.raises(ExpressionError) as caught:
        parse(text)(**values)
    return caught.value


def numbers():
    return st.sampled_from(["0", "1", "2", "0.5", ".5", "3.", "1e-3", "2.5E2", "7"])


def expressions():
    """Expressions that Python reads the same way, with autodiff's names imported."""
    leaves = numbers() | st.sampled_from(["x", "y_1", "温度", "pi", "e"])
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", " % ", "//"]), inner).map(
                "".join
            ),
            inner.map("({})".format),
            inner.map("-{}".format),
            inner.map("+ {}".format),
            st.tuples(st.sampled_from(["sin", "exp", "sqrt", "tanh", "softplus"]), inner).map(
                lambda parts: f"{parts[0]}({parts[1]})"
            ),
            st.tuples(inner, inner).map(lambda parts: f"maximum({parts[0]} , {parts[1]})"),
            st.tuples(inner, inner).map(lambda parts: f"sum([{parts[0]}, {parts[1]}])"),
        ),
        max_leaves=12,
    )


def evaluated_by_python(text, values):
    """Return Python's value of the text, with each number in it a NumPy float."""
    tree = ast.parse(text, mode="eval")
    for node in ast.walk(tree):
        for field, child in ast.iter_fields(node):
            if isinstance(child, ast.Constant):
                setattr(node, field, number(child))
            elif isinstance(child, list):
                child[:] = [number(c) if isinstance(c, ast.Constant) else c for c in child]
    if isinstance(tree.body, ast.Constant):
        tree.body = number(tree.body)
    names = {name: getattr(autodiff, name) for name in autodiff.__all__}
    # a list of nodes is joined with stack
    names["sum"] = lambda parts: autodiff.sum(autodiff.stack(parts))
    names |= {name: np.float64(value) for name, value in CONSTANTS.items()}
    names["float64"] = np.float64
    return eval(compile(ast.fix_missing_locations(tree), "", "eval"), names, values)


def number(constant):
    return ast.Call(ast.Name("float64", ast.Load()), [constant], [])


@given(expressions(), st.floats(-3, 3), st.floats(0.1, 3))
@example("-x**2", 2.0, 1.0)
@example("2**-x", 2.0, 1.0)
@example("x**y_1**2", 1.5, 2.0)
@example("x-y_1-1/x/y_1", 1.5, 2.0)
@example("-+-x", 1.5, 2.0)
@example("-x % y_1 - -x // y_1", 2.0, 1.5)
def test_expressions_have_pythons_value(text, x, y):
    values = {"x": x, "y_1": y, "温度": 0.7}
    f = parse(text)
    given = {name: values[name] for name in f.variables}
    with np.errstate(all="ignore"):
        expected = evaluated_by_python(text, {n: np.float64(v) for n, v in values.items()})
        np.testing.assert_allclose(f(**given), expected, rtol=1e-12)
        made = f(**{name: Value(value) for name, value in given.items()})
    assert isinstance(made, autodiff.core.graph.Node) == bool(f.variables)
    np.testing.assert_allclose(autodiff.stop_gradient(made), expected, rtol=1e-12)


@given(
    st.text(max_size=30)
    | st.text("xsin()[],.*/+-=10e #'\"\\:{}\0", max_size=60)
    | expressions().flatmap(
        lambda text: st.tuples(
            st.just(text), st.integers(0, len(text)), st.sampled_from([*"()[],.=*^ '1x", "for "])
        ).map(lambda cut: cut[0][: cut[1]] + cut[2] + cut[0][cut[1] :])
    )
)
def test_garbage_is_refused_with_its_place_marked(text):
    with suppress(ExpressionError):
        assert all(name.isidentifier() for name in parse(text).variables)
        return
    error = refused(text)
    assert 0 <= error.start < error.end <= len(error.text) + 1
    lines = str(error).splitlines()
    assert len(lines) == (3 if error.text else 1)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(
    ("text", "marked", "advice"),
    [
        ("", "", "expression is empty"),
        ("  ", "", "expression is empty"),
        ("x +", "", "is incomplete"),
        ("2 + (x", "(", "is not closed"),
        ("(" * 101 + "x" + ")" * 101, "(", "more than 100 deep"),
        ("2 + x)", ")", "has no opening bracket"),
        ("(x]", "]", "has no opening bracket"),
        ("2x", "x", r"write \*"),
        ("x y", "y", r"write \*"),
        ("2(x)", "(", r"write \*"),
        ("x^2", "^", r"write \*\*"),
        ("x²", "x²", r"write \*\*"),
        ("x × y", "×", r"write \*"),
        ("x − y", "−", "write -"),
        ("x.data", ".", "attributes are not supported"),
        ("(x).data", ".", "attributes are not supported"),
        ("x.__class__", ".", "attributes are not supported"),
        ("f'{x}'", "'", "strings are not supported"),
        ("[y for y in x]", "for", r"write \*"),
        ("lambda: x", "lambda", "keyword of Python"),
        ("(y := x)", ":", "slices are not supported"),
        ("x[1:]", ":", "slices are not supported"),
        ("x < y", "<", "comparisons are not supported"),
        ("x == y", "=", "operand is missing before"),
        ("x if y else z", "if", r"write \*"),
        ("not x", "not", "keyword of Python"),
        ("sum(*x)", "*", "operand is missing before"),
        ("sum(**x)", "**", "operand is missing before"),
        ("sum(x,,y)", ",", "operand is missing before"),
        ("x\0y", "\0", "not part of an expression"),
        ("x # y", "#", "calls and lists only"),
        ("(x, y)", "(x, y)", "square brackets"),
        ("True", "True", "not part of an expression"),
        ("1j * x", "j", r"write \*"),
        ("0x10", "x10", r"write \*"),
        ("x = 2", "=", "cannot continue"),
        ("log(x) + sine(x)", "sine", "did you mean sin or sinh"),
        ("温度 + sine(x)", "sine", "did you mean sin"),
        ("eval(x)", "eval", "no function"),
        ("__import__(x)", "__import__", "no function"),
        ("x(2)", "x", r"\* is a product"),
        ("sin(x, y)", "sin(x, y)", "takes 1 argument"),
        ("hypot(x)", "hypot(x)", "takes 2 arguments"),
        ("sin(x, out=1)", "1", "no parameter 'out'"),
        ("sum(x, axes=0)", "0", "it has axis"),
        ("sum(x, axis=y)", "y", "must be a number"),
        ("sum(x, 0, axis=0)", "0", "twice"),
        ("sum(x, axis=99999)", "99999", str(HIGHEST)),
        ("matrix_power(x, 1000000)", "1000000", str(HIGHEST)),
        ("x[y]", "y", "must be a number"),
        ("ѕin(x)", "ѕin", "CYRILLIC SMALL LETTER DZE.*did you mean sin"),
        ("ｓin(x)", "ｓin", "write sin"),
        ("x₁", "x₁", "write x1"),
        ("1e999", "1e999", "too large"),
        ("einsum(x)", "einsum", "no function"),  # takes a string
        ("tile(x, 999)", "tile", "no function"),  # a large result from a short text
    ],
)
def test_refusals(text, marked, advice):
    error = refused(text)
    assert error.text[error.start : error.end] == marked
    with pytest.raises(ExpressionError, match=advice):
        raise error


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000 + "x" + ")" * 10_000,
        "(" * 4_000 + "x" + ")" * 4_000,
        "sin(" * 2_000 + "x" + ")" * 2_000,
        "[" * 5_000,
        "-" * 9_999 + "x",
        "x" + "**x" * 3_000,
        "9" * 9_999,
        "x" * 1_000_000,
        "sin" * 3_000 + "(x)",
    ],
    ids=lambda text: f"{text[:5]}…",
)
def test_bombs_are_refused(text):
    assert len(str(refused(text))) < 500


def test_powers_and_large_integers_are_floats():
    assert type(parse("2**3")()) is float
    assert parse("9007199254740993 + 0*x")(0) == 9007199254740992


def test_a_long_sum_is_an_ordinary_expression():
    assert parse("x" + "+x" * 500)(1.0) == 501


def test_no_function_makes_a_large_array_of_a_small_one():
    x = np.ones(100)
    assert parse("outer(x, x)")(x).shape == (100, 100)
    bomb = "x"
    for _ in range(6):
        bomb = f"outer({bomb}, {bomb})"
    assert f"{LARGEST:,}" in str(refused(bomb, x=x))
    many = Tensor(np.ones((LARGEST // 4, 1)))
    assert f"{LARGEST:,}" in str(refused("x + y", x=many, y=np.ones((1, 8))))
    assert f"{LARGEST:,}" in str(refused("x+1+1+1+1+1", x=np.ones(LARGEST // 4)))


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("ln(x)", {"x": math.e}, 1),
        ("sum(x)", {"x": [1, 2, 3]}, 6),
        ("sum(A, axis=0)", {"A": [[1, 2], [3, 4]]}, [4, 6]),
        ("sum(A, 1, keepdims=True)", {"A": [[1, 2], [3, 4]]}, [[3], [7]]),
        ("sum(A, axis=[0, 1])", {"A": [[1, 2], [3, 4]]}, 10),
        ("A @ [1, x]", {"A": [[1, 2], [3, 4]], "x": 2}, [5, 11]),
        ("A[1, 0] - A[-1][1]", {"A": [[1, 2], [3, 4]]}, -1),
        ("norm([x, y])", {"x": 3, "y": 4}, 5),
        ("dot([x, 1], [2, y])", {"x": 3, "y": 4}, 10),
        ("det([[x, 1], [2, y]])", {"x": 3, "y": 4}, 10),
        ("clip(x, -1, 1)", {"x": 3}, 1),
        ("round(x, 2)", {"x": 3.14159}, 3.14),
        ("quantile(x, .5)", {"x": [1, 2, 9]}, 2),
        ("sin(sin)", {"sin": 0}, 0),
        ("\n x \t+ 1 ", {"x": 1}, 2),
    ],
)
def test_functions_of_arrays(text, values, expected):
    values = {name: np.asarray(value, float)[()] for name, value in values.items()}
    np.testing.assert_allclose(parse(text)(**values), expected)
    tensors = {name: Tensor(value) for name, value in values.items()}
    np.testing.assert_allclose(parse(text)(**tensors).data, expected)


def test_an_error_of_a_function_is_marked_where_it_is_called():
    error = refused("1 + dot(x, [1, 2])", x=np.ones(3))
    assert error.text[error.start : error.end] == "dot(x, [1, 2])"
    assert "shape" in error.reason
    assert "one" in refused("slogdet(A) + 1", A=np.eye(2)).reason
    assert "shape" in refused("x + y", x=np.ones(3), y=np.ones(2)).reason


def test_the_caret_marks_the_error():
    for text, marked in (
        ("温度 + sine(x)", "sine"),
        ("温 + x\N{COMBINING MACRON}2", "\N{COMBINING MACRON}"),
    ):
        shown, caret = str(refused(text)).splitlines()[1:]
        assert caret.index("^") == width(shown[: shown.index(marked)])
    for spaces in (0, 40, 200, 5_000):
        text = "x + " * spaces + "sine(温度)" + " + x" * spaces
        if len(text) < LONGEST:
            shown, caret = str(refused(text)).splitlines()[1:]
            assert width(shown) < 80
            assert shown[caret.index("^") : len(caret)] == "sine"
    long = "温" * 200
    shown, caret = str(refused(f"x + {long}(1)")).splitlines()[1:]
    assert width(caret) <= width(shown)


def test_parsed_functions_take_their_variables():
    f = parse("x1 * x2 - x1")
    assert f.variables == ("x1", "x2")
    assert f(2, 3) == f(2, x2=3) == f(x2=3, x1=2) == 4
    assert f.__name__ == "x1 * x2 - x1"
    assert repr(f) == "<x1 * x2 - x1, a function of (x1, x2)>"
    assert grad(grad(f, "x1"), "x2")(2.0, 3.0) == 1
    for args, values in [((1,), {}), ((1, 2, 3), {}), ((1, 2), {"x1": 3}), ((1, 2), {"x3": 3})]:
        with pytest.raises(TypeError, match="argument"):
            f(*args, **values)


def test_values_by_name_are_put_in_order():
    f = parse("x1 * x2 - x1")
    assert f.in_order({"x2": 3, "x1": 2}) == [2, 3]
    for values, message in [
        ({"x1": 1}, "no value for x2: give x2=…"),
        ({"x1": 1, "x2": 2, "x3": 3}, "x3 is not in the expression"),
        ({"x1": 1, "x2": 2, "e": 3}, "e is a constant"),
    ]:
        with pytest.raises(TypeError, match=message):
            f.in_order(values)
    with pytest.raises(TypeError, match=r"sin is a function: sin\(…\)"):
        parse("sin + 1").in_order({})


def test_the_functions_are_those_of_the_table():
    assert {"sin", "where", "sum", "dot", "inv", "median", "cumsum", "softmax"} < FUNCTIONS.keys()
    for name, function in FUNCTIONS.items():
        if name != "ln":
            assert function in (
                getattr(autodiff, name, None),
                getattr(autodiff.linalg, name, None),
            )


def test_no_name_is_read_as_another():
    # Python would read ｓ and ſ as s; Å is Å however it is written
    for char in map(chr, range(0x80, 0x3000)):
        usual = unicodedata.normalize("NFC", char)
        if usual != unicodedata.normalize("NFKC", char) and char.isalnum():
            assert refused(char).text == usual
    assert parse("\N{ANGSTROM SIGN}").variables == ("Å",) == parse("A\u030a").variables


@pytest.mark.parametrize("text", ["9**9**9**9", "x + 2**(10*200)", "(1 + 9)**400 * x", "10**309"])
def test_huge_powers_of_numbers_are_refused(text):
    with pytest.raises(ExpressionError, match="this power is too large for a float") as error:
        parse(text)
    assert "**" in text[error.value.start : error.value.end]


@pytest.mark.parametrize("text", ["9**9**2", "x**1000000", "0**-1", "inf**2", "2**-5000"])
def test_other_powers_are_numbers(text):
    parse(text)
