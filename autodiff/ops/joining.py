"""Functions that join and split arrays."""

from __future__ import annotations

from collections.abc import Iterator
from functools import wraps
from numbers import Real
from typing import Any

import numpy as np

from autodiff.core.graph import Node, data_of
from autodiff.ops.alike import own
from autodiff.ops.registry import shape_of
from autodiff.ops.selection import moving, pooled
from autodiff.ops.shapes import (
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_arrays,
    concatenate,
    in_dtype,
    ravel,
    refuse_nodes,
    reshape,
    stack,
)
from autodiff.ops.shapes import copy as copy_of
from autodiff.ops.table import composite, is_object

__all__ = [
    "append",
    "array",
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

_DEEPEST = 64  # the largest number of axes in NumPy
_NUMBERS = {float, int, bool, complex}


def array(object: Any, dtype: Any = None) -> Any:
    """Return one array from nested lists of numbers, arrays, Values and Tensors.

    Does the same as `numpy.array` does for numbers.

    Parameters
    ----------
    object : number, array, node, or nested lists and tuples of them
        All lists of the same depth have the same length; an array counts as nested lists.
    dtype : dtype, optional
        The dtype of the result. The default is the common dtype of all elements.

    Returns
    -------
    Tensor
        If there is a node among the elements; otherwise a plain array.

    Raises
    ------
    ValueError
        If the lists are ragged.
    TypeError
        If an element is not a number.

    Examples
    --------
    >>> from autodiff import array, grad
    >>> def determinant(angle, scale):
    ...     matrix = array([[angle, 1.0], [2.0, scale]])
    ...     return matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
    >>> grad(determinant, (0, 1))(3.0, 5.0)
    (5.0, 3.0)
    """
    elements: list[Any] = []
    shape = _gathered(object, elements, ())
    if not elements:
        return np.zeros(shape, dtype or float)
    same = len(set(map(shape_of, elements))) == 1
    joined = stack(elements) if same else concatenate([ravel(x) for x in elements])
    made = joined if joined.shape == shape else reshape(joined, shape)
    return made if dtype is None else in_dtype(made, dtype)


def _gathered(nested: Any, elements: list[Any], place: tuple[int, ...]) -> tuple[int, ...]:
    """Append the innermost elements of nested lists to `elements`, and return their shape."""
    if is_object(nested):  # an array of Values
        nested = nested.tolist()
    if isinstance(nested, list | tuple):
        if len(place) == _DEEPEST:
            raise ValueError(
                f"array: lists are nested more than {_DEEPEST} deep, or contain themselves"
            )
        shapes = [_gathered(part, elements, (*place, i)) for i, part in enumerate(nested)]
        for i, shape in enumerate(shapes):
            if shape != shapes[0]:
                raise ValueError(
                    f"array: the lists are ragged: {_path((*place, 0))} has shape {shapes[0]}, "
                    f"{_path((*place, i))} has shape {shape}: join parts of different lengths with "
                    "autodiff.concatenate"
                )
        return (len(nested), *(shapes[0] if shapes else ()))
    elements.append(_number(nested, place))
    return shape_of(elements[-1])


def _number(x: Any, place: tuple[int, ...]) -> Any:
    """Return an element of nested lists, if it is a number, an array of numbers or a node."""
    if type(x) in _NUMBERS or isinstance(x, Node):
        return x
    if isinstance(x, Real) and not isinstance(x, np.generic):  # a Fraction
        return float(x)
    found = x if hasattr(x, "dtype") else np.asarray(x)  # e.g. a range or a buffer
    if found.dtype.kind in "fciub":
        return found
    raise TypeError(
        f"array: {_path(place)} is {x!r:.40} of type {type(x).__name__}: pass numbers, arrays, "
        "Values, Tensors, or nested lists of them"
    )


def _path(place: tuple[int, ...]) -> str:
    return "object" + "".join(f"[{i}]" for i in place)


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
    """Return the same nested lists with other leaves."""
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
    """numpy.insert; the values may be a number, array, Value or Tensor."""
    refuse_nodes(obj)
    elements, (old, new) = pooled([arr, values], own(data_of(arr)).dtype)
    return elements[np.insert(old, obj, new, axis)]


@composite(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: Any = "xy") -> Any:
    """numpy.meshgrid for vectors, Values, Tensors and lists of them."""
    xi = tuple([array(x) if isinstance(x, list | tuple) else x for x in xi])
    stand_ins = [np.empty(np.shape(x)) for x in xi]
    shapes = [x.shape for x in np.meshgrid(*stand_ins, sparse=True, indexing=indexing)]
    grids = tuple(reshape(x, shape) for x, shape in zip(xi, shapes, strict=True))
    grids = grids if sparse else tuple(broadcast_arrays(*grids))
    return tuple(map(copy_of, grids)) if copy else grids


array_split = moving(np.array_split)
delete = moving(
    np.delete,
    # by position: CuPy has other names
    compute=wraps(np.delete)(lambda arr, obj, axis=None: np.delete(arr, obj, axis)),
)
dsplit = moving(np.dsplit)
hsplit = moving(np.hsplit)
split = moving(np.split)
vsplit = moving(np.vsplit)
if hasattr(np, "unstack"):  # from NumPy 2.1 on
    unstack = moving(np.unstack)
    __all__ += ["unstack"]
