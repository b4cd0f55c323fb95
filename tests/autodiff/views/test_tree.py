"""The graph as lines of text."""

import numpy as np

from autodiff import Tensor, Value, exp, log, sin, stack
from autodiff.core.columns import table, width
from autodiff.views.tree import tree


def graph():
    x1, x2 = Value(2, name="x1"), Value(5, name="x2")
    return log(x1) + x1 * x2 - sin(x2)


def test_every_operation_stands_above_its_inputs():
    assert tree(graph()).splitlines() == [
        "−            11.6521",
        "├─ +         10.6931",
        "│  ├─ log    0.693147",
        "│  │  └─ x1  2",
        "│  └─ ×      10",
        "│     ├─ x1  2",
        "│     └─ x2  5",
        "└─ sin       −0.958924",
        "   └─ x2     5",
    ]


def test_what_is_shared_is_written_out_once():
    x = Value(1, name="x")
    u = exp(x)
    for _ in range(40):  # 2⁴⁰ paths
        u = u * u
    lines = tree(u, depth=100, lines=100).splitlines()
    assert len(lines) == 1 + 2 * 40 + 1
    marks = [line.split("[")[1].split("]")[0] for line in lines if "[" in line]
    assert sorted(marks) == sorted(2 * [str(i) for i in range(1, 41)])
    assert sum("…" in line for line in lines) == 40
    assert "exp [1]" in tree(u, depth=100, lines=100)


def test_constants_and_names():
    a = Value(3)
    y = a * 2.5 + Tensor(np.ones((2, 3)), name="W")
    y.name = "y"
    text = tree(y, {a: "a"})
    assert "y = +" in text
    assert "─ a " in text
    assert "─ 2.5" in text
    assert "[[8.5, 8.5, 8.5], [8.5, 8.5, 8.5]]" in text
    assert "─ Value" in tree(y)


def test_depth_and_length_are_limited():
    u = Value(0.5, name="x")
    for _ in range(100_000):
        u = sin(u)
    lines = tree(u).splitlines()
    assert len(lines) == 11
    assert lines[-1].endswith("sin …")
    wide = sum(Value(i) * i for i in range(1, 100))
    lines = tree(wide, depth=1000, lines=20).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "…"
    assert tree(Value(1, name="x")) == "x  1"


def test_a_name_is_text_on_one_line():
    y = sin(Value(1, name="a\n\x1b[31mb"))
    assert "\x1b" not in tree(y)
    assert len(tree(y).splitlines()) == 2


def test_columns_are_aligned_in_a_terminal():
    y = sin(Value(1, name="温度")) + Value(2, name="x\N{COMBINING MACRON}")
    places = {width(line[: line.rindex("  ")]) for line in tree(y).splitlines()}
    assert len(places) == 1
    assert [width("x"), width("x\N{COMBINING MACRON}"), width("温")] == [1, 1, 2]
    assert table([("a", "bb"), ("温", "c")], "><") == " a  bb\n温  c"


def test_one_operation_may_have_many_inputs():
    many = stack([Value(i) for i in range(10_000)])
    assert len(tree(many, lines=5).splitlines()) == 6
