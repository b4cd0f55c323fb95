"""Functions for shapes, indexing and dtypes of arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.core.graph import Node, current
from autodiff.ops.alike import alike, foreign, unlabelled
from autodiff.ops.registry import row, shape_of
from autodiff.ops.table import Linear, alias, composite, floating, linear

__all__ = [
    "astype",
    "atleast_1d",
    "atleast_2d",
    "atleast_3d",
    "broadcast_arrays",
    "broadcast_to",
    "concatenate",
    "copy",
    "expand_dims",
    "getitem",
    "matrix_transpose",
    "moveaxis",
    "permute_dims",
    "ravel",
    "reshape",
    "rollaxis",
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
        out[index] = x[()]  # [()] unpacks a 0-d array of a Value
    elif isinstance(index, np.ndarray) and len(shape) > 1:
        # rows: np.add.at is several times faster with an index for each element
        size = math.prod(shape[1:])
        places = index[..., None] * size + np.arange(size)
        np.add.at(out.reshape(-1), places, x.reshape(places.shape))
    elif foreign(x):
        places = np.arange(out.size).reshape(shape)
        np.add.at(out.reshape(-1), alike(places, x)[index].ravel(), x.ravel())
    else:
        np.add.at(out, index, x)
    return out


def _selects_once(index: Any) -> bool:
    """Return whether an index selects no element twice: true unless it has integer arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        part is None
        or part is Ellipsis
        or isinstance(part, slice | int | np.integer)
        or getattr(part, "dtype", None) == np.bool_
        for part in parts
    )


def refuse_nodes(*indices: Any) -> None:
    """Raise a TypeError if an index, a mask or a condition is a node."""
    for index in indices:
        for part in index if isinstance(index, tuple | list) else (index,):
            if isinstance(part, Node):
                raise TypeError(
                    f"a {type(part).__name__} cannot be an index or a condition: use the result of "
                    "a comparison (x > 0), or integers outside the graph (i.astype(int))"
                )


def _getitem(x: Any, index: Any = ()) -> Any:
    refuse_nodes(index)
    return operator.getitem(x, index)


def _broadcast_to(array: Any, shape: Any = ()) -> Any:
    number = isinstance(array, np.generic) or (type(array) is np.ndarray and not array.ndim)
    if not number or type(shape) is not tuple or array.dtype.kind not in "fc":
        return np.broadcast_to(array, shape)
    view = np.ndarray(shape, array.dtype, array, strides=(0,) * len(shape))
    view.setflags(write=False)
    return view  # the same view as NumPy's, several times faster for a single number


def _astype(x: Any, dtype: Any = float, copy: bool = True) -> Any:
    x = x if hasattr(x, "astype") else np.asarray(x)
    return x.astype(dtype, copy=copy)


class _Casting(Linear):
    """A row that returns plain arrays for integer and boolean dtypes."""

    def __call__(self, *args: Any, **params: Any) -> Any:
        inputs, named = (args, params) if len(args) == 1 else self.bind(args, params)
        (x,), dtype = inputs, named.get("dtype", float)
        plain = isinstance(x, Node) and dtype is not float and np.dtype(dtype).kind in "iub"
        if plain and named.keys() <= {"dtype", "copy"}:
            found = self.plain([current(x)], named)
            # NumPy returns a scalar for a scalar
            return found[()] if getattr(x, "immutable", True) else found
        return super().__call__(x, **named)


def in_dtype(x: Any, dtype: Any) -> Any:
    """Return x in another dtype; if x is a node, raise a TypeError for one that it cannot have."""
    return astype(x, dtype=floating(dtype, "astype") if isinstance(x, Node) else dtype)


def _checked(order: Any) -> Any:
    if order in ("C", "F"):
        return order
    raise ValueError(
        f"order={order!r} depends on the memory layout, which a node does not have: pass 'C' (rows "
        "first) or 'F' (columns first)"
    )


def _reshape(a: Any, shape: Any = (), order: Any = "C") -> Any:
    # by position: the name differs between NumPy 2.0 and 2.1
    return np.reshape(a, shape, _checked(order))


def _ravel(a: Any, order: Any = "C") -> Any:
    return np.ravel(a, _checked(order))


reshape = linear(
    np.reshape,
    lambda g, x, shape=(), order="C": g.reshape(shape_of(x), order=order),
    compute=_reshape,
)
ravel = linear(
    np.ravel,
    lambda g, x, order="C": g.reshape(shape_of(x), order=order),
    compute=_ravel,
)


def _inverse(axes: Any, ndim: int) -> Any:
    """Return the inverse permutation of axes."""
    return None if axes is None else tuple(np.argsort([axis % ndim for axis in axes]).tolist())


transpose = permute_dims = linear(
    np.transpose,
    lambda g, x, axes=None: g.transpose(_inverse(axes, g.ndim)),
    symbol="ᵀ",
)
swapaxes = linear(np.swapaxes, lambda g, x, axis1=0, axis2=1: g.swapaxes(axis1, axis2))
expand_dims = linear(np.expand_dims, lambda g, x, axis=0: g.reshape(shape_of(x)))
squeeze = linear(np.squeeze, lambda g, x, axis=None: g.reshape(shape_of(x)))
broadcast_to = linear(
    np.broadcast_to,
    lambda g, x, shape=(): g,  # the engine undoes broadcasting
    compute=_broadcast_to,
)
copy = linear(np.copy, lambda g, x, order="K", subok=False: g)
astype = linear(
    _astype,
    lambda g, x, dtype=float, copy=True: g,
    kind=_Casting,
    name="astype",
    doc="""Return x in another dtype: a node, or a plain array for an integer or boolean dtype.

    A plain array is outside the graph, like the indices of `argmax`, and has no derivative.

    >>> from autodiff import Tensor
    >>> Tensor([1.5, 2.5]).astype(int)
    array([1, 2])
    """,
)
if hasattr(np, "astype"):  # from NumPy 2.1 on
    alias(astype, np.astype)


def _permuted(x: Any, permute: Callable[[Any], Any]) -> Any:
    """Return x with its axes permuted as `permute` permutes the axes of an array."""
    stand_in = np.empty(range(len(shape_of(x))))  # axis i has length i
    return transpose(x, axes=permute(stand_in).shape)


@composite(np.moveaxis)
def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """numpy.moveaxis for arrays and Tensors."""
    return _permuted(a, lambda axes: np.moveaxis(axes, source, destination))


@composite(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """numpy.rollaxis for arrays and Tensors."""
    return _permuted(a, lambda axes: np.rollaxis(axes, axis, start))


@composite(np.matrix_transpose)
def matrix_transpose(x: Any) -> Any:
    """numpy.matrix_transpose for arrays and Tensors."""
    return _permuted(x, np.matrix_transpose)


def _promoted(function: Callable[[Any], Any], arrays: Any) -> Any:
    """Return each array in the shape that `function` gives it: one array, or a tuple of several."""
    shapes = [function(np.broadcast_to(0, np.shape(x))).shape for x in arrays]
    promoted = tuple(reshape(x, shape) for x, shape in zip(arrays, shapes, strict=True))
    return promoted[0] if len(promoted) == 1 else promoted


@composite(np.atleast_1d)
def atleast_1d(*arys: Any) -> Any:
    """numpy.atleast_1d for numbers, arrays, Values and Tensors."""
    return _promoted(np.atleast_1d, arys)


@composite(np.atleast_2d)
def atleast_2d(*arys: Any) -> Any:
    """numpy.atleast_2d for numbers, arrays, Values and Tensors."""
    return _promoted(np.atleast_2d, arys)


@composite(np.atleast_3d)
def atleast_3d(*arys: Any) -> Any:
    """numpy.atleast_3d for numbers, arrays, Values and Tensors."""
    return _promoted(np.atleast_3d, arys)


@composite(np.broadcast_arrays)
def broadcast_arrays(*args: Any) -> Any:
    """numpy.broadcast_arrays for numbers, arrays, Values and Tensors."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(broadcast_to(x, shape) for x in args)


class _Reading(Linear):
    """A row that reads elements; cotangents are added to those of the array in place."""

    access = "read"

    def pull_elements(self, total: Any, g: Any, spare: bool, node: Node) -> Any:
        index = node.params.get("index", ())
        recorded_only = isinstance(g, Node) and not isinstance(total, Node)
        if total is None or recorded_only or not _selects_once(index):
            share = self.vjp(0, g, node, node.inputs, node.params)
            return share if total is None else total + share
        total[index] += g
        return total


class _Writing(Linear):
    """A row that assigns elements; the array's cotangent is the result's, with zeros there."""

    access = "write"

    def pull_elements(self, total: Any, g: Any, spare: bool, node: Node) -> Any:
        if spare:
            g[node.params.get("index", ())] = 0
        else:
            g = self.vjp(0, g, node, node.inputs, node.params)
        return g if total is None else total + g

    def push_written(self, t: Any, value: Any, spare: bool, node: Node) -> Any:
        index = node.params.get("index", ())
        if t is None:
            t, spare = node.zero(), True
        value = 0 if value is None else value
        if not spare or (isinstance(value, Node) and not isinstance(t, Node)):
            return setitem(t, value, index=index)
        t[index] = value
        return t


getitem = linear(
    _getitem,
    lambda g, x, index=(): scatter(g, index=index, shape=shape_of(x)),
    kind=_Reading,
    name="getitem",
    symbol="[ ]",
    doc="Return x[index], for basic, boolean and integer indices.",
)
scatter = linear(
    _scatter,
    lambda g, x, index=(), shape=(): getitem(g, index=index),
    name="scatter",
    doc="Return zeros of the given shape with x added at [index]: the transpose of x[index].",
)


def write(array: Any, index: Any, value: Any) -> None:
    """Assign to elements of a plain array as NumPy does; refuse complex numbers in a real one."""
    if np.iscomplexobj(value) and not np.iscomplexobj(array):
        raise TypeError("complex numbers do not fit into a real array: .astype(complex) first")
    # [()] unpacks a 0-d array of a Value
    array[index] = value[()] if isinstance(value, np.ndarray) else value


def _setitem(x: Any, value: Any, index: Any = ()) -> Any:
    refuse_nodes(index)
    out = np.array(x) if isinstance(x, np.ndarray | np.generic) else x.copy()
    write(out, index, value)
    return out


def _without(g: Any, index: Any) -> Any:
    """Return g with zeros at [index]."""
    return setitem(g, np.zeros((), g.dtype), index=index)


def _assigned_part(g: Any, value: Any, index: Any) -> Any:
    """Return g[index], with zeros for values that a repeated index overwrites."""
    kept = getitem(g, index=index)
    if not _selects_once(index):
        places = alike(np.zeros(g.shape, int), g)
        order = alike(np.arange(kept.size).reshape(kept.shape), g)
        places[index] = order
        kept = row("where")(places[index] == order, kept, 0)
    # in NumPy a value may have additional axes of length 1
    more = len(shape_of(value)) - kept.ndim
    return kept if more <= 0 else kept.reshape((1,) * more + kept.shape)


setitem = linear(
    _setitem,
    lambda g, x, value, index=(): _without(g, index),
    lambda g, x, value, index=(): _assigned_part(g, value, index),
    jointly=True,
    kind=_Writing,
    name="setitem",
    symbol="[ ]=",
    doc="Return a copy of x after x[index] = value.",
)
tensor = linear(
    lambda x: x.astype(float) if foreign(x) else np.asarray(x, float),
    lambda g, x: g,
    name="tensor",
    doc="Return a Value as a Tensor of shape ().",
)
tensor.weak = True  # otherwise its input would be converted to a Tensor first


def _part(g: Any, k: int, arrays: Any, axis: int | None) -> Any:
    """Return the part of g that belongs to the k-th of the concatenated arrays."""
    shape = shape_of(arrays[k])
    if axis is None:
        start = sum(math.prod(shape_of(x)) for x in arrays[:k])
        return getitem(g, slice(start, start + math.prod(shape))).reshape(shape)
    start = sum(shape_of(x)[axis] for x in arrays[:k])
    return getitem(g, along(axis, g.ndim, slice(start, start + shape[axis])))


def as_array(x: Any) -> Any:
    """Return arrays and Tensors unchanged, a Value as a Tensor, anything else as an array."""
    if type(x) is np.ndarray:
        return x
    if isinstance(x, Node):
        return x if type(x) is Node.tensor else tensor(x)
    return unlabelled(x) if hasattr(x, "shape") else np.asarray(x)


def along(axis: int, ndim: int, part: Any) -> tuple[Any, ...]:
    """Return the index `part` along one axis, with full slices along those before it."""
    return (slice(None),) * (axis % ndim) + (part,)


concatenate = linear(
    np.concatenate,
    lambda g, k, arrays, axis=0, dtype=None, casting="same_kind": _part(g, k, arrays, axis),
    sequence=True,
)
stack = linear(
    np.stack,
    lambda g, k, arrays, axis=0, dtype=None, casting="same_kind": g[along(axis, g.ndim, k)],
    sequence=True,
)


def unbroadcast(g: Any, shape: tuple[int, ...]) -> Any:
    """Undo broadcasting: sum `g` over the axes along which an array of `shape` was repeated."""
    wide = g.shape
    if wide == shape:
        return g
    if shape == ():
        return g.sum()
    lead = len(wide) - len(shape)
    axes = [*range(lead), *[lead + i for i, n in enumerate(shape) if n == 1 != wide[lead + i]]]
    g = g.sum(axis=tuple(axes))
    return g if g.shape == shape else g.reshape(shape)


def of_shape(seed: Any, shape: tuple[int, ...]) -> Any:
    """Return a seed as an array or Tensor; raise a ValueError if its shape is not the output's."""
    if shape_of(seed) != shape:
        raise ValueError(f"the seed has shape {shape_of(seed)}, the output {shape}")
    return as_array(seed)


def fitted(g: Any, like: Any) -> Any:
    """Return a cotangent in the shape and dtype of `like`; rules may return a broadcast one."""
    if g.shape != like.shape:
        g = unbroadcast(g, like.shape)
    return g if g.dtype is like.dtype else _cast(g, like.dtype)


def spread(t: Any, like: Any) -> Any:
    """Return a tangent in the shape and dtype of `like`; rules may return a smaller one."""
    if shape_of(t) != like.shape:
        t = broadcast_to(t, shape=like.shape)
    return _cast(as_array(t), like.dtype)


def _cast(x: Any, dtype: np.dtype[Any]) -> Any:
    if x.dtype == dtype:
        return x
    if x.dtype.kind == "c" != dtype.kind:
        x = row("real")(x)
    return astype(x, dtype=dtype)
