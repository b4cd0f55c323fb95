"""The cost of programs: operations, bytes moved, memory."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import grad, program

sizes = st.integers(1, 6)


def cost(f, *args):
    return program(f, *args).cost()


@given(sizes, sizes, sizes)
def test_a_matrix_product_takes_2mnk_operations_however_it_is_written(m, k, n):
    a, b = np.ones((m, k)), np.ones((k, n))
    for f in (
        lambda a, b: a @ b,
        np.dot,
        lambda a, b: np.inner(a, b.T),
        lambda a, b: np.tensordot(a, b, 1),
        lambda a, b: np.einsum("ij,jk", a, b),
        lambda a, b: np.einsum("ij, jk -> ik", a, b),
    ):
        found = cost(f, a, b)
        assert found.operations == 2 * m * n * k
        assert found.uncounted == 0
        assert (found.read, found.written) == (8 * (m * k + k * n), 8 * m * n)
    stacked = cost(lambda a, b: a @ b, np.ones((5, m, k)), b)
    assert stacked.operations == 5 * 2 * m * n * k


X, Y, M = np.ones(5), np.ones((3, 5)), np.eye(4)
COUNTS = {
    "elementwise": (lambda: cost(lambda x: np.exp(-x), X), 10),
    "broadcast": (lambda: cost(np.add, X, Y), 15),
    "choice": (lambda: cost(lambda x: np.where(x > 0, x, 0.0), X), 10),
    "reduction": (lambda: cost(lambda y: y.sum(axis=0), Y), 15),
    "ufunc's reduction": (lambda: cost(lambda y: np.add.reduce(y, 0), Y), 15),
    "elements added": (lambda: cost(lambda x: np.add.at(x, np.array([0, 1, 1]), 2.0), X), 3),
    "outer": (lambda: cost(np.outer, X, X), 25),
    "trace": (lambda: cost(np.trace, M), 4),
    "inner": (lambda: cost(lambda x: x @ x, X), 10),
    "product with a number": (lambda: cost(np.dot, X, 2.0), 5),
    "moved": (lambda: cost(lambda y: np.stack([y.T.ravel()[::2], y.T.ravel()[::2]]), Y), 0),
    "three factors": (lambda: cost(lambda y: np.einsum("ij,ij,j->i", y, y, y[0]), Y), 45),
    "solve": (lambda: cost(np.linalg.solve, M, np.ones((4, 2))), round(128 / 3) + 64),
    "stack of inverses": (lambda: cost(np.linalg.inv, np.stack([M, M])), 256),
}


@pytest.mark.parametrize("name", COUNTS)
def test_operations_by_the_rules(name):
    found, expected = COUNTS[name][0](), COUNTS[name][1]
    assert found.operations == expected
    assert found.uncounted == 0


def test_a_product_that_a_zero_absorbs_takes_five_operations():
    steps = cost(grad(lambda x: np.sum(np.sqrt(np.sqrt(x)))), X).steps
    assert [step.operations for step in steps if step.call.startswith("chain")] == [25]


def test_functions_without_a_rule_are_not_counted():
    found = cost(lambda x: np.sort(2 * x), X)
    assert [step.operations for step in found.steps] == [5, None]
    assert (found.operations, found.uncounted) == (5, 1)
    assert "not counted" in str(found)
    assert "without 1 not counted" in str(found).splitlines()[-1]


def moved(f, *args):
    found = cost(f, *args)
    return found.read, found.written


def test_bytes_are_those_of_the_elements_that_move():
    assert moved(lambda x: x * x, X) == (40, 40)  # an array that is read twice is read once
    assert moved(lambda x: x.astype(np.float32), X) == (40, 20)
    assert moved(lambda y: y[1:].T.reshape(-1), Y) == (0, 0)
    assert moved(lambda y: y[np.array([0, 0])], Y) == (80 + 16, 80)
    assert moved(lambda x: np.full_like(x, 2.0), X) == (0, 40)

    def write(index, value):
        def f(y):
            y = y.copy()
            y[index] = value
            return y

        return np.subtract(moved(f, Y), (120, 120)).tolist()  # without the copy

    assert write(0, 1.0) == [0, 40]
    assert write((slice(None), 2), np.ones(3)) == [24, 24]
    assert write(np.array([0, 2]), 1.0) == [16, 80]


def test_the_peak_is_the_most_memory_alive_at_once():
    def chain(x, length):
        for _ in range(length):
            x = np.sin(x)
        return x

    def tree(x, depth):
        return tree(x + depth, depth - 1) * tree(x - depth, depth - 1) if depth else np.sin(x)

    assert cost(lambda x: chain(x, 9), X).peak == 2 * 40
    assert cost(lambda x: tree(x, 3), X).peak == (3 + 2) * 40  # one at each depth, and the sums
    assert cost(lambda x: (x, x[1:]), X).peak == 0  # inputs are the caller's
    assert cost(lambda x: [np.sin(x), np.cos(x), np.tan(x)], X).peak == 3 * 40

    def held_by_a_view(x):
        row = np.outer(x, x)[0]
        return np.sum(np.sin(np.sin(x))) + np.sum(row)

    alive = [step.alive for step in cost(held_by_a_view, X).steps]
    assert alive[:5] == [200, 200, 240, 280, 248]

    def changed(x):
        y = np.zeros_like(x)
        y += x
        y[0] = 3.0
        return y

    assert cost(changed, X).peak == 40


def test_the_table_has_the_calls_the_totals_and_the_lines():
    def f(a, b):
        product = a @ b
        return np.sum(np.sin(product))

    found = cost(f, np.ones((2, 3)), np.ones((3, 4)))
    assert str(found).splitlines()[0].split() == [
        *("operations", "bytes", "read", "written", "alive")
    ]
    rows = str(found).splitlines()[1:]
    assert re.match(r"np\.matmul \(2, 3\), \(3, 4\) → \(2, 4\) +48 +144 +64 +64 ", rows[0])
    assert rows[0].endswith(": product = a @ b")
    assert rows[1].endswith(": return np.sum(np.sin(product))")
    assert rows[-1].split() == ["total;", "peak", "64", "272", "136", "128"]
