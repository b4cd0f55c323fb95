"""Registers of numbers, and the arithmetic on them that elementary functions share."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import reduce
from math import inf

Write = Callable[[str], str]
"""Adds an instruction, as in `write("fadd double %1, %2")`, and returns the name of its result."""


def bits_of(number: float) -> int:
    """Return the bits of a number as a signed integer."""
    return int(struct.unpack("<q", struct.pack("<d", number))[0])


MANTISSA = 52
"""Bits of a mantissa."""
BIAS = 1023
"""Added to an exponent in the bits of a number."""
SIGN = -(1 << 63)
"""The sign bit."""
INFINITE = bits_of(inf)
ROUNDER = 1.5 * 2.0**MANTISSA
"""Added to a number, it leaves the nearest integer in the lowest bits of the sum."""


class Register:
    """A register of doubles, integers or truth values (lanes of one type), named in LLVM IR.

    Operators add an instruction and return the register with its result.
    """

    def __init__(self, write: Write, lane: str, count: int, name: str) -> None:
        self.write, self.lane, self.count, self.name = write, lane, count, name

    @property
    def kind(self) -> str:
        """LLVM's name of the type."""
        return self.lane if self.count == 1 else f"<{self.count} x {self.lane}>"

    def _with(self, lane: str, name: str) -> Register:
        return Register(self.write, lane, self.count, name)

    def constant(self, value: float) -> Register:
        """Return a constant of the same type."""
        one = f"0x{bits_of(value) & (1 << 64) - 1:016x}" if self.lane == "double" else f"{value}"
        many = f"<{', '.join([f'{self.lane} {one}'] * self.count)}>"
        return self._with(self.lane, one if self.count == 1 else many)

    def _operation(self, opcode: str, other: Register | float, lane: str = "") -> Register:
        other = other if isinstance(other, Register) else self.constant(other)
        name = self.write(f"{opcode} {self.kind} {self.name}, {other.name}")
        return self._with(lane or self.lane, name)

    def _arithmetic(self, opcode: str, other: Register | float) -> Register:
        # "contract" allows one instruction for a product and a sum, where the processor has it
        return self._operation(f"f{opcode} contract" if self.lane == "double" else opcode, other)

    def __add__(self, other: Register | float) -> Register:
        return self._arithmetic("add", other)

    def __sub__(self, other: Register | float) -> Register:
        return self._arithmetic("sub", other)

    def __rsub__(self, other: float) -> Register:
        return self.constant(other) - self

    def __mul__(self, other: Register | float) -> Register:
        return self._arithmetic("mul", other)

    def __truediv__(self, other: Register | float) -> Register:
        return self._operation("fdiv", other)

    def __neg__(self) -> Register:
        return self._with(self.lane, self.write(f"fneg {self.kind} {self.name}"))

    def __and__(self, other: Register | int) -> Register:
        return self._operation("and", other)

    def __or__(self, other: Register | int) -> Register:
        return self._operation("or", other)

    def __xor__(self, other: Register | int) -> Register:
        return self._operation("xor", other)

    def __lshift__(self, count: int) -> Register:
        return self._operation("shl", count)

    def __rshift__(self, count: int) -> Register:
        return self._operation("lshr", count)

    def __lt__(self, other: int) -> Register:
        return self._operation("icmp slt", other, "i1")

    def __gt__(self, other: int) -> Register:
        return self._operation("icmp sgt", other, "i1")

    def equals(self, other: int) -> Register:
        """Return whether integers are equal to one."""
        return self._operation("icmp eq", other, "i1")

    def choose(self, yes: Register | float, no: Register | float) -> Register:
        """Return `yes` where this truth value holds, else `no`."""
        lane = next((x.lane for x in (yes, no) if isinstance(x, Register)), "double")
        a, b = (
            x if isinstance(x, Register) else self._with(lane, "").constant(x) for x in (yes, no)
        )
        operands = f"{self.kind} {self.name}, {a.kind} {a.name}, {b.kind} {b.name}"
        return self._with(lane, self.write(f"select {operands}"))

    def converted(self, opcode: str, lane: str) -> Register:
        """Return the register converted to another type."""
        target = self._with(lane, "").kind
        return self._with(lane, self.write(f"{opcode} {self.kind} {self.name} to {target}"))

    def bits(self) -> Register:
        """Return the bits of doubles, as integers."""
        return self.converted("bitcast", "i64")

    def number(self) -> Register:
        """Return the doubles that have these bits."""
        return self.converted("bitcast", "double")


# Comparisons and signs. They work on bits: a comparison of doubles in a vector raises invalid for
# NaN on some processors.


def size(x: Register) -> Register:
    """Return the bits of |x|, which are ordered as the numbers are, with NaN last."""
    return x.bits() & ~SIGN


def finite(x: Register) -> Register:
    """Return whether x is neither infinite nor NaN."""
    return size(x) < INFINITE


def below_0(x: Register) -> Register:
    """Return whether x is negative, with −0 but not NaN."""
    return x.bits() < SIGN + INFINITE + 1


def absolute(x: Register) -> Register:
    """Return |x|."""
    return size(x).number()


def sign(x: Register) -> Register:
    """Return the sign bit of x."""
    return x.bits() & SIGN


def flipped(x: Register, sign_bit: Register) -> Register:
    """Return −x where a sign bit is set, else x."""
    return (x.bits() ^ sign_bit).number()


# Arithmetic


def horner(z: Register, coefficients: Sequence[float]) -> Register:
    """Return a polynomial in z; the coefficients begin with the lowest power."""
    *rest, last = coefficients
    return reduce(lambda sum, c: sum * z + c, reversed(rest), z.constant(last))


def fast_two_sum(a: Register, b: Register) -> tuple[Register, Register]:
    """Return a + b and its rounding error, for |a| ≥ |b|."""
    total = a + b
    return total, (a - total) + b


def rounded(x: Register) -> tuple[Register, Register]:
    """Return the integer n nearest to x, and ROUNDER's bits + n. It holds for |x| < 2^51."""
    shifted = x + ROUNDER
    return shifted - ROUNDER, shifted.bits()


def power_of_2(biased: Register) -> Register:
    """Return 2^n, given the integer n + BIAS from 1 to 2046."""
    return (biased << MANTISSA).number()
