"""Steps that reduce over axes, and products of small matrices."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.elements import Array, Unsupported
from autodiff.programs.backends.llvm.grids import Grid, viewed
from autodiff.programs.backends.llvm.large import LARGEST, shape_of
from autodiff.programs.backends.llvm.pointwise import LOGICAL
from autodiff.programs.backends.llvm.values import Values
from autodiff.programs.trace import Method, Step, slots_in


def reduction(name: str) -> Callable[[Values, Step], Array | Grid]:
    """Lower a reduction over axes as a tree of elementwise operations."""

    def lower(values: Values, step: Step) -> Array | Grid:
        args = dict(zip(("a", "axis", "dtype", "out", "keepdims"), step.args, strict=False))
        given = {**args, **step.kwargs}
        if isinstance(step.function, Method | type(np.add.reduce)) and len(step.args) > 3:
            raise Unsupported
        x = values.operand(given.pop("a"))
        keepdims = given.pop("keepdims", False)
        axis = given.pop("axis", 0 if step.function in FROM_FIRST else None)
        given.pop("dtype", None)
        if given.pop("out", None) is not None or given or slots_in([axis, keepdims]):
            raise Unsupported
        dtype = values.kinds[step.out].dtype
        count = 1
        if name == "mean":
            count = prod(shape_of(x)) // max(prod(values.shape(step)), 1)
        if keepdims not in (True, False):
            raise Unsupported
        found = _reduced(values, "add" if name == "mean" else name, x, axis, bool(keepdims), dtype)
        if name == "mean":
            divisor = values.tape.constant(count, dtype)
            found = values.compute("divide", [found, divisor], dtype, dtype)
        return found

    return lower


def _reduced(
    values: Values, name: str, x: Array | Grid, axis: Any, keepdims: bool, dtype: np.dtype[Any]
) -> Array | Grid:
    ndim = len(shape_of(x))
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    axes = tuple(sorted(int(k) % max(ndim, 1) for k in axes))
    if not prod(shape_of(x)):
        raise Unsupported
    if isinstance(x, Grid):
        return _large_reduced(values, name, x, axes, keepdims, dtype)
    kept = [k for k in range(ndim) if k not in axes]
    shape = tuple(x.elements.shape[k] for k in kept)
    rows = np.transpose(x.elements, [*axes, *kept]).reshape(-1, *shape)
    loop = np.dtype(bool) if name in LOGICAL else dtype
    result = values.cast(Array(rows, x.dtype), loop)
    assert isinstance(result, Array)
    while len(result.elements) > 1:
        half = len(result.elements) // 2
        low, high, rest = (
            result.elements[part]
            for part in (slice(half), slice(half, 2 * half), slice(2 * half, None))
        )
        joined = values.compute(name, [Array(low, loop), Array(high, loop)], loop, loop)
        assert isinstance(joined, Array)
        result = Array(np.concatenate([joined.elements, rest]), loop)
    found = result.elements[0]
    if keepdims:
        found = np.expand_dims(found, axes)
    return Array(np.asarray(found), loop)


def _large_reduced(
    values: Values,
    name: str,
    x: Grid,
    axes: tuple[int, ...],
    keepdims: bool,
    dtype: np.dtype[Any],
) -> Array | Grid:
    loop = np.dtype(bool) if name in LOGICAL else dtype
    cast = values.cast(x, loop)
    assert isinstance(cast, Grid)
    found = values.large.reduced(name, cast, axes, loop)
    if not keepdims:
        return found
    if isinstance(found, Array):
        return Array(np.expand_dims(found.elements, axes), loop)
    return viewed(found, lambda a: np.expand_dims(a, axes))


FROM_FIRST = {
    x.reduce for x in (np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or)
}
"""Reductions whose axis is the first if it is not given."""


def product(subscripts: Callable[[int, int], str | None]) -> Callable[[Values, Step], Array]:
    """Lower a product of matrices and vectors."""

    def lower(values: Values, step: Step) -> Array:
        if len(step.args) != 2 or step.kwargs:
            raise Unsupported
        a, b = (values.small(x) for x in step.args)
        text = subscripts(a.elements.ndim, b.elements.ndim)
        if text is None:
            raise Unsupported
        return _einsum(values, text, a, b, values.kinds[step.out].dtype)

    return lower


def _einsum(values: Values, text: str, a: Array, b: Array, dtype: np.dtype[Any]) -> Array:
    inputs, out = text.split("->")
    left, right = inputs.split(",")
    summed = [x for x in dict.fromkeys(left + right) if x not in out]
    order = out + "".join(summed)

    def spread(elements: Any, letters: str) -> Any:
        present = [x for x in order if x in letters]
        moved = np.transpose(elements, [letters.index(x) for x in present])
        return moved[tuple(slice(None) if x in letters else None for x in order)]

    parts = [Array(spread(a.elements, left), a.dtype), Array(spread(b.elements, right), b.dtype)]
    shape = np.broadcast_shapes(*[x.elements.shape for x in parts])
    if np.prod(shape) > LARGEST or (dtype.kind != "f"):
        raise Unsupported
    product = values.compute("multiply", parts, dtype, dtype)
    if summed:
        axes = tuple(range(len(out), len(order)))
        product = _reduced(values, "add", product, axes, False, dtype)
    assert isinstance(product, Array)
    return product


def matmul(a: int, b: int) -> str | None:
    return {(1, 1): "i,i->", (2, 1): "ij,j->i", (1, 2): "j,jk->k", (2, 2): "ij,jk->ik"}.get((a, b))


def inner(a: int, b: int) -> str | None:
    return {(1, 1): "i,i->", (2, 2): "ij,kj->ik"}.get((a, b))
