"""Programs of numbers, and of small arrays, on Python's floats."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import grad, hessian, jit, program, value_and_grad
from autodiff.core import trees
from autodiff.programs.backends.floats import FORMS

SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 3.0, np.inf, -np.inf, np.nan, 1e200, -1e200, 5e-324, 1e-300]
numbers = st.sampled_from(SPECIAL) | st.floats(-4, 4)


def quick(f, *args):
    """Return the compiled function; check that its programs are on floats."""
    compiled = jit(f)
    with np.errstate(all="ignore"):
        compiled(*args)
    (made,) = compiled._programs
    assert made._compiled.function.__code__ is not made._compiled.code
    return compiled


def heard(f, *args):
    """Return the result of a call, and the texts of its warnings or the kind of its error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = f(*args)
    return result, sorted({str(w.message).split(" encountered")[0] for w in caught})


def same(compiled, f, *args):
    """Check that a compiled function gives the same numbers, types and warnings."""
    (found, mine), (expected, theirs) = heard(compiled, *args), heard(f, *args)
    assert type(found) is type(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-323)
    np.testing.assert_array_equal(np.signbit(found), np.signbit(expected))
    assert mine == theirs


@pytest.mark.parametrize("function", [f for f in FORMS if isinstance(f, np.ufunc)])
@given(st.data())
def test_every_form_is_numpys_function(function, data):
    logical = function in (np.bitwise_and, np.bitwise_or, np.invert)

    def f(*args):
        return 2.0 * function(*[x > 0.5 for x in args] if logical else args)

    args = [data.draw(numbers) for _ in range(function.nin)]
    same(quick(f, *[0.75] * function.nin), f, *args)


@given(numbers, numbers)
def test_a_zero_absorbs_an_infinity(g, partial):
    slope = grad(lambda x, p: (x if x > 0 else 0 * p) ** 2 * p, (0, 1))
    compiled = quick(slope, 1.0, 2.0)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(compiled(g, partial), slope(g, partial))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 1 / (x * x),
        lambda x: np.tanh(x * x),
        lambda x: np.exp(-x * x),
        lambda x: np.arctan(x + x * x),
        lambda x: np.where(x * x > 1, 1.0, x),
        lambda x: np.minimum(x * x, 3.0),
        lambda x: np.where(x > 1, 2.0, x * x),
        lambda x: np.where(x > 0, x, np.log(x)),
        lambda x: np.where(x == 0, 1.0, 1 / x),
    ],
)
def test_a_warning_is_given_where_its_number_disappears(f):
    compiled = quick(f, np.float64(0.75))
    for x in (1e200, -1e200, 0.5, 0.0, -2.0):
        same(compiled, f, np.float64(x))


def test_small_arrays_are_computed_by_floats():
    A = np.arange(6.0).reshape(2, 3)

    def f(x, w):
        y = ad.zeros((2, 3))
        y[:, 1:] = x[:2] * w
        y[0] += np.array([1.0, 2.0, 3.0])[::-1]
        z = np.concatenate([y @ x, np.max(y, axis=0), np.einsum("ij,ij->i", y, A)])
        return np.sum(z[::-1] * np.sin(x[0])) + np.mean(y.T.reshape(-1) ** 2) - np.prod(w + x[2])

    rng = np.random.default_rng(0)
    for g in (value_and_grad(f, (0, 1)), hessian(f)):
        args = rng.normal(size=3), rng.normal(size=(2, 1))
        compiled = quick(g, *args)
        for _ in range(3):
            args = rng.normal(size=3), rng.normal(size=(2, 1))
            pairs = zip(trees.leaves(compiled(*args)), trees.leaves(g(*args)), strict=True)
            for mine, theirs in pairs:
                np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-13)


def test_results_are_arrays_of_the_caller():
    compiled = quick(lambda x: (x * 2, np.zeros(2), x), np.ones(2))
    first, zeros, same_ = compiled(x := np.ones(2))
    first[:], zeros[:], same_[:] = 7, 7, 7
    np.testing.assert_array_equal(compiled(x)[1], 0)
    np.testing.assert_array_equal(x, 1)


def test_data_decide_on_floats():
    def f(x):
        n = 0
        while x > 1:
            x, n = x / 2, n + 1
        return x if n % 2 else -x

    compiled = quick(f, 3.0)
    for x in (3.0, 0.5, 9.0, 5.0, 2.0, 100.0):
        assert compiled(x) == f(x)


def test_arrays_of_data_in_an_index_stay_with_numpy():
    f = lambda x: x[np.argsort(x)] * np.arange(3)  # noqa: E731
    for x in (np.array([3.0, 1, 2]), np.array([1.0, 2, 3])):
        np.testing.assert_array_equal(program(f, x)(x), f(x))


@pytest.mark.parametrize("x", [np.float32(0.5), 3, True, np.array([1, 2]), 1j, np.float64(2)])
def test_other_numbers_stay_numpys(x):
    def f(x):
        return x * x + x

    found, expected = jit(f)(x), f(x)
    compiled = jit(f)
    compiled(x)
    assert type(compiled(x)) is type(expected)
    np.testing.assert_array_equal(found, expected)


def test_a_number_has_an_axis_to_sum_over():
    for axis in (0, -1):
        compiled = quick(lambda x, axis=axis: np.sum(np.sin(x), axis=axis), 2.0)
        assert compiled(2.0) == np.sin(2.0)
        assert quick(lambda x, axis=axis: np.max(x, axis=axis), 2.0)(2.0) == 2.0
    assert quick(np.mean, 2.0)(2.0) == 2.0


def test_a_constant_derivative_is_an_array_where_the_function_gives_one():
    f = value_and_grad(lambda x: np.sum(np.atleast_1d(x)))
    for found, expected in zip(program(f, 2.0)(3.0), f(3.0), strict=True):
        assert (np.shape(found), found) == (np.shape(expected), expected)


def test_long_programs_fit_pythons_compiler():
    def f(x):
        for _ in range(3000):
            x = np.sin(x) + 1
        return x

    assert program(f, 1.0)(0.5) == f(0.5)
