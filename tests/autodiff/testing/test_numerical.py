"""Numerical derivatives and their error bounds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff import grad, jacobian, numerical_gradient, numerical_jacobian
from autodiff.core import trees
from autodiff.testing.numerical import directional_derivative

FUNCTIONS = [
    (np.exp, np.exp),
    (np.sin, np.cos),
    (lambda x: x**5, lambda x: 5 * x**4),
    (lambda x: 1 / (2 + x), lambda x: -1 / (2 + x) ** 2),
    (lambda x: abs(x + 0.003) ** 1.0, lambda x: np.sign(x + 0.003)),
    (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x)),
    (lambda x: 1e8 + x, lambda x: 1.0),
]


complex_points = hnp.arrays(complex, 2, elements=st.complex_numbers(max_magnitude=2))


@given(st.sampled_from(FUNCTIONS), st.floats(-1.5, 1.5).filter(lambda x: abs(x + 0.003) > 1e-4))
def test_the_claimed_error_is_kept(case, x):
    f, slope = case
    value, error = numerical_gradient(f, x, with_error=True)
    assert abs(value - slope(x)) <= error
    assert error < 1e-5 * max(1.0, abs(f(x)))


def test_a_kink_outside_the_finest_step_is_ignored():
    for distance in (0.03, 1e-3, 1e-4, 1e-5):
        value, error, *_ = directional_derivative(lambda t, d=distance: max(t - d, 0.0) + 2 * t)
        assert abs(value - 2) <= error < 1e-6


def test_values_that_are_not_finite_have_infinite_error():
    _, error, *_ = directional_derivative(lambda t: math.nan)
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
    with pytest.raises(ValueError, match="'richardson', 'complex' or 'central'"):
        numerical_gradient(np.sum, np.ones(2), method="magic")
    with pytest.raises(ValueError, match="has no error bound"):
        numerical_gradient(np.sum, np.ones(2), method="central", with_error=True)
    with pytest.raises(ValueError, match=r"returned shape \(2,\)"):
        numerical_gradient(lambda x: x, np.ones(2))


KINKS = [
    abs,
    np.floor,
    np.sign,
    lambda t: np.maximum(t, 0) + np.sin(t),
    lambda t: np.maximum(t, -t) + 3j * t,
]


@given(st.sampled_from(KINKS), st.floats(0, 1e-6 / 2), st.sampled_from([1.0, -1.0]))
def test_a_kink_at_the_point_is_seen(f, distance, side):
    estimate = directional_derivative(lambda t: f(t - side * distance))
    assert estimate.kink
    assert estimate.error == math.inf


@given(st.floats(0, 1e-4), st.floats(-2, 2))
def test_a_kink_anywhere_is_seen_or_within_the_bound(distance, slope):
    """At any place between the points of the stencil."""
    estimate = directional_derivative(lambda t: max(t - distance, 0.0) + np.sin(slope * t))
    assert estimate.kink or (distance and abs(estimate.value - slope) <= estimate.error < 0.2)


@given(hnp.arrays(float, 20, elements=st.floats(-3, 3)), st.floats(-1e5, 1e5))
def test_rounding_is_no_kink(x, big):
    def f(t):
        moved = x + t
        shares = np.exp(moved) / np.sum(np.exp(moved))
        cancelled = np.sum(moved * big) - np.sum(moved[::-1] * big)
        return np.array([np.sum(shares), cancelled, moved @ moved - np.sum(moved**2), big])

    assert not directional_derivative(f).kink.any()


@given(st.sampled_from(FUNCTIONS[:4]), st.floats(-1.5, 1.5))
def test_the_complex_step_is_exact_up_to_rounding(case, x):
    f, slope = case
    value, error = numerical_gradient(f, x, method="complex", with_error=True)
    assert abs(value - slope(x)) <= error < 1e-11


def test_the_complex_step_refuses_functions_that_are_not_analytic():
    x = np.array([1.0, -2.0])
    for f in (np.abs, lambda x: np.abs(x) + x, np.conj, lambda x: x.astype(complex).real + 0j * x):
        with pytest.raises(ValueError, match="use method='richardson'"):
            numerical_jacobian(f, x, method="complex")
    with pytest.raises(ValueError, match="real arguments"):
        numerical_jacobian(np.exp, x + 1j, method="complex")
    with pytest.raises(ValueError, match=r"complex numbers.*ComplexWarning"):
        numerical_gradient(math.sin, 1.0, method="complex")


@pytest.mark.parametrize("method", ["richardson", "complex", "central"])
def test_jacobians_have_the_shapes_of_ours(method):
    def f(p):
        return {"a": np.sin(p["w"]) @ p["b"][0], "c": (p["b"][1] ** 2, 7.0)}

    x = {"w": np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]), "b": [np.array([1.0, 2.0]), 3.0]}
    ours, found = jacobian(f)(x), numerical_jacobian(f, x, method=method)
    for one, other in zip(trees.leaves(ours), trees.leaves(found), strict=True):
        assert type(one) is type(other)
        np.testing.assert_allclose(other, one, atol=1e-7)
        assert np.shape(one) == np.shape(other)
    assert numerical_jacobian(np.sin, np.ones((0, 2)), method=method).shape == (0, 2, 0, 2)


@given(complex_points)
def test_complex_derivatives_follow_the_conventions(z):
    for f in (lambda z: np.sum(np.abs(z) ** 2 * np.real(z)), lambda z: np.imag(z[0] * z[1])):
        np.testing.assert_allclose(numerical_gradient(f, z), grad(f)(z), atol=1e-9)
    np.testing.assert_allclose(numerical_jacobian(np.exp, z), np.diag(np.exp(z)), atol=1e-9)
    with pytest.raises(TypeError, match="holomorphic"):
        numerical_jacobian(np.conj, z)


def test_each_error_belongs_to_its_derivative():
    x = np.array([0.0, 1.0])
    slopes, errors = numerical_jacobian(np.abs, x, with_error=True)
    np.testing.assert_allclose(slopes, [[0, 0], [0, 1]], atol=1e-9)
    np.testing.assert_array_equal(np.isinf(errors), [[True, False], [False, False]])
    slopes, errors = numerical_gradient(lambda p: p["x"] ** 3, {"x": 2.0}, with_error=True)
    assert abs(slopes["x"] - 12) <= errors["x"] < 1e-9


@given(st.floats(0.1, 3.0), st.sampled_from([1e3, 1e6, 1e9]), st.sampled_from([1.0, 10.0, 100.0]))
def test_the_bound_includes_cancellation_inside_the_function(x, far, rate):
    value, error, *_ = directional_derivative(lambda t: np.sin(rate * ((x + t + far) - far)))
    assert abs(value - rate * np.cos(rate * x)) <= error


def test_a_step_that_leaves_the_domain_does_not_count():
    value, error = numerical_gradient(lambda x: np.power(x, x), 0.06, with_error=True)
    exact = 0.06**0.06 * (np.log(0.06) + 1)
    assert abs(value - exact) <= error < 1e-6
