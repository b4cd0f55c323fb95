"""Drawings: contents and options."""

import ast
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from drawings import Edge, _patience, described, edges, labels, out_of, price
from hypothesis import given
from hypothesis import strategies as st

from autodiff import (
    Tensor,
    Value,
    concatenate,
    draw,
    exp,
    log,
    no_grad,
    sign,
    sin,
    sqrt,
    tanh,
    where,
)
from autodiff.views import draw as drawing
from autodiff.views import heat

__all__ = ["_patience"]  # fixtures


# Contents


def test_every_edge_shows_its_value_and_gradient():
    y = price()
    y.backward()
    assert described(draw(y).source) == {
        ("apple", "×", "100", "2.2"),
        ("number", "×", "2", "110"),
        ("×", "×", "200", "1.1"),
        ("tax", "×", "1.1", "200"),
        ("×", "", "220", "1"),
    }


def test_no_gradient_is_shown_before_backward():
    source = draw(price()).source
    assert [edge.gradient for edge in edges(source)] == [None] * 5
    assert "←" not in source
    assert drawing.GRADIENT not in source


def test_each_use_of_a_variable_has_its_own_share():
    x = Value(3, "x")
    y = x * x
    y.backward()
    source = draw(y).source
    assert list(labels(source).values()).count("x") == 1
    assert [(edge.value, edge.gradient) for edge in out_of("x", source)] == [("3", "3")] * 2


def test_shared_subexpressions_are_drawn_once():
    x = Value(0.5, "x")
    s = sin(x)
    source = draw(s * s + s).source
    assert sorted(labels(source).values()) == ["", "+", "sin", "x", "×"]
    assert len(edges(source)) == 6  # the one into sin, three out of it, ×'s and the output's


STEPS = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: 2.5 * x,
    lambda x, y: 1 / y,
    lambda x, y: y - 0.5,
    lambda x, y: sin(x),
    lambda x, y: tanh(y),
    lambda x, y: sqrt(x * x),
    lambda x, y: where(x > y, x, y),
]


programs = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 99), st.integers(0, 99)), min_size=1
)


def run(program, variables):
    nodes = list(variables)
    for step, i, j in program:
        nodes.append(step(nodes[i % len(nodes)], nodes[j % len(nodes)]))
    total = nodes[-1]
    for node in nodes[:-1]:
        total = total + node
    return total


@given(programs, st.floats(-2, 2), st.floats(-2, 2))
def test_the_shares_of_a_value_add_up_to_its_gradient(program, a, b):
    variables = Value(a, "a"), Value(b, "b")
    with np.errstate(all="ignore"):
        y = run(program, variables)
        y.backward()
        source = draw(y).source
        for x in variables:
            shares = [float(edge.gradient) for edge in out_of(x.name, source)]
            np.testing.assert_allclose(sum(shares), x.grad, rtol=0, atol=rounding(shares))


@given(
    st.lists(st.sampled_from(STEPS[:3] + STEPS[4:5] + STEPS[6:9]), min_size=1, max_size=6),
    st.sampled_from([(), (1,), (3,), (2, 2), (2, 1)]),
    st.sampled_from([(), (1,)]),
    st.sampled_from(["f4", "f8"]),
)
def test_the_shares_of_a_tensor_add_up_to_its_gradient(steps, shape, other, dtype):
    a = Tensor(np.linspace(-1, 2, int(np.prod(shape))).reshape(shape).astype(dtype), "a")
    b = Tensor(np.full(other, 0.7, dtype), "b")
    y = run([(step, 2 * i, 3 * i + 1) for i, step in enumerate(steps)], (a, b)).sum()
    y.backward()
    source = draw(y).source
    for x in (a, b):
        shares = [np.array(ast.literal_eval(edge.gradient)) for edge in out_of(x.name, source)]
        assert {share.shape for share in shares} == {x.shape}
        np.testing.assert_allclose(sum(shares), x.grad, rtol=0, atol=rounding(shares))


def rounding(shares):
    """Return the error that six digits (of float32 at worst) may have in a sum of shares."""
    finite = [np.abs(share).max() for share in shares if np.isfinite(share).all()]
    return 2e-6 * len(shares) * (1 + sum(finite))


def test_a_gradient_of_zero_is_drawn():
    x = Value(0.0, "x")
    with np.errstate(all="ignore"):
        y = where(False, log(x), x) - x * -0.0
        y.backward()
        source = draw(y).source
    assert [edge.gradient for edge in out_of("x", source)] == ["0", "1", "0"]


def test_zero_has_the_shape_of_its_variable_and_no_sign():
    x = Tensor([1.0, 2.0], "x")
    y = (sign(x) + x * 1e-200 * -1e-200).sum()
    y.backward()
    assert [edge.gradient for edge in out_of("x", draw(y).source)] == ["[0, 0]"] * 2


def test_infinite_slopes_are_drawn_not_raised():
    x = Value(0.0, "x")
    with np.errstate(all="ignore"):
        y = 1 / x + sqrt(x)
        y.backward()
    assert [edge.gradient for edge in out_of("x", draw(y).source)] == ["-inf", "inf"]


def test_the_branch_not_taken_has_gradient_zero():
    x = Tensor([0.0, 1.0], "x")
    with np.errstate(divide="ignore"):
        y = where(x.data > 0, log(x), 0.0).sum()
    y.backward()
    assert out_of("x", draw(y).source)[0].gradient == "[0, 1]"


def test_constants_are_grey_and_have_no_gradient():
    x = Tensor(np.ones(2), "x")
    y = (np.ones((5, 2)) @ where(np.array([True, False]), x, 0) * np.full(5, 3.0) + 1.5).sum()
    y.backward()
    source = draw(y).source
    grey = re.findall(
        r'^\t(\w+) \[label="?(.*?)"? fontcolor="#767676" fontsize=10 ', source, re.MULTILINE
    )
    shown = ["[True, False]", "0", "(5, 2) float64", "(5,) float64", "1.5"]
    assert [label for _, label in grey] == shown
    for key, _ in grey:
        assert len(re.findall(rf"^\t{key} -> \w+$", source, re.MULTILINE)) == 1
        assert key not in {edge.tail for edge in edges(source)}


def test_tensors_are_shown_by_shape_unless_tiny():
    x, w = Tensor(np.ones((3, 5), np.float32), "x"), Tensor(np.ones((5, 2)), "w")
    b, empty = Tensor([0.5, -1 / 3], "b"), Tensor(np.ones((0, 2)), "e")
    h = concatenate([x @ w + b, empty])
    h.name = "h"
    y = h.sum()
    y.backward()
    shown = described(draw(y).source)
    assert shown >= {
        ("x", "@", "(3, 5) float32", "(3, 5)"),
        ("w", "@", "(5, 2) float64", "(5, 2)"),
        ("b", "+", "[0.5, -0.333333]", "[3, 3]"),
        ("e", "concatenate", "(0, 2) float64", "(0, 2)"),
        ("concatenate", "Σ", "h = (3, 2) float64", "(3, 2)"),
        ("Σ", "", "30.5", "1"),
    }


@pytest.mark.parametrize(
    ("number", "text"),
    [(220.0, "220"), (1 / 3, "0.333333"), (1e-9, "1e-09"), (123456789.0, "1.23457e+08")],
)
def test_numbers_have_six_significant_digits(number, text):
    for kind in (Value, Tensor):
        assert edges(draw(kind(number)).source) == [Edge("n0", "end", text, None)]


def test_matrices_stand_on_one_line_whatever_numpy_prints():
    matrix, row = Tensor([[1, 2], [3, 1 / 3]]), Tensor([[1, 2, 3, 4]])
    with np.printoptions(threshold=2, edgeitems=1, linewidth=5, precision=2):
        assert edges(draw(matrix).source)[0].value == "[[1, 2], [3, 0.333333]]"
        assert edges(draw(row).source)[0].value == "[[1, 2, 3, 4]]"


def test_a_result_computed_without_recording_is_a_variable():
    with no_grad():
        y = price()
    y.name = "y"
    assert described(draw(y).source) == {("y", "", "220", None)}


def test_a_changed_variable_is_not_drawn_beside_its_old_results():
    x = Value(2.0, "x")
    y = x * x
    x.data = 3.0
    with pytest.raises(RuntimeError, match="'x' was assigned after multiply"):
        draw(y)


def test_an_array_changed_in_place_is_drawn_as_the_graph_has_read_it():
    x = Tensor([1.0, 2.0], "x")
    x.data[0] = 5.0
    y = x * 2.0
    x.data[0] = 7.0
    assert out_of("x", draw(y).source)[0].value == "[5, 2]"


def test_only_nodes_can_be_drawn():
    with pytest.raises(TypeError, match="draw takes a Value, a Tensor or a program, not float"):
        draw(3.0)


def test_the_text_is_the_same_for_the_same_graph():
    def text():
        a, b = Value(1.5, "a"), Value(0.5, "b")
        y = log(a) * b - exp(a / b) * 2
        y.backward()
        return draw(y).source

    assert text() == text()


# Options


def test_partial_derivatives_stand_where_an_edge_enters_its_operation():
    x1, x2 = Value(2, "x1"), Value(5, "x2")
    y = log(x1) + x1 * x2 - sin(x2)
    y.name = "y"
    source = draw(y, partials=True).source
    text = f'<font color="{drawing.PARTIAL}"> (.*?) </font>'
    found = re.findall(f"{text}.*?{text}", source)
    assert found == [
        ("∂v₁/∂x1", "1/x1 = 0.5"),
        ("∂v₂/∂x1", "x2 = 5"),
        ("∂v₂/∂x2", "x1 = 2"),
        ("∂v₃/∂v₁", "1"),
        ("∂v₃/∂v₂", "1"),
        ("∂v₄/∂x2", "cos(x2) = 0.283662"),
        ("∂y/∂v₃", "1"),
        ("∂y/∂v₄", "-1"),
    ]
    assert "v₂ = 10" in source


@given(st.floats(-3, 3), st.floats(0.1, 3))
def test_the_gradient_below_is_that_above_times_the_partial(a, b):
    x, z = Value(a, "x"), Value(b, "z")
    y = sin(x * z) / z
    y.backward()
    source = draw(y, partials=True, numbers=".17g").source
    slopes = re.findall(rf'<font color="{drawing.PARTIAL}"> (?:.* = )?(\S+) </font></td>', source)
    numbers = [float(slope) for slope in slopes if not slope.startswith("∂")]
    shares = re.findall(r"<i> ← (\S+) </i>", source)[:-1]
    gradients = [node.grad for node in (y.inputs[0].inputs[0], y.inputs[0], y) for _ in node.inputs]
    for upstream, slope, share in zip(gradients, numbers, map(float, shares), strict=True):
        assert share == pytest.approx(upstream * slope, abs=1e-12)


def test_constants_can_be_left_out():
    x = Value(2.0, "x")
    assert "fontsize=10 " in draw(x * 3).source
    assert not re.search(r"^\t\w+ \[label=3", draw(x * 3, constants=False).source, re.MULTILINE)


def test_numbers_take_a_format():
    assert edges(draw(Value(1 / 3), numbers=".2f").source)[0].value == "0.33"
    with pytest.raises(ValueError, match="numbers='q' is not a format of floats"):
        draw(Value(1.0), numbers="q")


def test_statistics_of_tensors():
    x = Tensor(np.arange(6.0).reshape(2, 3), "x")
    assert edges(draw(x.sum(), tensors="stats").source)[0].value == (
        "(2, 3) float64<br/>0 … 5, mean 2.5"
    )


def test_maps_of_values_and_gradients_stand_inside_the_node():
    x = Tensor(np.array([[-1.0, 0.0, 1.0], [0.5, np.nan, 1.0]]), "x")
    y = (x * x).sum()
    y.backward()
    source = draw(y, tensors="image").source
    label = re.search(r"^\tn0 \[label=<(.*)> ", source, re.MULTILINE)[1]
    maps = re.findall(r"<table [^>]*fixedsize.*?</table>", label)
    assert len(maps) == 2
    colours = re.findall(r"<td [^>]*?(?: bgcolor=\"(#\w+)\")?></td>", maps[0])
    assert colours[:3] == ["#00204c", "#7c7b78", "#ffe945"]
    assert colours[4] == ""
    assert ">x<" in label


def test_the_ground_of_a_map_is_as_large_as_its_cells():
    for length in range(8, 16):  # the room around the map is odd or even
        x = Tensor([[1.0, 2.0], [-3.0, 0.5]], "n" * length)
        svg = draw(x, tensors="image").pipe(encoding="utf-8")
        grounds = re.findall(f'<polygon fill="{heat._colour(0)}" [^>]*points="([^"]*)"', svg)
        assert len(grounds) == 1
        xs, ys = np.array([corner.split(",") for corner in grounds[0].split()], float).T
        assert (np.ptp(xs), np.ptp(ys)) == pytest.approx((18, 18))


@given(st.integers(1, 90), st.integers(1, 90))
def test_a_map_has_a_bounded_number_of_cells_and_keeps_the_mean(rows, columns):
    data = np.random.default_rng(rows * columns).standard_normal((rows, columns))
    cells = heat._averaged(heat._averaged(data, 0), 1)
    assert cells.shape == (min(rows, heat.SIDE), min(columns, heat.SIDE))
    if rows % heat.SIDE == columns % heat.SIDE == 0 or max(rows, columns) <= heat.SIDE:
        assert cells.mean() == pytest.approx(data.mean(), abs=1e-12)


@pytest.mark.parametrize("direction", ["LR", "RL", "TB", "BT"])
def test_data_flows_in_the_direction_asked_for(direction):
    y = price()
    y.backward()
    svg = ET.fromstring(draw(y, direction=direction, legend=False).pipe(encoding="utf-8"))
    places = {e.text.strip(): e for e in svg.iter() if e.tag.endswith("}text")}
    axis, sign_ = {"LR": ("x", 1), "RL": ("x", -1), "TB": ("y", 1), "BT": ("y", -1)}[direction]
    path = [sign_ * float(places[text].get(axis)) for text in ("apple", "100", "200", "220")]
    assert path == sorted(path)
    back = {"LR": "←", "RL": "→", "TB": "↑", "BT": "↓"}[direction]
    assert f"{back} 110" in places


def test_the_legend_names_the_colours_that_are_used():
    y = price()
    assert "value above" in draw(y).source
    assert "gradient" not in draw(y).source
    y.backward()
    assert "gradient below" in draw(y).source
    assert "gradient right of" in draw(y, direction="TB").source
    assert "value above" not in draw(y, legend=False).source


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "up"}, "direction='up': choose one of LR, RL, TB, BT"),
        ({"tensors": "all"}, "tensors='all': choose 'shape', 'stats' or 'image'"),
        ({"max_nodes": 0}, "max_nodes=0"),
        ({"depth": -1}, "depth=-1"),
    ],
)
def test_unknown_options_are_refused(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        draw(price(), **options)


def test_every_node_draws_itself():
    assert price().graph(partials=True).source == draw(price(), partials=True).source
