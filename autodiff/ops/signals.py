"""Convolution and interpolation in one dimension."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from autodiff.core.graph import data_of
from autodiff.ops.alike import alike, foreign
from autodiff.ops.elementwise import where
from autodiff.ops.general import general
from autodiff.ops.kinks import Kink
from autodiff.ops.shapes import getitem, scatter
from autodiff.ops.table import linear

__all__ = [
    "convolve",
    "correlate",
    "interp",
]


def _full(g: Any, a: Any, v: Any, swapped: bool = False) -> Any:
    """Pad a cotangent to the length of mode "full"; the other modes keep its middle."""
    size = a.size + v.size - 1
    start = (size - g.size + swapped) // 2
    if size == g.size:
        return g
    return scatter(g, index=slice(start, start + g.size), shape=(size,))


def _vector(x: Any) -> Any:
    return x.reshape(-1) if x.ndim == 0 else x


convolve = linear(
    np.convolve,
    lambda g, a, v, mode="full": correlate(_full(g, a, v), _vector(v), mode="valid"),
    lambda g, a, v, mode="full": correlate(_full(g, a, v), _vector(a), mode="valid"),
    symbol="∗",
)
# if v is longer than a, NumPy rounds the start of the middle up
correlate = linear(
    np.correlate,
    lambda g, a, v, mode="valid": convolve(_full(g, a, v, a.size < v.size), v, mode="valid"),
    lambda g, a, v, mode="valid": correlate(a, _full(g, a, v, a.size < v.size), mode="valid"),
    symbol="⋆",
)


class _Pieces(NamedTuple):
    """For each point of an interpolation, the linear piece it lies on."""

    lower: Any
    """Index of the knot at the left end of the piece; outside the knots, of the nearest knot."""
    upper: Any
    """Index of the knot at the right end; outside the knots, the same as `lower`."""
    weight: Any
    """Fraction of the way from the left to the right end, 0 to 1."""
    slope: Any

    def between(self, t: Any) -> Any:
        """Interpolate values at the knots, t, at the points."""
        start = getitem(t, index=self.lower)
        return start + self.weight * (getitem(t, index=self.upper) - start)


def _pieces(x: Any, xp: Any, fp: Any, period: float | None) -> _Pieces:
    given = [data_of(array) for array in (x, xp, fp)]
    like = next(filter(foreign, given), given[0])
    points, places, values = [a if foreign(a) else alike(np.asarray(a), like) for a in given]
    order, knots = alike(np.arange(len(places)), like), places.astype(float)
    at = points.astype(float)
    if period is not None:
        period = abs(period)
        at, knots = at % period, knots % period
        order = np.argsort(knots)
        order = np.concatenate([order[-1:], order, order[:1]])
        knots = knots[order]
        knots[0] -= period
        knots[-1] += period
    last = len(order) - 1
    following = np.searchsorted(knots, at, side="right")
    low, high = np.maximum(following - 1, 0), np.minimum(following, last)
    flat: Any = False
    if last:
        # the subgradient of least norm at an inner knot, the slope of the only piece at an end
        with np.errstate(all="ignore"):
            slopes = np.diff(values[order]) / np.diff(knots)
        before, after = np.append(slopes[:1], slopes)[low], np.append(slopes, slopes[-1:])[low]
        knot = at == knots[low]
        flat = knot & ((before * after.conj()).real <= 0)
        back = knot & ((low == last) | (abs(before) < abs(after)))
        low, high = low - back, np.where(back, low, high)
    beyond = low == high  # a piece of length 0: masked, since its terms cancel only to rounding
    lower, upper = order[low], order[high]
    # add the period to differences across it, and give a piece of length 0 the length 1
    if foreign(like):  # whose indices plain arrays do not take
        xp, fp = (x if foreign(x) else alike(np.asarray(x), like) for x in (xp, fp))
    run = getitem(xp, index=upper) - getitem(xp, index=lower)
    run = run + (knots[high] - knots[low] - data_of(run) + beyond)
    way = x - getitem(xp, index=lower)
    way = way + (at - knots[low] - data_of(way))
    rise = getitem(fp, index=upper) - getitem(fp, index=lower)
    weight, slope = where(beyond, 0, way / run), where(flat | beyond, 0, rise / run)
    return _Pieces(lower, upper, weight, slope)


def _replaced(x: Any, xp: Any, left: Any, right: Any, period: float | None) -> Any:
    """Return a mask of the results that are `left` or `right`."""
    x, xp = data_of(x), data_of(xp)
    beyond = (left is not None) & (x < xp[0]) | (right is not None) & (x > xp[-1])
    return beyond & (period is None)


def _at_a_knot(
    out: Any, x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    return np.isin(x, xp) if period is None else np.isin(x % period, xp % period)


interp = general(
    np.interp,
    jvp=(
        lambda t, out, x, xp, fp, left=None, right=None, period=None: (
            t * _pieces(x, xp, fp, period).slope
        ),
        lambda t, out, x, xp, fp, left=None, right=None, period=None: (
            -_pieces(x, xp, fp, period).slope * _pieces(x, xp, fp, period).between(t)
        ),
        lambda t, out, x, xp, fp, left=None, right=None, period=None: where(
            _replaced(x, xp, left, right, period), 0, _pieces(x, xp, fp, period).between(t)
        ),
    ),
    kinks=Kink("x at a knot", _at_a_knot, by=(0, 1)),
)
