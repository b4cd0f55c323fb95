"""Arrays to write into: Tensors of constants, whose elements may be assigned from nodes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.core.graph import Node, data_of
from autodiff.ops.alike import alike, own
from autodiff.ops.registry import TABLE
from autodiff.ops.shapes import broadcast_to, copy, in_dtype
from autodiff.ops.table import Row, alias

__all__ = ["empty", "empty_like", "full", "full_like", "ones", "ones_like", "zeros", "zeros_like"]


class Making(Row):
    """A row without inputs that makes a constant array."""

    arity = 0
    parameters = ("shape", "fill_value", "dtype")

    def __init__(self, name: str) -> None:
        self.name = self.symbol = name
        self.function = np.full
        TABLE[name] = self

    def make(self, shape: Any, value: Any, dtype: Any, like: Any = None) -> Any:
        """Return a Tensor filled with a value; a plain array if the dtype is not inexact.

        Its array belongs to the library of the array `like`.
        """
        params = {"shape": shape, "fill_value": value, "dtype": dtype}
        array = alike(np.full(**params), like)
        if array.dtype.kind not in "fc":
            return array
        return Node.tensor(array, None, self, (), params)


_ZEROS, _ONES, _EMPTY, _FULL = map(Making, ("zeros", "ones", "empty", "full"))


def zeros(shape: Any, dtype: Any = float) -> Any:
    """Return a Tensor of zeros to write into; a plain array for an integer or boolean dtype.

    >>> from autodiff import grad, zeros
    >>> def cumulated(x):
    ...     y = zeros(3)
    ...     for i in range(3):
    ...         y[i] = y[i - 1] + x[i] ** 2
    ...     return y[2]
    >>> grad(cumulated)([1.0, 2.0, 3.0])
    [2.0, 4.0, 6.0]
    """
    return _ZEROS.make(shape, 0, dtype)


def ones(shape: Any, dtype: Any = float) -> Any:
    """Return a Tensor of ones to write into, as `zeros` does."""
    return _ONES.make(shape, 1, dtype)


def empty(shape: Any, dtype: Any = float) -> Any:
    """Return a Tensor of NaN to write into, so that elements that were not written show."""
    return _EMPTY.make(shape, _unwritten(dtype), dtype)


def _unwritten(dtype: Any) -> float:
    return math.nan if np.dtype(dtype).kind in "fc" else 0


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """Return a Tensor of one value to write into, as `zeros` does; the value may be a node."""
    if not isinstance(fill_value, Node):
        dtype = np.asarray(fill_value).dtype if dtype is None else dtype
        return _FULL.make(shape, fill_value, dtype)
    filled = broadcast_to(fill_value, shape if isinstance(shape, tuple) else (shape,))
    if dtype is not None and np.dtype(dtype).kind == "O":  # an array of Values
        return filled
    return copy(filled if dtype is None else in_dtype(filled, dtype))


def zeros_like(a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """Return zeros of the shape and dtype of `a`: a Tensor to write into if `a` is a node."""
    return _like(np.zeros_like, _ZEROS, lambda dtype: 0, a, dtype, shape)


def ones_like(a: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """Return ones of the shape and dtype of `a`: a Tensor to write into if `a` is a node."""
    return _like(np.ones_like, _ONES, lambda dtype: 1, a, dtype, shape)


def empty_like(prototype: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """Return an array like `prototype` to write into: a Tensor of NaN if that is a node."""
    return _like(np.empty_like, _EMPTY, _unwritten, prototype, dtype, shape)


def full_like(a: Any, fill_value: Any, dtype: Any = None, *, shape: Any = None) -> Any:
    """Return an array of the shape and dtype of `a`, filled with a value, which may be a node.

    It is a Tensor to write into if `a` or the value is a node.
    """
    if not isinstance(a, Node) and not isinstance(fill_value, Node):
        return np.full_like(a, fill_value, dtype, shape=shape)
    shape = np.shape(a) if shape is None else shape
    dtype = getattr(data_of(a), "dtype", None) if dtype is None else dtype
    return full(shape, fill_value, dtype or np.asarray(data_of(a)).dtype)


def _like(numpys: Any, op: Making, value: Any, a: Any, dtype: Any, shape: Any) -> Any:
    if not isinstance(a, Node):
        return numpys(a, dtype, shape=shape)
    data: Any = own(data_of(a))
    dtype = data.dtype if dtype is None else dtype
    return op.make(data.shape if shape is None else shape, value(dtype), dtype, data)


for ours, numpys in (
    (zeros, np.zeros), (ones, np.ones), (empty, np.empty), (full, np.full),
    (zeros_like, np.zeros_like), (ones_like, np.ones_like), (empty_like, np.empty_like),
    (full_like, np.full_like),
):  # fmt: skip
    alias(ours, numpys)
