"""Scans along an axis: cumulative sums and products, differences, integrals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from autodiff.core.graph import Node, data_of
from autodiff.ops.elementwise import where
from autodiff.ops.general import general
from autodiff.ops.kinks import Kink
from autodiff.ops.shapes import as_array, astype, broadcast_to, concatenate
from autodiff.ops.table import composite, conj, linear

__all__ = [
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "diff",
    "ediff1d",
    "gradient",
    "nancumprod",
    "nancumsum",
    "recurrence",
    "trapezoid",
    "unwrap",
]


def without_nans(x: Any, value: float) -> Any:
    """Return x with every NaN replaced by `value`."""
    x = as_array(x)
    return where(x != x, value, x)


def backwards(x: Any) -> Any:
    """Reverse x along the last axis."""
    return x[..., ::-1]


def delayed(x: Any, first: float) -> Any:
    """Shift x by one along the last axis: prepend `first`, drop the last element."""
    return concatenate([np.full_like(data_of(x)[..., :1], first), x[..., :-1]], axis=-1)


def _recurrence(a: Any, b: Any) -> Any:
    a, b = np.broadcast_arrays(a, b)
    a, h = a.T, b.T.astype(np.result_type(a, b), order="C")  # a copy, scanned along axis 0
    for j in range(1, len(h)):
        h[j] += a[j] * h[j - 1]
    return h.T


def _gathered(a: Any, g: Any) -> Any:
    """Apply the transpose of the recurrence in b: a recurrence that runs backwards."""
    a = broadcast_to(conj(a), shape=g.shape)
    return backwards(recurrence(delayed(backwards(a), 0), backwards(g)))


recurrence = general(
    _recurrence,
    vjp=(
        lambda g, out, a, b: _gathered(a, g) * conj(delayed(out, 0)),
        lambda g, out, a, b: _gathered(a, g),
    ),
    jvp=(
        lambda t, out, a, b: recurrence(a, t * delayed(out, 0)),
        lambda t, out, a, b: recurrence(a, t),
    ),
    name="recurrence",
    doc="Return h[j] = a[j] * h[j - 1] + b[j] along the last axis, with h[0] = b[0].",
)


def _scanned(x: Any, axis: int | None) -> Any:
    """Swap the axis of a scan with the last one (also back); flatten x if it is None."""
    return x.ravel() if axis is None else x.swapaxes(axis, -1) if x.ndim else x.reshape(1)


def _summed_backwards(g: Any, x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    g = backwards(cumsum(backwards(_scanned(g, axis)), axis=-1))
    return _scanned(g, axis).reshape(x.shape)


def _cumprod_vjp(g: Any, out: Any, x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    before = conj(delayed(_scanned(out, axis), 1))
    g = before * _gathered(_scanned(x, axis), _scanned(g, axis))
    return _scanned(g, axis).reshape(x.shape)


def _cumprod_jvp(t: Any, out: Any, x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    before = delayed(_scanned(out, axis), 1)
    return _scanned(recurrence(_scanned(x, axis), _scanned(t, axis) * before), axis)


cumsum = linear(np.cumsum, _summed_backwards, symbol="Σ…")
cumprod = general(np.cumprod, vjp=_cumprod_vjp, jvp=_cumprod_jvp, symbol="Π…")


@composite(np.nancumsum)
def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """numpy.nancumsum for numbers, arrays, Values and Tensors; a NaN's derivative is 0."""
    return cumsum(without_nans(a, 0), axis=axis, dtype=dtype)


@composite(np.nancumprod)
def nancumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """numpy.nancumprod for numbers, arrays, Values and Tensors; a NaN's derivative is 0."""
    return cumprod(without_nans(a, 1), axis=axis, dtype=dtype)


def _cumulative(
    scan: Any, x: Any, axis: int | None, dtype: Any, first: int, include_initial: bool
) -> Any:
    x = as_array(x)
    if x.ndim > 1 and axis is None:
        raise ValueError(f"cumulative_{scan.name[3:]} of shape {x.shape}: pass axis=")
    axis = 0 if axis is None else axis
    out = scan(x, axis=axis, dtype=dtype)
    if include_initial:
        edge = np.full_like(data_of(out)[_along(out, axis, slice(1))], first)
        out = concatenate([edge, out], axis=axis)
    return out


# since NumPy 2.1
@composite(*filter(None, [getattr(np, "cumulative_sum", None)]))
def cumulative_sum(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """numpy.cumulative_sum for numbers, arrays, Values and Tensors."""
    return _cumulative(cumsum, x, axis, dtype, 0, include_initial)


@composite(*filter(None, [getattr(np, "cumulative_prod", None)]))
def cumulative_prod(
    x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Any:
    """numpy.cumulative_prod for numbers, arrays, Values and Tensors."""
    return _cumulative(cumprod, x, axis, dtype, 1, include_initial)


def _cumulative_extreme_jvp(t: Any, out: Any, x: Any, axis: int = 0, dtype: Any = None) -> Any:
    """Share the tangent equally among the elements equal to the extreme so far."""
    out, x, t = _scanned(data_of(out), axis), _scanned(data_of(x), axis), _scanned(t, axis)
    stays = (out == delayed(out, math.nan)).astype(out.dtype)
    reached = (x == out).astype(out.dtype)
    count = np.maximum(recurrence(stays, reached), 1)
    return _scanned(recurrence(stays, t * reached) / count, axis)


def _tied_so_far(out: Any, x: Any, axis: int = 0, dtype: Any = None) -> Any:
    out, x = _scanned(out, axis), _scanned(x, axis)
    return bool(np.any((x == out)[..., 1:] & (out[..., 1:] == out[..., :-1])))


_AT_TIES = Kink("ties for the extreme so far", _tied_so_far)
cummax = general(
    np.maximum.accumulate,
    jvp=_cumulative_extreme_jvp,
    name="cummax",
    kinks=_AT_TIES,
    doc="numpy.maximum.accumulate: the cumulative maximum along an axis.",
)
cummin = general(
    np.minimum.accumulate,
    jvp=_cumulative_extreme_jvp,
    name="cummin",
    kinks=_AT_TIES,
    doc="numpy.minimum.accumulate: the cumulative minimum along an axis.",
)


def _same(
    x: Any, out: Any, p: Any, discont: Any = None, axis: int = -1, period: float = 2 * math.pi
) -> Any:
    return x


def _half_a_period_apart(
    out: Any, p: Any, discont: Any = None, axis: int = -1, period: float = 2 * math.pi
) -> bool:
    steps = np.diff(p, axis=axis)
    limit = max(period / 2, discont or 0)
    return bool(np.any((np.abs(steps) == limit) | (np.mod(steps, period) == period / 2)))


# the derivative is 1: unwrap adds multiples of the period
unwrap = general(
    np.unwrap,
    vjp=_same,
    jvp=_same,
    kinks=Kink("neighbours half a period apart", _half_a_period_apart),
)


def _along(x: Any, axis: int, part: slice) -> Any:
    """Return the index for a slice along one axis."""
    return (slice(None),) * normalize_axis_index(axis, x.ndim) + (part,)


def _differences(x: Any, axis: int) -> Any:
    return x[_along(x, axis, slice(1, None))] - x[_along(x, axis, slice(-1))]


@composite(np.diff)
def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """numpy.diff for arrays and Tensors; `prepend` and `append` may be nodes."""
    if n < 0:
        raise ValueError(f"diff takes an order n >= 0, not n={n}")
    a = as_array(a)
    axis = normalize_axis_index(axis, a.ndim, "diff")
    if n == 0:
        return a
    if prepend is not None or append is not None:
        edge = data_of(a)[_along(a, axis, slice(1))].shape
        parts = [None if end is None else as_array(end) for end in (prepend, append)]
        before, after = (
            [] if part is None else [part if part.ndim else broadcast_to(part, shape=edge)]
            for part in parts
        )
        a = concatenate([*before, a, *after], axis=axis)
    for _ in range(n):
        a = _differences(a, axis)
    return a


@composite(np.ediff1d)
def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """numpy.ediff1d for arrays and Tensors; `to_end` and `to_begin` may be nodes."""
    ary = as_array(ary).ravel()
    between = _differences(ary, 0)
    if to_end is None and to_begin is None:
        return between
    ends = []
    for end in (to_begin, to_end):
        end = np.empty(0, ary.dtype) if end is None else as_array(end).ravel()
        if not np.can_cast(end.dtype, ary.dtype, "same_kind"):
            raise TypeError(f"ediff1d cannot join an end of dtype {end.dtype} to {ary.dtype}")
        ends.append(end if end.dtype == ary.dtype else astype(end, dtype=ary.dtype))
    return concatenate([ends[0], between, ends[1]])


@composite(np.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """numpy.trapezoid for arrays and Tensors; differentiable by x and dx too."""
    y = as_array(y)
    along = normalize_axis_index(axis, y.ndim, "trapezoid")
    if x is not None:
        x = as_array(x)
        dx = _differences(x, 0 if x.ndim == 1 else axis)
        if x.ndim == 1:
            dx = dx.reshape(_lengthwise(y, along))
    sides = y[_along(y, axis, slice(1, None))] + y[_along(y, axis, slice(-1))]
    return (dx * sides / 2.0).sum(axis=axis)


def _lengthwise(x: Any, axis: int) -> tuple[int, ...]:
    """Return the shape of a vector that broadcasts along one axis of x."""
    return tuple(-1 if i == axis else 1 for i in range(x.ndim))


def _spacing(distances: Any, f: Any, axis: int) -> Any:
    """Return the one distance between neighbours, or all of them along the axis if they differ."""
    if not np.ndim(distances):
        return distances
    distances = as_array(distances)
    if distances.shape != (f.shape[axis],):
        raise ValueError(
            f"gradient along an axis of length {f.shape[axis]} takes one distance or "
            f"{f.shape[axis]} coordinates, not an array of shape {distances.shape}"
        )
    if distances.dtype.kind in "iu":
        distances = distances.astype(float)
    steps = _differences(distances, 0)
    # nodes must all stay in the expression, even if their distances are equal
    if not isinstance(steps, Node) and (steps == steps[:1]).all():
        return steps[0]
    return steps.reshape(_lengthwise(f, axis))


def _slope(f: Any, h: Any, axis: int, edge_order: int) -> Any:
    """Return central differences inside and one-sided ones of `edge_order` at the edges."""

    def at(x: Any, start: int | None, stop: int | None) -> Any:
        return x[_along(f, axis, slice(start, stop))]

    even = not np.ndim(h)
    if even:
        inside = (at(f, 2, None) - at(f, None, -2)) / (2.0 * h)
    else:
        p, q = at(h, None, -1), at(h, 1, None)
        inside = (
            -q / (p * (p + q)) * at(f, None, -2)
            + (q - p) / (p * q) * at(f, 1, -1)
            + p / (q * (p + q)) * at(f, 2, None)
        )
    if edge_order == 1:
        first = (at(f, 1, 2) - at(f, 0, 1)) / (h if even else at(h, 0, 1))
        last = (at(f, -1, None) - at(f, -2, -1)) / (h if even else at(h, -1, None))
    else:
        if even:
            ahead, behind = (-1.5 / h, 2.0 / h, -0.5 / h), (0.5 / h, -2.0 / h, 1.5 / h)
        else:
            p, q = at(h, 0, 1), at(h, 1, 2)
            ahead = -(2.0 * p + q) / (p * (p + q)), (p + q) / (p * q), -p / (q * (p + q))
            p, q = at(h, -2, -1), at(h, -1, None)
            behind = q / (p * (p + q)), -(q + p) / (p * q), (2.0 * q + p) / (q * (p + q))
        a, b, c = ahead
        first = a * at(f, 0, 1) + b * at(f, 1, 2) + c * at(f, 2, 3)
        a, b, c = behind
        last = a * at(f, -3, -2) + b * at(f, -2, -1) + c * at(f, -1, None)
    slope = concatenate([first, inside, last], axis=axis)
    return slope if slope.dtype == f.dtype else astype(slope, dtype=f.dtype)


@composite(np.gradient)
def gradient(
    f: Any, *varargs: Any, axis: int | tuple[int, ...] | None = None, edge_order: int = 1
) -> Any:
    """numpy.gradient for arrays and Tensors; differentiable by distances and coordinates too."""
    f = as_array(f)
    if f.dtype.kind in "iub":
        f = f.astype(float)
    given = range(f.ndim) if axis is None else axis
    axes = normalize_axis_tuple(given, f.ndim, "gradient's axis")
    if edge_order not in (1, 2) or not all(f.shape[i] > edge_order for i in axes):
        raise ValueError(
            f"gradient with edge_order={edge_order} along axes {axes} of shape {f.shape}: the "
            "order is 1 or 2, and every axis must be longer than that"
        )
    if not varargs:
        varargs = (1.0,)
    if len(varargs) == 1 and not np.ndim(varargs[0]):
        varargs *= len(axes)
    if len(varargs) != len(axes):
        raise TypeError(
            f"gradient along {len(axes)} axes takes one distance for all, or a distance or "
            f"coordinates for each axis; got {len(varargs)}"
        )
    slopes = tuple(
        _slope(f, _spacing(distances, f, i), i, edge_order)
        for i, distances in zip(axes, varargs, strict=True)
    )
    return slopes[0] if len(slopes) == 1 else slopes
