"""Derivatives at points where none exists, or where formulas break down."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, grad, gradients, where

INF = math.inf


def both(f, *point):
    """Return the gradient, which must be the same for scalars and arrays."""
    values, tensors = [Value(x) for x in point], [Tensor([x]) for x in point]
    scalars = gradients(f(*values), values)
    arrays = gradients(f(*tensors), tensors)
    np.testing.assert_array_equal(scalars, np.ravel(arrays))
    return scalars if len(point) > 1 else scalars[0]


@pytest.mark.parametrize(
    ("f", "point", "slopes"),
    [
        (ad.sign, [2.0], 0),
        (lambda x: ad.maximum(x, 0), [0.0], 0.5),
        (ad.clip, [2.0, 0.0, 1.0], [0, 0, 1]),
        (ad.clip, [-2.0, 0.0, 1.0], [0, 1, 0]),
        (lambda x: ad.clip(x, None, 1.0), [1.0], 1),
        (lambda x: ad.clip(x, 1.0), [1.0], 1),
        (ad.hypot, [-3.0, 4.0], [-0.6, 0.8]),
        (ad.heaviside, [2.0, 0.5], [0, 0]),
        (ad.remainder, [7.0, -3.0], [1, 3]),
        (ad.fmod, [7.0, -3.0], [1, 2]),
        (ad.copysign, [-2.0, 1.0], [-1, 0]),
        (lambda x: ad.modf(x)[0], [-2.5], 1),
        (lambda x: ad.frexp(x)[0], [12.0], 1 / 16),
        (lambda x: ad.ldexp(x, -3), [12.0], 1 / 8),
        (ad.nan_to_num, [2.0], 1),
        (grad(ad.sinc), [0.0], -(math.pi**2) / 3),
        (ad.sinc, [2.0], 0.5),
        (grad(ad.i0), [0.0], 0.5),
        (ad.logaddexp, [2.0, 2.0], [0.5, 0.5]),
        (ad.logaddexp2, [2.0, 2.0], [0.5, 0.5]),
        (ad.softplus, [0.0], 0.5),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's forward pass warns
def test_singular_points(f, point, slopes):
    np.testing.assert_allclose(both(f, *point), slopes, rtol=4e-16)


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
    # also where the slope of the branch not taken is NaN because its argument is
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


@pytest.mark.parametrize(
    ("f", "at_0", "elsewhere"),
    [
        (ad.absolute, 0, (3 + 4j) / 5),
        # conj(z): the cotangents of its real and of its imaginary part
        (lambda z: ad.real(ad.conjugate(z)), 1, 1),
        (lambda z: ad.imag(ad.conjugate(z)), -1j, -1j),
        (lambda z: ad.real(ad.sign(z)), 0, 16 / 125 - 12j / 125),
        (ad.angle, 0, (-4 + 3j) / 25),
        (ad.real, 1, 1),
        (ad.imag, 1j, 1j),
        (lambda z: ad.real(ad.rint(z)), 0, 0),
        (lambda z: ad.imag(ad.nan_to_num(z)), 1j, 1j),
    ],
)
def test_complex_functions_that_are_not_holomorphic(f, at_0, elsewhere):
    z = Tensor([0, 3 + 4j])
    (slope,) = gradients(f(z), [z], np.ones(2))
    np.testing.assert_allclose(slope, [at_0, elsewhere], rtol=1e-15)


@pytest.mark.parametrize(
    "f", [ad.conj, ad.real, ad.imag, ad.sign, ad.absolute, np.angle, np.real_if_close, np.clip]
)
def test_a_value_stays_a_value(f):
    x = Value(2.0)
    y = f(x, 1.0, 3.0) if f is np.clip else f(x)
    assert isinstance(y, Value)
    expected = 0.0 if f in (ad.imag, ad.sign, np.angle) else 1.0
    assert gradients(y, [x]) == [expected]


UNARY = [
    np.absolute, np.arccos, np.arcsin, np.arcsinh, np.arctan, np.arctanh, np.cbrt, np.conjugate,
    np.cos, np.cosh, np.deg2rad, np.degrees, np.exp, np.exp2, np.expm1, np.fabs, np.log, np.log10,
    np.log1p, np.log2, np.negative, np.positive, np.rad2deg, np.radians, np.reciprocal, np.rint,
    np.sin, np.sinh, np.sqrt, np.square, np.tan, np.tanh,
]  # fmt: skip
BINARY = [
    np.arctan2, np.divide, np.floor_divide, np.fmod, np.hypot, np.maximum, np.power, np.remainder,
]  # fmt: skip


@pytest.mark.parametrize("ufunc", UNARY + BINARY)
def test_numpys_object_loops_run_the_scalar_engine(ufunc):
    numbers = np.array([0.25, 0.5])
    values = np.array([Value(x) for x in numbers])
    result = ufunc(*[values, values[::-1]][: ufunc.nin])
    assert all(type(value) is Value for value in result)
    expected = ufunc(*[numbers, numbers[::-1]][: ufunc.nin])
    np.testing.assert_allclose([value.data for value in result], expected, rtol=4e-16)


def test_refusals_of_elementwise_functions():
    x = Tensor([1.0, 2.0])
    for f, error, message in [
        (lambda: np.nan_to_num(x, copy=False), TypeError, "copy"),
        (lambda: ad.clip(x, 0, max=1), ValueError, "either"),
        (lambda: np.ldexp(x, x), TypeError, "x2=x.data"),
        (lambda: np.ldexp(x, 0.5), TypeError, "ldexp cannot take"),
        (lambda: np.i0(Tensor([1j])), TypeError, "i0 cannot take"),
        (lambda: np.floor(Tensor([1j])), TypeError, "floor cannot take"),
        (lambda: np.round(x, 1, out=np.zeros(2)), TypeError, "out="),
        (lambda: np.clip(x, 0, 1, where=[True, False]), TypeError, "where"),
    ]:
        with pytest.raises(error, match=message):
            f()


def test_functions_decided_by_data_see_in_place_changes():
    x, z = Tensor([1.0, 2.0]), Tensor([1 + 0j])
    x.data[0], z.data[0] = math.inf, 1j
    assert np.nan_to_num(x).data[0] == np.finfo(float).max
    assert np.real_if_close(z).dtype == complex


def test_several_results_have_numpys_types():
    x = Tensor(np.array([12.0, -0.3], np.float32))
    mantissa, exponent = np.frexp(x)
    expected = np.frexp(x.data)
    np.testing.assert_array_equal(mantissa.data, expected[0])
    assert type(exponent) is np.ndarray
    assert exponent.dtype == expected[1].dtype
    np.testing.assert_array_equal(exponent, expected[1])
    for f in (np.modf, lambda a: np.divmod(a, -0.7)):
        for ours, theirs in zip(f(x), f(x.data), strict=True):
            np.testing.assert_array_equal(ours.data, theirs)
            assert ours.dtype == np.float32


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


@pytest.mark.parametrize(
    ("x", "shares", "total"),
    [
        ([1e4, -1e4], [1, 0], 1e4),
        ([1e4, INF], [0, 1], INF),
        ([-INF, 0.0], [0, 1], 0),
        ([INF, INF], [0.5, 0.5], INF),
        ([-INF, -INF], [0.5, 0.5], -INF),
    ],
)
def test_softmax_at_the_ends_of_the_numbers(x, shares, total):
    """By continuity along the diagonal where infinities tie, without a warning."""
    x, shares = np.array(x), np.array(shares)
    assert ad.logsumexp(x) == total
    np.testing.assert_array_equal(grad(ad.logsumexp)(x), shares)
    np.testing.assert_array_equal(ad.softmax(x), shares)
    np.testing.assert_array_equal(
        ad.jacobian(ad.softmax)(x), np.diag(shares) - np.outer(shares, shares)
    )
    np.testing.assert_array_equal(ad.jacobian(ad.log_softmax)(x), np.eye(2) - shares)
