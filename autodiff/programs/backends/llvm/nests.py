"""Loop nests as LLVM's instructions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.elements import TYPES
from autodiff.programs.backends.llvm.elementwise import BUILDERS, cast, select
from autodiff.programs.backends.llvm.grids import (
    Buffer,
    Expression,
    Leaf,
    Nest,
    Node,
    Statement,
    leaves_of,
)
from autodiff.programs.backends.llvm.text import Writer, literal

BLOCK = 2048
"""Sums are added up in blocks of so many numbers, which bounds their rounding."""
STARTS: dict[str, Any] = {
    "add": 0, "multiply": 1, "maximum": -np.inf, "minimum": np.inf, "logical_and": True,
    "logical_or": False,
}  # fmt: skip
"""What reductions start with; none of these raises a warning."""


def coalesced(nest: Nest) -> tuple[tuple[int, ...], list[list[int]]]:
    """Return the lengths of the fewest loops, each with the axes that it runs over."""
    kept = [k for k, n in enumerate(nest.shape) if n > 1] or [0]
    groups: list[list[int]] = [[kept[0]]]
    leaves = [x for s in nest.statements for x in (s.target, *leaves_of(s.expression))]
    for axis in kept[1:]:
        last = groups[-1][-1]
        joined = all(x.strides[last] == x.strides[axis] * nest.shape[axis] for x in leaves) and all(
            (last in s.axes) == (axis in s.axes) for s in nest.statements
        )
        if joined:
            groups[-1].append(axis)
        else:
            groups.append([axis])
    return tuple(int(np.prod([nest.shape[k] for k in group])) for group in groups), groups


class Loops:
    """Writes one nest.

    Parameters
    ----------
    w : Writer
        Takes the instructions.
    nest : Nest
        The nest.
    pointers : callable
        Returns the register with the address of a buffer; None for one without memory.
    elements : callable
        Returns the register with an element that is read everywhere.
    """

    def __init__(
        self,
        w: Writer,
        nest: Nest,
        pointers: Callable[[Buffer], str | None],
        elements: Callable[[int], str],
    ) -> None:
        self.w, self.nest = w, nest
        self.shape, self.groups = coalesced(nest)
        w.used = 1
        self.elements: dict[int, str] = {}
        self.pointers: dict[Buffer, str | None] = {}
        for s in nest.statements:
            for leaf in (s.target, *leaves_of(s.expression)):
                if isinstance(leaf.source, Buffer):
                    self.pointers[leaf.source] = pointers(leaf.source)
                elif leaf.source not in self.elements:
                    self.elements[leaf.source] = elements(leaf.source)
        self.accumulators: dict[int, tuple[str, str]] = {}
        self.inside: dict[int, list[Statement]] = {}

    def write(self) -> None:
        """Write the loops."""
        self.depths = [self._depth(s) for s in self.nest.statements]
        for s, depth in zip(self.nest.statements, self.depths, strict=True):
            if s.reduction and depth is None:
                self._fill(s)
            elif s.reduction:
                lane = TYPES[s.dtype]
                self.accumulators[id(s)] = (self._room(lane), self._room(lane))
        self.w.in_loops = True
        self._level(0, [])
        self.w.in_loops = False

    def _room(self, lane: str) -> str:
        self.w.count += 1
        name = f"%room{self.w.count}"
        self.w.rooms.append(f"{name} = alloca {'i8' if lane == 'i1' else lane}")
        return name

    def _depth(self, s: Statement) -> int | None:
        """Return how many loops are around a reduction's own; None if it is inside of others."""
        reduced = [group[0] in s.axes for group in self.groups]
        depth = reduced.index(True) if True in reduced else len(reduced)
        return depth if s.reduction and all(reduced[depth:]) else None

    def _fill(self, s: Statement) -> None:
        """Start a reduction whose results are accumulated in memory."""
        assert isinstance(s.target.source, Buffer)
        lane = TYPES[s.dtype]
        pointer = self.pointers[s.target.source]
        start = literal(STARTS[s.reduction or ""], lane)

        def body(i: str) -> None:
            place = self.w(f"getelementptr {_stored(lane)}, ptr {pointer}, i64 {i}")
            self._store(lane, start, place)

        self._loop(s.target.source.size, body)

    def _level(self, depth: int, index: list[str]) -> None:
        """Write the loops from a depth on."""
        statements = list(zip(self.nest.statements, self.depths, strict=True))
        starting = [s for s, d in statements if d == depth and s.reduction]
        for s in starting:
            self._start(s, 0)
        if depth == len(self.shape):
            self._inside(index)
        elif depth == len(self.shape) - 1 and self.accumulators and self.shape[-1] > BLOCK:
            self._in_blocks(index)
        else:
            self._loop(self.shape[depth], lambda i: self._level(depth + 1, [*index, i]))
        for s in starting:
            self._finish(s, index)

    def _in_blocks(self, index: list[str]) -> None:
        """Write the innermost loop in blocks, each with accumulators of its own."""
        reductions = [s for s in self.nest.statements if id(s) in self.accumulators]
        whole, rest = divmod(self.shape[-1], BLOCK)

        def block(first: str, size: int) -> None:
            for s in reductions:
                self._start(s, 1)
            self.level = 1
            self._loop(size, lambda i: self._inside([*index, self.w(f"add i64 {first}, {i}")]))
            self.level = 0
            for s in reductions:
                self._merge(s)

        self._loop(whole, lambda k: block(self.w(f"mul i64 {k}, {BLOCK}"), BLOCK))
        if rest:
            block(str(whole * BLOCK), rest)

    level = 0

    def _start(self, s: Statement, level: int) -> None:
        lane = TYPES[s.dtype]
        start = literal(STARTS[s.reduction or ""], lane)
        self._store(lane, start, self.accumulators[id(s)][level])

    def _merge(self, s: Statement) -> None:
        outer, inner = self.accumulators[id(s)]
        lane = TYPES[s.dtype]
        self._accumulate(s, outer, self._loaded(lane, inner))

    def _finish(self, s: Statement, index: list[str]) -> None:
        lane = TYPES[s.dtype]
        value = self._loaded(lane, self.accumulators[id(s)][0])
        self._store(lane, value, self._place(s.target, lane, index))

    def _accumulate(self, s: Statement, place: str, value: str) -> None:
        lane = TYPES[s.dtype]
        old = self._loaded(lane, place)
        name = s.reduction or ""
        if lane in ("double", "float"):
            if name in ("maximum", "minimum"):
                new = self.w.intrinsic(name, lane, old, value)
            else:
                opcode = {"add": "fadd", "multiply": "fmul"}[name]
                new = self.w(f"{opcode} reassoc {lane} {old}, {value}")
        else:
            new = BUILDERS[lane][name](self.w, lane, old, value)
        self._store(lane, new, place)

    def _inside(self, index: list[str]) -> None:
        """Write the statements at one index."""
        self.known: dict[Any, str] = {}
        for s in self.nest.statements:
            value = self._value(s.expression, index)
            lane = TYPES[s.dtype]
            if s.reduction is None:
                source = s.target.source
                self.known[source, s.target.offset, s.target.strides] = value
                assert isinstance(source, Buffer)
                if self.pointers[source] is not None:
                    self._store(lane, value, self._place(s.target, lane, index))
            elif id(s) in self.accumulators:
                self._accumulate(s, self.accumulators[id(s)][self.level], value)
            else:
                self._accumulate(s, self._place(s.target, lane, index), value)

    def _value(self, x: Expression, index: list[str]) -> str:
        key = tuple(x) if isinstance(x, Leaf) else id(x)
        if key not in self.known:
            self.known[key] = self._computed(x, index)
        return self.known[key]

    def _computed(self, x: Expression, index: list[str]) -> str:
        if isinstance(x, Node):
            operands = [self._value(operand, index) for operand in x.operands]
            if x.name == "cast":
                return cast(self.w, x.detail, TYPES[x.dtype], operands[0])
            if x.name == "where":
                return select(self.w, TYPES[x.dtype], *operands)
            lane = TYPES[x.detail]
            return BUILDERS[lane][x.name](self.w, lane, *operands)
        if not isinstance(x.source, Buffer):
            return self.elements[x.source]
        lane = TYPES[x.source.dtype]
        return self._loaded(lane, self._place(x, lane, index))

    def _place(self, leaf: Leaf, lane: str, index: list[str]) -> str:
        """Return the address of a leaf's number."""
        assert isinstance(leaf.source, Buffer)
        total = str(leaf.offset)
        for i, group in zip(index, self.groups, strict=False):
            stride = leaf.strides[group[-1]]
            if stride:
                part = i if stride == 1 else self.w(f"mul nsw i64 {i}, {stride}")
                total = part if total == "0" else self.w(f"add nsw i64 {total}, {part}")
        pointer = self.pointers[leaf.source]
        return self.w(f"getelementptr inbounds {_stored(lane)}, ptr {pointer}, i64 {total}")

    def _loaded(self, lane: str, place: str) -> str:
        found = self.w(f"load {_stored(lane)}, ptr {place}")
        return self.w(f"icmp ne i8 {found}, 0") if lane == "i1" else found

    def _store(self, lane: str, value: str, place: str) -> None:
        if lane == "i1":
            value = self.w(f"zext i1 {value} to i8")
        self.w.do(f"store {_stored(lane)} {value}, ptr {place}")

    def _loop(self, count: int, body: Callable[[str], None]) -> None:
        """Write a loop; `body` is given its index."""
        w = self.w
        before, head, latch, after = w.block, w.label("head"), w.label("latch"), w.label("after")
        w.count += 2
        i, following = f"%i.{w.count - 1}", f"%i.{w.count}"
        w.begin(head)
        w.do(f"{i} = phi i64 [ 0, %{before} ], [ {following}, %{latch} ]")
        body(i)
        w.begin(latch)
        w.do(f"{following} = add nuw nsw i64 {i}, 1")
        done = w(f"icmp eq i64 {following}, {count}")
        w.do(f"br i1 {done}, label %{after}, label %{head}")
        w.begin(after, fall=False)


def _stored(lane: str) -> str:
    return "i8" if lane == "i1" else lane
