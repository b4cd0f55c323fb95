"""Drawings: contents, layout, and what happens without Graphviz."""

import ast
import os
import re
import shutil
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import graphviz
import numpy as np
import pytest
from graphviz.backend import dot_command
from hypothesis import given
from hypothesis import strategies as st

from autodiff import (
    Tensor,
    Value,
    concatenate,
    draw,
    exp,
    grouped,
    log,
    no_grad,
    sign,
    sin,
    sqrt,
    tanh,
    where,
)
from autodiff.core import groups
from autodiff.core.graph import ancestors
from autodiff.views import draw as drawing
from autodiff.views import formulas, heat, notebook, render, scene
from nn import TwoLayerNet

SVG = "image/svg+xml"
READ_ALL = "#!/bin/sh\nwhile read -r _; do :; done\n"  # or the writer gets a broken pipe
JOINT = r"^\t+(?!graph\b)(\w+) \[label=<(<table.*)>\]$"


class Edge(NamedTuple):
    tail: str
    head: str
    value: str
    gradient: str | None


def labels(source):
    """Return the plain labels in a DOT text, by node."""
    found = re.findall(r'^\t(\w+) \[label=(?:"(.*?)"|(\w+))[ \]]', source, re.MULTILINE)
    return {key: quoted or bare for key, quoted, bare in found}


def edges(source):
    """Return the labelled edges in a DOT text: value, and gradient if there is one."""
    tails = {joint: tail for tail, joint in re.findall(r"(\w+) -> (\w+):p:w", source)}
    heads = dict(re.findall(r"(\w+):p:e -> (\w+)", source))
    found = []
    for joint, label in re.findall(JOINT, source, re.MULTILINE):
        value = re.search(f'<font color="{drawing.VALUE}"> (.*?) </font>', label)
        gradient = re.search(f'<font color="{drawing.GRADIENT}"><i> ← (.*?) </i></font>', label)
        found.append(Edge(tails[joint], heads[joint], value[1], gradient and gradient[1]))
    assert sorted(tails) == sorted(heads)
    assert len(found) == len(tails)
    return found


def out_of(name, source):
    """Return the edges out of the variable with this name."""
    key = next(key for key, label in labels(source).items() if label == name)
    return [edge for edge in edges(source) if edge.tail == key]


def described(source):
    """Return every edge as (tail's label, head's label, value, gradient)."""
    named = labels(source)
    return {(named[t], named.get(h, ""), v, g) for t, h, v, g in edges(source)}


def svg_of(node):
    """Return the rendered picture, parsed."""
    return ET.fromstring(draw(node, legend=False).pipe(format="svg", encoding="utf-8"))


def texts(svg):
    return [element.text.strip() for element in svg.iter() if element.tag.endswith("}text")]


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Wait for pictures in notebooks as long as a busy machine needs."""
    monkeypatch.setattr(notebook, "SECONDS", 120)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with an empty PATH and nothing in the folder of Python's scripts."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(render.sysconfig, "get_path", lambda _: str(tmp_path))
    return tmp_path


@pytest.fixture
def no_graphviz(monkeypatch, tmp_path_factory):
    """A PATH with graphviz-pure only, found where pip installed it."""
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=scripts)
    if not found:
        pytest.skip("graphviz-pure's program is neither on PATH nor beside Python")
    folder = tmp_path_factory.mktemp("bin")
    (folder / "graphviz-pure").symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))


def price():
    apple, number, tax = Value(100, "apple"), Value(2, "number"), Value(1.1, "tax")
    return apple * number * tax


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
    with pytest.raises(TypeError, match="draw takes a Value or a Tensor, not float"):
        draw(3.0)


def test_the_text_is_the_same_for_the_same_graph():
    def text():
        a, b = Value(1.5, "a"), Value(0.5, "b")
        y = log(a) * b - exp(a / b) * 2
        y.backward()
        return draw(y).source

    assert text() == text()


# Size


def chain(length):
    y = Value(0.5, "x")
    for _ in range(length - 1):
        y = y * 1.5
    return y


def test_a_loop_is_folded_between_its_first_and_its_last_iteration():
    y = chain(1_000)
    y.backward()
    source = draw(y).source
    assert r'label="×\n× 996 more"' in source
    shown = edges(source)
    assert [edge.tail for edge in shown] == ["n0", "n1", "n2", "b0", "n3"]
    assert shown[2].value == "1.125"
    assert float(shown[2].gradient) == pytest.approx(1.5**997, rel=1e-5)


def test_a_loop_of_several_states_is_folded():
    position, speed, stiffness = Value(1.0, "x"), Value(0.0, "v"), Value(0.5, "k")
    for _ in range(50):
        position, speed = position + 0.1 * speed, speed - 0.1 * stiffness * sin(position)
    drawn = scene.scene(position + speed)
    (block,) = [item for item in drawn.items if isinstance(item, scene.Block)]
    assert block.label.endswith("\n× 47 more")
    assert len(block.nodes) == 47 * 6
    assert len(drawn.nodes) == 3 + 3 * 6 + 1
    assert {edge.node.name for edge in drawn.edges if edge.head is block} == {None, "k"}


def test_a_loop_over_data_hides_what_only_its_hidden_iterations_read():
    data = [Value(float(i), f"d{i}") for i in range(100)]
    total = Value(0.0, "start")
    for x in data:
        total = total + log(1 + x * x)
    names = {node.name for node in scene.scene(total).nodes}
    assert names == {None, "start", "d0", "d1", "d99"}


def test_layers_that_repeat_are_folded_whole():
    @grouped("layer")
    def layer(x, w):
        return tanh(x * w)

    x = Value(1.0, "x")
    y = x
    for k in range(20):
        y = layer(y, Value(0.5, f"w{k}"))
    source = draw(y).source
    assert r'label="layer\n× 17 more"' in source
    assert source.count(">layer</td>") == 3
    assert len(draw(y, depth=0).scene.nodes) == 1 + 3


def test_one_operation_of_many_variables_shows_a_few():
    y = concatenate([Tensor([float(i)], f"x{i}") for i in range(1_000)])
    drawn = scene.scene(y)
    assert [node.name for node in drawn.nodes[:-1]] == ["x0", "x1", "x2", "x3", "x4", "x5", "x999"]
    (block,) = [item for item in drawn.items if isinstance(item, scene.Block)]
    assert block.label == "variables\n× 993 more"
    assert [edge.count for edge in drawn.edges if edge.tail is block] == [993]
    assert "993 values" in draw(y).source


def tangle(length):
    """Return a graph without repetitions."""
    draws = np.random.default_rng(0)
    nodes = [Value(0.5, "x"), Value(0.7, "y")]
    while len(nodes) < length:
        a, b = draws.integers(max(0, len(nodes) - 30), len(nodes), 2)
        nodes.append(nodes[a] * nodes[b] if draws.integers(2) else sin(nodes[a]))
    return nodes[-1]


def test_the_nearest_part_of_a_large_graph_is_drawn():
    drawn = scene.scene(tangle(3_000), max_nodes=100)
    blocks = [item for item in drawn.items if isinstance(item, scene.Block)]
    assert len(drawn.nodes) + len(blocks) - sum(node.op is None for node in drawn.nodes) == 101
    assert re.fullmatch(r"[\d,]+\nearlier nodes", blocks[0].label)
    named = int(re.sub(r"\D", "", blocks[0].label))
    assert named == len(blocks[0].nodes)
    assert all(node.serial > blocks[0].serial for node in drawn.nodes)


@pytest.mark.parametrize("length", [10, 80, 700])
def test_every_edge_of_the_graph_is_drawn_or_leads_into_a_block(length):
    y = tangle(length)
    drawn = scene.scene(y, max_nodes=50)
    hidden = {node for item in drawn.items if isinstance(item, scene.Block) for node in item.nodes}
    shown = {(edge.node, edge.head, edge.k) for edge in drawn.edges}
    for node in ancestors(y):
        assert (node in drawn.items) != (node in hidden)
        for k, arg in enumerate(node.inputs):
            if node in drawn.items:
                assert (arg, node, k) in shown or sum(e.count for e in drawn.edges) > len(shown)


@pytest.mark.parametrize(
    "output",
    [chain(1_000_000), concatenate([Tensor([1.0])] * 100_000)],
    ids=["many nodes", "many edges"],
)
def test_a_huge_graph_is_not_read_to_its_end(output):
    drawn = scene.scene(output)
    assert len(drawn.items) < 20
    if len(output.inputs) == 2:
        assert "more than 20,000\\nearlier nodes" in draw(output).source


def test_max_nodes_is_how_many_operations_are_drawn():
    y = tangle(60)
    operations = sum(node.op is not None for node in ancestors(y))
    assert len(scene.scene(y, max_nodes=operations).nodes) == len(ancestors(y))
    assert (
        sum(n.op is not None for n in scene.scene(y, max_nodes=operations - 1).nodes) < operations
    )


# Boxes


def network():
    random = np.random.default_rng(0)
    loss, _ = TwoLayerNet(4, 3, 2, rng=0).record(random.random((5, 4)), np.array([0, 1, 0, 1, 1]))
    return loss


def blocks(drawn):
    return [item.label for item in drawn.items if isinstance(item, scene.Block)]


def test_layers_stand_in_boxes_with_their_parameters():
    boxes = scene.scene(network()).root.all_boxes()
    tree = {box.label: {node.name or node.op.name for node in box.nodes} for box in boxes[:3]}
    assert tree == {"": {"cross_entropy"}, "TwoLayerNet": set(), "Affine": {"W1", "b1", "affine"}}
    source = draw(network()).source
    assert source.count("subgraph cluster_") == 4
    for label in ("TwoLayerNet", "Affine", "ReLU"):
        assert f">{label}</td></tr></table>>" in source


def test_a_closed_box_is_one_node():
    loss = network()
    loss.backward()
    assert blocks(scene.scene(loss, depth=0)) == ["TwoLayerNet\nW1, b1, W2, b2"]
    drawn = scene.scene(loss, depth=1)
    assert blocks(drawn) == ["Affine\nW1, b1", "ReLU", "Affine\nW2, b2"]
    assert [node.op.name for node in drawn.nodes] == ["cross_entropy"]
    assert "subgraph" in draw(loss, depth=1).source


def test_arguments_of_a_function_are_outside_its_box():
    @grouped()
    def bell(x, width):
        return exp(-x * x / width)

    x, width = Value(0.5, "x"), Value(2.0, "width")
    inside = Value(3.0, "inside")

    @grouped("outer")
    def outer(x):
        return bell(x, width) * inside

    boxes = {box.label: box for box in scene.scene(outer(x)).root.all_boxes()}
    assert {node.name for node in boxes[""].nodes} == {"x"}
    assert {node.name for node in boxes["outer"].nodes} == {None, "width", "inside"}
    assert {node.name for node in boxes["bell"].nodes} == {None}


def test_a_group_is_forgotten_with_its_result():
    before = len(groups._results)
    y = network()
    assert len(groups._results) == before + 3  # the network's result is that of its last layer
    del y
    assert len(groups._results) == before


def test_the_gradient_of_an_edge_into_a_closed_box_is_a_sum():
    @grouped("both")
    def both(x):
        return sin(x) * x

    x = Value(0.7, "x")
    y = both(x) + 3 * x
    y.backward()
    shares = [float(edge.gradient) for edge in out_of("x", draw(y, depth=0).source)]
    assert sum(shares) == pytest.approx(x.grad, rel=1e-5)
    assert len(shares) == 2


# The picture


def test_the_picture_holds_the_numbers_and_the_names():
    y = price()
    y.backward()
    shown = ["apple", "number", "tax", "×", "×", "100", "2", "200", "1.1", "220"]
    shown += ["← 2.2", "← 110", "← 1.1", "← 200", "← 1"]
    assert sorted(texts(svg_of(y))) == sorted(shown)


def rules(svg):
    """Return the lines between a value and its gradient, as (left, right, height)."""
    found = []
    for element in svg.iter():
        if element.tag.endswith("}polygon"):
            xs, ys = np.array([p.split(",") for p in element.get("points").split()], dtype=float).T
            if ys.min() == ys.max():
                found.append((xs.min(), xs.max(), ys[0]))
    return found


def test_data_flows_right_with_values_above_the_line_and_gradients_below():
    y = price()
    y.backward()
    svg = svg_of(y)
    at = {
        element.text.strip(): (float(element.get("x")), float(element.get("y")))
        for element in svg.iter()
        if element.tag.endswith("}text")
    }
    for value, gradient in [("100", "← 2.2"), ("2", "← 110"), ("1.1", "← 200"), ("220", "← 1")]:
        (x, above), (_, below) = at[value], at[gradient]
        assert any(left <= x <= right and above < y < below for left, right, y in rules(svg))
        assert below - above < 25
    path = [at[text][0] for text in ("apple", "100", "200", "220")]
    assert path == sorted(path)


def test_the_line_passes_through_its_label_without_a_gap():
    svg = svg_of(log(Value(2, "x1")) + Value(12345.678, "x2") * 2)
    ends = []
    for group in svg.iter():
        title = next((e.text for e in group if e.tag.endswith("}title")), "")
        for path in group:
            if path.tag.endswith("}path") and "->" in title:
                numbers = [float(number) for number in re.findall(r"[-\d.]+", path.get("d"))]
                if title.endswith(":w"):
                    ends.append(numbers[-2:])
                elif ":e->" in title:
                    ends.append(numbers[:2])
    assert len(ends) == 10
    for x, y in ends:
        assert any(left <= x <= right and y == height for left, right, height in rules(svg))


def test_the_first_operand_is_on_top():
    a, b, c, d = (Value(2, name) for name in "abcd")
    for y, first, second in [(7 / a, "7", "a"), (a / 7, "a", "7"), (7 - a, "7", "a")]:
        height = {e.text: float(e.get("y")) for e in svg_of(y).iter() if e.tag.endswith("}text")}
        assert height[first] < height[second]
    height = {e.text: float(e.get("y")) for e in svg_of(a * b + c * d).iter() if "text" in e.tag}
    assert height["a"] < height["b"]
    assert height["c"] < height["d"]


def test_operands_that_may_be_swapped_are_where_lines_cross_least():
    x, z = Value(2, "x"), Value(3, "z")
    for y, free in [
        (x * x, ["×"]),
        (x * z + x, ["×", "+"]),
        (sin(x) * 2, ["×"]),
        (x * 2, []),
        (x / x, []),
    ]:
        operations = re.findall(r'label="?([^ "]+).* style=filled ', draw(y).source)
        ordered = re.findall(r'label="?([^ "]+).* ordering=in .* style=filled ', draw(y).source)
        assert sorted(operations) == sorted(ordered + free)


def test_operations_are_circles_and_long_names_fit():
    source = draw(concatenate([tanh(Tensor(np.ones(9)))])).source
    assert re.search(r"label=tanh .*shape=circle", source)
    assert re.search(r"label=concatenate .*shape=ellipse", source)
    for name in ("りんごの値段", "x"):
        width = re.search(rf"label=.?{name}.? .*width=(\S+)\]", draw(Value(1, name)).source)[1]
        assert float(width) * 72 > 12 * len(name)  # Graphviz may estimate it too small
    assert labels(draw(Value(1.0)).source)["n0"] == "·"


def test_colours_can_be_read_on_light_and_on_dark_pages():
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    for colour in (drawing.LINE, drawing.VALUE, drawing.GRADIENT):
        assert 1.05 / (luminance(colour) + 0.05) > 4.5
        assert (luminance(colour) + 0.05) / 0.05 > 4.5
    assert draw(price()).graph_attr["bgcolor"] == "transparent"


@pytest.mark.parametrize(
    "name",
    [
        '"><script>',
        "a|b",
        r"\N \G \l",
        r"c:\new\E",
        "back\\",
        r"a\"b",
        "&lt; &amp; &",
        "<b>bold</b>",
        "<",
        "-->",
        "りんごの値段",
        "{}%s",
        "node",
        "it's",
        "n0",
    ],
)
def test_no_name_means_anything_to_graphviz(name, capfd):
    x = Value(2, name)
    y = x * x
    y.name = name
    assert sorted(texts(svg_of(y))) == sorted([name, "×", "2", "2", f"{name} = 4"])
    assert capfd.readouterr().err == ""


def test_unprintable_characters_become_spaces():
    found = texts(svg_of(Value(2, "two\nlines\x00\ud800!")))
    assert found == ["two lines \xa0!", "2"]


# Rendering


def test_render_needs_no_system_package(monkeypatch, tmp_path, no_graphviz):
    assert Path(render.renderer()).stem == "graphviz-pure"
    monkeypatch.chdir(tmp_path)
    draw(price()).render(outfile="price.svg", cleanup=True)
    assert os.listdir() == ["price.svg"]
    assert ET.parse("price.svg").getroot().tag.endswith("svg")
    draw(price()).render("out", format="png")
    draw(price()).render("plain")
    assert ET.parse("plain.svg").getroot().tag.endswith("svg")
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")
    assert "svg" in draw(price())._repr_mimebundle_()[SVG]
    assert str(dot_command.DOT_BINARY) == "dot"  # as the graphviz package left it


def test_graphviz_pure_is_found_on_the_path_and_beside_python(bare, monkeypatch):
    beside, program = bare / "beside", "graphviz-pure"
    for folder in (beside, bare):  # PATH comes first
        folder.mkdir(exist_ok=True)
        (folder / program).write_text(READ_ALL)
        (folder / program).chmod(0o755)
        monkeypatch.setattr(render.sysconfig, "get_path", lambda _: str(beside))
        assert render.renderer() == str(folder / program)


def test_graphviz_itself_comes_first(bare):
    for name in ("graphviz-pure", "dot"):
        (bare / name).write_text(
            '#!/bin/sh\nwhile read -r _; do :; done; echo "<svg>$0 $*</svg>"\n'
        )
        (bare / name).chmod(0o755)
        assert render.renderer() == str(bare / name)
    assert draw(price()).pipe(format="svg").decode() == f"<svg>{bare}/dot -Kdot -Tsvg</svg>\n"


def test_the_graphviz_package_keeps_its_own_program_when_ours_fails(bare):
    (bare / "graphviz-pure").write_text(f"{READ_ALL}exit 1\n")
    (bare / "graphviz-pure").chmod(0o755)
    with pytest.raises(graphviz.CalledProcessError):
        draw(price()).pipe()
    assert str(dot_command.DOT_BINARY) == "dot"


def test_without_graphviz_the_text_and_advice_are_shown(bare):
    picture = draw(price())
    advised = f"{picture.source}// {render.ADVICE}"
    assert picture._repr_mimebundle_() == {"text/plain": advised}
    assert str(picture) == advised
    with pytest.raises(RuntimeError, match="install graphviz, or pip install graphviz-pure"):
        picture.render(bare / "out")
    with pytest.raises(RuntimeError, match="install graphviz, or pip install graphviz-pure"):
        picture.pipe()
    assert os.listdir(bare) == []


def test_with_graphviz_there_is_no_advice():
    picture = draw(price())
    assert str(picture) == picture.source
    assert '.save("graph.svg")' in repr(picture)


def test_save_writes_the_format_that_the_suffix_names(tmp_path, bare):
    picture = draw(price())
    with pytest.raises(RuntimeError, match="install graphviz, or pip install graphviz-pure"):
        picture.save(bare / "y.svg")
    assert os.listdir(bare) == []
    assert picture.save(bare / "y.dot").read_text(encoding="utf-8") == picture.source


def test_save_draws(tmp_path):
    picture = draw(price())
    assert picture.save(str(tmp_path / "y.svg")) == tmp_path / "y.svg"
    assert ET.parse(tmp_path / "y.svg").getroot().tag.endswith("svg")
    assert picture.save(tmp_path / "y.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"y.jpg: .* one of .svg, .png, .pdf, .dot"):
        picture.save(tmp_path / "y.jpg")


def test_graphviz_pure_writes_no_pdf(tmp_path, no_graphviz):
    with pytest.raises(RuntimeError, match="writes no PDF; install graphviz"):
        draw(price()).save(tmp_path / "y.pdf")
    assert os.listdir(tmp_path) == []


def test_a_notebook_shows_a_node_as_its_graph():
    y = price()
    y.backward()
    bundle = notebook.mimebundle(y)
    assert sorted(bundle) == [SVG, "text/html", "text/plain"]
    assert bundle["text/plain"] == repr(y)
    assert "← 110" in texts(ET.fromstring(bundle[SVG]))
    assert notebook.mimebundle(y, include=["text/plain"], exclude=[]) == {"text/plain": repr(y)}
    formula = {"text/latex": formulas.latex_of(y), "text/plain": repr(y)}
    assert sorted(notebook.mimebundle(y, exclude=["text/html"])) == [SVG, "text/plain"]
    assert sorted(notebook.mimebundle(y, exclude=[SVG])) == ["text/html", "text/plain"]
    assert notebook.mimebundle(y, exclude=[SVG, "text/html"]) == formula
    pictures = [SVG, "text/html"]
    assert notebook.mimebundle(y, exclude=[*pictures, "text/latex"]) == {"text/plain": repr(y)}
    drawing = draw(y)
    assert sorted(drawing._repr_mimebundle_()) == pictures
    assert sorted(drawing._repr_mimebundle_(include=["text/html"])) == ["text/html"]
    assert sorted(drawing._repr_mimebundle_(exclude=["text/html"])) == [SVG]
    assert sorted(drawing._repr_mimebundle_([SVG, "image/png"])) == ["image/png", SVG]


def test_a_notebook_shows_the_formula_and_the_text_where_the_graph_cannot_be_drawn(
    monkeypatch, bare
):
    y = price()
    only_text = {"text/latex": formulas.latex_of(y), "text/plain": repr(y)}
    assert notebook.mimebundle(y) == only_text
    (bare / "dot").write_text("#!/bin/sh\nsleep 5\n")
    (bare / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(bare), os.defpath]))
    monkeypatch.setattr(notebook, "SECONDS", 0.1)
    assert notebook.mimebundle(y) == only_text
    (bare / "dot").write_text("#!/bin/sh\necho '<svg/>'\nexit 1\n")
    assert notebook.mimebundle(y) == only_text
    y.inputs[0].inputs[0].data = 5.0
    assert notebook.mimebundle(y) == {"text/plain": repr(y)}


def test_a_notebook_draws_the_nearest_part_of_a_large_graph():
    bundle = notebook.mimebundle(tangle(2_000))
    assert "earlier nodes" in bundle[SVG]


def test_several_results_of_one_operation_leave_it_on_edges_of_their_own():
    a = Tensor([[2.0, 1.0], [1.0, 2.0]], name="a")
    sign_, size = np.linalg.slogdet(a)
    y = sign_ * size
    y.backward()
    found = described(draw(y).source)
    assert ("slogdet", "×", "1", "1.09861") in found
    assert ("slogdet", "×", "1.09861", "1") in found
    assert ("slogdet", "", "1.09861", "1") in described(draw(size).source)


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
