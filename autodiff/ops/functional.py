"""NumPy's functions that call a function on parts of an array: apply_along_axis and others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autodiff.core.graph import Node
from autodiff.ops.alike import foreign
from autodiff.ops.elementwise import where
from autodiff.ops.shapes import expand_dims, getitem, reshape, setitem, stack, transpose
from autodiff.ops.table import composite

__all__ = [
    "apply_along_axis",
    "apply_over_axes",
    "piecewise",
]


def _array(x: Any) -> Any:
    # [()] unpacks a 0-d array of a Value
    return x if isinstance(x, Node) or foreign(x) else np.asanyarray(x)[()]


@composite(np.apply_along_axis)
def apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Any:
    """numpy.apply_along_axis for arrays and Tensors."""
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
            f"apply_along_axis: an array of shape {shape} has no vector to call the function on"
        )
    inner = np.shape(results[0])
    out = reshape(stack(results), around + inner)
    first, last = len(around), len(around) + len(inner)
    return transpose(out, (*range(axis), *range(first, last), *range(axis, first)))


@composite(np.apply_over_axes)
def apply_over_axes(func: Callable[[Any, int], Any], a: Any, axes: int | Sequence[int]) -> Any:
    """numpy.apply_over_axes for arrays and Tensors."""
    a = _array(a)
    ndim = np.ndim(a)
    for axis in np.atleast_1d(axes):
        place = normalize_axis_index(int(axis), ndim)
        out = func(a, place)
        a = out if np.ndim(out) == ndim else expand_dims(out, axis=place)
        if np.ndim(a) != ndim:
            raise ValueError(
                f"apply_over_axes: the function returned {np.ndim(out)} dimensions, expected "
                f"{ndim} or {ndim - 1}"
            )
    return a


@composite(np.piecewise)
def piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Any:
    """numpy.piecewise for arrays and Tensors; the last condition that is true decides.

    One function more than conditions is the default; without it, the default is 0.
    """
    x = _array(x)
    arrays = isinstance(condlist, list | tuple) and any(map(foreign, condlist))
    conditions = np.stack(condlist) if arrays else np.asarray(condlist, bool)
    if conditions.ndim == 0 or (conditions.ndim == 1 and np.ndim(x) > 0):
        conditions = conditions[None]  # a single condition
    if len(conditions) == len(funclist) - 1:
        elsewhere = ~np.any(conditions, axis=0, keepdims=True)
        conditions = np.concatenate([conditions, elsewhere])
    if len(conditions) != len(funclist):
        raise ValueError(
            f"piecewise takes a function for each of its {len(conditions)} conditions and "
            f"optionally a default; got {len(funclist)} functions"
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
