"""Strategies for import: points away from kinks, and programs whose derivatives are right."""

import functools
import itertools
import re

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty
from programs import check_program

import autodiff
from autodiff import Tensor, Value, custom_rule, gradients, jvp, sin
from autodiff.core.graph import Node, ancestors
from autodiff.core.walks import push
from autodiff.ops.table import BY_FUNCTION, TABLE
from autodiff.testing import (
    arrays_like,
    check_grads,
    expressions,
    gradient_test,
    graphs,
    points,
    strategies,
)
from autodiff.testing.operations import NOT_DRAWN, ON_TENSORS, perturbed, smooth_result
from autodiff.testing.strategies import SHAPES


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


@given(expressions(tensors=True))
def test_programs_of_arrays_have_right_derivatives(program):
    check_program(program)


@given(expressions())
def test_programs_of_numbers_have_right_derivatives(program):
    check_program(program)


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
    definition, call = repr(program).split("\nprogram(")
    names = {}
    exec(f"import numpy as np\nfrom autodiff import *\n{definition}", names)
    result = eval(f"program({call}", names)
    np.testing.assert_array_equal(result, program(*program.point))


NUMBERS = 0.43, -1.2, 1.7, 2.6
ARRAYS = [np.random.default_rng(3).uniform(-2, 2, shape) for shape in [*SHAPES[1:], (3, 3)]]
PERTURBED = [
    perturbed(x, place) for place, x in enumerate([*NUMBERS, *ARRAYS, *np.exp(ARRAYS[:1])])
]


@functools.cache
def drawn():
    """Return each operation's first operands, and its rows."""
    found = {}
    for operation in ON_TENSORS:
        for operands in itertools.product(PERTURBED, repeat=operation.arity):
            if smooth_result(operation, operands, len(PERTURBED)) is not None:
                output = operation.compute(*[Tensor(x[0]) for x in operands])
                found[operation.text] = {node.op.name for node in ancestors(output) if node.op}
                break
    return found


def test_every_operation_has_operands():
    assert [operation.text for operation in ON_TENSORS if operation.text not in drawn()] == []


def test_every_function_is_drawn_or_exempt():
    rows = set().union(*drawn().values())
    words = {word for text in drawn() for word in re.findall(r"[A-Za-z_][\w.]*(?=\()", text)}
    named = [eval(word, {**vars(autodiff), "np": np}) for word in words]
    called = {BY_FUNCTION.get(f, f) for f in named} | {TABLE[name] for name in rows}
    missing = {*TABLE.values(), *BY_FUNCTION.values()} - called
    assert {getattr(f, "name", None) or f.__name__ for f in missing} == NOT_DRAWN.keys()


@pytest.mark.parametrize("name", ["copysign", "hypot", "maximum", "fmin", "arctan2"])
def test_a_kink_at_the_origin_is_seen_from_all_sides(name):
    (operation,) = [each for each in ON_TENSORS if each.text == name + "({0}, {1})"]
    for places in itertools.combinations(range(25), 2):
        assert smooth_result(operation, [perturbed(0.0, place) for place in places], 25) is None


def shrunk(strategy, is_wrong):
    return find(strategy, is_wrong, settings=settings(max_examples=3000, database=None))


def test_a_wrong_rule_shrinks_to_one_line(monkeypatch):
    monkeypatch.setattr(TABLE["tanh"], "partials", (lambda out, x: 1 - out,))

    def is_wrong(program):
        try:
            check_grads(program, *program.point)
        except AssertionError:
            return True
        return False

    found = shrunk(expressions(), is_wrong)
    assert [line.operation.text for line in found.lines] == ["tanh({0})"]
    assert repr(found).splitlines()[1] == "    v0 = tanh(x0)"
    assert pretty(found) == repr(found)


def test_a_wrong_transpose_shrinks_to_one_line_on_a_small_array(monkeypatch):
    some = [operation for operation in ON_TENSORS if "sum" in operation.text]  # to find it soon
    monkeypatch.setattr(strategies, "ON_TENSORS", some)
    monkeypatch.setattr(TABLE["cumsum"], "transposes", (lambda g, x, **options: g,))

    def is_wrong(program):
        tensors = [Tensor(x) for x in program.point]
        output = autodiff.sum(program(*tensors))
        pushed = push({x: np.ones(x.shape) for x in tensors}, [output])[output]
        pulled = sum(np.sum(g) for g in gradients(output, tensors))
        return abs(pulled - pushed) > 1e-6 * (1 + abs(pushed))

    found = shrunk(expressions(tensors=True), is_wrong)
    (x,) = found.point
    assert x.shape == (3,)
    assert repr(found).splitlines()[1] == "    v0 = cumsum(x0, axis=0)"


def test_a_wrong_rule_is_no_reason_not_to_draw_it(monkeypatch):
    (tanh,) = [operation for operation in ON_TENSORS if operation.text == "tanh({0})"]
    monkeypatch.setattr(TABLE["tanh"], "partials", (lambda out, x: np.inf,))
    assert smooth_result(tanh, PERTURBED[:1], 1) is not None


def test_a_custom_rule_becomes_a_test():
    wave = custom_rule(jvp=lambda t, out, x: t * np.cos(x))(np.sin)
    gradient_test(wave, points(kinks=()))()
    wrong = custom_rule(jvp=lambda t, out, x: t * np.sin(x))(np.sin)
    test = settings(phases=[Phase.generate])(gradient_test(wrong, points()))
    with pytest.raises(AssertionError, match="disagree"):
        test()
    assert gradient_test(sin, points()).__name__ == "test_gradients_of_sin"
