"""Large arrays while steps are lowered: what is stored when, and in which nest of loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.elements import Array, Tape, Unsupported
from autodiff.programs.backends.llvm.grids import (
    CHEAP,
    LONG,
    Buffer,
    Expression,
    Grid,
    Leaf,
    Nest,
    Node,
    Statement,
    contiguous,
    leaves_of,
    node,
    viewed,
)

LARGEST = 256
"""Most elements of an array that becomes lanes of vectors."""


class Large:
    """Loop nests of a kernel, added to its tape as operations."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.nests: list[Nest] = []

    def input(self, number: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Grid:
        """Return an input."""
        return self._whole(Buffer(prod(shape), dtype, input=number), shape)

    def full(self, shape: tuple[int, ...], number: Array) -> Grid:
        """Return an array of one number."""
        return Grid(shape, number.dtype, Leaf(int(number.elements.flat[0]), 0, (0,) * len(shape)))

    def spread(self, x: Array | Grid, shape: tuple[int, ...]) -> Grid:
        """Return an array as a large one of a shape that it is broadcast to."""
        if isinstance(x, Array):
            elements = x.elements.flatten()
            if np.all(elements == elements[0]):
                return self.full(shape, x)
            buffer = Buffer(len(elements), x.dtype, spilled=elements)
            x = self._whole(buffer, x.elements.shape)
        if x.shape == shape:
            return x
        return viewed(x, lambda a: np.broadcast_to(a, shape))

    def apply(
        self, name: str, operands: Sequence[Array | Grid], dtype: np.dtype[Any], detail: Any
    ) -> Grid:
        """Return the result of an elementwise operation."""
        shape = np.broadcast_shapes(*[shape_of(x) for x in operands])
        given = [self.spread(x, shape).expression for x in operands]
        return Grid(shape, dtype, node(name, dtype, detail, given))

    def settled(self, grid: Grid, uses: int) -> Grid:
        """Return an array for its readers: as an expression, or stored if that is cheaper."""
        x = grid.expression
        if isinstance(x, Leaf) or x.cost <= CHEAP or (uses <= 1 and x.cost <= LONG):
            return grid
        return self.store(grid)

    def store(self, grid: Grid) -> Grid:
        """Return an array in memory of its own."""
        buffer = Buffer(prod(grid.shape), grid.dtype)
        whole = self._whole(buffer, grid.shape)
        self._state(grid.shape, whole.expression, grid.expression, None, (), grid.dtype)
        return whole

    def joined(
        self,
        parts: Sequence[Array | Grid],
        views: Sequence[Callable[[Any], Any]],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> Grid:
        """Return an array whose views are given by parts."""
        whole = self._whole(Buffer(prod(shape), dtype), shape)
        for part, view in zip(parts, views, strict=True):
            target = viewed(whole, view)
            value = self.spread(part, target.shape)
            self._state(target.shape, target.expression, value.expression, None, (), dtype)
        return whole

    def reduced(
        self, name: str, grid: Grid, axes: tuple[int, ...], dtype: np.dtype[Any]
    ) -> Array | Grid:
        """Return the reduction over some axes, without these."""
        if dtype.kind == "i" and name not in ("add", "multiply"):
            raise Unsupported
        kept = [k for k in range(len(grid.shape)) if k not in axes]
        shape = tuple(grid.shape[k] for k in kept)
        whole = self._whole(Buffer(prod(shape), dtype), shape)
        own = contiguous(shape)
        strides = tuple(own[kept.index(k)] if k in kept else 0 for k in range(len(grid.shape)))
        assert isinstance(whole.expression, Leaf)
        target = whole.expression._replace(strides=strides)
        self._state(grid.shape, target, grid.expression, name, axes, dtype)
        return self.small(whole)

    def small(self, grid: Grid) -> Array | Grid:
        """Return an array with few elements as element numbers."""
        if prod(grid.shape) > LARGEST:
            return grid
        if isinstance(grid.expression, Node):
            grid = self.store(grid)
        leaf = grid.expression
        assert isinstance(leaf, Leaf)
        if not isinstance(leaf.source, Buffer):
            return Array(np.full(grid.shape, leaf.source), grid.dtype)
        if leaf.source.spilled is not None:
            first, numbers = 0, leaf.source.spilled
        else:
            leaf.source.read_elsewhere = True
            first, numbers = self.tape.memory(leaf.source, leaf.source.size, grid.dtype), None
        places = np.full(grid.shape, first + leaf.offset)
        for axis, (n, stride) in enumerate(zip(grid.shape, leaf.strides, strict=True)):
            places += np.reshape(np.arange(n) * stride, [-1] + [1] * (places.ndim - axis - 1))
        return Array(places if numbers is None else numbers[places], grid.dtype)

    def result(self, grid: Grid) -> Buffer:
        """Return the memory of a result of the kernel."""
        leaf = grid.expression
        if (
            isinstance(leaf, Leaf)
            and isinstance(leaf.source, Buffer)
            and leaf.source.makers
            and not leaf.source.is_result
            and leaf == Leaf(leaf.source, 0, contiguous(grid.shape))
            and leaf.source.size == prod(grid.shape)
        ):
            buffer = leaf.source
        else:
            stored = self.store(grid).expression
            assert isinstance(stored, Leaf)
            assert isinstance(stored.source, Buffer)
            buffer = stored.source
        buffer.is_result = True
        return buffer

    def scratch(self) -> list[Buffer]:
        """Return large memory that only the kernel uses."""
        return [x for x in self._read() if x.size > LARGEST]

    def rooms(self) -> list[Buffer]:
        """Return small memory that only the kernel uses."""
        return [x for x in self._read() if x.size <= LARGEST]

    def _read(self) -> list[Buffer]:
        targets = [s.target.source for nest in self.nests for s in nest.statements]
        made = dict.fromkeys(x for x in targets if isinstance(x, Buffer))
        return [x for x in made if x.read_elsewhere and not x.is_result]

    def _whole(self, buffer: Buffer, shape: tuple[int, ...]) -> Grid:
        return Grid(shape, buffer.dtype, Leaf(buffer, 0, contiguous(shape)))

    def _state(
        self,
        shape: tuple[int, ...],
        target: Expression,
        expression: Expression,
        reduction: str | None,
        axes: tuple[int, ...],
        dtype: np.dtype[Any],
    ) -> None:
        """Add a statement to the last nest of its index space that it can be part of."""
        assert isinstance(target, Leaf)
        assert isinstance(target.source, Buffer)
        leaves = leaves_of(expression)
        fits = (n for n in reversed(self.nests) if n.shape == shape and self._may_join(n, leaves))
        nest = next(fits, None)
        if nest is None:
            nest = Nest(shape, len(self.tape.operations))
            self.nests.append(nest)
            self.tape.loops(nest)
        for leaf in leaves:
            source = leaf.source
            if not isinstance(source, Buffer):
                nest.elements.append(np.array([source]))
            elif source.spilled is not None:
                nest.elements.append(source.spilled)
            elif source.makers and source.makers != [nest]:
                source.read_elsewhere = True
        nest.statements.append(Statement(target, expression, reduction, axes, dtype))
        if nest not in target.source.makers:
            target.source.makers.append(nest)

    def _may_join(self, nest: Nest, leaves: list[Leaf]) -> bool:
        """Return whether all that is read is there before a nest, or at the same index in it."""
        for leaf in leaves:
            source = leaf.source
            if not isinstance(source, Buffer):
                ready = self._ready([source])
            elif source.spilled is not None:
                ready = self._ready(source.spilled)
            elif source.makers == [nest]:
                made = [s.target for s in nest.statements if not s.reduction]
                if leaf not in made or sum(x.source is source for x in made) > 1:
                    return False
                continue
            else:
                ready = max((x.number for x in source.makers), default=-1)
            if ready >= nest.number:
                return False
        return True

    def _ready(self, elements: Any) -> int:
        """Return the number of the last operation that some elements need."""
        last = -1
        for number in {self.tape.source(int(x)) for x in elements}:
            operation = self.tape.operations[number]
            if operation.name == "memory":
                last = max([last, *(x.number for x in operation.detail.makers)])
            elif operation.name not in ("input", "constant"):
                last = max(last, number)
        return last


def shape_of(x: Array | Grid) -> tuple[int, ...]:
    """Return the shape of an array, small or large."""
    return x.shape if isinstance(x, Grid) else x.elements.shape
