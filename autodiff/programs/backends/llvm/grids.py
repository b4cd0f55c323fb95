"""Large arrays as expressions of an element's index, computed in loops.

The leaves of an expression are numbers and places in memory, with a stride for each axis; views of
an expression are views of its leaves. Statements store an expression or reduce it over axes. Those
over one index space share a loop nest where what they read allows it, so that a value that is only
read in its own nest needs no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import as_strided

from autodiff.programs.backends.llvm.elements import Unsupported

CHEAP = 2
"""An expression of at most this cost is computed anew by each reader."""
LONG = 200
"""An expression of a higher cost is stored, even for a single reader."""
COSTLY = 10
"""The cost of a function that is more than an instruction or two."""


@dataclass(eq=False)
class Buffer:
    """Memory of contiguous numbers: of an input, or with results of loops.

    `makers` are the nests that write it. Where only its maker reads it, at the index at which it is
    written, it needs no memory.
    """

    size: int
    dtype: np.dtype[Any]
    input: int | None = None
    makers: list[Nest] = field(default_factory=list)
    read_elsewhere: bool = False
    is_result: bool = False
    spilled: Any = None
    """Element numbers, if it holds a small array for loops to read."""


class Leaf(NamedTuple):
    """A number in memory at an offset plus the index times strides, or an element everywhere."""

    source: Buffer | int
    offset: int
    strides: tuple[int, ...]


class Node(NamedTuple):
    """An elementwise operation on expressions."""

    name: str
    dtype: np.dtype[Any]
    detail: Any
    operands: tuple[Expression, ...]
    cost: int


Expression: TypeAlias = Leaf | Node


class Grid(NamedTuple):
    """A large array."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    expression: Expression


class Statement(NamedTuple):
    """An expression whose values are stored at a place, or reduced over the axes of stride 0."""

    target: Leaf
    expression: Expression
    reduction: str | None
    axes: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(eq=False)
class Nest:
    """Loops over an index space. `number` is that of its operation among those of the kernel."""

    shape: tuple[int, ...]
    number: int
    statements: list[Statement] = field(default_factory=list)
    elements: list[Any] = field(default_factory=list)
    """Numbers that are read everywhere, and small arrays that are read in memory."""


def cost(x: Expression) -> int:
    return x.cost if isinstance(x, Node) else 0


def node(name: str, dtype: np.dtype[Any], detail: Any, operands: Sequence[Expression]) -> Node:
    own = 1 if name in LIGHT else COSTLY
    return Node(name, dtype, detail, tuple(operands), own + sum(map(cost, operands)))


LIGHT = {
    "add", "subtract", "multiply", "negative", "square", "cast", "where", "equal", "not_equal",
    "less", "less_equal", "greater", "greater_equal", "bitwise_and", "bitwise_or", "bitwise_xor",
    "invert", "logical_and", "logical_or", "logical_not", "logical_xor", "absolute", "chain",
    "maximum", "minimum",
}  # fmt: skip


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of an array in C's order, in elements."""
    return tuple(prod(shape[k + 1 :]) for k in range(len(shape)))


def viewed(grid: Grid, function: Callable[[Any], Any]) -> Grid:
    """Return a view of an array, as a function makes one of NumPy's."""
    known: dict[int, Expression] = {}
    shape: list[tuple[int, ...]] = []

    def change(x: Expression) -> Expression:
        if id(x) not in known:
            if isinstance(x, Node):
                known[id(x)] = x._replace(operands=tuple(map(change, x.operands)))
            else:
                base = as_strided(np.empty(1, np.int8), grid.shape, x.strides)
                found = function(base)
                if type(found) is not np.ndarray or not _is_view(found, base):
                    raise Unsupported
                shape.append(found.shape)
                moved = found.ctypes.data - base.ctypes.data if found.size else 0
                known[id(x)] = Leaf(x.source, x.offset + moved, found.strides)
        return known[id(x)]

    expression = change(grid.expression)
    return Grid(shape[0], grid.dtype, expression)


def _is_view(found: Any, base: Any) -> bool:
    while found is not None:
        if found is base:
            return True
        found = found.base
    return False


def reshaped(grid: Grid, shape: tuple[int, ...]) -> Grid | None:
    """Return an array in another shape; None where that is no view."""
    if [n for n in shape if n > 1] == [n for n in grid.shape if n > 1]:
        return viewed(grid, lambda x: _with_unit_axes(x, shape))
    leaves = [*leaves_of(grid.expression)]
    if any(x.strides != contiguous(grid.shape) and any(x.strides) for x in leaves):
        return None

    def change(x: Any) -> Any:
        return as_strided(x, shape, contiguous(shape) if any(x.strides) else [0] * len(shape))

    return viewed(grid, change)


def _with_unit_axes(x: Any, shape: tuple[int, ...]) -> Any:
    strides = iter([stride for stride, n in zip(x.strides, x.shape, strict=True) if n > 1])
    return as_strided(x, shape, [next(strides) if n > 1 else 0 for n in shape])


def leaves_of(x: Expression) -> list[Leaf]:
    """Return the leaves of an expression, each once."""
    found: dict[int, Expression] = {}
    pending = [x]
    while pending:
        x = pending.pop()
        if id(x) not in found:
            found[id(x)] = x
            if isinstance(x, Node):
                pending += x.operands
    return [x for x in found.values() if isinstance(x, Leaf)]
