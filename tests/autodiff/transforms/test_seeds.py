"""Cotangents, tangents and seeds that are variables: derivatives through them."""

import copy
import pickle

import numpy as np
import pytest

import autodiff as ad
from autodiff import Tensor, Value, grad, gradients, hvp, jacobian, jvp, vjp

POINT = np.array([1.0, 2.0])
NUMBERS = {
    "Value": Value,
    "Tensor": Tensor,
    "element": lambda x: Tensor([x])[0],
    "0-d array": lambda x: np.copy(Tensor(x)),
    "float32": lambda x: Tensor(np.float32(x)),
}


def cubes(x):
    return x**3


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("point", [2.0, np.array(2.0), np.float32(2.0)])
def test_seeds_of_single_numbers(kind, point):
    """d/dg of (g · 12)² at g = 5 is 2 · 5 · 144, by every transform."""
    seed = NUMBERS[kind](5.0)
    (pulled,) = vjp(cubes, point)[1](seed)
    pushed = jvp(cubes, (point,), (seed,))[1]
    x = Value(point) if isinstance(point, float) else Tensor(point)
    (found,) = gradients(cubes(x), [x], seed=seed)
    y = cubes(x)
    y.backward(seed)
    for slope in (pulled, pushed, found, x.grad):
        assert slope.data == 60.0
        assert slope.dtype == x.dtype
        assert gradients(slope * slope, [seed])[0] == 2 * 5 * 144
        assert np.asarray(gradients(slope, [seed])[0]).dtype == seed.dtype
    assert y.grad.data == 5.0


def test_seeds_of_arrays():
    seed = Tensor([10.0, 100.0])
    (pulled,) = vjp(cubes, POINT)[1](seed)
    pushed = jvp(cubes, (POINT,), (seed,))[1]
    x = Tensor(POINT)
    (found,) = gradients(cubes(x), [x], seed=seed)
    cubes(x).backward(seed)
    for slope in (pulled, pushed, found, x.grad):
        np.testing.assert_array_equal(slope.data, [30.0, 1200.0])
        np.testing.assert_array_equal(gradients(slope.sum(), [seed])[0], [3.0, 12.0])
    # the gradients after backward depend on the variable too
    np.testing.assert_array_equal(gradients(x.grad.sum(), [x])[0], [60.0, 1200.0])


def test_an_object_array_of_values_is_a_seed():
    a, b = Value(10.0), Value(100.0)
    (pulled,) = vjp(cubes, POINT)[1](np.array([a, b]))
    pushed = jvp(cubes, (POINT,), (np.array([a, 100.0]),))[1]
    for slope in (pulled, pushed):
        np.testing.assert_array_equal(slope.data, [30.0, 1200.0])
        assert gradients(slope[0], [a]) == [3.0]
    assert gradients(pulled[1], [b]) == [12.0]


def test_seeds_in_containers_may_be_mixed():
    seed = Value(10.0)
    _, pullback = vjp(lambda x, y: {"a": x * y, "b": [x * x, 1.0]}, 2.0, 3.0)
    by_x, by_y = pullback({"a": seed, "b": [1.0, 0.0]})
    assert (by_x.data, by_y.data) == (34.0, 20.0)
    assert gradients(by_x, [seed]) == [3.0]
    tangent = jvp(lambda x, y: [x * y, y], (2.0, POINT), (seed, np.ones(2)))[1]
    np.testing.assert_array_equal(tangent[0].data, [12.0, 22.0])
    np.testing.assert_array_equal(gradients(tangent[0].sum(), [seed]), [3.0])
    np.testing.assert_array_equal(tangent[1], [1.0, 1.0])


def test_hessian_times_a_variable():
    v = Tensor([1.0, 10.0])
    (product,) = hvp(lambda x: np.sum(x**3), (POINT,), (v,))
    np.testing.assert_array_equal(product.data, [6.0, 120.0])
    np.testing.assert_array_equal(gradients(product.sum(), [v])[0], [6.0, 12.0])


@pytest.mark.parametrize("direction", [2.0, np.array(2.0), POINT])
def test_derivatives_by_a_seed_are_the_linear_map(direction):
    """v ↦ Jv and w ↦ Jᵀw are linear: their Jacobians are J and Jᵀ at every v and w."""
    point = direction * 1.5
    matrix = jacobian(np.sin)(point)
    pushed = jacobian(lambda v: jvp(np.sin, (point,), (v,))[1])(direction)
    pulled = jacobian(lambda w: vjp(np.sin, point)[1](w)[0])(direction)
    np.testing.assert_allclose(pushed, matrix)
    np.testing.assert_allclose(pulled, np.transpose(matrix))


@pytest.mark.parametrize("point", [1.5, POINT])
def test_second_derivatives_by_point_and_seed(point):
    ad.check_grads(lambda x, w: vjp(lambda x: np.sin(x) * x, x)[1](w)[0], point, point, order=2)
    ad.check_grads(lambda x, v: jvp(lambda x: np.sin(x) * x, (x,), (v,))[1], point, point, order=2)


def test_a_seed_of_another_shape_is_refused():
    x, t = Value(2.0), Tensor(POINT)
    for use in (
        lambda: gradients(x * x, [x], seed=Tensor([1.0])),
        lambda: gradients(t * t, [t], seed=Value(1.0)),
        lambda: gradients(t * t, [t], seed=Tensor([[1.0, 2.0]])),
        lambda: (x * x).backward(Tensor([1.0, 2.0])),
        lambda: (t * t).backward(Value(1.0)),
        lambda: vjp(np.sin, POINT)[1](Value(1.0)),
        lambda: jvp(np.sin, (POINT,), (Tensor([1.0]),)),
    ):
        with pytest.raises(ValueError, match="shape"):
            use()
    assert x.grad is t.grad is None


def test_a_graph_with_recorded_gradients_is_copied_shown_and_pickled():
    x, seed = Value(3.0), Value(2.0)
    y = x * x
    y.backward(seed)
    assert repr(x) == "Value(3, grad=12)"
    for twin in (copy.deepcopy((x, y, seed)), pickle.loads(pickle.dumps((x, y, seed)))):
        x2, _, seed2 = twin
        assert x2.grad.data == 12.0
        assert gradients(x2.grad, [x2, seed2]) == [4.0, 6.0]
    long = x
    for _ in range(3000):
        long = long * 1.0 + 0.0
    long.backward(seed)
    assert pickle.loads(pickle.dumps(long)).grad.data == 2.0
    t = Tensor(3.0)
    (t * t).backward(Tensor(2.0))
    assert repr(t) == "Tensor(3.)"


def test_a_second_backward_with_a_number_is_plain_again():
    x = Value(3.0)
    y = x * x
    y.backward(Value(2.0))
    y.backward()
    assert x.grad == 6.0
    assert type(x.grad) is float


def test_gradients_by_an_outer_variable_pass_a_seed():
    assert grad(lambda g: vjp(lambda x: x**3, 2.0)[1](g)[0] ** 2)(5.0) == 2 * 5 * 144
    assert grad(lambda g: jvp(lambda x: x**3, (2.0,), (g * g,))[1])(5.0) == 2 * 5 * 12
