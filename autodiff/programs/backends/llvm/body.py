"""The instructions of a kernel: vectors gathered from element numbers, computed and stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.elements import TYPES, Array, Operation, Tape
from autodiff.programs.backends.llvm.elementwise import BUILDERS, cast, select
from autodiff.programs.backends.llvm.grids import Buffer, Nest, leaves_of
from autodiff.programs.backends.llvm.nests import Loops
from autodiff.programs.backends.llvm.text import Writer, lanes, literal, vector, with_lane

SOURCES = ("input", "memory", "constant")
CHUNK = 64
"""Most lanes that are stored at once."""
REGISTER = 8
"""Lanes of the widest registers."""
SPAN = 4
"""A span of memory that is at most so many times longer than the lanes read from it is loaded."""


class Body:
    """Writes the operations that results depend on."""

    def __init__(self, tape: Tape, writer: Writer) -> None:
        self.tape, self.w = tape, writer
        self.pointers: dict[Buffer, str] = {}
        self.starts = np.array([*tape.starts, tape.total])
        self.names: dict[int, str] = {}
        self.numbers = {id(x): k for k, x in enumerate(tape.operations)}
        self.gathered: dict[bytes, str] = {}

    def compute(self, wanted: list[Any]) -> None:
        """Write the operations that some elements depend on."""
        for number in self.tape.live(wanted):
            operation = self.tape.operations[number]
            if operation.name == "loops":
                self._loops(operation.detail)
            elif operation.name not in SOURCES:
                self.names[number] = self._operation(operation)

    def _loops(self, nest: Nest) -> None:
        for statement in nest.statements:
            for leaf in leaves_of(statement.expression):
                if isinstance(leaf.source, Buffer) and leaf.source.spilled is not None:
                    self._spill(leaf.source)
        Loops(self.w, nest, self._pointer, lambda x: self.gather(np.array([x]))).write()

    def _pointer(self, buffer: Buffer) -> str | None:
        """Return the address of memory; None where a nest needs none."""
        return self.pointers.get(buffer) if buffer.input is None else f"%i{buffer.input}"

    def _spill(self, buffer: Buffer) -> None:
        """Write a small array to memory, for loops to read."""
        if buffer not in self.pointers:
            self.pointers[buffer] = self.room(buffer.size, buffer.dtype)
            self.store(Array(buffer.spilled, buffer.dtype), self.pointers[buffer])

    def room(self, size: int, dtype: np.dtype[Any]) -> str:
        """Return the address of memory on the stack."""
        name = self.w.label("%stack")
        lane = TYPES[dtype]
        self.w.rooms.append(f"{name} = alloca [{size} x {'i8' if lane == 'i1' else lane}]")
        return name

    def _operation(self, operation: Operation) -> str:
        name, count = operation.name, width(operation.size)
        self.w.used = operation.size
        operands = [self.gather(_padded(x, count)) for x in operation.operands]
        if name == "cast":
            kind = vector(operation.detail, count)
            return cast(self.w, kind, TYPES[operation.dtype], operands[0])
        if name == "where":
            return select(self.w, vector(TYPES[operation.dtype], count), *operands)
        lane = TYPES[operation.detail]
        return BUILDERS[lane][name](self.w, vector(lane, count), *operands)

    def gather(self, elements: Any) -> str:
        """Return a vector of elements: a register, or a constant."""
        key = elements.tobytes()
        if key not in self.gathered:
            self.gathered[key] = self._gather(elements)
        return self.gathered[key]

    def _gather(self, elements: Any) -> str:
        count = len(elements)
        sources = np.searchsorted(self.starts, elements, "right") - 1
        operations = [self.tape.operations[s] for s in sources]
        lane = TYPES[operations[0].dtype]
        kind = vector(lane, count)
        if all(x.name == "constant" for x in operations):
            numbers = [literal(x.detail, lane) for x in operations]
            return numbers[0] if count == 1 else _listed(lane, numbers)
        if count > 1 and np.all(elements == elements[0]):
            one = self.gather(elements[:1])
            first = self.w(f"insertelement {kind} poison, {lane} {one}, i64 0")
            zeros = ", ".join(["i32 0"] * count)
            return self.w(f"shufflevector {kind} {first}, {kind} poison, <{count} x i32> <{zeros}>")
        groups: dict[Any, list[int]] = {}
        for place, (source, operation) in enumerate(zip(sources, operations, strict=True)):
            constant = operation.name == "constant"
            groups.setdefault(-1 if constant else int(source), []).append(place)
        if len(groups) == 1:
            return self._from_one(int(sources[0]), elements - self.starts[sources[0]])
        return self._joined(groups, elements, operations, kind)

    def _joined(
        self, groups: dict[Any, list[int]], elements: Any, operations: list[Operation], kind: str
    ) -> str:
        """Return a vector of lanes from several sources."""
        lane, count = lanes(kind)
        constants = groups.pop(-1, [])
        numbers = ["poison"] * count
        for place in constants:
            numbers[place] = literal(operations[place].detail, lane)
        result = _listed(lane, numbers)
        for source, places in sorted(groups.items()):
            offsets = elements[places] - self.starts[source]
            if len(places) == 1:
                one = self.gather(elements[places])
                result = self.w(f"insertelement {kind} {result}, {lane} {one}, i64 {places[0]}")
                continue
            mask = ["poison"] * count
            for place, offset in zip(places, offsets - offsets.min(), strict=True):
                mask[place] = str(offset)
            size = int(np.ptp(offsets)) + 1
            part = self._from_one(source, np.arange(offsets.min(), offsets.min() + size))
            wide = self._shuffled(lane, size, part, mask)
            blend = [str(k) if k not in places else str(count + k) for k in range(count)]
            result = self._shuffled(lane, count, result, blend, wide)
        return result

    def _shuffled(self, lane: str, size: int, a: str, mask: list[str], b: str = "poison") -> str:
        kind = f"<{size} x {lane}>"
        if size == 1:
            a = self.w(f"insertelement {kind} poison, {lane} {a}, i64 0")
        places = ", ".join(f"i32 {x}" for x in mask)
        return self.w(f"shufflevector {kind} {a}, {kind} {b}, <{len(mask)} x i32> <{places}>")

    def _from_one(self, source: int, offsets: Any) -> str:
        """Return a vector of elements of one source."""
        operation = self.tape.operations[source]
        lane, count = TYPES[operation.dtype], len(offsets)
        if operation.name in ("input", "memory"):
            return self._loaded(operation, offsets)
        name = self.names[source]
        whole = width(operation.size)
        if np.array_equal(offsets, _padded(np.arange(operation.size), whole)):
            return name
        if count == 1:
            return self.w(f"extractelement {vector(lane, whole)} {name}, i64 {offsets[0]}")
        return self._shuffled(lane, whole, name, [str(k) for k in offsets])

    def _loaded(self, operation: Operation, offsets: Any) -> str:
        """Return a vector of elements of an input."""
        lane, count = TYPES[operation.dtype], len(offsets)
        first, size = int(offsets.min()), int(np.ptp(offsets)) + 1
        if np.array_equal(offsets, np.arange(first, first + count)):
            return self._load(operation, first, count)
        if size <= SPAN * count:
            part = self.gather(self._elements(operation, np.arange(first, first + size)))
            return self._shuffled(lane, size, part, [str(k - first) for k in offsets])
        kind, result = vector(lane, count), "poison"
        for place, offset in enumerate(offsets):
            one = self.gather(self._elements(operation, np.array([offset])))
            result = self.w(f"insertelement {kind} {result}, {lane} {one}, i64 {place}")
        return result

    def _elements(self, operation: Operation, offsets: Any) -> Any:
        return offsets + self.starts[self.numbers[id(operation)]]

    def _load(self, operation: Operation, first: int, count: int) -> str:
        lane, size = TYPES[operation.dtype], operation.dtype.itemsize
        memory = operation.name == "memory"
        place = self._pointer(operation.detail) if memory else f"%i{operation.detail}"
        if first:
            place = self.w(f"getelementptr i8, ptr {place}, i64 {first * size}")
        stored = vector("i8" if lane == "i1" else lane, count)
        loaded = self.w(f"load {stored}, ptr {place}, align {size}")
        if lane != "i1":
            return loaded
        return self.w(
            f"icmp ne {stored} {loaded}, zeroinitializer"
            if count > 1
            else f"icmp ne i8 {loaded}, 0"
        )

    def store(self, array: Array, pointer: str, first: int = 0) -> None:
        """Write an array to memory, from its element `first` on."""
        flat = np.ascontiguousarray(array.elements).ravel()
        lane, size = TYPES[array.dtype], array.dtype.itemsize
        for start in range(0, len(flat), CHUNK):
            part = np.ascontiguousarray(flat[start : start + CHUNK])
            value, kind = self.gather(part), vector(lane, len(part))
            place = self.w(f"getelementptr i8, ptr {pointer}, i64 {(first + start) * size}")
            if lane == "i1":
                value, kind = (
                    self.w(f"zext {kind} {value} to {with_lane(kind, 'i8')}"),
                    with_lane(kind, "i8"),
                )
            self.w.do(f"store {kind} {value}, ptr {place}, align {size}")


def _listed(lane: str, numbers: Sequence[str]) -> str:
    return f"<{', '.join(f'{lane} {x}' for x in numbers)}>"


def width(count: int) -> int:
    """Return how many lanes compute so many numbers: as many as registers have.

    LLVM would fill the others with anything, and that might raise a warning.
    """
    if count >= REGISTER:
        return -(-count // REGISTER) * REGISTER
    return int(1 << (count - 1).bit_length())


def _padded(elements: Any, count: int) -> Any:
    """Return elements with copies of the first at the end."""
    missing = count - len(elements)
    return np.concatenate([elements, np.repeat(elements[:1], missing)]) if missing else elements
