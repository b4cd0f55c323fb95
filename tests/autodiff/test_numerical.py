"""Numerical derivatives, and the errors they claim."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autodiff import check_grads, numerical_gradient, relu
from autodiff.numerical import directional_derivative
from autodiff.ops.elementwise import elementwise, exp

FUNCTIONS = [
    (np.exp, np.exp),
    (np.sin, np.cos),
    (lambda x: x**5, lambda x: 5 * x**4),
    (lambda x: 1 / (2 + x), lambda x: -1 / (2 + x) ** 2),
    (lambda x: abs(x + 0.003) ** 1.0, lambda x: np.sign(x + 0.003)),
    (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x)),
    (lambda x: 1e8 + x, lambda x: 1.0),
]


@given(st.sampled_from(FUNCTIONS), st.floats(-1.5, 1.5).filter(lambda x: abs(x + 0.003) > 1e-4))
def test_the_claimed_error_is_kept(case, x):
    f, slope = case
    value, error = numerical_gradient(f, x, with_error=True)
    assert abs(value - slope(x)) <= error
    assert error < 1e-5 * max(1.0, abs(f(x)))


def test_a_kink_further_away_than_the_finest_step_does_no_harm():
    for distance in (0.03, 1e-3, 1e-4, 1e-5):
        value, error = directional_derivative(lambda t, d=distance: max(t - d, 0.0) + 2 * t)
        assert abs(value - 2) <= error < 1e-6


def test_values_that_are_not_finite_have_infinite_error():
    _, error = directional_derivative(lambda t: math.nan)
    assert error == math.inf


@pytest.mark.parametrize("method", ["richardson", "central"])
def test_shapes_and_points(method):
    x = np.array([[1, 2], [3, 4]])
    slopes = numerical_gradient(lambda x: np.sum(x**2), x, method=method)
    np.testing.assert_allclose(slopes, 2 * x, rtol=1e-7)
    np.testing.assert_array_equal(x, [[1, 2], [3, 4]])
    assert type(numerical_gradient(lambda x: x * x, 3, method=method)) is float
    assert numerical_gradient(np.sum, np.ones(0), method=method).shape == (0,)


def test_misuse():
    with pytest.raises(ValueError, match="'richardson' or 'central'"):
        numerical_gradient(np.sum, np.ones(2), method="magic")
    with pytest.raises(ValueError, match="knows no error"):
        numerical_gradient(np.sum, np.ones(2), method="central", with_error=True)
    with pytest.raises(ValueError, match=r"returned shape \(2,\)"):
        numerical_gradient(lambda x: x, np.ones(2))


def test_check_grads_passes_and_reports():
    checks = check_grads(lambda x, y: np.sum(exp(x) * y), np.ones(3), 2.0, order=2)
    assert {(c.order, c.argument) for c in checks} == {(1, 0), (1, 1), (2, 0), (2, 1)}
    assert all(abs(c.reverse - c.numerical) <= c.error for c in checks)
    assert max(c.error for c in checks) < 1e-9


def test_check_grads_in_float32():
    (first, *_) = check_grads(lambda x: np.sum(exp(x)), np.ones(3, np.float32))
    assert 1e-9 < first.error < 0.05


@pytest.mark.usefixtures("own_rows")
def test_check_grads_finds_wrong_derivatives():
    for op in (
        elementwise(np.cbrt, lambda out, x: 1.001 / (3 * out * out), name="factor"),
        elementwise(np.exp2, lambda out, x: out * 0.6931, name="digits"),
        elementwise(np.arcsinh, lambda out, x: -1 / (1 + x * x) ** 0.5, name="sign_"),
    ):
        with pytest.raises(AssertionError, match=r"argument 0.*reverse mode.*numerical"):
            check_grads(op, np.array([0.5, 1.5]))


def test_check_grads_with_a_kink_nearby():
    check_grads(lambda x: np.sum(relu(x)), np.array([1e-4, -1e-4, 1.0]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_check_grads_where_values_are_not_finite():
    with pytest.raises(AssertionError, match="not finite"):
        check_grads(lambda x: 1 / x, 0.0)
