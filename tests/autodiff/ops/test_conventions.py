"""What we say at the points where a derivative does not exist, or where formulas break down."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, grad, gradients, where

INF = math.inf


def both(f, *point):
    """The gradient by scalars and by arrays, which must agree."""
    values, tensors = [Value(x) for x in point], [Tensor([x]) for x in point]
    scalars = gradients(f(*values), values)
    arrays = gradients(f(*tensors), tensors)
    np.testing.assert_array_equal(scalars, np.ravel(arrays))
    return scalars if len(point) > 1 else scalars[0]


@pytest.mark.parametrize(
    ("f", "point", "slopes"),
    [
        (ad.relu, [0.0], 0),
        (ad.absolute, [0.0], 0),
        (ad.sign, [0.0], 0),
        (ad.sign, [2.0], 0),
        (ad.maximum, [1.0, 1.0], [0.5, 0.5]),
        (ad.minimum, [1.0, 1.0], [0.5, 0.5]),
        (lambda x: ad.maximum(x, 0), [0.0], 0.5),
        (lambda x: x**0, [0.0], 0),
        (lambda x: x**1, [0.0], 1),
        (lambda x: x**2, [0.0], 0),
        (lambda y: 0.0**y, [2.0], 0),
        (lambda x, y: x**y, [0.0, 0.0], [0, -INF]),
        (lambda x, y: x**y, [0.0, 2.0], [0, 0]),
        (lambda x, y: x**y, [-2.0, 3.0], [12, math.nan]),
        (lambda x: where(x > 0, ad.sqrt(x), 0.0), [0.0], 0),
        (lambda x: where(x > 0, ad.log(x), x), [-1.0], 1),
        (lambda x: where(x < 1, x, ad.exp(x)), [1000.0], INF),
        (ad.sigmoid, [800.0], 0),
        (ad.tanh, [800.0], 0),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the forward pass's, NumPy's own
def test_singular_points(f, point, slopes):
    np.testing.assert_array_equal(both(f, *point), slopes)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_infinite_slopes():
    assert both(ad.sqrt, 0.0) == INF
    assert both(lambda x: 1 / x, 0.0) == -INF
    assert both(ad.log, 0.0) == INF


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("zero", [0, 0.0, np.float64(0), np.zeros(2), Value(0.0), Tensor(0.0)])
def test_division_by_constant_zeros(zero):
    x = Tensor([1.0, -1.0])
    (x / zero).backward([1.0, 1.0])
    np.testing.assert_array_equal(x.grad, [INF, INF])
    (slope,) = gradients(x / zero, [x], seed=[1.0, 1.0], record=True)
    np.testing.assert_array_equal(getattr(slope, "data", slope), [INF, INF])


@pytest.mark.parametrize(
    ("f", "x", "result"),
    [
        (ad.log, 0.0, -INF),
        (ad.log, -1.0, math.nan),
        (ad.exp, 1e4, INF),
        (ad.sqrt, -1.0, math.nan),
        (lambda x: 1 / x, 0.0, INF),
        (lambda x: -1 / x, 0.0, -INF),
        (lambda x: x / 0, 0.0, math.nan),
        (lambda x: x**-1, 0.0, INF),
        (lambda x: x**0.5, -1.0, math.nan),
        (lambda x: (x**3) ** 200, 1e100, INF),
        (ad.cosh, 1e4, INF),
    ],
)
def test_scalars_follow_ieee_with_numpys_warning(f, x, result):
    with pytest.warns(RuntimeWarning) as ours:
        scalar = f(Value(x))
    with pytest.warns(RuntimeWarning) as numpys:
        array = f(np.array([x]))
    np.testing.assert_array_equal(scalar.data, array[0])
    np.testing.assert_array_equal(scalar.data, result)
    assert ours[0].category is numpys[0].category


def test_the_branch_not_taken_is_zero_in_every_order():
    def f(x):
        return where(x > 0, ad.sqrt(x), x**2)

    slope = f
    for expected in (0.0, 2.0, 0.0):
        slope = grad(slope)
        assert slope(0.0) == expected
    # and if the slope of the branch not taken is NaN because its argument is
    x = Tensor([math.nan, 1.0])
    (g,) = gradients(ad.sum(where(np.isnan(x.data), 0.0, ad.sin(x))), [x])
    np.testing.assert_array_equal(g, [0.0, math.cos(1.0)])


@pytest.mark.parametrize(("extreme", "sign"), [(ad.max, 1), (ad.min, -1)])
def test_extremes_share_ties_equally(extreme, sign):
    x = Tensor(sign * np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]))
    extreme(x, axis=1).backward(np.ones(2))
    np.testing.assert_array_equal(x.grad, [[0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])


@given(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_logsumexp_never_overflows(a, b):
    x = Tensor([a, b])
    y = ad.logsumexp(x)
    y.backward()
    assert max(a, b) <= y.data <= max(a, b) + math.log(2) + 1e-12
    assert math.isclose(x.grad.sum(), 1.0, rel_tol=1e-12)
    gap = b - a
    np.testing.assert_allclose(x.grad, ad.sigmoid(np.array([-gap, gap])), rtol=2e-12, atol=1e-300)


@given(st.floats(-700, 700))
def test_sigmoid_and_its_slope_keep_their_digits(x):
    p, q = 1 / (1 + math.exp(-x)), 1 / (1 + math.exp(x))
    assert math.isclose(ad.sigmoid(x), p, rel_tol=4e-16)
    assert math.isclose(grad(ad.sigmoid)(x), p * q, rel_tol=1e-15)


@given(st.floats(-300, 300))
def test_the_slope_of_tanh_keeps_its_digits(x):
    e = math.exp(-2 * abs(x))
    assert math.isclose(grad(ad.tanh)(x), 4 * e / (1 + e) ** 2, rel_tol=4e-15)


@given(st.floats(-1e-5, 1e-5))
def test_small_arguments_keep_their_digits(x):
    assert grad(ad.log1p)(x) == 1 / (1 + x)
    assert grad(ad.expm1)(x) == math.exp(x)


def test_dtypes():
    for made, expected in [
        (Tensor([1, 2]), np.float64),
        (Tensor(np.array([True])), np.float64),
        (Tensor(np.ones(2, np.float32)), np.float32),
        (Tensor(np.ones(2, np.float32)) * 2.0, np.float32),
        (2 * Tensor(np.ones(2, np.float16)), np.float16),
        (Tensor(np.ones(2, np.float32)) * Value(2.0), np.float32),
        (Tensor(np.ones(2, np.float32)) * np.ones(2), np.float64),
        (Tensor(np.ones(2)) * np.array([1, 2]), np.float64),
        (Tensor([1j]), np.complex128),
    ]:
        assert made.dtype == expected
        if expected is not np.complex128:
            made.backward(np.ones(made.shape))
            assert made.grad.dtype == expected
    x = Tensor(np.ones(2, np.float32))
    (x * np.ones(2)).sum().backward()
    assert x.grad.dtype == np.float32
