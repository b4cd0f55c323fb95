"""Sequences between two ends that may be nodes: linspace, logspace, geomspace."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.ops.alike import alike
from autodiff.ops.elementwise import power
from autodiff.ops.reductions import sum
from autodiff.ops.shapes import broadcast_to, expand_dims
from autodiff.ops.table import composite, linear

__all__ = [
    "geomspace",
    "linspace",
    "logspace",
]


def _way(num: int, endpoint: bool, axis: int, like: Any) -> Any:
    """Return the fractions of the way from start to stop, along an axis of an array like `like`."""
    way = np.arange(num) / (num - endpoint or 1)
    shape = [1] * np.ndim(like)
    shape[axis] = num
    return alike(way.reshape(shape), like)


linspace = linear(
    np.linspace,
    lambda g, start, stop, num=50, endpoint=True, axis=0: sum(
        g * (1 - _way(num, endpoint, axis, g)), axis=axis
    ),
    lambda g, start, stop, num=50, endpoint=True, axis=0: sum(
        g * _way(num, endpoint, axis, g), axis=axis
    ),
    jointly=True,
)


def _abreast(axis: int, *arrays: Any) -> list[Any]:
    """Broadcast arrays against each other and insert a new axis."""
    shape = np.broadcast_shapes(*map(np.shape, arrays))
    return [expand_dims(broadcast_to(array, shape=shape), axis=axis) for array in arrays]


@composite(np.logspace)
def logspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    base: Any = 10.0,
    *,
    axis: int = 0,
) -> Any:
    """numpy.logspace for numbers, arrays, Values and Tensors."""
    if np.ndim(base):
        shape = np.broadcast_shapes(np.shape(start), np.shape(stop), np.shape(base))
        start, stop = broadcast_to(start, shape=shape), broadcast_to(stop, shape=shape)
        (base,) = _abreast(axis, broadcast_to(base, shape=shape))
    return power(base, linspace(start, stop, num=num, endpoint=endpoint, axis=axis))


@composite(np.geomspace)
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, axis: int = 0) -> Any:
    """numpy.geomspace for numbers, arrays, Values and Tensors."""
    if not (np.all(start) and np.all(stop)):
        raise ValueError("a geometric sequence does not include zero")
    start, stop = _abreast(axis, start, stop)
    factor = stop / (start * np.float64(1))  # in double precision, as in NumPy
    return start * power(factor, _way(num, endpoint, axis, start))
