"""Programs, shown as graphs are."""

import json
import re

import numpy as np
import pytest
from drawings import described, edges, labels
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import draw, explore, expression, grad, jit, program, value_and_grad
from autodiff.core.graph import Node, ancestors
from autodiff.ops.registry import TABLE
from autodiff.ops.table import Elementwise
from autodiff.testing import expressions
from autodiff.views import draw as drawing
from autodiff.views.programs import ends_of

X = np.array([0.5, -1.0, 2.0])
W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def price(x1, x2):
    return ad.log(x1) + x1 * x2 - ad.sin(x2)


SLOPES = grad(price, argnums=(0, 1))


def branching(x):
    h = np.tanh(W @ x)
    if h[0] > 0.5:
        return h * h
    return h


# Pictures


def test_calls_are_operations_and_results_have_their_places():
    made = program(SLOPES, 2.0, 5.0)
    assert described(draw(made.at(2.0, 5.0)).source) == {
        ("x1", "÷", "2", None),
        ("÷", "+", "0.5", None),
        ("x2", "+", "5", None),
        ("+", "[0]", "5.5", None),
        ("x2", "cos", "5", None),
        ("cos", "−", "0.283662", None),
        ("−", "+", "-0.283662", None),
        ("x1", "+", "2", None),
        ("+", "[1]", "1.71634", None),
    }
    assert {value for *_, value, _ in described(draw(made).source)} == {""}
    assert drawing.GRADIENT not in draw(made).source


def test_shapes_stand_above_the_lines_and_numbers_at_a_point():
    made = program(branching, X)
    source = draw(made).source
    assert ("@", "tanh", "(2,)", None) in described(source)
    assert ("W", "@", "(2, 3)", None) in described(source)
    assert ("tanh", "×", "h = (2,)", None) in described(source)
    assert "shape above the line" in source
    source = draw(made.at(X), numbers=".3g").source
    assert ("@", "tanh", "[4.5, 9]", None) in described(source)
    assert "value above the line" in source
    small = program(lambda x: x * np.float32(2), X.astype(np.float32))
    assert ("x", "×", "float32 (3,)", None) in described(draw(small).source)


def line_of(key, source):
    return re.search(rf"^\t+{key} \[label=.*\]$", source, re.MULTILINE)[0]


def test_captured_arrays_and_arguments_are_told_apart():
    source = draw(program(branching, X)).source
    keys = {label: key for key, label in labels(source).items()}
    assert "dashed" in line_of(keys["W"], source)
    assert "dashed" not in line_of(keys["x"], source)


def test_decisions_are_diamonds_that_nothing_leaves():
    source = draw(program(branching, X)).source
    ((key, _),) = [pair for pair in labels(source).items() if pair[1] == "is True"]
    assert "shape=diamond" in line_of(key, source)
    assert [edge.tail for edge in edges(source) if edge.tail == key] == []
    assert ("&gt;", "is True", "", None) in described(source)

    def counted(x):
        total = x[0]
        for _ in range(int(np.sum(x > 0))):
            total = total + x[1]
        return total

    assert "is 2" in labels(draw(program(counted, X)).source).values()


def test_calls_of_a_line_stand_in_a_box_that_closes():
    made = program(branching, X)
    lines = ["h = np.tanh(W @ x)", "if h[0] &gt; 0.5:", "return h * h"]
    boxes = re.findall(r">line \d+: (.*?)</td>", draw(made).source)
    assert sorted(boxes) == sorted(lines)
    closed = [label for label in labels(draw(made, depth=0).source).values() if "line" in label]
    assert sorted(label.partition(": ")[2] for label in closed) == sorted(lines)


def test_iterations_are_folded():
    def walk(x):
        for _ in range(50):
            y = np.sin(x)
            x = y + 1
        return x

    folded = [label for label in labels(draw(program(walk, X)).source).values() if "×" in label]
    assert len(folded) == 1
    assert re.fullmatch(r"line \d+: .*, line \d+: .*\\n× 4\d more", folded[0])


def test_results_that_are_inputs_or_constants_are_drawn():
    source = draw(program(lambda x: {"same": x, "two": 2.0, "twice": 2 * x}, X)).source
    assert {(head, tail) for tail, head, *_ in described(source)} == {
        ("['same']", "x"),
        ("['two']", "·"),
        ("['twice']", "×"),
        ("×", "x"),
    }
    assert edges(draw(program(lambda x: None, X)).source) == []


def test_changes_of_objects_are_results():
    class Mean:
        total = 0.0

        def __call__(self, x):
            self.total = self.total + x
            x[0] = 3.0

    mean = Mean()
    source = draw(program(mean, X.copy())).source
    heads = {head for _, head, *_ in described(source)}
    assert heads >= {"the function.total", "x"}


# Versions


def views_of_views(x):
    y = np.zeros((2, 3))
    y = y * x[0] + x
    row = y[1]
    part = row[1:]
    before = y * 1
    part *= 3
    seen = row + 1
    y[0] = seen
    row[0] = part[1]
    return before, y, row, part


def through_a_shape(x):
    y = np.outer(x, x)
    flat = y.reshape(-1)
    flat[2:5] += x
    turned = y.T
    turned[0] = 7.0
    return flat, y, turned


def argument_in_place(x):
    x += 1
    x[np.array([0, 0])] = 5.0
    x.sort()
    return np.sum(x)


def several_results(x):
    q, r = np.linalg.qr(np.outer(x, x) + np.eye(3))
    return q @ r


IN_PLACE = [views_of_views, through_a_shape, argument_in_place, several_results]


def follows(node):
    """Check the number of a node against those of its inputs."""
    args = [arg._data if isinstance(arg, Node) else arg for arg in node.inputs]
    if "…" in str(node.params):  # an index that is computed
        return
    if isinstance(node.op, Elementwise):
        expected = node.op.plain(args, node.params)
    elif node.op is TABLE["getitem"]:
        expected = args[0][node.params["index"]]
    elif node.op is TABLE["setitem"]:
        expected = args[0].copy()
        expected[node.params["index"]] = args[1]
    else:
        return
    np.testing.assert_array_equal(node._data, expected)


@pytest.mark.parametrize("f", IN_PLACE)
def test_every_version_of_an_array_follows_from_what_was_read(f):
    made = program(f, X.copy())
    ends = ends_of(made.at(X.copy()), "test")
    for node in ancestors(*ends.nodes()):
        follows(node)
    x = X.copy()
    results = f(x)
    results = results if isinstance(results, tuple) else (results,)
    for found, expected in zip(ends.results.values(), results, strict=False):
        np.testing.assert_allclose(found._data, expected, rtol=1e-14)
    if f is argument_in_place:
        np.testing.assert_array_equal(ends.results["x"]._data, x)


@given(st.data())
def test_the_numbers_of_random_programs(draw):
    drawn = draw.draw(expressions(tensors=True))
    f = value_and_grad(lambda *x: ad.sum(drawn(*x)), argnums=tuple(range(len(drawn.point))))
    ends = ends_of(program(f, *drawn.point).at(*drawn.point), "test")
    for node in ancestors(*ends.nodes()):
        follows(node)
    value, slopes = f(*drawn.point)
    for found, expected in zip(ends.results.values(), (value, *slopes), strict=True):
        np.testing.assert_allclose(found._data, expected, rtol=1e-11, atol=1e-11)


def test_a_write_is_drawn_as_in_a_graph():
    def f(x):
        y = 2 * x
        y[0] = x[1]
        return y

    assert described(draw(program(f, X)).source) == {
        ("x", "×", "(3,)", None),
        ("x", "[1]", "(3,)", None),
        ("×", "[0]=", "y = (3,)", None),
        ("[1]", "[0]=", "", None),
        ("[0]=", "", "y = (3,)", None),
    }


def test_nothing_outside_is_changed():
    made, x = program(argument_in_place, X.copy()), X.copy()
    point = made.at(x)
    assert draw(point).source == draw(point).source
    np.testing.assert_array_equal(x, X)


def test_a_point_is_checked_as_the_arguments_of_a_call_are():
    made = program(branching, X)
    with pytest.raises(TypeError, match="make another program"):
        made.at(X[:2])
    with pytest.raises(ValueError, match="traced for the other branch"):
        made.at(-X)


def test_jit_gives_programs_to_draw():
    assert labels(draw(jit(branching).program(X)).source)


# The explorer


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', page.html)
    return json.loads(text)


def test_the_explorer_steps_through_the_calls():
    page = explore(program(branching, X).at(X), show=False)
    data = data_of(page)
    assert [step["kind"] for step in data["steps"]] == ["start", *["forward"] * 6, "end"]
    assert data["steps"][0]["given"] == [["W", "(2, 3)"], ["x", "[0.5, −1, 2]"]]
    lines = [step["line"] for step in data["steps"][1:-1]]
    assert lines[0] == ["v₁", "W @ x", "((2, 3)) @ ([0.5, −1, 2])", "[4.5, 9]"]
    assert lines[2][1:] == ["h[0]", f"({lines[1][-1]})[0]", "0.999753"]
    assert lines[4][-1] == "True"
    assert data["steps"][-1]["given"] == [["result", lines[-1][-1]]]
    assert data["outputs"] == {"output": len(data["nodes"]) - 1}
    assert not any("gradient" in node for node in data["nodes"])
    assert 'data-edge="output"' in page.html


def test_each_result_of_a_program_has_an_edge_in_the_explorer():
    page = explore(program(SLOPES, 2.0, 5.0).at(2.0, 5.0), show=False)
    data = data_of(page)
    assert [*data["outputs"]] == ["output", "output1"]
    values = [data["nodes"][k]["value"]["brief"] for k in data["outputs"].values()]
    assert values == ["5.5", "1.71634"]
    assert data["steps"][-1]["given"] == [["[0]", "5.5"], ["[1]", "1.71634"]]
    assert 'data-edge="output1"' in page.html


def test_what_cannot_be_shown_is_refused():
    made = program(branching, X)
    with pytest.raises(TypeError, match=r"explore\(p\.at\(\*args\)\)"):
        explore(made, show=False)
    with pytest.raises(TypeError, match="explore takes no seed with a program"):
        explore(made.at(X), show=False, seed=X)
    with pytest.raises(ValueError, match="steps of a program are not differentiated"):
        draw(made, partials=True)


# Formulas


def test_each_result_of_a_program_has_a_formula():
    found = expression(program(value_and_grad(price, (0, 1)), 2.0, 5.0))
    assert str(found).splitlines() == [
        "y₁ = log(x1) + x1 × x2 − sin(x2)",
        "y₂ = x2 + 1/x1",
        "y₃ = −cos(x2) + x1",
    ]
    assert found.latex == (
        "\\begin{aligned}\n"
        "y_{1} &= \\ln(x_{1}) + x_{1} \\cdot x_{2} - \\sin(x_{2}) \\\\\n"
        "y_{2} &= x_{2} + \\frac{1}{x_{1}} \\\\\n"
        "y_{3} &= -\\cos(x_{2}) + x_{1}\n"
        "\\end{aligned}"
    )


def test_values_that_are_used_several_times_have_names():
    def f(a, b):
        r = np.sqrt(a * a + b * b)
        return np.sin(r) / r

    found = expression(program(f, 3.0, 4.0))
    assert found.lets == (("r", "sqrt(a × a + b × b)"),)
    assert found.formula == "sin(r)/r"
    assert found.latex.splitlines()[1:-1] == [
        "r &= \\sqrt{a \\cdot a + b \\cdot b} \\\\",
        "y &= \\frac{\\sin(r)}{r}",
    ]


def test_formulas_of_results_that_are_inputs_or_constants():
    found = expression(program(lambda x: (x, 2.0, 2 * x), 3.0))
    assert str(found) == "y₁ = x\ny₂ = 2\ny₃ = 2 × x"


@given(st.data())
def test_formulas_of_random_programs_are_complete(draw):
    drawn = draw.draw(expressions(tensors=False))
    f = value_and_grad(drawn, argnums=tuple(range(len(drawn.point))))
    formulas = expression(program(f, *drawn.point), limit=None)
    assert formulas.latex.count("&=") == len(formulas.lets) + 1 + len(drawn.point)
    assert "…" not in str(formulas)
