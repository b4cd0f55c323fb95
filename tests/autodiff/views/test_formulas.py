"""Formulas, read back by a parser of the tests."""

import ast
import math
import re

import numpy as np
import pytest
from cases import CASES
from hypothesis import given, settings
from hypothesis import strategies as st

from autodiff import (
    Tensor,
    Value,
    absolute,
    concatenate,
    cos,
    draw,
    exp,
    hypot,
    log,
    maximum,
    negative,
    sin,
    sqrt,
    tanh,
    trace,
)
from autodiff.core.graph import Node, ancestors
from autodiff.ops.registry import TABLE
from autodiff.views import formulas
from autodiff.views.formulas import bar, expression, formula, latex_of, number, partial, symbols
from autodiff.views.notation import ATOM, LATEX, Form, Term

FUNCTIONS = {f.name: f for f in (sin, cos, tanh, hypot, maximum)} | {"abs": absolute}


def read(text, **variables):
    """Return the value of a formula: Python's precedence, other signs."""
    known = FUNCTIONS | {name: Value(x) for name, x in variables.items()}
    signs = str.maketrans("×−₀₁₂₃₄₅₆₇₈₉", "*-0123456789")
    for line in text.translate(signs).replace("^", "**").splitlines():
        name, _, part = line.rpartition(" = ")
        value = eval(compile(ast.parse(part, mode="eval"), "", "eval"), known)
        known[name.removeprefix("let ")] = value
    return getattr(value, "data", value)


def balanced(latex):
    """Return whether all groups, environments and delimiters are closed in order."""
    open_ = []
    for mark in re.findall(r"\\begin\{\w+\*?\}|\\end\{\w+\*?\}|\\left|\\right|\\.|[{}]", latex):
        if mark == "{" or mark == "\\left":
            open_.append(mark)
        elif mark.startswith("\\begin"):
            open_.append(mark[6:])
        elif mark == "}":
            if not open_ or open_.pop() != "{":
                return False
        elif mark == "\\right":
            if not open_ or open_.pop() != "\\left":
                return False
        elif mark.startswith("\\end") and (not open_ or open_.pop() != mark[4:]):
            return False
    return not open_


STEPS = [
    lambda x, y: x + y,
    lambda x, y: x - y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: x**y,
    lambda x, y: -x,
    lambda x, y: -2 * x,
    lambda x, y: x - -1.5,
    lambda x, y: (-2) ** x,
    lambda x, y: x**-2,
    lambda x, y: 1 / y,
    lambda x, y: 1e-7 * y,
    lambda x, y: x * (1 / 3),
    lambda x, y: sin(x),
    lambda x, y: abs(y),
    lambda x, y: hypot(x, y),
    lambda x, y: maximum(x, y),
]
programs = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=30,
)
numbers = st.sampled_from([-3.0, -1.0, -0.5, 0.0, 0.3, 1.0, 2.0])


@given(programs, numbers, numbers)
def test_the_text_of_an_expression_has_its_value(program, a, b):
    nodes = [Value(a, "x"), Value(b, "y")]
    with np.errstate(all="ignore"):
        for step, i, j in program:  # mostly the newest, so that formulas are deep
            nodes.append(step(nodes[-1 - i % min(3, len(nodes))], nodes[j % len(nodes)]))
        written = expression(nodes[-1], limit=None)
        np.testing.assert_array_equal(read(str(written), x=a, y=b), nodes[-1].data)
    assert balanced(written.latex)
    assert all(len(line) < 3 * formulas.WIDTH + 20 for line in str(written).splitlines())


@pytest.mark.parametrize(
    ("build", "text", "latex"),
    [
        (lambda x, y: log(x) + x * y - sin(y), "log(x) + x × y − sin(y)", None),
        (lambda x, y: x - (y - x), "x − (y − x)", "x - (y - x)"),
        (lambda x, y: x / (y / x), "x/(y/x)", r"\frac{x}{\frac{y}{x}}"),
        (lambda x, y: (x * y) / (x + y), "(x × y)/(x + y)", r"\frac{x \cdot y}{x + y}"),
        (lambda x, y: (x / y) ** 2, "(x/y)^2", r"\left(\frac{x}{y}\right)^{2}"),
        (lambda x, y: x**y**2, "x^(y^2)", "x^{y^{2}}"),
        (lambda x, y: (x**y) ** 2, "(x^y)^2", "(x^{y})^{2}"),
        (lambda x, y: (-x) ** 2, "(−x)^2", "(-x)^{2}"),
        (lambda x, y: -(x**2), "−x^2", "-x^{2}"),
        (lambda x, y: -x * y, "−x × y", r"-x \cdot y"),
        (lambda x, y: x * -y, "x × (−y)", r"x \cdot (-y)"),
        (lambda x, y: -(x + y), "−(x + y)", "-(x + y)"),
        (lambda x, y: negative(-x), "−(−x)", "-(-x)"),
        (lambda x, y: x**-2, "x^(−2)", "x^{-2}"),
        (lambda x, y: 1e-7 * x, "1e−07 × x", r"1 \times 10^{-7} \cdot x"),
        (lambda x, y: x * math.inf, "x × inf", r"x \cdot \infty"),
        (lambda x, y: sqrt(exp(-x)), "sqrt(exp(−x))", r"\sqrt{e^{-x}}"),
        (lambda x, y: abs(x / y), "abs(x/y)", r"\left|\frac{x}{y}\right|"),
        (lambda x, y: tanh(x) ** 2, "tanh(x)^2", r"\tanh(x)^{2}"),
        (lambda x, y: hypot(x, y), "hypot(x, y)", r"\operatorname{hypot}(x, y)"),
    ],
)
def test_scalars_are_written_as_in_a_textbook(build, text, latex):
    written = expression(build(Value(0.3, "x"), Value(0.7, "y")))
    assert str(written) == text
    if latex:
        assert written.latex == latex
        assert written._repr_latex_() == f"$\\displaystyle {latex}$"


def test_tensors_are_written_with_their_parameters():
    a, b = Tensor(np.ones((2, 2)), "A"), Tensor([1.0, 2.0], "b")
    for node, text, latex in [
        (a @ b + 1, "A @ b + 1", r"A \, b + 1"),
        (a @ (a @ b), "A @ (A @ b)", r"A \, (A \, b)"),
        (a.T * [3.0, 4.0], "Aᵀ × [3, 4]", r"A^{\mathsf{T}} \cdot [3, 4]"),
        (a * np.eye(2), "A × [[1, 0], [0, 1]]", None),
        (a[:, 0] * np.ones((5, 2, 2)), "A[:, 0] × array(5, 2, 2)", None),
        (np.sum(a, axis=0), "sum(A, axis=0)", r"\sum_{\mathrm{axis=0}} A"),
        (np.sum(a) * b, "sum(A) × b", r"\left(\sum A\right) \cdot b"),
        (np.linalg.inv(a + 1e-9 * np.eye(2) * b), None, None),
        (np.linalg.norm(b), "vector_norm(b)", r"\left\|b\right\|"),
        (np.linalg.eigh(a)[0], "eigh(A)[0]", None),
        (a.astype("f4"), "astype(A, dtype=f4)", None),
        (concatenate([b] * 9), "concatenate(b, b, b, …, b)", None),
        (np.transpose(np.ones((2, 1, 2)) * a, (1, 0, 2)), None, None),
    ]:
        written = expression(node)
        assert text is None or str(written) == text
        assert latex is None or written.latex == latex
        assert balanced(written.latex)


@pytest.mark.parametrize("name", sorted(CASES.keys() & TABLE.keys() - {"einsum"}))
@settings(max_examples=1)
@given(data=st.data())
def test_every_operation_can_be_written_and_traced(name, data):
    case = data.draw(CASES[name])
    arrays = case.arrays(np.random.default_rng(0))
    out = case(TABLE[name], [Tensor(array) for array in arrays])
    for node in out if isinstance(out, tuple | list) else [out]:
        if isinstance(node, Node):
            assert balanced(expression(node).latex)
            variables = [n for n in ancestors(node) if n.op is None]
            for table in (
                trace(node, np.ones(node.shape)),
                trace(node, tangents=dict.fromkeys(variables, 1.0)),
            ):
                assert balanced(table.latex)
                assert "= None" not in str(table)


def test_template_syntax_in_names_is_escaped():
    x = Value(1.0, "50%§")
    assert str(expression(x * 2)) == "(50%§) × 2"
    form = Form(r"\sum§ %s", ATOM, (ATOM,))
    assert LATEX.fill(form, Term("%s§"), given="5%").text == r"\sum_{\mathrm{5\%}} %s§"


def test_shared_and_named_results_come_first():
    x = Value(0.5, "x")
    s = sin(x * 2)
    y = s * s + (x + 1) * (x + 1)
    y.name = "z"
    assert str(expression(y)) == "let v₁ = sin(x × 2)\nv₁ × v₁ + (x + 1) × (x + 1)"
    h = cos(x)
    h.name = "h"
    written = expression(h + 1)
    assert written.lets == (("h", "cos(x)"),)
    assert written.formula == "h + 1"
    assert written.latex == "\\begin{aligned}\nh &= \\cos(x) \\\\\ny &= h + 1\n\\end{aligned}"
    assert r"\\" + "\nz &= v_{1}" in expression(y).latex


def test_no_two_nodes_have_the_same_name():
    y = Value(1.0, "x") + Value(2.0, "x") + Value(3.0) + Value(4.0, "x1") + Value(5.0, "x_1")
    assert str(expression(y)) == "x + x' + x₂ + x1 + x_1'"
    s = sin(Value(1.0, "v1") + 1000)
    assert str(expression(s * s)) == "let v₂ = sin(v1 + 1000)\nv₂ × v₂"


def test_a_name_that_looks_like_a_sum_is_one_operand():
    assert str(expression(Value(1.0, "a + b") * 2)) == "(a + b) × 2"
    assert str(expression(-Value(1.0, "-x"))) == "−(-x)"


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x", "x"),
        ("x1", "x_{1}"),
        ("x_12", "x_{12}"),
        ("v₋₁", "v_{-1}"),
        ("w_i", "w_{i}"),
        ("alpha", r"\alpha"),
        ("α", r"\alpha"),
        ("λ2", r"\lambda_{2}"),
        ("Omega", r"\Omega"),
        ("price", r"\mathrm{price}"),
        ("price2", r"\mathrm{price}_{2}"),
        ("W_hidden", r"W_{\mathrm{hidden}}"),
        ("値段", r"\mathrm{値段}"),
        ("a_b_c", r"\mathrm{a\_b\_c}"),
        ("50 %", r"\mathrm{50\ \%}"),
        (r"\input{x}", r"\mathrm{{\backslash}input\{x\}}"),
        ("<script>", r"\mathrm{{<}script{>}}"),
        ("x^2~$&#", r"\mathrm{x{\wedge}2{\sim}\$\&\#}"),
        ("a\nb", r"\mathrm{a\ b}"),
    ],
)
def test_names_in_latex(name, latex):
    assert expression(Value(1.0, name)).latex == latex


@given(st.text(min_size=1, max_size=8))
def test_latex_in_names_is_escaped(name):
    latex = LATEX.name(name)
    assert balanced(latex)
    plain = re.sub(r"\\(mathrm|text|backslash|wedge|sim)|\\[{}$&#%_ ]", "", latex)
    if "_{" not in latex and latex not in LATEX_GREEK:
        assert not re.search(r"[$&#%^~\\_]", plain)
    assert not re.search(r"<[A-Za-z/!?]", latex)


LATEX_GREEK = {LATEX.name(letter) for letter in "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"}


def test_the_newest_part_of_a_large_graph_is_written():
    y = Value(0.5, "x")
    for _ in range(5000):
        y = y * 1.5 + 1
    written = str(expression(y, limit=6)).splitlines()
    assert written == ["let v₁ = …", "((v₁ × 1.5 + 1) × 1.5 + 1) × 1.5 + 1"]
    assert len(str(expression(y)).splitlines()) < 20
    everything = expression(y, limit=None)
    assert max(len(part) for _, part in everything.lets) < 2 * formulas.WIDTH
    with np.errstate(over="ignore"):
        assert read(str(everything), x=0.5) == y.data


def test_a_notebook_typesets_short_formulas_only():
    y = Value(0.5, "x1")
    assert latex_of(y * 2) == r"$\displaystyle x_{1} \cdot 2$"
    for _ in range(60):
        y = y * 2
    assert latex_of(y) is None
    assert latex_of(y, limit=100) is not None


def test_only_nodes_have_a_formula():
    with pytest.raises(
        TypeError, match="expression takes a Value, a Tensor or a program, not float"
    ):
        expression(2.0)
    x = Value(1.0, "x")
    y = x * 2
    x.data = 3.0
    with pytest.raises(RuntimeError, match="'x' was assigned"):
        expression(y)


def test_functions_for_other_views():
    x, y = Value(2.0), Value(3.0)
    product = x * y
    z = log(product) ** 2
    names = symbols([x, y, product, z.inputs[0], z])
    assert list(names.values()) == ["v₋₁", "v₀", "v₁", "v₂", "v₃"]
    assert formula(product, names) == "v₋₁ × v₀"
    assert formula(product, names | {x: "v_{-1}", y: "v_{0}"}, LATEX) == r"v_{-1} \cdot v_{0}"
    assert partial(z.inputs[0], 0, names) == "1/v₁"
    assert partial(z, 0, names) == "2 × v₂"
    assert partial(x - y, 1, names) == "(−1)"
    t = Tensor([1.0, 2.0]).sum()
    assert partial(t, 0, {t: "v₁", t.inputs[0]: "v₀"}) == "∂v₁/∂v₀"
    assert bar("v₋₁") == "v̄₋₁"
    assert number(np.array([0.5, -1 / 3])) == "[0.5, −0.333333]"
    assert number(np.zeros((3, 5), "f4")) == "(3, 5) float32"
    assert number(np.arange(6.0).reshape(1, 3, 2)) == "[[[0, 1], [2, 3], [4, 5]]]"
    assert number(np.eye(2), LATEX) == r"\begin{bmatrix} 1 & 0 \\ 0 & 1 \end{bmatrix}"
    assert number((np.float64(2), None)) == "(2, 0)"


def test_an_assignment_is_one_operation_that_shows_its_index():
    x = Tensor([1.0, 2.0, 3.0], name="x")
    y = x * 2
    y[-1] = x[0]
    y[np.arange(3) * 1 > 0] *= 5
    text = str(draw(y))
    assert "[−1]=" in text
    assert "[0]" in text
    assert text.count("[…]=") == 1  # too long for a circle
    assert "(x × 2)[−1 ↦ x[0]]" in str(expression(y))
    assert r"\mapsto" in expression(y).latex


def test_a_formula_does_not_update_a_view_of_a_modified_array():
    x, a = Tensor([1.0, 2.0, 3.0], "x"), Tensor(0.5, "a")
    y = x * 1
    part = y[1:]
    part *= a
    product = y.inputs[1]
    assert partial(product, 1, {product: "v", part: "u", a: "a"}) == "u"
    assert product.inputs[0] is part
    assert part.serial < product.serial
    part **= a
    power = y.inputs[1]
    assert partial(power, 0, {power: "v", part: "u", a: "a"}) == "a × u^(a − 1)"
    assert power.inputs[0] is part
    assert part.serial < power.serial
