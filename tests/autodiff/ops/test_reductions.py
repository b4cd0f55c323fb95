"""Reductions, scans, statistics where formulas break down: zeros, ties, NaN, masks, no elements."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import autodiff as ad
from autodiff import (
    KinkError,
    Tensor,
    Value,
    check_grads,
    detect_kinks,
    grad,
    gradients,
    jacobian,
)
from autodiff.core.walks import push

INF, NAN = math.inf, math.nan


def slope(f, x):
    """Return the gradient of the sum of f's elements, which must be the same in both modes."""
    x = np.asarray(x)
    variable = Tensor(x)
    out = f(variable)
    (pulled,) = gradients(out, [variable], seed=np.ones(out.shape))
    pushed = [
        np.sum(push({variable: basis.reshape(x.shape)}, [out])[out])
        for basis in np.eye(x.size, dtype=x.dtype)
    ]
    np.testing.assert_allclose(np.ravel(pulled), pushed, rtol=1e-6, atol=1e-300)
    return pulled


def around(f):
    """Return a function's third derivative, to compare with a known one."""
    return grad(lambda x: ad.sum(grad(lambda x: ad.sum(grad(f)(x) * W))(x) * W))


W = np.array([1.0, -2.0, 0.5, 3.0])

few_zeros = hnp.arrays(float, 4, elements=st.sampled_from([0.0, 0.0, 1.5, -2.0, 0.25]))


def product(x):
    return x[0] * x[1] * x[2] * x[3]


def running_product(x):
    return 3 * x[0] - x[0] * x[1] + 2 * x[0] * x[1] * x[2] + product(x)


@given(few_zeros)
@pytest.mark.parametrize(
    ("f", "plain"),
    [
        (ad.prod, product),
        (lambda x: np.prod(ad.reshape(x, (2, 2)), axis=(1, 0)), product),
        (lambda x: ad.sum(ad.cumprod(x) * np.array([3.0, -1.0, 2.0, 1.0])), running_product),
    ],
)
def test_products_are_exact_at_zeros_in_every_order(f, plain, x):
    np.testing.assert_array_equal(grad(f)(x), grad(plain)(x))
    np.testing.assert_array_equal(slope(f, x), grad(plain)(x))
    np.testing.assert_array_equal(jacobian(grad(f))(x), jacobian(grad(plain))(x))
    np.testing.assert_array_equal(around(f)(x), around(plain)(x))


def test_a_product_does_not_divide():
    np.testing.assert_array_equal(slope(ad.prod, [1e-320, 2.0, 3.0]), [6.0, 3e-320, 2e-320])
    np.testing.assert_array_equal(slope(ad.cumprod, [1e-320, 2.0, 3.0]), [9.0, 4e-320, 2e-320])


def test_a_recurrence_agrees_with_its_definition():
    a, b = np.array([9.0, 0.5, 0.0, 2.0]), np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_array_equal(ad.recurrence(a, b), [1.0, 2.5, 3.0, 10.0])
    np.testing.assert_array_equal(ad.recurrence(0.5, b), [1.0, 2.5, 4.25, 6.125])
    (by_a,) = gradients(out := ad.recurrence(t := Tensor(a), b), [t], seed=np.ones(4))
    np.testing.assert_array_equal(by_a, [0.0, 1.0, 7.5, 3.0])
    assert out.op.name == "recurrence"


@pytest.mark.parametrize(
    ("f", "x", "slopes"),
    [
        (np.max, [1.0, 3.0, 3.0], [0, 0.5, 0.5]),
        (np.amax, [1.0, 3.0, 3.0], [0, 0.5, 0.5]),
        (np.min, [1.0, 1.0, 3.0, 1.0], [1 / 3, 1 / 3, 0, 1 / 3]),
        (np.ptp, [2.0, 2.0, 5.0], [-0.5, -0.5, 1]),
        (np.ptp, [2.0, 2.0], [0, 0]),
        (lambda x: np.max(x, initial=4.0), [1.0, 3.0], [0, 0]),
        (lambda x: np.max(x, initial=3.0), [1.0, 3.0, 3.0], [0, 1 / 3, 1 / 3]),
        (lambda x: np.max(x, initial=0, where=[True, False, True]), [1.0, 3.0, 1.0], [0.5, 0, 0.5]),
        (np.maximum.accumulate, [1.0, 1.0, 0.0, 2.0], [1 + 1 / 2 + 1 / 2, 1, 0, 1]),
        (np.median, [3.0, 1.0, 2.0], [0, 0, 1]),
        (np.median, [2.0, 2.0, 2.0, 2.0], [0, 0.5, 0.5, 0]),
        (np.median, [2.0, 1.0, 2.0], [1, 0, 0]),
        (lambda x: np.quantile(x, 0.25), [4.0, 0.0, 1.0], [0, 0.5, 0.5]),
        (lambda x: np.percentile(x, [0, 100]), [4.0, 0.0, 1.0], [1, 1, 0]),
        (np.std, [0.5, 0.5, 0.5], [0, 0, 0]),
        (lambda x: np.std(x, ddof=1), [7.0, 7.0], [0, 0]),
        (np.var, [3.0], [0]),
    ],
)
def test_ties_and_constants(f, x, slopes):
    f = ad.cummax if f == np.maximum.accumulate else f
    np.testing.assert_array_equal(slope(f, x), slopes)


@pytest.mark.parametrize("f", [np.max, np.min, np.nanmax, np.nanmin])
def test_masked_elements_have_no_share_of_a_tie(f):
    def chosen(x):
        return f(x, initial=f([9.0, -9.0]) * -1, where=[True, True, False])

    x, outermost = np.array([2.0, 2.0, 2.0]), [0.5, 0.5, 0.0]
    np.testing.assert_array_equal(slope(chosen, x), outermost)
    np.testing.assert_array_equal(jacobian(chosen, mode="forward")(x), outermost)


@pytest.mark.parametrize("f", [np.max, np.min, np.nanmax, np.nanmin])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_initial_has_a_share_of_a_tie(f, mode):
    slopes = jacobian(lambda x: f(x, initial=2.0), mode=mode)(np.full(3, 2.0))
    np.testing.assert_array_equal(slopes, [0.25, 0.25, 0.25])


@pytest.mark.parametrize("f", [np.quantile, np.percentile, np.nanquantile, np.nanpercentile])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_weights_choose_the_element_of_a_quantile(f, mode):
    def chosen(x):
        half = 0.5 if f in (np.quantile, np.nanquantile) else 50
        return f(x, half, weights=[1, 5, 1], method="inverted_cdf")

    slopes = jacobian(chosen, mode=mode)(np.array([3.0, 1.0, 2.0]))
    np.testing.assert_array_equal(slopes, [0, 1, 0])


def test_std_is_flat_at_a_constant_in_every_order():
    np.testing.assert_array_equal(jacobian(grad(ad.std))(np.ones(3)), np.zeros((3, 3)))


NAN_FUNCTIONS = [
    (np.nansum, np.sum),
    (np.nanprod, np.prod),
    (np.nanmean, np.mean),
    (np.nanvar, np.var),
    (np.nanstd, np.std),
    (np.nanmax, np.max),
    (np.nanmin, np.min),
    (np.nanmedian, np.median),
    (lambda x: np.nanquantile(x, 0.3), lambda x: np.quantile(x, 0.3)),
    (lambda x: np.nanpercentile(x, [20, 70]), lambda x: np.percentile(x, [20, 70])),
]


@pytest.mark.parametrize(("ours", "plain"), NAN_FUNCTIONS)
def test_nans_are_ignored(ours, plain):
    x = np.array([NAN, 2.0, -1.0, NAN, 2.0, 0.0])
    numbers = x[x == x]
    np.testing.assert_allclose(slope(ours, x)[x == x], slope(plain, numbers), rtol=1e-15)
    np.testing.assert_array_equal(slope(ours, x)[x != x], [0, 0])
    curvature = jacobian(grad(lambda x: ad.sum(ours(x))))
    np.testing.assert_array_equal(curvature(x)[x != x], np.zeros((2, 6)))
    assert np.all(np.isfinite(curvature(x)))


@pytest.mark.parametrize(("ours", "plain"), NAN_FUNCTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_all_nans_have_derivative_0_and_numpys_warning(ours, plain):
    x = np.full(3, NAN)
    np.testing.assert_array_equal(slope(ours, x), [0, 0, 0])
    np.testing.assert_array_equal(ours(Tensor(x)).data, ours(x))


@pytest.mark.parametrize("f", [np.nanmean, np.nanmax, np.nanmedian, np.nanvar])
def test_warnings_are_numpys_and_not_repeated_backwards(f):
    x = Tensor([NAN, NAN])
    with pytest.warns(RuntimeWarning) as numpys:
        f(x.data)
    with pytest.warns(RuntimeWarning) as ours:
        out = f(x)
    assert [str(w.message) for w in ours] == [str(w.message) for w in numpys]
    out.backward()  # a warning is an error here


@pytest.mark.parametrize("f", [np.max, np.min, np.median, lambda x: np.quantile(x, 0.5)])
def test_the_derivative_is_0_where_a_nan_decides(f):
    x = Tensor([1.0, NAN, 3.0])
    f(x).backward()
    assert np.isnan(f(x).data)
    np.testing.assert_array_equal(x.grad, [0, 0, 0])


@pytest.mark.parametrize("f", [np.sum, np.mean, np.prod, np.var, np.std, np.nansum, np.nanvar])
def test_masked_elements_get_exactly_0(f):
    x = Tensor([2.0, INF, 0.0, NAN])
    chosen = np.array([True, False, True, False])
    f(x, where=chosen).backward()
    np.testing.assert_array_equal(x.grad[~chosen], [0, 0])
    assert np.all(np.isfinite(x.grad[chosen]))
    ad.sqrt(ad.min(x, where=chosen, initial=9.0)).backward()
    np.testing.assert_array_equal(x.grad, [0, 0, INF, 0])


@pytest.mark.parametrize("f", [np.sum, np.prod, np.cumsum, np.cumprod, np.nansum, np.nanprod])
def test_empty_arrays_have_empty_gradients(f):
    for shape in [(0,), (2, 0), (0, 3)]:
        assert slope(f, np.zeros(shape)).shape == shape
    assert f(Tensor([])).data.tolist() == f(np.array([])).tolist()


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (np.mean, "Mean of empty slice"),
        (np.median, "Mean of empty slice"),
        (np.var, "Degrees of freedom"),
    ],
)
def test_an_empty_mean_warns_as_numpys_does(f, message):
    x = Tensor([])
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning, match=message):
        out = f(x)
    assert np.isnan(out.data)
    out.backward()
    assert x.grad.shape == (0,)


@pytest.mark.parametrize(
    ("f", "kind", "words"),
    [
        (lambda x: np.max(x[:0]), ValueError, ["max", r"\(0,\)", "identity"]),
        (lambda x: np.nanmin(x[:0]), ValueError, ["nanmin", r"\(0,\)"]),
        (lambda x: np.max(x, where=x.data > 0), ValueError, ["max", "initial"]),
        (lambda x: np.sum(x, axis=3), ValueError, ["sum", "axis", r"\(3,\)"]),
        (lambda x: np.sum(x, dtype=int), TypeError, ["sum", "int64"]),
        (lambda x: np.prod(x, out=np.zeros(())), TypeError, ["prod", "out="]),
        (lambda x: np.nanprod(x, out=np.zeros(())), TypeError, ["nanprod", "out="]),
        (lambda x: np.median(x, nothing=1), TypeError, ["median", "nothing"]),
        (lambda x: np.quantile(x, 1.5), ValueError, ["quantile", "q=1.5"]),
        (lambda x: np.quantile(x, 0.5, method="none"), ValueError, ["quantile", "'none'"]),
        (lambda x: np.quantile(x, Tensor(1.5)), ValueError, ["quantile", "range"]),
        (
            lambda x: np.nanquantile(x, Tensor([[0.5]]), axis=(0, 1)),
            TypeError,
            ["nanquantile", "(1, 1)", "q.ravel()"],
        ),
        (
            lambda x: np.quantile(x, 0.5, method="inverted_cdf", weights=x),
            TypeError,
            ["quantile", "'weights'", "x.data"],
        ),
        (lambda x: np.quantile(x, 0.5, weights=[1, 2, 3]), ValueError, ["inverted_cdf"]),
        (lambda x: np.average(x, weights=[1, 2]), TypeError, [r"\(3,\)", r"\(2,\)"]),
        (lambda x: np.average(x, weights=[1, 2], axis=0), ValueError, [r"\(3,\)", r"\(2,\)"]),
        (lambda x: np.average(x, weights=[1, -2, 1]), ZeroDivisionError, ["zero"]),
        (lambda x: np.cov(x, fweights=[1, 2]), RuntimeError, ["fweights", r"\(2,\)", "3"]),
        (lambda x: np.cov(x, fweights=[1, 2, 0.5]), TypeError, ["fweights"]),
        (lambda x: np.cov(x, aweights=[1, 2, -1]), ValueError, ["aweights"]),
        (lambda x: np.cov(x, ddof=0.5), ValueError, ["ddof"]),
        (lambda x: np.cov(ad.reshape(x, (1, 1, 3))), ValueError, [r"\(1, 1, 3\)"]),
        (lambda x: np.diff(x, n=-1), ValueError, ["diff", "n=-1"]),
        (lambda x: np.diff(x[0]), ValueError, ["diff: axis", "dimension 0"]),
        (lambda x: np.diff(x, axis=1), ValueError, ["diff: axis 1", "dimension 1"]),
        (lambda x: np.trapezoid(x, axis=-2), ValueError, ["trapezoid: axis -2"]),
        (lambda x: np.ediff1d(x, to_end=[1j]), TypeError, ["complex128", "float64"]),
        (lambda x: np.gradient(x[:1]), ValueError, ["gradient", r"\(1,\)", "edge_order=1"]),
        (lambda x: np.gradient(x, edge_order=3), ValueError, ["edge_order=3"]),
        (lambda x: np.gradient(x, 1.0, 2.0), TypeError, ["gradient", "got 2"]),
        (lambda x: np.gradient(x, [1.0, 2.0]), ValueError, ["length 3", r"\(2,\)"]),
        (lambda x: np.gradient(x, axis=1), ValueError, ["gradient's axis: axis 1"]),
        (lambda x: np.gradient(x, axis=(0, -1)), ValueError, ["gradient's axis"]),
        (lambda x: ad.cumulative_sum(ad.reshape(x, (3, 1))), ValueError, [r"\(3, 1\)", "axis="]),
    ],
)
def test_errors_name_the_fault(f, kind, words):
    with pytest.raises(kind) as error:
        f(Tensor([1.0, 2.0, 3.0]))
    for word in words:
        assert error.match(word)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.sum(x, dtype=np.float64),
        lambda x: np.mean(x, dtype=np.float64),
        lambda x: np.prod(x, dtype=np.float64),
        lambda x: np.var(x, dtype=np.float64),
        lambda x: np.var(x + np.float32(4096), dtype=np.float64),
        lambda x: np.nanstd(x, dtype=np.float64),
        lambda x: np.cumsum(x, dtype=np.float64),
        lambda x: np.cumprod(x, dtype=np.float64),
        lambda x: np.nancumsum(x, dtype=np.float64),
        lambda x: np.quantile(x, np.array([0.1, 0.7])),
        lambda x: np.cov(x, aweights=np.array([1.0, 2.0, 1.5])),
        lambda x: np.average(x, weights=np.array([1.0, 2.0, 1.5])),
    ],
)
def test_another_precision_may_be_chosen(f):
    x = np.array([1.125, 0.25, 2.5], np.float32)
    variable = Tensor(x)
    out = f(variable)
    assert out.dtype == f(x).dtype == np.float64
    np.testing.assert_allclose(out.data, f(x), rtol=1e-15)
    assert slope(f, x).dtype == np.float32
    np.testing.assert_allclose(slope(f, x), slope(f, x.astype(float)), rtol=1e-6)


@pytest.mark.parametrize("f", [np.sum, np.mean, np.prod, np.var, np.std, np.max, np.median])
def test_half_precision_stays_half(f):
    x = np.linspace(0, 1, 3, dtype=np.float16)
    assert f(Tensor(x)).dtype == np.float16
    assert f(Tensor(x)).data == f(x)
    assert slope(f, x).dtype == np.float16


def test_a_half_precision_mean_is_summed_in_more():
    many = np.full(3000, 30, np.float16)  # the sum overflows float16
    assert np.mean(Tensor(many)).data == 30


def test_parameters_may_be_given_by_position_as_numpy_takes_them():
    x = Tensor(np.ones((2, 3)))
    assert np.sum(x, 0, None, None, True).shape == (1, 3)
    assert np.median(x, 1, None, True, True).shape == (2, 1)
    assert np.nansum(x, 0, None, None, True).shape == (1, 3)
    assert np.var(x, 1, None, None, 1, True).shape == (2, 1)
    assert np.quantile(x, [0.5, 0.1], 1).shape == (2, 2)
    assert np.diff(x, 2).shape == (2, 1)


def test_weights_of_an_average_are_differentiated_and_returned():
    w = Tensor([1.0, 3.0])
    mean, total = np.average(Tensor([[2.0, 6.0], [0.0, 4.0]]), axis=1, weights=w, returned=True)
    np.testing.assert_array_equal(mean.data, [5.0, 3.0])
    np.testing.assert_array_equal(total.data, [4.0, 4.0])
    (by_weights,) = gradients(mean, [w], seed=[1.0, 0.0])
    np.testing.assert_allclose(by_weights, [-0.75, 0.25])
    x, w = np.arange(6.0).reshape(2, 3), np.arange(1.0, 7.0).reshape(3, 2)
    across = np.average(Tensor(x), axis=(1, 0), weights=w)
    assert across.data == np.average(x, axis=(1, 0), weights=w)
    mean, count = np.average(Tensor([2.0, 6.0]), returned=True)
    assert (mean.data, count) == (4.0, 2.0)


def test_covariances_with_weights():
    x, weights = np.array([[1.0, 2.0, 4.0], [0.5, -1.0, 0.0]]), np.array([0.5, 1.0, 2.0])
    for options in [{"fweights": [1, 2, 1]}, {"ddof": 0}, {"bias": True}, {}]:
        ours = np.cov(Tensor(x), aweights=Tensor(weights), **options)
        np.testing.assert_allclose(ours.data, np.cov(x, aweights=weights, **options), rtol=1e-14)
        check_grads(lambda x, w, o=options: np.cov(x, aweights=w, **o), x, weights, order=2)
    with pytest.warns(RuntimeWarning, match="Degrees of freedom"), np.errstate(all="ignore"):
        assert np.isnan(np.cov(Tensor([1.0])).data)
    assert np.cov(Tensor(np.zeros((0, 3)))).shape == (0, 0)


def test_a_full_correlation_is_flat():
    x, y = Tensor([1.3, 0.8, 0.3]), Tensor([2.6, 1.6, 0.6])  # rounding makes it larger than 1
    r = np.corrcoef(x, y)
    assert abs(r.data).max() == 1
    for slopes in gradients(r[0, 1], [x, y]):
        np.testing.assert_allclose(slopes, 0, atol=1e-15)


def test_coordinates_of_a_gradient_stay_in_the_expression():
    f = np.array([1.0, 4.0, 9.0])
    x = Tensor([1.0, 2.0, 3.0])  # equidistant, which NumPy reduces to one number
    slopes = np.gradient(f, x)
    np.testing.assert_allclose(slopes.data, np.gradient(f, x.data))
    check_grads(lambda x: np.gradient(f, x), x.data + np.array([0.0, 0.1, 0.3]), order=2)
    (by_x,) = gradients(slopes, [x], seed=[0.0, 0.0, 1.0])
    np.testing.assert_allclose(by_x, [0.0, 5.0, -5.0])


@pytest.mark.parametrize("edge_order", [1, 2])
@pytest.mark.parametrize("x", [0.5, np.array([0.0, 0.1, 0.5, 2.0, 2.2]), np.arange(5)])
def test_gradients_are_numpys_to_the_last_bit(x, edge_order):
    f = np.array([1.0, 4.0, -2.0, 0.3, 5.0])
    slopes = np.gradient(Tensor(f), x, edge_order=edge_order)
    np.testing.assert_array_equal(slopes.data, np.gradient(f, x, edge_order=edge_order))


@given(st.integers(2, 40), st.floats(0, 1), st.sampled_from(["linear", "hazen", "inverted_cdf"]))
def test_shares_of_a_quantile_are_those_numpy_computes_with(n, q, method):
    """For distinct elements a quantile is linear in them, so its gradient reproduces it."""
    for dtype, rtol in [(np.float64, 1e-12), (np.float32, 1e-5)]:
        x = np.random.default_rng(n).permutation(np.arange(1, n + 1)).astype(dtype)
        slopes = slope(lambda x: np.quantile(x, q, method=method), x)
        assert np.count_nonzero(slopes) <= 2
        np.testing.assert_allclose(slopes @ x, np.quantile(x, q, method=method), rtol=rtol)
        np.testing.assert_allclose(slopes.sum(), 1, rtol=rtol)


@pytest.mark.parametrize(
    ("method", "slopes"),
    [
        ("linear", [4, 4, 12, 32]),
        ("interpolated_inverted_cdf", [0, 5, 5, 40]),
        ("hazen", [0, 5, 15, 0]),
        ("weibull", [0, 6, 18, 0]),
        ("median_unbiased", [0, 16 / 3, 16, 0]),
        ("normal_unbiased", [0, 21 / 4, 63 / 4, 0]),
        ("lower", [0, 0, 0, 0]),
        ("nearest", [0, 0, 0, 0]),
        ("averaged_inverted_cdf", [0, 0, 0, 0]),
    ],
)
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_quantile_has_the_slope_of_its_method_by_q(method, slopes, mode):
    x, q = np.array([3.0, 1.0, 6.0, 14.0, 2.0]), np.array([0.03, 0.41, 0.59, 0.97])
    f = jacobian(lambda q: np.quantile(x, q, method=method), mode=mode)
    np.testing.assert_allclose(f(q), np.diag(slopes), rtol=1e-15)
    of_half = grad(lambda q: np.quantile(x, q, method=method))(np.float32(0.5))
    assert of_half.dtype == np.float32
    per_cent = jacobian(lambda q: np.nanpercentile([*x, np.nan], q, method=method), mode=mode)
    np.testing.assert_allclose(per_cent(100 * q), np.diag(slopes) / 100, rtol=1e-14)


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=9), st.sampled_from(["forward", "reverse"]))
def test_the_slopes_of_a_quantile_add_up_to_the_range(x, mode):
    n = len(x) - 1
    slopes = jacobian(lambda q: np.quantile(x, q), mode=mode)((np.arange(n) + 0.5) / n)
    np.testing.assert_allclose(slopes.sum() / n, np.ptp(x), atol=1e-13)


def test_a_quantile_at_the_ends_and_of_one_or_no_element():
    def by_q(x, q, **options):
        return grad(lambda q: np.quantile(x, q, **options))(q)

    x = [1.0, 2.0, 4.0]
    assert [by_q(x, 0.0), by_q(x, 1.0)] == [2.0, 4.0]
    assert [by_q(x, q, method="weibull") for q in (0.0, 0.25, 0.75, 1.0)] == [0, 4, 0, 0]
    assert by_q([5.0], 0.3) == by_q([5.0], 0.3, method="hazen") == 0
    assert by_q([1.0, np.nan], 0.3) == 0
    assert grad(lambda q: np.nanquantile([5.0, np.nan, 1.0], q))(0.3) == 4
    assert by_q([0.0, 1.0, INF], 0.25) == 2
    assert grad(lambda q: np.quantile(x, q) * q)(Value(0.25)).data == 1.5 + 0.25 * 2
    v = Value(0.25)
    assert gradients(np.quantile(np.array([Value(n) for n in x]), v), [v]) == [2]


def test_a_kink_of_a_quantile_by_q_is_found():
    def by_q(q, x=(1.0, 2.0, 4.0), **options):
        with detect_kinks():
            return grad(lambda q: np.quantile(x, q, **options))(q)

    assert [by_q(q) for q in (0.0, 0.5 - 1e-9, 1.0)] == [2, 2, 4]
    assert by_q(0.5, (1.0, 2.0, 3.0)) == 2  # with equal slopes on both sides
    assert by_q(0.4, method="lower") == by_q(0.5, method="nearest") == 0
    for q, method in [(0.5, "linear"), (0.5, "lower"), (0.25, "nearest"), (1 / 6, "hazen")]:
        with pytest.raises(KinkError, match="no derivative at q at an element, or at a step"):
            by_q(q, method=method)
    with detect_kinks():  # by the elements it has one
        np.testing.assert_array_equal(grad(np.quantile)(np.arange(3.0), 0.5), [0, 1, 0])


@pytest.mark.parametrize(
    ("x", "slopes"),
    [
        ([1e4, -1e4, 0.0], [1, 0, 0]),
        ([-1e4, -1e4], [0.5, 0.5]),
        ([INF, 1.0], [1, 0]),
        ([-INF, 1.0], [0, 1]),
        ([-INF, -INF], [0.5, 0.5]),
        ([INF, INF, -INF], [0.5, 0.5, 0]),
    ],
)
def test_logsumexp_at_the_ends_of_the_numbers(x, slopes):
    np.testing.assert_array_equal(slope(ad.logsumexp, x), slopes)
    assert ad.logsumexp(np.array(x)) == np.logaddexp.reduce(x)


def test_softmax_of_large_numbers():
    x = np.array([1e4, -1e4, -INF])
    np.testing.assert_array_equal(ad.softmax(Tensor(x)).data, [1, 0, 0])
    np.testing.assert_array_equal(ad.log_softmax(Tensor(x)).data, [0, -2e4, -INF])
    np.testing.assert_array_equal(jacobian(ad.softmax)(x), np.zeros((3, 3)))
    np.testing.assert_array_equal(jacobian(ad.log_softmax)(x), [[0, 0, 0], [-1, 1, 0], [-1, 0, 1]])


def test_numbers_lists_and_values():
    v, w = Value(1.0), Value(4.0)
    assert ad.median([v, w, Value(2.0)]).data == 2.0
    assert ad.diff([v, w])[0].data == 3.0
    assert ad.average([v, w]).data == 2.5
    assert ad.trapezoid([v, w]).data == 2.5
    assert np.sum(v).data == np.max(v).data == 1.0
    assert ad.cumsum(v).shape == np.cumsum(1.0).shape == (1,)
    assert ad.prod(3.0) == 3.0
    np.testing.assert_array_equal(ad.cumulative_sum([1, 2], include_initial=True), [0, 1, 3])
    np.testing.assert_array_equal(ad.gradient([1, 2, 4]), np.gradient([1, 2, 4]))
