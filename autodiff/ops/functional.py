"""NumPy's functions of functions, which call what they are given on parts of an array of nodes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autodiff.core.graph import Node
from autodiff.ops.elementwise import where
from autodiff.ops.shapes import expand_dims, getitem, reshape, setitem, stack, transpose
from autodiff.ops.table import composite

__all__ = [
    "apply_along_axis",
    "apply_over_axes",
    "piecewise",
]


def _array(x: Any) -> Any:
    return x if isinstance(x, Node) else np.asanyarray(x)[()]  # a single Value as itself


@composite(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """`func1d` of every vector along an axis; the axes of its results take that axis's place."""
    arr = _array(arr)
    shape = np.shape(arr)
    axis = normalize_axis_index(axis, len(shape))
    around = shape[:axis] + shape[axis + 1 :]
    results = [
        func1d(getitem(arr, (*place[:axis], slice(None), *place[axis:])), *args, **kwargs)
        for place in np.ndindex(around)
    ]
    if not results:
        raise ValueError(
            f"apply_along_axis has no vector to call with in an array of shape {shape}"
        )
    inner = np.shape(results[0])
    out = reshape(stack(results), around + inner)
    first, last = len(around), len(around) + len(inner)
    return transpose(out, (*range(axis), *range(first, last), *range(axis, first)))


@composite(np.apply_over_axes)
def apply_over_axes(func: Callable[[Any, int], Any], a: Any, axes: int | Sequence[int]) -> Any:
    """`func(a, axis)` over several axes, one after the other, each kept with length 1."""
    a = _array(a)
    ndim = np.ndim(a)
    for axis in np.atleast_1d(axes):
        place = normalize_axis_index(int(axis), ndim)
        out = func(a, place)
        a = out if np.ndim(out) == ndim else expand_dims(out, axis=place)
        if np.ndim(a) != ndim:
            raise ValueError(
                f"apply_over_axes: the function made {np.ndim(out)} dimensions of {ndim}, where "
                f"{ndim} or {ndim - 1} were expected"
            )
    return a


@composite(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """A function for each condition (or a constant), called where it is the last that holds.

    One function more than conditions is for everywhere else; without it, 0 is there.
    """
    x = _array(x)
    conditions = np.asarray(condlist, bool)
    if conditions.ndim == 0 or (conditions.ndim == 1 and np.ndim(x) > 0):
        conditions = conditions[None]  # of one condition
    if len(conditions) == len(funclist) - 1:
        elsewhere = ~np.any(conditions, axis=0, keepdims=True)
        conditions = np.concatenate([conditions, elsewhere])
    if len(conditions) != len(funclist):
        raise ValueError(
            f"piecewise takes a function for each of its {len(conditions)} conditions and, if "
            f"wanted, one more; got {len(funclist)}"
        )
    out = where(False, x, 0)  # a node if x is one, even if all pieces are constant
    for condition, function in zip(conditions, funclist, strict=True):
        value = function
        if callable(function):
            if not condition.any():
                continue
            value = function(getitem(x, index=condition), *args, **kw)
        out = setitem(out, value, index=condition)
    return out
