"""The namespace of `numpy.fft`: linear maps.

Four transforms along one axis and two shifts are rows; the others are expressions over these, as in
NumPy. The conjugate transpose of a Fourier transform is the inverse transform with the opposite
norm. The transpose of padding or cropping to n points is cropping or padding back.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from autodiff.ops.alike import alike
from autodiff.ops.elementwise import conjugate
from autodiff.ops.shapes import getitem, scatter
from autodiff.ops.table import composite, linear

__all__ = [
    "fft",
    "fft2",
    "fftn",
    "fftshift",
    "hfft",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
    "ihfft",
    "irfft",
    "irfft2",
    "irfftn",
    "rfft",
    "rfft2",
    "rfftn",
]

_OPPOSITE = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _resized(x: Any, like: Any, axis: int) -> Any:
    """Pad x with zeros, or crop it, along an axis to the length of another array."""
    size, wanted = x.shape[axis], like.shape[axis]
    index = (slice(None),) * (axis % x.ndim) + (slice(min(size, wanted)),)
    if wanted > size:
        return scatter(x, index=index, shape=like.shape)
    return getitem(x, index=index) if wanted < size else x


def _multiplicity(g: Any, n: int, axis: int) -> Any:
    """Return 2 for the frequencies of `rfft` whose conjugate it leaves out, 1 for the others."""
    shape = [1] * g.ndim
    shape[axis] = n // 2 + 1
    counts = np.full(n // 2 + 1, 2, np.finfo(g.dtype).dtype)
    counts[0] = 1
    if n % 2 == 0:
        counts[-1] = 1
    return alike(counts.reshape(shape), g)


def _rfft_transpose(g: Any, a: Any, n: int | None = None, axis: int = -1, norm: Any = None) -> Any:
    n = a.shape[axis] if n is None else n
    halves = g / _multiplicity(g, n, axis)
    return _resized(irfft(halves, n=n, axis=axis, norm=_OPPOSITE[norm]), a, axis)


def _irfft_transpose(g: Any, a: Any, n: int | None = None, axis: int = -1, norm: Any = None) -> Any:
    # rfft is exactly real where irfft ignores imaginary parts, and so is the cotangent
    bins = rfft(g, axis=axis, norm=_OPPOSITE[norm])
    return _resized(bins * _multiplicity(g, g.shape[axis], axis), a, axis)


fft = linear(
    np.fft.fft,
    lambda g, a, n=None, axis=-1, norm=None: _resized(
        ifft(g, axis=axis, norm=_OPPOSITE[norm]), a, axis
    ),
)
ifft = linear(
    np.fft.ifft,
    lambda g, a, n=None, axis=-1, norm=None: _resized(
        fft(g, axis=axis, norm=_OPPOSITE[norm]), a, axis
    ),
)
rfft = linear(np.fft.rfft, _rfft_transpose)
irfft = linear(np.fft.irfft, _irfft_transpose)
fftshift = linear(np.fft.fftshift, lambda g, x, axes=None: ifftshift(g, axes=axes))
ifftshift = linear(np.fft.ifftshift, lambda g, x, axes=None: fftshift(g, axes=axes))


@composite(np.fft.hfft)
def hfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None) -> Any:
    """numpy.fft.hfft for arrays and Tensors."""
    return irfft(conjugate(a), n=n, axis=axis, norm=_OPPOSITE.get(norm, norm))


@composite(np.fft.ihfft)
def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None) -> Any:
    """numpy.fft.ihfft for arrays and Tensors."""
    return conjugate(rfft(a, n=n, axis=axis, norm=_OPPOSITE.get(norm, norm)))


def _steps(a: Any, s: Any, axes: Any, last: int | None = -1) -> list[tuple[int | None, int]]:
    """Return length and axis of the one-dimensional transforms that make one along several axes.

    A length of -1 stands for the array's length, as in NumPy. Without `s` it is the default, and
    `last` the default of the last axis.
    """
    shape = np.shape(a)
    if axes is None:
        axes = range(-len(shape if s is None else s), 0)
    if s is None:
        s = [-1] * (len(axes) - 1) + [last] * (len(axes) > 0)
    return [(shape[axis] if n == -1 else n, axis) for n, axis in zip(s, axes, strict=True)]


def _along(transform: Any, a: Any, steps: Iterable[tuple[int | None, int]], norm: Any) -> Any:
    for n, axis in steps:
        a = transform(a, n=n, axis=axis, norm=norm)
    return a


@composite(np.fft.fftn)
def fftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """numpy.fft.fftn for arrays and Tensors."""
    return _along(fft, a, reversed(_steps(a, s, axes)), norm)


@composite(np.fft.ifftn)
def ifftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """numpy.fft.ifftn for arrays and Tensors."""
    return _along(ifft, a, reversed(_steps(a, s, axes)), norm)


@composite(np.fft.rfftn)
def rfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """numpy.fft.rfftn for arrays and Tensors."""
    *others, last = _steps(a, s, axes)
    return _along(fft, _along(rfft, a, [last], norm), reversed(others), norm)


@composite(np.fft.irfftn)
def irfftn(a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    """numpy.fft.irfftn for arrays and Tensors."""
    *others, last = _steps(a, s, axes, last=None)
    return _along(irfft, _along(ifft, a, others, norm), [last], norm)


@composite(np.fft.fft2)
def fft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """numpy.fft.fft2 for arrays and Tensors."""
    return fftn(a, s, axes, norm)


@composite(np.fft.ifft2)
def ifft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """numpy.fft.ifft2 for arrays and Tensors."""
    return ifftn(a, s, axes, norm)


@composite(np.fft.rfft2)
def rfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """numpy.fft.rfft2 for arrays and Tensors."""
    return rfftn(a, s, axes, norm)


@composite(np.fft.irfft2)
def irfft2(a: Any, s: Any = None, axes: Any = (-2, -1), norm: Any = None) -> Any:
    """numpy.fft.irfft2 for arrays and Tensors."""
    return irfftn(a, s, axes, norm)
