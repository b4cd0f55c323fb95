"""Rows that reduce over axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.ops.general import General, general
from autodiff.ops.shapes import broadcast_to
from autodiff.ops.table import linear, shape_of

__all__ = [
    "max",
    "mean",
    "min",
    "sum",
]

Axes = int | tuple[int, ...] | None


def _kept(shape: tuple[int, ...], axis: Axes) -> tuple[int, ...]:
    """The shape that is left after reducing with `keepdims`."""
    kept = list(shape)
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for i in axes if shape else ():
        kept[i] = 1
    return tuple(kept)


def _aligned(g: Any, x: Any, axis: Axes) -> Any:
    """Something of the result's shape, in dimensions that broadcast against x."""
    return g.reshape(_kept(x.shape, axis)) if g.shape else g


def _spread(g: Any, x: Any, axis: Axes) -> Any:
    """The transpose of summing x over `axis`."""
    return broadcast_to(_aligned(g, x, axis), shape=shape_of(x))


def _count(g: Any, x: Any) -> float:
    """How many elements of x are reduced into one."""
    return (math.prod(shape_of(x)) or 1) / (math.prod(shape_of(g)) or 1)


sum = linear(np.sum, lambda g, x, axis=None, keepdims=False: _spread(g, x, axis), symbol="Σ")
mean = linear(
    np.mean,
    lambda g, x, axis=None, keepdims=False: _spread(g / _count(g, x), x, axis),
)


def weighted(
    function: Callable[..., Any],
    weights: Callable[[Any, Any, Axes], Any],
    **labels: str,
) -> General:
    """A row whose partial derivatives are `weights(out, x, axis)`, out kept in x's dimensions."""

    def kept_weights(out: Any, x: Any, axis: Axes) -> Any:
        return weights(_aligned(out, x, axis), x, axis)

    return general(
        function,
        vjp=lambda g, out, x, axis=None, keepdims=False: (
            _aligned(g, x, axis) * kept_weights(out, x, axis)
        ),
        jvp=lambda t, out, x, axis=None, keepdims=False: sum(
            t * kept_weights(out, x, axis), axis=axis, keepdims=keepdims
        ),
        **labels,
    )


def _ties(out: Any, x: Any, axis: Axes) -> Any:
    """Equal shares for all elements that reach the extreme."""
    reached = x == out
    return reached / np.sum(reached, axis=axis, keepdims=True)


max = weighted(np.max, _ties, name="max")
min = weighted(np.min, _ties, name="min")
