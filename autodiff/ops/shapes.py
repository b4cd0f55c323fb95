"""Rows that move elements without computing: shape, selection, joining. All linear."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from autodiff.ops.table import linear, shape_of


def _scatter(x: Any, index: Any = (), shape: tuple[int, ...] = ()) -> Any:
    out = np.zeros_like(x, shape=shape)
    if _selects_once(index):
        out[index] = x
    else:
        np.add.at(out, index, x)
    return out


def _selects_once(index: Any) -> bool:
    """Whether an index names no element twice: all but integer arrays do."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None
        or part is Ellipsis
        or isinstance(part, slice | int | np.integer)
        or getattr(part, "dtype", None) == np.bool_
        for part in parts
    )


def _getitem(x: Any, index: Any = ()) -> Any:
    return operator.getitem(x, index)


def _broadcast_to(x: Any, shape: Any = ()) -> Any:
    if not isinstance(x, (np.ndarray, np.generic)) or x.ndim:
        return np.broadcast_to(x, shape)
    out = np.empty(shape, x.dtype)
    out[...] = x  # for one number, several times faster than NumPy's view of it
    return out


def _astype(x: Any, dtype: Any = float) -> Any:
    return np.asarray(x).astype(dtype) if isinstance(x, float) else x.astype(dtype)


def _reshape(x: Any, shape: Any = (), order: Any = "C") -> Any:
    return np.reshape(x, shape, order)  # NumPy 2.0 and 2.1 name the parameter differently


reshape = linear(
    np.reshape,
    lambda g, x, shape=(), order="C": g.reshape(shape_of(x), order=order),
    compute=_reshape,
)
transpose = linear(
    np.transpose,
    lambda g, x, axes=None: g.transpose(None if axes is None else tuple(np.argsort(axes))),
    symbol="ᵀ",
)
swapaxes = linear(np.swapaxes, lambda g, x, axis1=0, axis2=1: g.swapaxes(axis1, axis2))
expand_dims = linear(np.expand_dims, lambda g, x, axis=0: g.reshape(shape_of(x)))
squeeze = linear(np.squeeze, lambda g, x, axis=None: g.reshape(shape_of(x)))
ravel = linear(np.ravel, lambda g, x, order="C": g.reshape(shape_of(x), order=order))
broadcast_to = linear(
    np.broadcast_to,
    lambda g, x, shape=(): g,  # the engine undoes broadcasting
    compute=_broadcast_to,
)
astype = linear(
    _astype,
    lambda g, x, dtype=float: g,
    name="astype",
    doc="x in another floating dtype.",
)
getitem = linear(
    _getitem,
    lambda g, x, index=(): scatter(g, index=index, shape=shape_of(x)),
    name="getitem",
    symbol="[ ]",
    doc="x[index], for basic, boolean and integer indices.",
)
scatter = linear(
    _scatter,
    lambda g, x, index=(), shape=(): getitem(g, index=index),
    name="scatter",
    doc="Zeros of the given shape with x added in at [index]: the transpose of x[index].",
)


def _slices(xs: Any, axis: int) -> Any:
    start = 0
    for x in xs:
        size = shape_of(x)[axis]
        yield (slice(None),) * (axis % len(shape_of(x))) + (slice(start, start + size),)
        start += size


concatenate = linear(
    np.concatenate,
    lambda g, k, xs, axis=0: getitem(g, list(_slices(xs, axis))[k]),
    sequence=True,
)
stack = linear(
    np.stack,
    lambda g, k, xs, axis=0: getitem(g, (slice(None),) * (axis % len(shape_of(g))) + (k,)),
    sequence=True,
)


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum `g` over the axes along which an array of `shape` was repeated."""
    wide = g.shape
    if wide == shape:
        return g
    lead = len(wide) - len(shape)
    axes = [*range(lead), *[lead + i for i, n in enumerate(shape) if n == 1 != wide[lead + i]]]
    g = g.sum(axis=tuple(axes))
    return g if g.shape == shape else g.reshape(shape)
