"""grad, value_and_grad, jacobian: plain results, nesting, errors."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, grad, gradients, jacobian, no_grad, value_and_grad


@given(st.floats(-2, 2), st.integers(1, 5))
def test_orders_nest(x, order):
    """Derivatives of sin cycle; those of exp do not change."""
    d = ad.sin
    for _ in range(order):
        d = grad(d)
    assert d(x) == pytest.approx(math.sin(x + order * math.pi / 2), abs=1e-12)


@given(st.floats(-3, 3))
def test_nested_uses_are_not_confused(x):
    # d/dx of x · ∂(x²y)/∂y is d/dx of x³
    assert grad(lambda x: x * grad(lambda y: x**2 * y)(5.0))(x) == pytest.approx(3 * x**2)
    # the same with the inner variable at the outer point: still ∂/∂y, then y = x
    assert grad(lambda x: x * grad(lambda y: x**2 * y)(x))(x) == pytest.approx(3 * x**2)
    # Siskind and Pearlmutter's example: d/dx of x · d(x + y)/dy is 1, not 2
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(x) == 1.0
    # the inner derivative depends on its own point through the outer variable
    assert grad(lambda x: grad(lambda y: y**3)(x))(x) == pytest.approx(6 * x)


def test_results_are_plain_at_the_outermost_level():
    assert type(grad(lambda x: x**2)(3)) is float
    assert type(grad(lambda x: 5.0)(3.0)) is float
    g = grad(lambda x: ad.sum(x**2))(np.ones(2, np.float32))
    assert type(g) is np.ndarray
    assert g.dtype == np.float32
    value, slope = value_and_grad(lambda x: x**2)(3.0)
    assert (type(value), type(slope)) == (float, float)
    # mixed orders over arguments
    mixed = grad(grad(lambda x, y: x**2 * y**3, 0), 1)
    assert type(mixed(2.0, 3.0)) is float
    assert mixed(2.0, 3.0) == 2 * 2 * 3 * 9
    assert grad(lambda x: ad.sum(grad(lambda y: ad.sum(y**3))(x) * 2.0))(
        np.array([1.0, 2.0])
    ).tolist() == [12.0, 24.0]


def test_results_are_nodes_for_arguments_that_are_nodes():
    x = Value(3.0)
    slope = grad(lambda y: y**2)(x)
    assert isinstance(slope, Value)
    assert gradients(slope, [x]) == [2.0]
    w = Tensor([1.0, 2.0])
    slope = grad(lambda y: ad.sum(w * y**2))(np.ones(2))  # uses its own variable
    assert isinstance(slope, Tensor)
    np.testing.assert_array_equal(gradients(slope.sum(), [w])[0], [2.0, 2.0])
    assert type(grad(lambda y: y**2 + x)(2.0)) is float  # the derivative does not depend on x


def test_argnums():
    def f(x, y, scale=1.0):
        return scale * x * y**2

    assert grad(f, 1)(2.0, 3.0) == 12.0
    assert grad(f, (0, 1))(2.0, 3.0, scale=2.0) == (18.0, 24.0)
    assert grad(f, -1)(2.0, 3.0) == 12.0
    with pytest.raises(TypeError, match="argnums=2 but 2 positional"):
        grad(f, 2)(2.0, 3.0)


def test_jacobians_and_hessians():
    matrix = np.arange(6.0).reshape(2, 3)
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(jacobian(lambda x: matrix @ x)(x), matrix)
    hessian = jacobian(grad(lambda x: ad.sum(x**3) + x[0] * x[1]))(x)
    np.testing.assert_allclose(hessian, [[6, 1, 0], [1, 12, 0], [0, 0, 18]])
    both = jacobian(lambda x, y: x * y, (0, 1))(x, 2.0 * x)
    np.testing.assert_array_equal(both[0], np.diag(2 * x))
    np.testing.assert_array_equal(both[1], np.diag(x))
    assert jacobian(lambda x: x**2)(3.0) == 6.0
    assert jacobian(lambda x: x * np.ones((2, 2)))(3.0).shape == (2, 2)
    assert jacobian(lambda m: m.T)(matrix).shape == (3, 2, 2, 3)


def test_a_gradient_needs_one_number():
    with pytest.raises(ValueError, match=r"shape \(2,\).*jacobian"):
        grad(lambda x: x * 2)(np.ones(2))


def test_the_function_keeps_its_name_and_errors():
    def energy(x):
        """Doc."""
        raise KeyError("inside")

    assert grad(energy).__name__ == "energy"
    with pytest.raises(KeyError, match="inside"):
        grad(energy)(1.0)


def test_seeds():
    x = Value(2.0)
    assert gradients(x * x, [x], seed=3.0) == [12.0]
    with pytest.raises(TypeError, match="real number"):
        gradients(x * x, [x], seed="1")
    t = Tensor([1.0, 2.0])
    np.testing.assert_array_equal(gradients(t * t, [t], seed=[1, 2])[0], [2.0, 8.0])


def test_derivatives_inside_no_grad():
    with no_grad():
        assert grad(grad(lambda x: x**3))(2.0) == 12.0
        np.testing.assert_array_equal(jacobian(lambda x: x * x)(np.ones(2)), 2 * np.eye(2))
        assert (Value(1.0) * 2.0).op is None
        with pytest.raises(KeyError):
            grad(lambda x: {}[x])(1.0)
        assert (Value(1.0) * 2.0).op is None

    def partly(x):
        with no_grad():
            constant = x * x
        return x * constant.data

    assert grad(partly)(3.0) == 9.0


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_derivatives_that_are_nodes_can_be_copied(duplicate):
    weight = Value(2.0)
    slope = grad(lambda y: weight * y**2)(3.0)
    weight2, slope2 = duplicate((weight, slope))
    assert slope2.data == 12.0
    assert gradients(slope2, [weight2]) == [6.0]
