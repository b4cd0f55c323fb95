"""Transforms, convolution, interpolation, polynomials, images: references, kinks, errors."""

import numpy as np
import pytest
from cases.images import convolution, pooling
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, grad, gradients, jacobian, jvp


def pulled(f, x, seed=None):
    """Return the gradient of f at x; the default seed is ones."""
    x = Tensor(x)
    y = f(x)
    (g,) = gradients(y, [x], seed=np.ones(y.shape, y.dtype) if seed is None else seed)
    return g


# Fourier transforms


@pytest.mark.parametrize("transform", ["irfft", "hfft"])
@pytest.mark.parametrize("n", [1, 2, 5, 6])
def test_imaginary_parts_that_are_ignored_have_no_derivative(transform, n):
    rng = np.random.default_rng(n)
    bins = rng.standard_normal(4) + 1j * rng.standard_normal(4)
    seed = rng.standard_normal(n)
    g = pulled(lambda x: getattr(np.fft, transform)(x, n), bins, seed)
    kept = n // 2 + 1
    assert g[0].imag == 0
    if n % 2 == 0:
        assert g[n // 2].imag == 0
    assert (g[kept:] == 0).all()
    inner = range(1, (n + 1) // 2)
    assert all(g[k].imag != 0 for k in inner)


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
def test_the_transpose_of_a_transform_is_the_matrix_transposed(norm):
    rng = np.random.default_rng(0)
    seed = rng.standard_normal(6) + 1j * rng.standard_normal(6)
    point = np.zeros(4, complex)
    for transform in (np.fft.fft, np.fft.ifft):
        matrix = transform(np.eye(4), 6, axis=0, norm=norm)
        g = pulled(lambda x, transform=transform: transform(x, 6, norm=norm), point, seed)
        np.testing.assert_allclose(g, matrix.conj().T @ seed, rtol=1e-13)


def test_transforms_of_float32_are_complex64_and_of_real_numbers_have_real_gradients():
    x = Tensor(np.ones((4, 4), np.float32))
    y = np.fft.fft2(x, norm="ortho")
    assert y.dtype == np.complex64
    (g,) = gradients(y, [x], seed=np.ones((4, 4), np.complex64))
    assert g.dtype == np.float32


@pytest.mark.parametrize("axes", [(0, 0), (1, -1, 0)])
@pytest.mark.parametrize("s", [None, (3, 2, -1)])
@pytest.mark.parametrize("transform", ["fftn", "ifftn", "rfftn", "irfftn"])
def test_an_axis_may_come_several_times(transform, axes, s):
    x = np.random.default_rng(0).standard_normal((3, 4))
    if transform == "rfftn" and s:
        s = (2, 2, -1)  # NumPy 2.0 applies the others in reverse order
    s = s and s[: len(axes)]
    ours = getattr(ad.fft, transform)(Tensor(x), s=s, axes=axes)
    np.testing.assert_array_equal(ours.data, getattr(np.fft, transform)(x, s=s, axes=axes))


def test_a_transform_refuses_other_parameters():
    with pytest.raises(TypeError, match="rfft"):
        np.fft.rfft(Tensor([1j, 2.0]))
    for transform in (np.fft.fft, np.fft.hfft):
        with pytest.raises(ValueError, match="norm"):
            transform(Tensor([1.0, 2.0]), norm="orthonormal")
    with pytest.raises(TypeError, match=r"fftn\(out=.*autodiff\.zeros"):
        np.fft.fftn(Tensor([1.0, 2.0]), out=np.zeros(2, complex))


# Interpolation


@pytest.mark.parametrize(
    ("x", "slope"),
    [
        (0.5, 2.0),  # inside
        (1.0, 1.0),  # between rising pieces: the smaller slope
        (2.0, 0.0),  # between a rising and a falling piece
        (3.0, -3.0),  # between falling pieces
        (0.0, 2.0),  # at the ends: the only piece
        (4.0, -5.0),
        (-1.0, 0.0),  # outside
        (4.5, 0.0),
        (-1e20, 0.0),  # the distance to the nearest knot must not cancel here
        (1e20, 0.0),
    ],
)
def test_the_slope_of_an_interpolation(x, slope):
    xp, fp = np.arange(5.0), np.array([0.0, 2.0, 3.0, 0.0, -5.0])
    assert pulled(lambda x: np.interp(x, xp, fp), [x]) == slope
    assert jvp(lambda x: np.interp(x, xp, fp), (x,), (1.0,))[1] == slope
    # shifting x and all knots changes nothing
    moved = pulled(lambda xp: np.interp(x, xp, fp), xp)
    assert moved.sum() == -slope
    # the result is a mean of the values at the two nearest knots
    shares = pulled(lambda fp: np.interp(x, xp, fp), fp)
    assert shares.sum() == 1
    assert shares @ fp == np.interp(x, xp, fp)


def test_an_interpolation_is_constant_beyond_the_ends():
    xp, fp, x = Tensor([0.0, 1.0]), Tensor([3.0, 5.0]), Tensor([-1.0, 0.5, 2.0])
    y = np.interp(x, xp, fp, left=7.0)
    np.testing.assert_array_equal(y.data, [7.0, 4.0, 5.0])
    y.backward(np.ones(3))
    np.testing.assert_array_equal(x.grad, [0.0, 2.0, 0.0])
    np.testing.assert_array_equal(fp.grad, [0.5, 1.5])
    np.testing.assert_array_equal(xp.grad, [-1.0, -1.0])
    (g,) = gradients(np.interp(x, xp, fp, right=7.0), [fp], seed=np.ones(3))
    np.testing.assert_array_equal(g, [1.5, 0.5])


def test_nothing_cancels_outside_the_knots():
    xp, fast = np.array([0.0, 1.0]), np.array([1e20, 1e20])

    def moved(fp):
        """Interpolate, with the knots as variables too, whose derivative is 0 here."""
        slope = jvp(lambda xp: np.interp(-5.0, xp, fp), (xp,), (fast,))[1]
        return slope + np.interp(-5.0, xp, fp) + slope

    assert grad(moved)(np.array([3.0, 5.0])).tolist() == [1.0, 0.0]


def test_an_interpolation_of_one_knot_and_of_none_of_the_points():
    x, xp, fp = Tensor([-1.0, 2.0, 3.0]), Tensor([2.0]), Tensor([5.0])
    found = gradients(np.interp(x, xp, fp), [x, xp, fp], seed=np.ones(3))
    assert [g.tolist() for g in found] == [[0.0, 0.0, 0.0], [0.0], [3.0]]
    assert pulled(lambda x: np.interp(x, [0.0, 1.0], [2.0, 3.0]), np.zeros(0)).shape == (0,)


def test_a_periodic_interpolation_has_no_ends():
    angle, height = np.array([190.0, -190.0, 5.0]), np.array([5.0, 10.0, 3.0])
    x = Tensor([365.0 + 1, -100.0, 200.0, 1000.0])
    y = np.interp(x, angle, height, period=360.0)
    np.testing.assert_array_equal(y.data, np.interp(x.data, angle, height, period=360.0))
    y.backward(np.ones(4))
    ahead = np.interp(x.data + 1e-3, angle, height, period=360.0)
    np.testing.assert_allclose(x.grad, (ahead - y.data) / 1e-3, rtol=1e-7)


# Convolution in one dimension


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("function", [np.convolve, np.correlate])
def test_either_argument_may_be_longer(function, mode):
    rng = np.random.default_rng(0)
    for n, m in [(4, 4), (5, 2), (2, 5), (2, 3), (3, 2), (4, 1), (1, 4)]:
        a, v = rng.standard_normal(n), rng.standard_normal(m)
        by_a, by_v = jacobian(lambda a, v: function(a, v, mode), argnums=(0, 1))(a, v)
        columns = [function(unit, v, mode) for unit in np.eye(n)]
        np.testing.assert_allclose(by_a, np.stack(columns, axis=1), atol=1e-15)
        columns = [function(a, unit, mode) for unit in np.eye(m)]
        np.testing.assert_allclose(by_v, np.stack(columns, axis=1), atol=1e-15)


# Polynomials


def test_zero_coefficients_have_derivatives():
    a, b = Tensor([0.0, 2.0]), Tensor([5.0, 7.0])
    product = np.polymul(a, b)
    np.testing.assert_array_equal(product.data, np.polymul(a.data, b.data))  # x's coefficient first
    np.testing.assert_array_equal(
        jacobian(lambda a: np.polymul(a, b.data))(a.data), [[7, 5], [0, 7]]
    )
    by_a = jacobian(lambda a: np.polymul(b.data, a))(a.data)
    np.testing.assert_array_equal(by_a, [[7, 5], [0, 7]])
    assert np.polymul(Tensor([0.0, 0.0]), b).data.tolist() == [0.0, 0.0]


def test_the_constants_of_an_integral_are_taken_in_turn():
    k = np.array([5.0, 7.0, 9.0])
    by_k = jacobian(lambda k: ad.polyint([3.0], 2, k))(k)
    np.testing.assert_array_equal(by_k, [[0, 0, 0], [1, 0, 0], [0, 1, 0]])
    by_k = jacobian(lambda k: ad.polyint([3.0], 2, k))(k[:1])
    np.testing.assert_array_equal(by_k, [[0], [1], [1]])


def test_derivatives_of_roots_agree_with_the_quadratic_formula():
    b, c = 3.0, 2.0  # x² + 3x + 2 = (x + 1)(x + 2)

    def larger(b, c):
        return ad.max(np.roots(ad.stack([1.0, b, c])))

    def formula(b, c):
        return (-b + ad.sqrt(b * b - 4 * c)) / 2

    for k in (0, 1):
        np.testing.assert_allclose(grad(larger, k)(b, c), grad(formula, k)(b, c), rtol=1e-12)
        twice = [grad(grad(f, k), 1)(b, c) for f in (larger, formula)]
        np.testing.assert_allclose(*twice, rtol=1e-11)
    # complex roots, and those at infinity and at zero, which NumPy removes and adds
    p = np.array([0.0, 1.0, 2.0, 5.0, 0.0])
    direction = np.array([0.0, 0.0, 0.0, 1.0, 1.0])
    moved = np.roots(p + 1e-6 * direction) - np.roots(p)
    np.testing.assert_allclose(jvp(np.roots, (p,), (direction,))[1], moved / 1e-6, rtol=1e-5)


def test_conjugate_roots_make_a_real_polynomial():
    z = Tensor([1.0 + 2j, 1.0 - 2j])
    assert np.poly(z).dtype == np.float64
    np.testing.assert_array_equal(np.poly(z).data, np.poly(z.data))
    assert np.poly(Tensor([1.0 + 2j, 1.0])).dtype == np.complex128
    assert ad.poly(np.zeros(0)) == 1.0


def test_a_quotient_times_the_divisor_plus_the_remainder():
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal(5), np.array([2.0, -1.0, 3.0])

    def again(u, v):
        q, r = np.polydiv(u, v)
        return np.polyadd(np.polymul(q, v), r)

    by_u, by_v = jacobian(again, argnums=(0, 1))(u, v)
    np.testing.assert_allclose(by_u, np.eye(5), atol=1e-14)
    np.testing.assert_allclose(by_v, 0, atol=1e-14)


def test_polynomials_refuse_other_arguments():
    p, poly1d = Tensor([1.0, 2.0]), np.poly1d([1.0, 2.0])
    for call in [
        lambda: np.polyval(p, poly1d),
        lambda: np.polyval(poly1d, p),
        lambda: np.polyadd(poly1d, p),
        lambda: np.polymul(p, poly1d),
    ]:
        with pytest.raises(TypeError, match=r"pass the coefficients, p\.coeffs"):
            call()
    with pytest.raises(ValueError, match="eigvals"):
        np.poly(Tensor(np.eye(2)))
    with pytest.raises(ValueError, match=r"polydiv .* got \(2, 2\)"):
        np.polydiv(Tensor(np.ones((2, 2))), np.ones(2))
    with pytest.raises(ValueError, match="polyint"):
        np.polyder(p, -1)
    with pytest.raises(ValueError, match="polyder"):
        np.polyint(p, -1)
    with pytest.raises(ValueError, match="2 constants for 3"):
        np.polyint(p, 3, k=[1.0, 2.0])


def test_at_a_knot_an_interpolation_has_the_smaller_slope_not_the_smaller_step():
    assert jvp(lambda x: np.interp(x, [0.0, 4.0, 5.0], [0.0, 2.0, 3.0]), (4.0,), (1.0,))[1] == 0.5
    assert jvp(lambda x: np.interp(x, [0.0, 1.0, 2.0], [0, 1j, 3j]), (1.0,), (1.0,))[1] == 1j


# Images


def numbers(shapes, seed):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal(shape) for shape in shapes]


def pairs(*values):
    return [value if isinstance(value, tuple) else (value, value) for value in values]


def taps(image, size, stride, padding, dilation):
    """Yield each place of a window with its pixels: (index in the window, index in the image)."""
    size, stride, padding, dilation = pairs(size, stride, padding, dilation)
    starts = [
        range(-p, n + p - d * (k - 1), s)
        for n, k, s, p, d in zip(image, size, stride, padding, dilation, strict=True)
    ]
    for i, top in enumerate(starts[0]):
        for j, left in enumerate(starts[1]):
            inside = [
                (tap, (top + tap[0] * dilation[0], left + tap[1] * dilation[1]))
                for tap in np.ndindex(*size)
            ]
            yield (
                (i, j),
                [
                    (tap, (h, w))
                    for tap, (h, w) in inside
                    if 0 <= h < image[0] and 0 <= w < image[1]
                ],
            )


@given(convolution("xw"), st.integers(0, 100))
def test_convolution_is_a_sum_over_the_pixels_of_a_window(case, seed):
    x, w = numbers(case.shapes, seed)
    options = dict(case.params)
    groups = options.pop("groups")
    y = ad.conv2d(x, w, groups=groups, **options)
    expected = np.zeros_like(y)
    channels, outputs = w.shape[1], len(w) // groups
    for (i, j), pixels in taps(x.shape[2:], w.shape[2:], **options):
        for o in range(len(w)):
            first = o // outputs * channels
            for tap, pixel in pixels:
                window = x[:, first : first + channels, *pixel]
                expected[:, o, i, j] += window @ w[o, :, *tap]
    np.testing.assert_allclose(y, expected, atol=1e-13)


@given(convolution("xw"), st.integers(0, 100))
def test_the_three_convolutions_are_one_trilinear_form(case, seed):
    x, w = numbers(case.shapes, seed)
    y = ad.conv2d(x, w, **case.params)
    (g,) = numbers([y.shape], seed + 1)
    total = np.sum(y * g)
    image = ad.conv_transpose2d(g, w, size=x.shape[2:], **case.params)
    kernel = ad.conv2d_kernel(x, g, size=w.shape[2:], **case.params)
    np.testing.assert_allclose([np.sum(x * image), np.sum(w * kernel)], total, atol=1e-12)


def test_a_transposed_convolution_has_the_smallest_or_the_given_size():
    g, w = numbers([(2, 3, 3, 3), (3, 4, 3, 3)], 0)
    for options, side in [({}, 5), ({"stride": 2}, 7), ({"padding": 1}, 3), ({"dilation": 2}, 7)]:
        assert ad.conv_transpose2d(g, w, **options).shape == (2, 4, side, side)
    assert ad.conv_transpose2d(g, w, stride=2, size=(8, 7)).shape == (2, 4, 8, 7)


@given(pooling(dilated=False), st.integers(0, 100))
def test_pools_are_the_maximum_and_the_mean_of_the_pixels_of_a_window(case, seed):
    (x,) = numbers(case.shapes, seed)
    size, stride, padding = (case.params[key] for key in ("size", "stride", "padding"))
    top, mean = ad.max_pool2d(x, **case.params), ad.avg_pool2d(x, **case.params)
    for (i, j), pixels in taps(x.shape[2:], size, stride or size, padding, 1):
        window = np.stack([x[:, :, h, w] for _, (h, w) in pixels])
        np.testing.assert_array_equal(top[:, :, i, j], window.max(axis=0))
        np.testing.assert_allclose(mean[:, :, i, j], window.sum(axis=0) / np.prod(size))


def test_tied_pixels_share_equally_and_padding_has_no_share():
    x = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [-2.0, -2.0, -3.0]]).reshape(1, 1, 3, 3)
    g = pulled(lambda x: ad.max_pool2d(x, 2, stride=1), x)
    np.testing.assert_array_equal(g[0, 0], [[1 / 3, 4 / 3, 0], [4 / 3, 0.5, 0.5], [0, 0, 0]])
    g = pulled(lambda x: ad.max_pool2d(x, 2, padding=1), -np.ones((1, 1, 2, 2)))
    np.testing.assert_array_equal(g, np.ones((1, 1, 2, 2)))
    g = pulled(lambda x: ad.max_pool2d(x, 2, padding=1), np.full((1, 1, 2, 2), np.inf))
    np.testing.assert_array_equal(g, np.ones((1, 1, 2, 2)))


def test_a_pool_of_single_pixels_is_a_copy():
    x = np.ones((1, 1, 2, 2))
    y = ad.max_pool2d(x, 1)
    x[:] = 0
    assert (y == 1).all()


@pytest.mark.parametrize("function", [ad.max_pool2d, ad.avg_pool2d, ad.unfold2d])
def test_windows_need_a_size(function):
    with pytest.raises(TypeError, match="size"):
        function(Tensor(np.ones((1, 1, 2, 2))))


X = Tensor(np.ones((1, 2, 3, 3)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ad.conv2d(X, np.ones((2, 3, 2, 2))), r"\(1, 2, 3, 3\) and \(2, 3, 2, 2\)"),
        (lambda: ad.conv2d(X, np.ones((3, 1, 2, 2)), groups=2), "groups=2 dividing O"),
        (lambda: ad.conv2d(X, np.ones((2, 2, 4, 4))), r"span \(4, 4\).*image of \(3, 3\)"),
        (lambda: ad.conv2d(X, np.ones((2, 2, 2, 2)), stride=0), "stride=0"),
        (lambda: ad.conv2d(X, np.ones((2, 2, 2, 2)), padding=(0, -1)), "padding"),
        (lambda: ad.conv2d(X, np.ones((2, 2, 2, 2)), dilation=(1, 1, 1)), "dilation"),
        (lambda: ad.conv_transpose2d(X, np.ones((3, 2, 2, 2))), "conv_transpose2d.*O, C / groups"),
        (lambda: ad.conv_transpose2d(X, np.ones((2, 2, 2, 2)), size=7), r"image of \(7, 7\)"),
        (lambda: ad.conv_transpose2d(X, np.ones((2, 2, 2, 2)), groups=0), "groups=0"),
        (lambda: ad.conv2d_kernel(X, np.ones((1, 2, 3, 3)), size=2), "conv2d_kernel"),
        (lambda: ad.fold2d(Tensor(np.ones((1, 1, 2, 2, 2, 2))), 4, 2), r"image of \(4, 4\)"),
        (lambda: ad.max_pool2d(X, 4), "max_pool2d"),
        (lambda: ad.avg_pool2d(X[0], 2), r"images \(N, C, H, W\)"),
    ],
)
def test_images_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()
