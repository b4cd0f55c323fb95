"""Functions that join arrays, and those that split them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autodiff.core.graph import data_of
from autodiff.ops.selection import moving, pooled
from autodiff.ops.shapes import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    concatenate,
    refuse_nodes,
    reshape,
)
from autodiff.ops.table import composite

__all__ = [
    "append",
    "array_split",
    "block",
    "column_stack",
    "concat",
    "delete",
    "dsplit",
    "dstack",
    "hsplit",
    "hstack",
    "insert",
    "meshgrid",
    "row_stack",
    "split",
    "vsplit",
    "vstack",
]

concat = concatenate


@composite(np.vstack)
def vstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """numpy.vstack for sequences of numbers, arrays, Values and Tensors."""
    return concatenate([atleast_2d(x) for x in tup], dtype=dtype, casting=casting)


row_stack = vstack


@composite(np.hstack)
def hstack(tup: Any, *, dtype: Any = None, casting: Any = "same_kind") -> Any:
    """numpy.hstack for sequences of numbers, arrays, Values and Tensors."""
    parts = [atleast_1d(x) for x in tup]
    axis = 0 if parts and parts[0].ndim == 1 else 1
    return concatenate(parts, axis, dtype=dtype, casting=casting)


@composite(np.dstack)
def dstack(tup: Any) -> Any:
    """numpy.dstack for sequences of numbers, arrays, Values and Tensors."""
    return concatenate([atleast_3d(x) for x in tup], axis=2)


@composite(np.column_stack)
def column_stack(tup: Any) -> Any:
    """numpy.column_stack for sequences of numbers, arrays, Values and Tensors."""
    columns = [reshape(x, (-1, 1)) if np.ndim(x) < 2 else x for x in tup]
    return concatenate(columns, axis=1)


@composite(np.append)
def append(arr: Any, values: Any, axis: int | None = None) -> Any:
    """numpy.append for numbers, arrays, Values and Tensors."""
    return concatenate([arr, values], axis)


def _leaves(nested: Any) -> list[Any]:
    if isinstance(nested, list):
        return [leaf for part in nested for leaf in _leaves(part)]
    return [nested]


def _refilled(nested: Any, leaves: Iterator[Any]) -> Any:
    """The same nest of lists with other leaves."""
    if isinstance(nested, list):
        return [_refilled(part, leaves) for part in nested]
    return next(leaves)


@composite(np.block)
def block(arrays: Any) -> Any:
    """numpy.block for nested lists of numbers, arrays, Values and Tensors."""
    elements, places = pooled(_leaves(arrays))
    return elements[np.block(_refilled(arrays, iter(places)))]


@composite(np.insert)
def insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Any:
    """numpy.insert, where what is inserted may be a number, array, Value or Tensor."""
    refuse_nodes(obj)
    elements, (old, new) = pooled([arr, values], np.asarray(data_of(arr)).dtype)
    return elements[np.insert(old, obj, new, axis)]


@composite(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: Any = "xy") -> Any:
    """numpy.meshgrid for vectors, Values and Tensors."""
    stand_ins = [np.empty(np.shape(x)) for x in xi]
    shapes = [x.shape for x in np.meshgrid(*stand_ins, sparse=True, indexing=indexing)]
    grids = tuple(reshape(x, shape) for x, shape in zip(xi, shapes, strict=True))
    return grids if sparse else broadcast_arrays(*grids)


array_split = moving(np.array_split)
delete = moving(np.delete)
dsplit = moving(np.dsplit)
hsplit = moving(np.hsplit)
split = moving(np.split)
vsplit = moving(np.vsplit)
if hasattr(np, "unstack"):  # from NumPy 2.1 on
    unstack = moving(np.unstack)
    __all__ += ["unstack"]
