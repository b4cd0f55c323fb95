"""NumPy's methods and attributes that Tensor and Value share."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.core.graph import Node
from autodiff.nodes.conversion import refuse_conversion
from autodiff.nodes.protocols import dispatch_function, dispatch_ufunc
from autodiff.ops import elementwise, products, reductions, scans, selection, shapes


def _plain_method(name: str) -> Callable[..., Any]:
    """Return a method with a plain result without derivative: truth values, indices."""

    def method(self: Node, *args: Any, **kwargs: Any) -> Any:
        data = self.current()
        array = data if hasattr(data, "dtype") else np.asarray(data)
        return getattr(array, name)(*args, **kwargs)

    method.__name__, method.__doc__ = name, f"numpy.{name}, plain: it has no derivative."
    return method


class ArrayNode(Node):
    """Base of `Value` and `Tensor`: a node with NumPy's methods."""

    __slots__ = ()

    __pandas_priority__ = 10_000  # so that `series * node` asks the node

    astype = shapes.astype
    clip = elementwise.clip
    cumprod = scans.cumprod
    cumsum = scans.cumsum
    diagonal = selection.diagonal
    dot = products.dot
    max = reductions.max
    mean = reductions.mean
    min = reductions.min
    prod = reductions.prod
    ravel = shapes.ravel
    repeat = selection.repeat
    round = elementwise.round
    squeeze = shapes.squeeze
    std = reductions.std
    sum = reductions.sum
    swapaxes = shapes.swapaxes
    take = selection.take
    trace = products.trace
    var = reductions.var

    all = _plain_method("all")
    any = _plain_method("any")
    argmax = _plain_method("argmax")
    argmin = _plain_method("argmin")
    argpartition = _plain_method("argpartition")
    argsort = _plain_method("argsort")
    nonzero = _plain_method("nonzero")
    searchsorted = _plain_method("searchsorted")

    def copy(self, order: Any = "C") -> Any:
        """Return a copy, in C order by default."""
        if getattr(self, "immutable", True):
            return elementwise.positive(self)
        return shapes.copy(self, order=order)

    def flatten(self, order: Any = "C") -> Any:
        """Return a copy of the elements in one dimension."""
        return shapes.copy(shapes.ravel(self, order=order))

    def reshape(self, *shape: Any, order: Any = "C") -> Any:
        """Return the same elements in another shape, given as one tuple or as several integers."""
        return shapes.reshape(self, shape=shape[0] if len(shape) == 1 else shape, order=order)

    def transpose(self, *axes: Any) -> Any:
        """Permute the axes, given as one tuple or as integers; reverse them if left out."""
        return shapes.transpose(self, (axes[0] if len(axes) == 1 else axes) or None)

    __float__ = __int__ = __index__ = __complex__ = refuse_conversion
    _mask = property(refuse_conversion)  # numpy.ma reads it before it uses `_data`

    # Integers are constants, as the derivative of a step function is 0.

    def __round__(self, ndigits: int | None = None) -> Any:
        number = _single(self, "round")
        return round(number) if ndigits is None else elementwise.round(self, ndigits)

    def __floor__(self) -> int:
        whole: int = math.floor(_single(self, "floor"))
        return whole

    def __ceil__(self) -> int:
        whole: int = math.ceil(_single(self, "ceil"))
        return whole

    def __trunc__(self) -> int:
        whole: int = math.trunc(_single(self, "trunc"))
        return whole

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(_missing(type(self).__name__, name), name=name, obj=self)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return dispatch_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return dispatch_function(func, args, kwargs)


class _Float(np.float64):
    """numpy.float64, except that nodes pass through unchanged."""

    def __new__(cls, x: Any = 0.0) -> Any:
        return x if isinstance(x, Node) else np.float64(x)


class FloatType:
    """The dtype of a Value, which acts as float64.

    NumPy's mean of an object array calls `dtype.type` on the result; float64 would refuse a node.
    """

    dtype: Any = np.dtype(float)
    type: Any = _Float

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dtype, name)

    def __eq__(self, other: object) -> bool:
        return bool(self.dtype == other)

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        return repr(self.dtype)

    def __str__(self) -> str:
        return str(self.dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return np.dtype, (float,)


def _single(node: Node, name: str) -> Any:
    """Return the number in a node of shape (), for the function `name` of one number."""
    data = node.current()
    if np.ndim(data):
        raise TypeError(
            f"{name}() takes one number, and this {type(node).__name__} has shape {data.shape}: "
            f"call autodiff.{name}(x)"
        )
    return data.item() if hasattr(data, "item") else data


_IN_PLACE = {"resize": "np.resize(x, shape)", "setfield": "x[...] = value"}
_WRITERS = ("fill", "itemset", "partition", "put", "sort", *_IN_PLACE)


def _missing(kind: str, name: str) -> str:
    """Return the error message for a missing attribute, with an alternative if NumPy has it."""
    if not name.startswith("_"):
        if kind == "Value" and name in _WRITERS:
            return f"a Value is one number, which .{name}(...) cannot change: compute a new one"
        if name in _IN_PLACE:
            return f"a Tensor is not changed by .{name}(...): write {_IN_PLACE[name]}"
        if kind == "Value" and name in ("item", "tolist"):
            return f"a Value has no .{name}: take x.data, its number, to leave the graph"
        if hasattr(np.float64 if kind == "Value" else np.ndarray, name):
            data = "numpy.float64(x.data)" if kind == "Value" else "x.data"
            return f"a {kind} has no .{name}: take {data}.{name} to leave the graph"
    return f"{kind!r} object has no attribute {name!r}"
