"""Sliding windows over images: convolution and pooling.

Images are arrays of shape (N, C, H, W): N images of C channels, H rows, W columns. `size`,
`stride`, `padding` and `dilation` are one integer or a pair, for rows and columns. A convolution
copies the windows into columns and takes one matrix product for each image and group. Its transpose
adds the columns up at the places of their windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from autodiff.core.graph import data_of
from autodiff.ops.alike import alike, foreign
from autodiff.ops.general import general
from autodiff.ops.kinks import Kink
from autodiff.ops.reductions import sum
from autodiff.ops.shapes import broadcast_to, expand_dims
from autodiff.ops.table import conj, linear

__all__ = [
    "avg_pool2d",
    "conv2d",
    "conv2d_kernel",
    "conv_transpose2d",
    "fold2d",
    "max_pool2d",
    "unfold2d",
]

Pair = int | Sequence[int]


def _pair(value: Pair, name: str, least: int) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, int | np.integer) else tuple(value)
    if len(pair) != 2 or min(pair) < least:
        raise ValueError(f"{name}={value}: expected an integer >= {least}, or a pair of them")
    return int(pair[0]), int(pair[1])


def _require(fits: bool, function: str, rule: str, *shapes: tuple[int, ...]) -> None:
    if not fits:
        raise ValueError(f"{function} expects {rule}, not shapes {' and '.join(map(str, shapes))}")


def _extents(x: Any, extent: tuple[int, int]) -> Any:
    """All windows of this extent in images (N, C, H, W), as (N, C, rows, columns, *extent)."""
    if not foreign(x):
        return np.lib.stride_tricks.sliding_window_view(x, extent, axis=(2, 3))
    rows, columns = (
        np.arange(n - size + 1)[:, None] + np.arange(size)
        for n, size in zip(x.shape[2:], extent, strict=True)
    )
    return x[:, :, rows[:, None, :, None], columns[:, None, :]]


class Sliding(NamedTuple):
    """Size, stride, padding and dilation of sliding windows, each (rows, columns)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    @classmethod
    def of(cls, size: Pair, stride: Pair | None, padding: Pair, dilation: Pair) -> Sliding:
        """Check the arguments of a call; the default stride is the window's size."""
        return cls(
            _pair(size, "size", 1),
            _pair(size if stride is None else stride, "stride", 1),
            _pair(padding, "padding", 0),
            _pair(dilation, "dilation", 1),
        )

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that a window spans, its gaps included."""
        (kh, kw), (d, e) = self.size, self.dilation
        return d * (kh - 1) + 1, e * (kw - 1) + 1

    def places(self, image: Sequence[int]) -> tuple[int, int]:
        """Return the number of places of a window in an image (H, W), along each side."""
        rows, columns = (
            (n + 2 * p - extent) // s + 1
            for n, p, extent, s in zip(image, self.padding, self.extent, self.stride, strict=True)
        )
        if rows < 1 or columns < 1:
            raise ValueError(
                f"windows of {self.size} with dilation {self.dilation} span {self.extent} pixels, "
                f"more than an image of {tuple(image)} with padding {self.padding} has"
            )
        return rows, columns

    def image(self, places: Sequence[int]) -> tuple[int, int]:
        """Return the size of the smallest image with this number of places."""
        h, w = (
            max((n - 1) * s + extent - 2 * p, 0)
            for n, s, extent, p in zip(places, self.stride, self.extent, self.padding, strict=True)
        )
        return h, w

    def windows(self, x: Any, border: float = 0) -> Any:
        """Return the windows of images (N, C, H, W) as a view (N, C, *size, *places)."""
        _require(x.ndim == 4, "a sliding window", "images (N, C, H, W)", x.shape)
        self.places(x.shape[2:])
        (p, q), (s, t), (d, e) = self.padding, self.stride, self.dilation
        if p or q:
            n, c, h, w = x.shape
            padded = alike(np.full((n, c, h + 2 * p, w + 2 * q), border, x.dtype), x)
            padded[:, :, p : p + h, q : q + w] = x
            x = padded
        view = _extents(x, self.extent)
        return view[:, :, ::s, ::t, ::d, ::e].transpose(0, 1, 4, 5, 2, 3)

    def reduced(self, ufunc: np.ufunc, x: Any, border: float = 0) -> Any:
        """Reduce every window to a pixel, in a loop: NumPy is slow along two short axes."""
        windows = self.windows(x, border)
        first, *others = [windows[:, :, i, j] for i, j in np.ndindex(self.size)]
        return reduce(ufunc, others, first.copy())

    def fold(self, columns: Any, image: Sequence[int]) -> Any:
        """Apply the transpose of `windows`: add each window to the images at its place."""
        n, c, *shape = columns.shape
        places = self.places(image)
        if (*self.size, *places) != tuple(shape):
            raise ValueError(
                f"an image of {tuple(image)} has windows of shape {(*self.size, *places)}, not "
                f"{tuple(shape)}, with {self}"
            )
        (h, w), (p, q), (s, t), (d, e) = image, self.padding, self.stride, self.dilation
        padded = alike(np.zeros((n, c, h + 2 * p, w + 2 * q), columns.dtype), columns)
        rows, cols = (places[0] - 1) * s + 1, (places[1] - 1) * t + 1
        for i, j in np.ndindex(self.size):
            window = columns[:, :, i, j]
            padded[:, :, i * d : i * d + rows : s, j * e : j * e + cols : t] += window
        return padded[:, :, p : p + h, q : q + w]


def _columns(x: Any, sliding: Sliding, groups: int) -> Any:
    """Return every window as a column, in a matrix for each image and group of channels."""
    windows = sliding.windows(x)
    n, c, kh, kw, h, w = windows.shape
    return windows.reshape(n, groups, c // groups * kh * kw, h * w)


def _matrices(w: Any, groups: int) -> Any:
    """Return kernels (O, C / groups, KH, KW) as a matrix for each group."""
    return w.reshape(groups, len(w) // groups, w[:1].size)


def _conv2d(
    x: Any, w: Any, stride: Pair = 1, padding: Pair = 0, dilation: Pair = 1, groups: int = 1
) -> Any:
    _require(
        x.ndim == w.ndim == 4 and x.shape[1] == groups * w.shape[1] and len(w) % groups == 0,
        "conv2d",
        f"images (N, C, H, W) and kernels (O, C / groups, KH, KW) with groups={groups} dividing O",
        x.shape,
        w.shape,
    )
    sliding = Sliding.of(w.shape[2:], stride, padding, dilation)
    out = np.matmul(_matrices(w, groups), _columns(x, sliding, groups))
    return out.reshape(len(x), len(w), *sliding.places(x.shape[2:]))


def _conv_transpose2d(
    x: Any,
    w: Any,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    size: Pair | None = None,
) -> Any:
    _require(
        x.ndim == w.ndim == 4 and x.shape[1] == len(w) and groups > 0 and len(w) % groups == 0,
        "conv_transpose2d",
        f"images (N, O, H, W) and kernels (O, C / groups, KH, KW) with groups={groups} dividing O",
        x.shape,
        w.shape,
    )
    sliding = Sliding.of(w.shape[2:], stride, padding, dilation)
    n, o, *places = x.shape
    pixels = x.reshape(n, groups, o // groups, places[0] * places[1])
    columns = np.matmul(_matrices(w, groups).swapaxes(1, 2), pixels)
    image = sliding.image(places) if size is None else _pair(size, "size", 1)
    return sliding.fold(columns.reshape(n, groups * w.shape[1], *w.shape[2:], *places), image)


def _conv2d_kernel(
    x: Any,
    y: Any,
    size: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Any:
    sliding = Sliding.of(size, stride, padding, dilation)
    _require(
        x.ndim == y.ndim == 4
        and groups > 0
        and x.shape[1] % groups == y.shape[1] % groups == 0
        and y.shape == (len(x), y.shape[1], *sliding.places(x.shape[2:])),
        "conv2d_kernel",
        f"images (N, C, H, W) and their conv2d with groups={groups}, {sliding}",
        x.shape,
        y.shape,
    )
    n, o, h, w = y.shape
    columns = _columns(x, sliding, groups)
    products = np.matmul(y.reshape(n, groups, o // groups, h * w), columns.swapaxes(2, 3))
    return products.sum(axis=0).reshape(o, x.shape[1] // groups, *sliding.size)


# Each is a transpose of the others: Σ conv2d(x, w) y = Σ x conv_transpose2d(y, w)
# = Σ w conv2d_kernel(x, y).
conv2d = linear(
    _conv2d,
    lambda g, x, w, stride=1, padding=0, dilation=1, groups=1: conv_transpose2d(
        g, conj(w), stride, padding, dilation, groups, size=x.shape[2:]
    ),
    lambda g, x, w, **options: conv2d_kernel(conj(x), g, size=w.shape[2:], **options),
    name="conv2d",
    symbol="∗",
    doc="""Convolve images (N, C, H, W) with O kernels: (N, O, OH, OW).

    out[n, o, i, j] = Σ w[o, c, k, l] x[n, c, i s + k d - p, j s + l d - p] over c, k and l, with
    stride s, padding p (by zeros) and dilation d, where OH = (H + 2 p - d (KH - 1) - 1) // s + 1.
    Kernels have shape (O, C / groups, KH, KW): channels and kernels are divided into groups, and
    each group of kernels sees its own group of channels only.
    """,
)
conv_transpose2d = linear(
    _conv_transpose2d,
    lambda g, x, w, stride=1, padding=0, dilation=1, groups=1, size=None: conv2d(
        g, conj(w), stride, padding, dilation, groups
    ),
    lambda g, x, w, size=None, **options: conv2d_kernel(g, conj(x), size=w.shape[2:], **options),
    name="conv_transpose2d",
    symbol="∗ᵀ",
    doc="""Apply the transpose of conv2d in its images: from (N, O, h, w) to (N, C, H, W).

    Each pixel times the kernels (O, C / groups, KH, KW) is added to the window from which `conv2d`
    with the same options computes it. With a stride several sizes (H, W) are possible. `size`
    chooses one; the default is the smallest: H = (h - 1) s + d (KH - 1) + 1 - 2 p.
    """,
)
conv2d_kernel = linear(
    _conv2d_kernel,
    lambda g, x, y, size=1, stride=1, padding=0, dilation=1, groups=1: conv_transpose2d(
        conj(y), g, stride, padding, dilation, groups, size=x.shape[2:]
    ),
    lambda g, x, y, size=1, **options: conv2d(conj(x), g, **options),
    name="conv2d_kernel",
    doc="""Apply the transpose of conv2d in its kernels: (O, C / groups, KH, KW), `size` (KH, KW).

    Takes images (N, C, H, W) and y of the shape (N, O, OH, OW) of their `conv2d`, with its options.
    """,
)


def _unfold2d(
    x: Any, size: Pair, stride: Pair | None = 1, padding: Pair = 0, dilation: Pair = 1
) -> Any:
    return Sliding.of(size, stride, padding, dilation).windows(x).copy()


def _fold2d(
    x: Any,
    image: Pair,
    size: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> Any:
    return Sliding.of(size, stride, padding, dilation).fold(x, _pair(image, "image", 1))


unfold2d = linear(
    _unfold2d,
    lambda g, x, size=1, stride=1, padding=0, dilation=1: fold2d(
        g, x.shape[2:], size, stride, padding, dilation
    ),
    name="unfold2d",
    doc="""Return the windows of images (N, C, H, W) as (N, C, KH, KW, OH, OW): pixel, then place.

    `size` is (KH, KW); see `conv2d` for the rest.
    """,
)
fold2d = linear(
    _fold2d,
    lambda g, x, image=1, size=1, stride=1, padding=0, dilation=1: unfold2d(
        g, size, stride, padding, dilation
    ),
    name="fold2d",
    doc="""Add windows (N, C, KH, KW, OH, OW) up in images of size `image` (H, W).

    The transpose of `unfold2d`: where windows overlap, their pixels are summed.
    """,
)


def _max_pool2d(
    x: Any,
    size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
) -> Any:
    sliding = Sliding.of(size, stride, padding, dilation)
    return sliding.reduced(np.maximum, x, border=-np.inf)


def _largest(
    out: Any, x: Any, size: Pair, stride: Pair | None, padding: Pair, dilation: Pair
) -> Any:
    """Return equal shares for the pixels of each window that equal its maximum."""
    sliding = Sliding.of(size, stride, padding, dilation)
    windows = sliding.windows(data_of(x), border=-np.inf)
    layout: dict[str, Any] = {} if foreign(x) else {"order": "C"}  # which CuPy does not have
    reached = np.equal(windows, data_of(out)[:, :, None, None], **layout)
    return reached / reached.sum(axis=(2, 3), keepdims=True, dtype=out.dtype)


max_pool2d = general(
    _max_pool2d,
    vjp=lambda g, out, x, size=1, stride=None, padding=0, dilation=1: fold2d(
        expand_dims(g, axis=(2, 3)) * _largest(out, x, size, stride, padding, dilation),
        x.shape[2:],
        size,
        stride,
        padding,
        dilation,
    ),
    jvp=lambda t, out, x, size=1, stride=None, padding=0, dilation=1: sum(
        unfold2d(t, size, stride, padding, dilation)
        * _largest(out, x, size, stride, padding, dilation),
        axis=(2, 3),
    ),
    kinks=Kink(
        "ties for the maximum of a window",
        lambda out, x, size=1, stride=None, padding=0, dilation=1: (
            (_largest(out, x, size, stride, padding, dilation) > 0).sum(axis=(2, 3)) > 1
        ),
    ),
    name="max_pool2d",
    symbol="max pool",
    doc="""Return the maximum of each window of images (N, C, H, W): (N, C, OH, OW).

    The default stride is `size`. Pixels of the padding are ignored. As with `max`, pixels that tie
    share the derivative equally.
    """,
)


def _avg_pool2d(x: Any, size: Pair, stride: Pair | None = None, padding: Pair = 0) -> Any:
    sliding = Sliding.of(size, stride, padding, 1)
    return sliding.reduced(np.add, x) / (sliding.size[0] * sliding.size[1])


def _avg_pool2d_transpose(
    g: Any, x: Any, size: Pair = 1, stride: Pair | None = None, padding: Pair = 0
) -> Any:
    kh, kw = _pair(size, "size", 1)
    shares = expand_dims(g / (kh * kw), axis=(2, 3))
    shares = broadcast_to(shares, (*g.shape[:2], kh, kw, *g.shape[2:]))
    return fold2d(shares, x.shape[2:], size, stride, padding)


avg_pool2d = linear(
    _avg_pool2d,
    _avg_pool2d_transpose,
    name="avg_pool2d",
    symbol="mean pool",
    doc="""Return the mean of each window of images (N, C, H, W): (N, C, OH, OW).

    The default stride is `size`. The zeros of the padding count as pixels.
    """,
)
