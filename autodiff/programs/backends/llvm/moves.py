"""Steps that move numbers: views, joins, copies, and writes in place."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.elements import Array, Unsupported
from autodiff.programs.backends.llvm.grids import Grid, reshaped, viewed
from autodiff.programs.backends.llvm.large import LARGEST, shape_of
from autodiff.programs.backends.llvm.pointwise import write
from autodiff.programs.backends.llvm.values import Values
from autodiff.programs.trace import Method, Slot, Step, slots_in


def methods(names: str) -> list[Method]:
    return [Method(name) for name in names.split()]


def named(names: str) -> list[Any]:
    return [getattr(np, name) for name in names.split()]


RESHAPES = {np.reshape, np.ravel, *methods("reshape ravel flatten")}
"""Functions that depend on the shape of their result only."""
VIEWS = {
    *named("transpose swapaxes moveaxis rollaxis expand_dims squeeze flip fliplr flipud"),
    *named("broadcast_to diagonal"),
    *methods("transpose swapaxes squeeze diagonal"),
}
"""Functions that read no numbers: they return a view in other shapes and strides."""


def getitem(values: Values, step: Step) -> Array | Grid:
    target, index = step.args
    x = values.operand(target)
    if slots_in(index):
        raise Unsupported
    if isinstance(x, Grid):
        parts = index if isinstance(index, tuple) else (index,)
        if any(type(k) not in (int, slice, type(None), type(Ellipsis)) for k in parts):
            raise Unsupported
        return viewed(x, lambda a: a[(*parts, ...)] if ... not in parts else a[parts])
    return _array(x.elements[index], x.dtype)


def setitem(values: Values, step: Step) -> Array:
    target, index, value = step.args
    if slots_in(index) or type(target) is not Slot:
        raise Unsupported
    into = values.small(target)
    write(values, into.elements, index, values.operand(value), into.dtype)
    return into


def copyto(values: Values, step: Step) -> Array:
    target, value = step.args
    into = values.small(target)
    if step.kwargs:
        raise Unsupported
    write(values, into.elements, ..., values.operand(value), into.dtype)
    return into


def _array(elements: Any, dtype: np.dtype[Any]) -> Array:
    return Array(np.asarray(elements), dtype)


def moving(function: Callable[..., Any]) -> Callable[[Values, Step], Any]:
    """Lower a function that moves numbers, by the function itself on element numbers."""

    def lower(values: Values, step: Step) -> Any:
        if slots_in([step.args[1:], step.kwargs]):
            raise Unsupported
        orders = [x for x in (step.kwargs.get("order"), *step.args[1:]) if isinstance(x, str)]
        if any(order in "AFK" for order in orders):
            raise Unsupported
        x = values.operand(step.args[0])
        if isinstance(x, Grid) or prod(values.shape(step)) > LARGEST:
            return _moved(values, function, x, step)
        found = function(x.elements, *step.args[1:], **step.kwargs)
        if isinstance(found, list | tuple):
            return [_array(part, x.dtype) for part in found]
        return _array(found, x.dtype)

    return lower


def _moved(values: Values, function: Callable[..., Any], x: Array | Grid, step: Step) -> Grid:
    """Return a view of a large array, or a small one spread over a large shape."""
    shape = values.shape(step)
    if isinstance(x, Array):
        if function is not np.broadcast_to:
            raise Unsupported
        return values.large.spread(x, shape)
    if function in RESHAPES:
        found = reshaped(x, shape)
        return found if found is not None else _reshaped(values, x, shape)
    if function not in VIEWS:
        raise Unsupported
    return viewed(x, lambda a: function(a, *step.args[1:], **step.kwargs))


def _reshaped(values: Values, x: Grid, shape: tuple[int, ...]) -> Grid:
    found = reshaped(values.large.store(x), shape)
    assert found is not None
    return found


def joining(function: Callable[..., Any]) -> Callable[[Values, Step], Any]:
    """Lower a function that joins a sequence of arrays."""

    def lower(values: Values, step: Step) -> Any:
        parts, *rest = step.args
        if slots_in([rest, step.kwargs]) or not isinstance(parts, tuple | list):
            raise Unsupported
        if step.kwargs.keys() - {"axis"}:
            raise Unsupported
        dtype = values.kinds[step.out].dtype
        arrays = [values.cast(values.operand(x), dtype) for x in parts]
        small = [x.elements for x in arrays if isinstance(x, Array)]
        if len(small) < len(arrays) or prod(values.shape(step)) > LARGEST:
            axis = rest[0] if rest else step.kwargs.get("axis", 0)
            return _large_joined(values, function, arrays, axis, values.shape(step))
        return _array(function(small, *rest, **step.kwargs), dtype)

    return lower


def _large_joined(
    values: Values,
    function: Callable[..., Any],
    parts: list[Array | Grid],
    axis: int,
    shape: tuple[int, ...],
) -> Grid:
    if function not in (np.concatenate, np.stack):
        raise Unsupported
    axis %= len(shape)
    places: list[Any] = []
    end = 0
    for x in parts:
        start, end = end, end + (1 if function is np.stack else shape_of(x)[axis])
        places.append(start if function is np.stack else slice(start, end))
    before = (slice(None),) * axis
    views = [lambda a, k=k: a[(*before, k)] for k in places]
    return values.large.joined(parts, views, shape, parts[0].dtype)


def copy(values: Values, step: Step) -> Array | Grid:
    x = values.operand(step.args[0])
    if step.kwargs.keys() - {"order", "dtype", "copy"} or len(step.args) > 1:
        raise Unsupported
    dtype = np.dtype(step.kwargs.get("dtype") or x.dtype)
    return _copied(values.cast(x, dtype))


def _copied(x: Array | Grid) -> Array | Grid:
    return Array(x.elements.copy(), x.dtype) if isinstance(x, Array) else x


def astype(values: Values, step: Step) -> Array | Grid:
    if len(step.args) != 2 or step.kwargs.keys() - {"copy"}:
        raise Unsupported
    return _copied(values.cast(values.operand(step.args[0]), np.dtype(step.args[1])))


def made(values: Values, step: Step) -> Array | Grid:
    """Lower a function that makes an array of the same numbers in every run."""
    if slots_in([step.args[1:], step.kwargs]):
        raise Unsupported
    kind = values.kinds[step.out]
    function, args = step.function, step.args
    if function in LIKE:
        number = args[1] if function is np.full_like else LIKE[function]
        return values.full(kind.shape, number, kind.dtype)
    if slots_in(args):
        raise Unsupported
    if prod(kind.shape) > LARGEST:
        if function not in (np.zeros, np.ones, np.full):
            raise Unsupported
        number = args[1] if function is np.full else int(function is np.ones)
        return values.full(kind.shape, number, kind.dtype)
    return values.tape.constant(function(*args, **step.kwargs), kind.dtype)


LIKE = {np.zeros_like: 0, np.ones_like: 1, np.full_like: None}


def triangle(function: Callable[..., Any]) -> Callable[[Values, Step], Array]:
    def lower(values: Values, step: Step) -> Array:
        x = values.small(step.args[0])
        kept = function(np.ones(x.elements.shape, bool), *step.args[1:], **step.kwargs)
        zero = values.tape.constant(0, x.dtype).elements
        return Array(np.where(kept, x.elements, zero), x.dtype)

    return lower
