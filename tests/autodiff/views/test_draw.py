"""The drawing: what it says, how it is laid out, and what happens where nothing can draw."""

import ast
import os
import re
import time
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
    log,
    no_grad,
    sign,
    sin,
    sqrt,
    tanh,
    where,
)
from autodiff.views import draw as drawing

SVG = "image/svg+xml"


class Edge(NamedTuple):
    tail: str
    head: str
    value: str
    gradient: str | None


def labels(source):
    """The plain labels of a DOT text, by node."""
    found = re.findall(r'^\t(\w+) \[label=(?:"(.*?)"|(\w+))[ \]]', source, re.MULTILINE)
    return {key: quoted or bare for key, quoted, bare in found}


def edges(source):
    """The edges of a DOT text that carry a label: its value, and its gradient if it has one."""
    tails = {joint: tail for tail, joint in re.findall(r"(\w+) -> (\w+):p:w", source)}
    heads = dict(re.findall(r"(\w+):p:e -> (\w+)", source))
    found = []
    for joint, label in re.findall(r"^\t(\w+) \[label=<(<table.*)>\]$", source, re.MULTILINE):
        value = re.search(f'<font color="{drawing.VALUE}"> (.*?) </font>', label)
        gradient = re.search(f'<font color="{drawing.GRADIENT}"><i> ← (.*?) </i></font>', label)
        found.append(Edge(tails[joint], heads[joint], value[1], gradient and gradient[1]))
    assert sorted(tails) == sorted(heads)
    assert len(found) == len(tails)
    return found


def out_of(name, source):
    """The edges out of the variable of that name."""
    key = next(key for key, label in labels(source).items() if label == name)
    return [edge for edge in edges(source) if edge.tail == key]


def described(source):
    """Every edge as (tail's label, head's label, value, gradient)."""
    named = labels(source)
    return {(named[t], named.get(h, ""), v, g) for t, h, v, g in edges(source)}


def svg_of(node):
    """The rendered picture, parsed."""
    return ET.fromstring(draw(node).pipe(format="svg", encoding="utf-8"))


def texts(svg):
    return [element.text.strip() for element in svg.iter() if element.tag.endswith("}text")]


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with an empty PATH, and nothing in the environment's scripts folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(drawing.sysconfig, "get_path", lambda _: str(tmp_path))
    return tmp_path


def price():
    apple, number, tax = Value(100, "apple"), Value(2, "number"), Value(1.1, "tax")
    return apple * number * tax


# What the drawing says


def test_every_edge_shows_its_value_and_what_flows_back_along_it():
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
    """What six digits (of a float32 at worst) may lose in the sum of shares."""
    finite = [np.abs(share).max() for share in shares if np.isfinite(share).all()]
    return 2e-6 * len(shares) * (1 + sum(finite))


def test_where_nothing_arrives_zero_flows_on():
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


def test_constants_are_grey_and_have_no_gradient():
    x = Tensor(np.ones(2), "x")
    y = (np.ones((5, 2)) @ where(np.array([True, False]), x, 0) * np.full(5, 3.0) + 1.5).sum()
    y.backward()
    source = draw(y).source
    grey = re.findall(
        r'^\t(\w+) \[label="?(.*?)"? fontcolor="#767676" fontsize=10\]$', source, re.MULTILINE
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


def test_a_deep_graph_is_drawn_without_recursion():
    assert len(edges(draw(chain(2000), max_nodes=2000).source)) == 2000


def test_max_nodes_is_the_largest_graph_accepted():
    draw(chain(50), max_nodes=50)
    with pytest.raises(ValueError, match=r"more than 49 nodes.* draw a part .* or raise max_nodes"):
        draw(chain(50), max_nodes=49)


@pytest.mark.parametrize(
    "output",
    [chain(100_000), concatenate([Tensor([1.0])] * 100_000)],
    ids=["many nodes", "many edges"],
)
def test_a_large_graph_is_refused_at_once(output):
    start = time.perf_counter()
    with pytest.raises(ValueError, match="more than 500 nodes"):
        draw(output)
    assert time.perf_counter() - start < 0.5


# The picture


def test_the_picture_holds_the_numbers_and_the_names():
    y = price()
    y.backward()
    shown = ["apple", "number", "tax", "×", "×", "100", "2", "200", "1.1", "220"]
    shown += ["← 2.2", "← 110", "← 1.1", "← 200", "← 1"]
    assert sorted(texts(svg_of(y))) == sorted(shown)


def rules(svg):
    """The straight lines between a value and its gradient, as (left, right, height)."""
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
        assert float(width) * 72 > 12 * len(name)  # Graphviz's own guess may be too small
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


def test_render_needs_no_system_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert Path(drawing.renderer()).stem == "graphviz-pure"
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


def test_graphviz_itself_comes_first(bare):
    for name in ("graphviz-pure", "dot"):
        (bare / name).write_text('#!/bin/sh\necho "<svg>$0 $*</svg>"\n')
        (bare / name).chmod(0o755)
        assert drawing.renderer() == str(bare / name)
    assert draw(price()).pipe(format="svg").decode() == f"<svg>{bare}/dot -Kdot -Tsvg</svg>\n"


def test_the_graphviz_package_keeps_its_own_program_when_ours_fails(bare):
    (bare / "graphviz-pure").write_text("#!/bin/sh\nexit 1\n")
    (bare / "graphviz-pure").chmod(0o755)
    with pytest.raises(graphviz.CalledProcessError):
        draw(price()).pipe()
    assert str(dot_command.DOT_BINARY) == "dot"


def test_where_nothing_draws_the_text_and_one_line_of_advice_are_shown(bare):
    picture = draw(price())
    advised = f"{picture.source}// {drawing.ADVICE}"
    assert picture._repr_mimebundle_() == {"text/plain": advised}
    assert str(picture) == advised
    with pytest.raises(RuntimeError, match="install graphviz, or pip install graphviz-pure"):
        picture.render(bare / "out")
    with pytest.raises(RuntimeError, match="install graphviz, or pip install graphviz-pure"):
        picture.pipe()
    assert os.listdir(bare) == []


def test_where_something_draws_the_text_stands_alone():
    picture = draw(price())
    assert str(picture) == picture.source
    assert 'render(outfile="graph.svg", cleanup=True)' in repr(picture)


def test_a_notebook_shows_a_node_as_its_graph():
    y = price()
    y.backward()
    bundle = drawing.mimebundle(y)
    assert sorted(bundle) == [SVG, "text/plain"]
    assert bundle["text/plain"] == repr(y)
    assert "← 110" in texts(ET.fromstring(bundle[SVG]))
    assert drawing.mimebundle(y, include=["text/plain"], exclude=[]) == {"text/plain": repr(y)}
    assert drawing.mimebundle(y, exclude=[SVG]) == {"text/plain": repr(y)}


def test_a_notebook_shows_the_text_alone_where_the_graph_cannot_be_drawn(monkeypatch, bare):
    y = price()
    only_text = {"text/plain": repr(y)}
    assert drawing.mimebundle(y) == only_text
    (bare / "graphviz-pure").write_text("#!/bin/sh\nsleep 5\n")
    (bare / "graphviz-pure").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(bare), os.defpath]))
    monkeypatch.setattr(drawing, "NOTEBOOK_SECONDS", 0.1)
    assert drawing.mimebundle(y) == only_text
    (bare / "graphviz-pure").write_text("#!/bin/sh\necho '<svg/>'\nexit 1\n")
    assert drawing.mimebundle(y) == only_text
    y.inputs[0].inputs[0].data = 5.0
    assert drawing.mimebundle(y) == only_text


def test_a_notebook_draws_no_large_graph_unasked():
    y = chain(201)
    assert drawing.mimebundle(y) == {"text/plain": repr(y)}
    assert SVG in drawing.mimebundle(y.inputs[0])


def test_several_results_of_one_operation():
    a = Tensor([[2.0, 1.0], [1.0, 2.0]], name="a")
    y = np.linalg.slogdet(a)[1]
    y.backward()
    source = draw(y).source
    assert "slogdet" in source
    assert " 1; 1.09861 " in source
    assert " ← 0; 1 " in source
