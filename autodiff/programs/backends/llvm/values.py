"""The arrays of a kernel while its steps are lowered, and elementwise operations on them."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.elements import TYPES, Array, Tape, Unsupported
from autodiff.programs.backends.llvm.elementwise import BUILDERS, C_FUNCTIONS, castable
from autodiff.programs.backends.llvm.grids import Grid
from autodiff.programs.backends.llvm.large import LARGEST, Large
from autodiff.programs.backends.llvm.machine import machine
from autodiff.programs.trace import NARROW, Kind, Slot, Step, slots_in


class Values:
    """The arrays of a kernel by their slots, and the operations that compute them."""

    def __init__(
        self, kinds: Sequence[Kind], written: Container[Slot], uses: Mapping[Slot, int]
    ) -> None:
        self.kinds, self.written, self.uses = kinds, written, uses
        self.tape = Tape()
        self.large = Large(self.tape)
        self.values: dict[Slot, Array | Grid] = {}

    def input(self, slot: Slot, number: int) -> None:
        """Enter an input of the kernel."""
        kind = self.kinds[slot]
        self.check(slot)
        make = self.tape.input if prod(kind.shape) <= LARGEST else self.large.input
        self.values[slot] = make(number, kind.shape, kind.dtype)

    def small(self, x: Any) -> Array:
        """Return an operand that must be small."""
        found = self.operand(x)
        if isinstance(found, Grid):
            raise Unsupported
        return found

    def operand(self, x: Any) -> Array | Grid:
        """Return an operand."""
        if type(x) is Slot:
            return self.values[x]
        if isinstance(x, bool | int | float | np.ndarray | np.generic):
            dtype = np.result_type(x)
            if dtype in TYPES and np.size(x) <= LARGEST:
                return self.tape.constant(x, dtype)
        raise Unsupported

    def loop_type(self, x: Any, narrow: bool) -> Any:
        """Return an operand's dtype, or Python type, for the choice of a ufunc's loop."""
        if type(x) is Slot:
            kind = self.kinds[x]
            if not (narrow and kind.weak and kind.dtype.kind in "if"):
                return kind.dtype
            return {"i": int, "f": float}[kind.dtype.kind]
        if type(x) in (int, float):
            return type(x)
        return self.operand(x).dtype

    def apply(
        self, name: str, operands: Sequence[Array | Grid], dtype: np.dtype[Any], detail: Any = None
    ) -> Array | Grid:
        """Return the result of an elementwise operation, in loops if it is large."""
        small = [x for x in operands if isinstance(x, Array)]
        if len(small) == len(operands):
            shape = np.broadcast_shapes(*[x.elements.shape for x in small])
            if prod(shape) <= LARGEST:
                return self.tape.apply(name, tuple(small), dtype, detail)
        return self.large.apply(name, operands, dtype, detail)

    def cast(self, x: Array | Grid, dtype: np.dtype[Any]) -> Array | Grid:
        """Return an array as another dtype."""
        if x.dtype == dtype:
            return x
        if dtype not in TYPES or not castable(TYPES[x.dtype], TYPES[dtype]):
            raise Unsupported
        if isinstance(x, Grid):
            return self.apply("cast", [x], dtype, TYPES[x.dtype])
        numbers = [self.tape.number(int(e)) for e in np.unique(x.elements)[:2]]
        if len(numbers) == 1 and numbers[0] is not None:
            return Array(
                np.full(x.elements.shape, self.tape.constant(numbers[0], dtype).elements), dtype
            )
        return self.tape.apply("cast", (x,), dtype, TYPES[x.dtype])

    def compute(
        self,
        name: str,
        operands: Sequence[Array | Grid],
        dtype: np.dtype[Any],
        out: np.dtype[Any],
    ) -> Array | Grid:
        """Return an elementwise function, computed in `dtype`."""
        if dtype not in TYPES or name not in BUILDERS[TYPES[dtype]]:
            raise Unsupported
        if name in C_FUNCTIONS and dtype.kind == "f":
            suffix = "f" if dtype == np.float32 else ""
            if not machine().has(C_FUNCTIONS[name] + suffix):
                raise Unsupported
        return self.apply(name, [self.cast(x, dtype) for x in operands], out, dtype)

    def full(self, shape: tuple[int, ...], number: Any, dtype: np.dtype[Any]) -> Array | Grid:
        """Return an array of one constant."""
        one = self.tape.constant(number, dtype)
        if prod(shape) > LARGEST:
            return self.large.full(shape, one)
        return Array(np.full(shape, one.elements), dtype)

    def shape(self, step: Step) -> tuple[int, ...]:
        """Return the shape of the one result of a step; of the first, of several."""
        return self.kinds[slots_in(step.out)[0]].shape

    def is_narrow(self, args: Sequence[Any]) -> bool:
        """Return whether Python numbers do not widen the others."""
        kinds = self.kinds
        return any(type(x) is Slot and not kinds[x].weak and kinds[x].dtype in NARROW for x in args)

    def check(self, slot: Slot) -> None:
        kind = self.kinds[slot]
        if kind.dtype not in TYPES or (slot in self.written and prod(kind.shape) > LARGEST):
            raise Unsupported
