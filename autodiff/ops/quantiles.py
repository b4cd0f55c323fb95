"""Order statistics (median, quantile, percentile): an element, or a mean of two neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from autodiff.core.graph import Args, Node, Params, data_of
from autodiff.ops.alike import alike, own
from autodiff.ops.elementwise import where
from autodiff.ops.general import General, general
from autodiff.ops.kinks import Kink
from autodiff.ops.reductions import Axes, lined_up, parameters_of, put_back, sum
from autodiff.ops.registry import shape_of
from autodiff.ops.shapes import getitem, scatter
from autodiff.ops.table import is_object, joined

__all__ = ["median", "nanmedian", "nanpercentile", "nanquantile", "percentile", "quantile"]

_LINES = {
    "linear": (1.0, 1.0),
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
"""Hyndman and Fan's α and β of NumPy's methods whose results are not steps in q.

The result of n elements has the rank (n + 1 - α - β) q + α - 1.
"""


class OrderStatistic(General):
    """A row whose second argument `q` is an input if it is a node, and a parameter otherwise.

    As a parameter it stays a Python number, which does not change the dtype of the result.
    """

    def __call__(self, *args: Any, **params: Any) -> Any:
        if "q" in params:
            args, params = self.bind(args, params)  # type: ignore[assignment]
        return super().__call__(*args, **params)

    def bind(self, args: Args, params: Params) -> tuple[Args, Params]:
        (a,), named = super().bind(args, params)
        q = joined(named["q"]) if is_object(named.get("q")) else named.get("q")
        if not isinstance(q, Node):
            return (a,), named
        shape, axis = shape_of(q), named.get("axis")
        several = isinstance(axis, tuple) and len(axis) != 1
        if several and len(shape) > 1 and "nan" in self.name:
            raise TypeError(
                f"{self.name} has no derivative by a q of shape {shape} over axis={axis}, since "
                "NumPy mixes the axes of the result: pass q.ravel()"
            )
        rest = {name: value for name, value in named.items() if name != "q"}
        return (joined(a) if is_object(a) else a, q), rest


def _ranks(lines: Any, order: Any) -> Any:
    """Return the ranks 0, 1, 2, ... of the elements of each line, and NaN for NaN.

    A line of NaN only has the ranks 0.
    """
    ranks = alike(np.empty(lines.shape, lines.real.dtype), lines)
    which = np.arange(len(lines))[:, None]
    ranks[which, order] = alike(np.arange(lines.shape[1], dtype=ranks.dtype), lines)
    missing = np.isnan(lines)
    ranks[missing] = math.nan
    ranks[missing.all(axis=1)] = 0
    return ranks


def _under(q: Any, out: Any) -> Any:
    """Return q, or an array of its shape, reshaped to broadcast against the result."""
    return q.reshape(q.shape + (1,) * (out.ndim - q.ndim))


def _method(params: dict[str, Any]) -> Any:
    # older versions of NumPy have both names
    return params.get("interpolation") or params.get("method", "linear")


def _growth(count: Any, q: Any, method: Any) -> Any:
    """Return the derivative by q, from 0 to 1, of the rank of results of `count` elements each."""
    if method not in _LINES:
        return 0 * count
    first, last = _LINES[method]
    growth = count + 1 - first - last
    rank = growth * q + first - 1
    # the rank is clipped to the first and the last element ("linear" never exceeds them)
    return np.where((method == "linear") | ((rank >= 0) & (rank < count - 1)), growth, 0)


# longer than other functions: its rules are closures that share NumPy's function and the scale of q
def _order_statistic(function: Callable[..., Any], whole: float = 0) -> General:
    """Make a row of an order statistic; `whole` is the q of the last element, if there is a q.

    Applied to the ranks of the elements, the function returns the rank of its result, by any
    method. The derivative goes to the two elements next to that rank. Applied to the numbers of the
    lines, it returns the line of each result.
    """

    def neighbours(out: Any, x: Any, q: Any, axis: Axes, params: dict[str, Any], by_q: bool) -> Any:
        """Return the indices of both neighbours, the second one's share, and its derivative by q.

        Before the derivative comes a mask of the results that are NaN.
        """
        out, x, q = data_of(out), data_of(x), data_of(q)
        given = params | {"q": q} if whole else params
        lines = lined_up(x, axis)
        order = np.argsort(lines, axis=1, kind="stable")
        numbers = alike(np.repeat(np.arange(float(len(lines))), lines.shape[1]), x)
        line, rank = (
            function(put_back(of_elements, x, axis), axis=axis, **given)
            for of_elements in (numbers, _ranks(lines, order))
        )
        missing = np.isnan(out)
        line, rank = line.astype(int), np.where(missing, 0, rank)
        low: Any = np.floor(rank).astype(int)
        growth: Any = 0
        if by_q:
            count = np.sum(lines == lines, axis=1)[line]
            low = np.minimum(low, np.maximum(count - 2, 0))  # at the end, the piece before it
            growth = _growth(count, _under(alike(own(q), x), out) / whole, _method(params)) / whole
            growth = np.where(missing, 0, growth).astype(out.real.dtype)
        share = (rank - low).astype(out.real.dtype)
        high = np.minimum(low + 1, lines.shape[1] - 1)
        return (line, order[line, low]), (line, order[line, high]), share, missing, growth

    def shares(out: Any, x: Any, q: Any, axis: Axes, params: dict[str, Any]) -> Any:
        """Return the indices of both neighbours, each with its share."""
        by_q = isinstance(q, Node)
        one, two, share, missing, growth = neighbours(out, x, q, axis, params, by_q)
        if by_q:  # record the derivative of the shares by q
            share = share + _under(q - data_of(q), out) * growth
        return (one, where(missing, 0, 1 - share)), (two, where(missing, 0, share))

    def slope(out: Any, x: Any, q: Any, axis: Axes, params: dict[str, Any]) -> Any:
        """Return the derivative by q: the gap between the neighbours times the rank's growth."""
        one, two, _, _, growth = neighbours(out, x, q, axis, params, by_q=True)
        lines = lined_up(x, axis)
        gap = getitem(lines, index=two) - getitem(lines, index=one)
        return where(growth == 0, 0, gap * growth)

    def vjp(g: Any, out: Any, x: Any, q: Any = None, axis: Axes = None, **params: Any) -> Any:
        if not x.size:
            return None
        shape = lined_up(data_of(x), axis).shape
        parts = [
            scatter(g * share, index=place, shape=shape)
            for place, share in shares(out, x, q, axis, params)
        ]
        return put_back(parts[0] + parts[1], x, axis)

    def jvp(t: Any, out: Any, x: Any, q: Any = None, axis: Axes = None, **params: Any) -> Any:
        if not x.size:
            return None
        lines = lined_up(t, axis)
        one, two = shares(out, x, q, axis, params)
        return getitem(lines, index=one[0]) * one[1] + getitem(lines, index=two[0]) * two[1]

    def vjp_by_q(g: Any, out: Any, x: Any, q: Any, axis: Axes = None, **params: Any) -> Any:
        if not x.size or _method(params) not in _LINES:
            return None
        return sum(g * slope(out, x, q, axis, params), axis=tuple(range(q.ndim, out.ndim)))

    def jvp_by_q(t: Any, out: Any, x: Any, q: Any, axis: Axes = None, **params: Any) -> Any:
        if not x.size or _method(params) not in _LINES:
            return None
        return _under(t, out) * slope(out, x, q, axis, params)

    def tied(out: Any, x: Any, q: Any = None, axis: Axes = None, **params: Any) -> Any:
        """Return whether further elements equal one of the neighbours of a result."""
        if not x.size:
            return False
        lines = lined_up(x, axis)
        (one, of_one), (two, of_two) = shares(out, x, q, axis, params)
        first, second, line = lines[one], lines[two], lines[one[0]]
        both = (first == second) & (of_one == of_two)  # their order does not matter
        return ((of_one > 0) & ((line == first[..., None]).sum(axis=-1) > 1 + both)) | (
            (of_two > 0) & ((line == second[..., None]).sum(axis=-1) > 1 + both)
        )

    def turning(out: Any, x: Any, q: Any, axis: Axes = None, **params: Any) -> Any:
        """Return whether the derivative by q, or the result, differs on the two sides of q."""
        if not x.size:
            return False
        step = 4 * np.finfo(q.dtype).eps
        sides = [np.clip(q * factor, 0, whole).astype(q.dtype) for factor in (1 - step, 1 + step)]
        if _method(params) in _LINES:
            before, after = (slope(out, x, side, axis, params) for side in sides)
        else:
            before, after = (function(x, side, axis=axis, **params) for side in sides)
        return (before != after) & ~np.isnan(out)

    @wraps(function)
    def without_overwriting(a: Any, *q: Any, overwrite_input: bool = False, **params: Any) -> Any:
        return function(a, *q, **params)

    at_ties = Kink("ties for the rank", tied)
    op = general(
        function,
        vjp=(vjp, vjp_by_q) if whole else vjp,
        jvp=(jvp, jvp_by_q) if whole else jvp,
        compute=without_overwriting,
        kinks=(at_ties, Kink("q at an element, or at a step", turning, (1,))) if whole else at_ties,
        kind=OrderStatistic,
    )
    op.names, op.arity, op.parameters = ("a",), 1, parameters_of(function)
    return op


median = _order_statistic(np.median)
quantile = _order_statistic(np.quantile, whole=1)
percentile = _order_statistic(np.percentile, whole=100)
nanmedian = _order_statistic(np.nanmedian)
nanquantile = _order_statistic(np.nanquantile, whole=1)
nanpercentile = _order_statistic(np.nanpercentile, whole=100)
