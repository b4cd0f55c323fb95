"""Passes change nothing but the cost of a program."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import grad, jit, program
from autodiff.programs.passes.planning import planned

SIZES = dict(zip("ijklm", (5, 6, 7, 3, 2), strict=True))


@given(st.data())
def test_an_einsum_of_two_arrays_may_be_a_matrix_product(data):
    first, second = (
        "".join(data.draw(st.lists(st.sampled_from("ijklm"), unique=True, min_size=1)))
        for _ in range(2)
    )
    letters = sorted({*first, *second})
    out = "".join(data.draw(st.lists(st.sampled_from(letters), unique=True)))
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=[SIZES[x] for x in term]) for term in (first, second))
    subscripts = f"{first},{second}->{out}"
    made = program(lambda a, b: np.einsum(subscripts, a, b), a, b)
    np.testing.assert_allclose(made(a, b), np.einsum(subscripts, a, b), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("subscripts", "shapes", "source"),
    [
        ("kij,knj->kni", [(5, 6, 7), (5, 10, 7)], "b @ a.swapaxes(-1, -2)"),
        ("kni,knj->kij", [(5, 10, 7), (5, 10, 6)], "a.swapaxes(-1, -2) @ b"),
        ("ij,jk", [(50, 60), (60, 70)], "np.einsum('ij,jk', a, b)"),
        ("ij,jk->ik", [(2, 2), (2, 2)], "np.einsum('ij,jk->ik', a, b)"),
        ("iij,jk->ik", [(20, 20, 9), (9, 8)], "np.einsum('iij,jk->ik', a, b)"),
    ],
)
def test_matrix_products_read_as_one_writes_them(subscripts, shapes, source):
    arrays = [np.ones(shape) for shape in shapes]
    made = program(lambda a, b: np.einsum(subscripts, a, b), *arrays)
    assert str(made).splitlines()[-1].strip() == f"return {source}"


X = np.array([[1.5, -2.0, 0.0], [3.0, 0.25, -0.0]])
NEUTRAL = {
    "product": (lambda x: 1 * x * 1, "x"),
    "quotient": (lambda x: x / 1, "x"),
    "power": (lambda x: x**1, "x"),
    "difference": (lambda x: x - 0, "x"),
    "sum": (lambda x: x + 0, "x + 0"),  # not of -0.0
    "shape": (lambda x: x.reshape(2, 3), "x"),
    "shapes": (lambda x: x.reshape(6).reshape(3, 2), "x.reshape((3, 2))"),
    "flags": (lambda x: (x > 0) & True, "x > 0"),
    "whole": (lambda x: x[...], "x"),
    "spread": (lambda x: x * np.broadcast_to(x[0], (2, 3)), "x * x[0]"),
    "spread over it": (lambda x: np.broadcast_to(x, (4, 2, 3)) * x, None),
    "constant power": (lambda x: x**0, "np.full((2, 3), 1.0, np.dtype('<f8'))"),
}


@pytest.mark.parametrize("name", NEUTRAL)
def test_identities(name):
    f, source = NEUTRAL[name]
    made = program(f, X)
    assert source is None or str(made).splitlines()[-1].strip() == f"return {source}"
    np.testing.assert_array_equal(made(X), f(X))
    np.testing.assert_array_equal(np.signbit(made(X)), np.signbit(f(X)))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x.reshape(6, order="F").reshape(3, 2),
        lambda x: x.reshape(6).reshape((3, 2), order="F"),
        lambda x: np.reshape(np.reshape(x, 6), (3, 2), "F"),
        lambda x: np.reshape(np.reshape(x, 6, "F"), (3, 2)),
        lambda x: np.reshape(x, (2, 3), "F"),
    ],
)
def test_reshapes_keep_their_order(f):
    np.testing.assert_array_equal(program(f, X)(X), f(X))


@pytest.mark.parametrize("shape", [(), (2, 3)])
def test_a_constant_that_is_changed_is_an_array(shape):
    def f(x):
        ones = np.broadcast_to(np.ones_like(x[0, 0]), shape).copy()
        ones[x[0, 0] > 1] = x[0, 0]
        return ones

    np.testing.assert_array_equal(program(f, X)(X), f(X))


def test_what_is_changed_later_is_read_before():
    def f(x):
        y = x * 2
        z = y.reshape(-1)
        kept, copied = y + 0 * z.sum(), y.copy()
        y[0] = 7.0
        after = y.copy()
        return np.sum(kept), copied, after * 1, z[::-1].copy(), y.reshape(2, 3) ** 1

    for mine, theirs in zip(program(f, X)(X), f(X), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_reads_after_the_last_change_are_shared():
    def f(x):
        y = ad.zeros(3)
        y[1] = x
        return np.sum(np.exp(y)) + np.sum(np.exp(y) * 2)

    made = program(grad(f), 2.0)
    assert str(made).count("= np.exp(") == 1
    assert "0.0" not in str(made).split("return")[0].split("def f")[1]  # a change that nobody reads
    slopes = [made(x) for x in (2.0, 3.0)]
    np.testing.assert_allclose(slopes, 3 * np.exp([2.0, 3.0]))


@pytest.mark.parametrize("letters", ["ab", "ba"])
def test_a_sum_of_whole_numbers_stays_exact(letters):
    x = np.full((20, 20), 2**40)
    subscripts = "ij,jk->" + letters.replace("a", "i").replace("b", "k")
    made = program(lambda x: np.einsum(subscripts, x, x), x)
    np.testing.assert_array_equal(made(x), np.einsum(subscripts, x, x))


def large(x, w):
    y = x * w
    z = np.exp(-y).T[::-1] + y.T * np.maximum(y.T, x[:, :1].T)
    kept = np.broadcast_to(y.reshape(-1)[:100], (100, 100))
    v = np.tanh(z) - kept @ z
    if v[0, 0] > 1e9:
        v = v * 2
    v = np.sqrt(v * v + 1) / (1 + y.T)
    return np.sum(v * np.cos(v) + kept.T)


def test_buffers_are_used_again_and_never_while_they_are_read():
    rng = np.random.default_rng(0)
    slope = grad(large, (0, 1))
    compiled = jit(slope)
    x, w = rng.normal(size=(2, 100, 100))
    compiled(x, w)
    points = [tuple(rng.normal(size=(2, 100, 100))) for _ in range(8)]
    expected = [slope(*point) for point in points]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda point: compiled(*point), points * 3))
    for mine, theirs in zip(found, expected * 3, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-11, atol=1e-11)
    made, buffers = planned(compiled.program(x, w))
    assert 0 < len(buffers) < len(made.steps) / 4


def test_a_call_of_a_planned_program_allocates_its_results_only():
    compiled = jit(grad(lambda x: np.sum(np.sin(x * x) / (2 + np.cos(x)) * np.exp(-x))))
    x = np.linspace(0, 1, 10**5)
    compiled(x), compiled(x)
    tracemalloc.start()
    try:
        result = compiled(x)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < result.nbytes * 1.1


def test_a_buffer_is_no_ones_result():
    compiled = jit(lambda x: (x * 2, (x * 3).T, np.sum(x * 4), (x + 1).reshape(-1)[5:]))
    x = np.linspace(0, 1, 10**4).reshape(100, 100)
    compiled(x)
    first = compiled(x)
    for part in (first[0], first[1], first[3]):
        part[...] = 7
    for mine, theirs in zip(compiled(x), (x * 2, x.T * 3, np.sum(x * 4)), strict=False):
        np.testing.assert_allclose(mine, theirs)


@pytest.mark.parametrize("x", [3.0, np.array([3.0, -2.0])])
def test_the_first_input_is_not_taken_for_a_zero(x):
    for f in (lambda x: x**x, lambda x: np.where((x == x) | (x > x), x, x * x)):
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(program(f, x)(x), f(x))


def test_the_first_argument_is_no_zero():
    """Its slot is the number 0."""
    made = program(grad(lambda x: np.power(x, x)), 0.5)
    assert made(0.5) == grad(lambda x: np.power(x, x))(0.5)
    assert program(lambda x: np.power(x, x), 0.5)(0.5) == 0.5**0.5
    chosen = program(lambda z, y: np.where((y == 0) | (z == 0), z, y * z), 2.0, 0.0)
    assert chosen(2.0, 0.0) == 2.0
