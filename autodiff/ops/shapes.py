"""Rows that move elements without computing: shape, selection, joining. All linear."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from autodiff.ops.table import linear, row, shape_of

__all__ = [
    "astype",
    "broadcast_to",
    "concatenate",
    "expand_dims",
    "getitem",
    "ravel",
    "reshape",
    "scatter",
    "setitem",
    "squeeze",
    "stack",
    "swapaxes",
    "tensor",
    "transpose",
]


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


def _setitem(x: Any, value: Any, index: Any = ()) -> Any:
    if np.iscomplexobj(value) and not np.iscomplexobj(x):
        raise TypeError("complex numbers do not fit into a real array: .astype(complex) first")
    out = x.copy()
    out[index] = value
    return out


def _without(g: Any, index: Any) -> Any:
    """g with zeros at [index]."""
    return setitem(g, np.zeros((), g.dtype), index=index)


def _what_stays(g: Any, index: Any) -> Any:
    """g[index], with zeros for the elements of an assignment that a later one overwrites."""
    if not _selects_once(index):
        places = np.zeros(g.shape, int)
        order = np.arange(1, places[index].size + 1).reshape(places[index].shape)
        places[index] = order
        return getitem(g, index=index) * (places[index] == order)
    return getitem(g, index=index)


setitem = linear(
    _setitem,
    lambda g, x, value, index=(): _without(g, index),
    lambda g, x, value, index=(): _what_stays(g, index),
    jointly=True,
    name="setitem",
    symbol="[ ]=",
    doc="x with x[index] = value carried out.",
)
tensor = linear(
    lambda x: np.asarray(x, float),
    lambda g, x: g,
    name="tensor",
    doc="A Value as a Tensor of shape ().",
)
tensor.weak = True  # or its input would first be made a Tensor


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


def fitted(g: Any, like: Any) -> Any:
    """A cotangent of `like` in its shape and dtype, as its rules may give more than that."""
    if g.shape != like.shape:
        g = unbroadcast(g, like.shape)
    return _cast(g, like.dtype)


def spread(t: Any, like: Any) -> Any:
    """A tangent of `like` in its shape and dtype, as its rules may give less than that."""
    if shape_of(t) != like.shape:
        t = broadcast_to(t, shape=like.shape)
    return _cast(t if hasattr(t, "dtype") else np.asarray(t), like.dtype)


def _cast(x: Any, dtype: np.dtype[Any]) -> Any:
    if x.dtype is dtype or x.dtype == dtype:
        return x
    if x.dtype.kind == "c" != dtype.kind:
        x = row("real")(x)
    return astype(x, dtype=dtype)
