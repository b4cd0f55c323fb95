"""Evaluation traces, against the tables of the survey."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import Tensor, Value, checkpoint, custom_rule, log, relu, sin, stack, trace

# Baydin et al. 2018, tables 3 and 2, with values to six digits and results numbered as here
ADJOINTS = """\
Forward evaluation trace ↓ │ Reverse adjoint trace ↑
v₋₁ = x1 = 2               │ x̄1 = v̄₋₁ = 5.5
v₀ = x2 = 5                │ x̄2 = v̄₀ = 1.71634
v₁ = log(v₋₁) = 0.693147   │ v̄₋₁ = v̄₋₁ + v̄₁·∂v₁/∂v₋₁ = v̄₋₁ + v̄₁ × 1/v₋₁ = 5.5
v₂ = v₋₁ × v₀ = 10         │ v̄₀ = v̄₀ + v̄₂·∂v₂/∂v₀ = v̄₀ + v̄₂ × v₋₁ = 1.71634
                           │ v̄₋₁ = v̄₂·∂v₂/∂v₋₁ = v̄₂ × v₀ = 5
v₃ = sin(v₀) = −0.958924   │ v̄₀ = v̄₃·∂v₃/∂v₀ = v̄₃ × cos(v₀) = −0.283662
v₄ = v₁ + v₂ = 10.6931     │ v̄₂ = v̄₄·∂v₄/∂v₂ = v̄₄ × 1 = 1
                           │ v̄₁ = v̄₄·∂v₄/∂v₁ = v̄₄ × 1 = 1
v₅ = v₄ − v₃ = 11.6521     │ v̄₃ = v̄₅·∂v₅/∂v₃ = v̄₅ × (−1) = −1
                           │ v̄₄ = v̄₅·∂v₅/∂v₄ = v̄₅ × 1 = 1
y = v₅ = 11.6521           │ v̄₅ = ȳ = 1"""

TANGENTS = """\
Forward evaluation trace ↓ │ Forward tangent trace ↓
v₋₁ = x1 = 2               │ v̇₋₁ = ẋ1 = 1
v₀ = x2 = 5                │ v̇₀ = ẋ2 = 0
v₁ = log(v₋₁) = 0.693147   │ v̇₁ = v̇₋₁ × 1/v₋₁ = 1 × 0.5 = 0.5
v₂ = v₋₁ × v₀ = 10         │ v̇₂ = v̇₋₁ × v₀ + v̇₀ × v₋₁ = 1 × 5 + 0 × 2 = 5
v₃ = sin(v₀) = −0.958924   │ v̇₃ = v̇₀ × cos(v₀) = 0 × 0.283662 = 0
v₄ = v₁ + v₂ = 10.6931     │ v̇₄ = v̇₁ + v̇₂ = 0.5 + 5 = 5.5
v₅ = v₄ − v₃ = 11.6521     │ v̇₅ = v̇₄ − v̇₃ = 5.5 − 0 = 5.5
y = v₅ = 11.6521           │ ẏ = v̇₅ = 5.5"""

LATEX_LINE = (
    r"v_{2} &= v_{-1} \cdot v_{0} = 10 & \bar{v}_{0} &= \bar{v}_{0} + \bar{v}_{2} \, "
    r"\frac{\partial v_{2}}{\partial v_{0}} = \bar{v}_{0} + \bar{v}_{2} \cdot v_{-1} = 1.71634 \\"
)


def survey():
    x1, x2 = Value(2, "x1"), Value(5, "x2")
    a, b, c = log(x1), x1 * x2, sin(x2)
    return (a + b) - c


def test_the_surveys_example():
    assert str(trace(survey())) == ADJOINTS
    assert max(map(len, ADJOINTS.splitlines())) <= 100


def test_the_surveys_example_in_forward_mode():
    y = survey()
    x1 = y.inputs[0].inputs[0].inputs[0]
    for tangents in ({x1: 1.0}, {"x1": 1}, {"x1": 1, "x2": 0.0}):
        assert str(trace(y, tangents=tangents)) == TANGENTS


def test_the_last_adjoints_are_the_gradients_and_the_last_tangent_their_sum():
    @given(st.floats(0.1, 3), st.floats(0.1, 3))
    def check(a, b):
        x, y = Value(a, "x"), Value(b, "y")
        z = x**y / (x - sin(y) * 3) - y
        z.backward()
        first, second = str(trace(z)).splitlines()[1:3]
        assert first.endswith(f" = {x.grad:.6g}".replace("-", "−"))
        assert second.endswith(f" = {y.grad:.6g}".replace("-", "−"))
        last = str(trace(z, tangents={x: 2.0, y: -1.0})).splitlines()[-1]
        slope = float(last.rpartition(" = ")[2].replace("−", "-"))
        np.testing.assert_allclose(slope, 2 * x.grad - y.grad, rtol=1e-5, atol=1e-5)

    check()


def test_all_formats_agree():
    table = trace(survey())
    lines = [line.split(" │ ") for line in ADJOINTS.splitlines()]
    sides = [side.strip() for pair in lines for side in pair if side.strip()]
    cells = re.split(r" \| |<br>|\n", table.markdown.replace("| ", " | ").replace(" |\n", "\n"))
    assert [c.strip(" |") for c in cells if c.strip(" |") not in ("", ":--")] == sides
    page = ET.fromstring(table.html.replace("<br>", "<br/>"))
    assert [t for cell in page.iter() if cell.tag in ("td", "th") for t in cell.itertext()] == sides
    assert [head.get("scope") for head in page.iter("th")] == ["col", "col"]
    assert page.find("caption").text == "Evaluation of y beside its adjoints"
    assert LATEX_LINE in table.latex.splitlines()
    assert table.latex.count(r"\\") == len(lines) - 1
    assert all(row.count("&") == 3 for row in table.latex.splitlines()[1:-1])
    assert table._repr_html_() == table.html
    assert repr(table) == str(table)


@pytest.mark.parametrize(
    "name", ['"><script>alert(1)</script>', r"\input{x}", "a|b", "*a*_b_`c`", "two\nlines\x1b[31m"]
)
def test_names_are_escaped(name):
    y = Value(2.0, name) * 3
    y.name = name
    for tangents in (None, {name: 1.0}):
        table = trace(y, tangents=tangents)
        assert "<script" not in table.html + table.latex
        assert "\x1b" not in str(table)
        assert len(str(table).splitlines()) == 4
        assert {row.replace(r"\|", "").count("|") for row in table.markdown.splitlines()} == {3}
        assert r"\input" not in table.latex
        ET.fromstring(table.html.replace("<br>", "<br/>"))


def test_tensors_and_seeds():
    w = Tensor([1.0, 2.0], "w")
    y = (w * 2).sum()
    text = str(trace(y, seed=3.0))
    assert "v₁ = v₀ × 2 = [2, 4] " in text
    assert "v₂ = sum(v₁) = 6 " in text
    assert "v̄₁ = v̄₂·∂v₂/∂v₁ = [3, 3]" in text
    assert "v̄₀ = v̄₁·∂v₁/∂v₀ = v̄₁ × 2 = [6, 6]" in text
    text = str(trace(y, tangents={w: [1.0, 0.5]}))
    assert "v̇₁ = v̇₀ × 2 = [2, 1]\n" in text
    assert "v̇₂ = ∂v₂/∂v₁·v̇₁ = 3\n" in text


def test_linear_operations_show_what_they_do_to_tangents():
    x, m = Tensor(np.ones((2, 3)), "x"), Tensor(np.ones((3, 9), "f4"), "m")
    text = str(trace((x @ m)[0, 1:], tangents={"x": 1.0}))
    assert "v̇₁ = v̇₋₁ @ v₀ + v₋₁ @ v̇₀ = (2, 9) float64" in text
    assert "v̇₂ = v̇₁[0, 1:] = (8,) float64" in text
    assert "v₀ = m = (3, 9) float32 " in text
    constant = np.concatenate([x, np.ones((1, 3))])
    assert "v̇₁ = concatenate(v̇₀, 0) = (3, 3) float64" in str(trace(constant, tangents={x: 1}))


def test_a_lone_variable():
    x = Value(3)
    assert "v₀ = x₀ = 3 │ v̇₀ = ẋ₀ = 7" in re.sub(" +", " ", str(trace(x, tangents={x: 7})))
    x.name = "x"
    assert "v₀ = x = 3 │ x̄ = v̄₀ = 2" in re.sub(" +", " ", str(trace(x, 2.0)))


def test_several_results_of_one_operation_stand_in_one_line():
    a = Tensor([[2.0, 1.0], [1.0, 2.0]], "a")
    values, vectors = np.linalg.eigh(a)
    text = str(trace(values[1] * vectors[0, 0]))
    assert "v₁, v₂ = eigh(v₀) = [1, 3], [[" in text
    assert "v̄₀ = v̄₁·∂v₁/∂v₀ + v̄₂·∂v₂/∂v₀ = [[" in text
    assert "item" not in text
    text = str(trace(values[1], tangents={"a": np.eye(2)}))
    assert "v₁, _ = eigh(v₀) = [1, 3], _ " in text
    assert "v̇₁ = ∂v₁/∂v₀·v̇₀ = [1, 1]" in text
    assert "v_{1}, \\mathrm{\\_} &= " in trace(values[1]).latex


def test_a_checkpoint_stands_in_one_line():
    layer = checkpoint(lambda x, y: np.sin(x) * y)
    x = Tensor(0.5, "x")
    y = layer(x, x * 2)
    text = str(trace(y))
    assert "v₂ = checkpoint((v₀, v₁), f=<lambda>) = 0.479426" in text
    assert "v̄₁ = v̄₂·∂v₂/∂v₁ = 0.479426" in text
    assert "∂v₂/∂v₀·v̇₀ + ∂v₂/∂v₁·v̇₁" in str(trace(y, tangents={x: 1.0}))


def test_a_rule_for_plain_numbers_only_has_no_formula():
    import math

    shifted = custom_rule(partials=lambda out, x: math.cos(x))(lambda x: math.sin(x))
    x = Value(0.5, "x")
    assert "v̄₀ = v̄₁·∂v₁/∂v₀ = 0.877583" in str(trace(shifted(x)))


def test_zero_has_no_sign_and_large_partials_no_numbers():
    x = Tensor(np.linspace(0, 9, 10), "x")
    text = str(trace((relu(x) * Value(0.0, "w") * -1).sum()))
    assert "−0" not in text
    assert "v̄₀ = v̄₁·∂v₁/∂v₀ = (10,) float64" in text.replace("₋₁", "₀")


def test_no_zero_times_infinity():
    x = Tensor([0.0, 4.0], "x")
    with np.errstate(all="ignore"):
        y = (np.sqrt(x) * np.array([0.0, 1.0])).sum()
    y.backward()
    assert "x̄ = v̄₀ = [0, 0.25]" in str(trace(y))
    np.testing.assert_array_equal(x.grad, [0, 0.25])


def test_complex_numbers_and_empty_arrays():
    z = Tensor(1 + 2j, "z")
    assert "z = 1+2j " in str(trace(np.real(z * np.conj(z))))
    assert "= (0,) float64" in str(trace(np.sum(Tensor(np.ones(0)))))


def chain(length):
    y = Value(0.5, "x")
    for _ in range(length):
        y = y * 1.01
    return y


def test_a_long_trace_leaves_out_its_middle():
    y = chain(3000)
    lines = str(trace(y)).splitlines()
    assert len(lines) == 1 + 200 + 1
    (gap,) = [line for line in lines if line.startswith("…")]
    assert gap.startswith("… 2,802 more lines (limit=None for all)")
    assert lines[1].startswith("v₀ = x = 0.5")
    assert f"= {1.01**3000:.6g}" in lines[1]  # the gradient is 0.5 y
    assert lines[-2].startswith("v₃₀₀₀ = v₂₉₉₉ × 1.01")
    assert len(str(trace(y, limit=None)).splitlines()) == 1 + 3002
    assert len(str(trace(y, limit=10)).splitlines()) == 1 + 10 + 1
    assert "2,802" in trace(y).latex
    assert "2,802" in str(trace(y, tangents={"x": 1.0}))


def test_of_a_huge_graph_the_end_is_traced():
    x, y = Value(2.0, "x"), chain(30_000)
    lines = str(trace(y)).splitlines()
    assert len(lines) == 1 + 1 + 200
    assert lines[1].startswith("… more than 19,801 more lines")
    assert lines[-2].endswith("v̄₁₉₉ = v̄₂₀₀·∂v₂₀₀/∂v₁₉₉ = v̄₂₀₀ × 1.01 = 1.01")
    with pytest.raises(ValueError, match=r"more than 20,000 nodes.*limit=None"):
        trace(y, tangents={"x": 1.0})
    z = x * stack([x * Value(float(i), f"x{i}") for i in range(15_000)]).sum()
    lines = str(trace(z, limit=7)).splitlines()
    assert lines[2].startswith("v₀ = x14999 = 14999 ")
    assert lines[2].endswith("x̄14999 = v̄₀ = 4")  # z = x² (0 + 1 + …)


def test_an_operation_on_many_shows_some():
    y = stack([Value(float(i)) for i in range(100)])
    assert "v₁ = stack(v₋₉₉, v₋₉₈, v₋₉₇, …, v₀) = (100,) float64" in str(trace(y, np.ones(100)))


def test_errors():
    x = Value(1.0, "x")
    y = x * Value(2.0, "x") * Tensor([1.0, 2.0], "w")
    with pytest.raises(TypeError, match="trace takes a Value or a Tensor, not float"):
        trace(1.0)
    with pytest.raises(TypeError, match="not both"):
        trace(y, 1.0, tangents={})
    with pytest.raises(ValueError, match="'x' names several variables"):
        trace(y, tangents={"x": 1.0})
    with pytest.raises(ValueError, match=r"'q' is not a variable of this graph.*'x', 'x', 'w'"):
        trace(y, tangents={"q": 1.0})
    with pytest.raises(ValueError, match="is not a variable"):
        trace(y, tangents={y: 1.0})
    with pytest.raises(ValueError, match=r"'w' has shape \(2,\), but its tangent has shape \(3,\)"):
        trace(y, tangents={"w": np.ones(3)})
    x.data = 5.0
    with pytest.raises(RuntimeError, match="assigned after multiply"):
        trace(y, np.ones(2))
