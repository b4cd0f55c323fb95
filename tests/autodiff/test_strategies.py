"""What the importable strategies draw: points away from kinks, and programs that hold."""

import ast

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty

from autodiff import Tensor, Value, custom_rule, gradients, jvp, sin
from autodiff.graph import Node, ancestors
from autodiff.ops.table import TABLE
from autodiff.strategies import SCALAR, TENSOR
from autodiff.testing import (
    arrays_like,
    check_grads,
    expressions,
    gradient_test,
    graphs,
    points,
)


@given(points(-1, 2, kinks=(0, 0.5), margin=0.1))
def test_points_keep_away_from_kinks(x):
    assert -1 <= x <= 2
    assert min(abs(x), abs(x - 0.5)) >= 0.1
    assert x == round(x, 2)


def test_points_need_an_interval():
    with pytest.raises(ValueError, match="low=1 is not below high=1"):
        points(1, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, int])
def test_arrays_are_like_their_example(dtype):
    @given(arrays_like(np.zeros((2, 3), dtype)))
    def check(x):
        assert x.shape == (2, 3)
        assert x.dtype == (float if dtype is int else dtype)
        assert len(np.unique(x)) == 6

    check()


@given(st.booleans().flatmap(lambda tensors: expressions(tensors=tensors)))
def test_the_derivatives_of_programs_hold(program):
    check_grads(program, *program.point)


@given(expressions())
def test_scalars_and_tensors_say_the_same(program):
    values = [Value(x) for x in program.point]
    tensors = [Tensor(x) for x in program.point]
    ours, theirs = program(*values), program(*tensors)
    assert ours.data == pytest.approx(theirs.data, rel=1e-12, abs=1e-14)
    slopes = zip(gradients(ours, values), gradients(theirs, tensors), strict=True)
    for one, other in slopes:
        assert one == pytest.approx(other, rel=1e-9, abs=1e-12)


@given(st.booleans().flatmap(lambda tensors: graphs(tensors=tensors)))
def test_graphs_are_programs_that_have_run(graph):
    assert isinstance(graph.output, Node)
    assert {node.name for node in ancestors(graph.output) if node.op is None} <= {"x0", "x1", "x2"}
    pulled = gradients(graph.output, graph.variables)
    directions = [np.ones_like(x.data) for x in graph.variables]
    whole = lambda *args: np.sum(graph.program(*args))  # noqa: E731
    _, pushed = jvp(whole, tuple(x.data for x in graph.variables), tuple(directions))
    assert pushed == pytest.approx(sum(np.sum(g) for g in pulled), rel=1e-8, abs=1e-10)


@given(st.booleans().flatmap(lambda tensors: expressions(tensors=tensors)))
def test_a_program_prints_as_the_python_that_it_is(program):
    import autodiff

    text = repr(program)
    definition, call = text.split("\nprogram(")
    names = {**vars(autodiff), "array": np.array}
    exec(compile(ast.parse(definition), "program", "exec"), names)
    result = eval(f"program({call}", names)
    np.testing.assert_array_equal(result, program(*program.point))


def test_programs_draw_on_every_row_of_real_numbers():
    named = {operation.text.partition("(")[0] for operation in SCALAR}
    assert {"add", "tanh", "power", "maximum", "sinc", "arctan2", "i0"} <= named
    assert len(SCALAR) > 50
    assert len(TENSOR) > len(SCALAR)


def test_a_wrong_rule_shrinks_to_one_line(monkeypatch):
    row = TABLE["tanh"]
    monkeypatch.setattr(row, "partials", (lambda out, x: 1 - out,))

    def is_wrong(program):
        try:
            check_grads(program, *program.point)
        except AssertionError:
            return True
        return False

    found = find(expressions(), is_wrong, settings=settings(max_examples=2000, database=None))
    assert [line.operation.text for line in found.lines] == ["tanh({0})"]
    assert repr(found).splitlines()[1] == "    v0 = tanh(x0)"
    assert pretty(found) == repr(found)


def test_a_rule_of_ones_own_becomes_a_test():
    wave = custom_rule(jvp=lambda t, out, x: t * np.cos(x))(np.sin)
    gradient_test(wave, points(kinks=()))()
    wrong = custom_rule(jvp=lambda t, out, x: t * np.sin(x))(np.sin)
    test = gradient_test(wrong, points())
    with pytest.raises(AssertionError, match="disagree"):
        test()
    assert gradient_test(sin, points()).__name__ == "test_gradients_of_sin"
