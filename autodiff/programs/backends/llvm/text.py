"""LLVM IR as text: instructions of one function, and the declarations that they need."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np


class Writer:
    """Instructions of a function, and what they refer to outside of it.

    `writer("fadd double %1, %2")` adds an instruction and returns the name of its result.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.outside: dict[str, str] = {}
        self.count = 0
        self.block = "entry"
        self.rooms: list[str] = []
        """Memory on the stack."""
        self.in_loops = False
        self.used = 1
        """Lanes of the vectors of now that are needed; the others equal the first."""

    def __call__(self, instruction: str) -> str:
        self.count += 1
        self.lines.append(f"%v{self.count} = {instruction}")
        return f"%v{self.count}"

    def do(self, instruction: str) -> None:
        """Add an instruction without a result."""
        self.lines.append(instruction)

    def label(self, wanted: str) -> str:
        """Return a new name for a basic block."""
        self.count += 1
        return f"{wanted}{self.count}"

    def begin(self, block: str, fall: bool = True) -> None:
        """Begin a basic block, which the last one runs into if it does not say otherwise."""
        if fall:
            self.do(f"br label %{block}")
        self.do(f"{block}:")
        self.block = block

    def intrinsic(self, name: str, kind: str, *operands: str) -> str:
        """Call an intrinsic function of LLVM that takes and returns one type."""
        full = f"llvm.{name}.{mangled(kind)}"
        given = ", ".join([kind] * len(operands))
        self.outside[full] = f"declare {kind} @{full}({given})"
        return self(f"call {kind} @{full}({', '.join(f'{kind} {x}' for x in operands)})")

    def external(self, name: str, kind: str, *operands: str) -> str:
        """Call a function of the C library on each lane."""
        lane, count = lanes(kind)
        suffixed = f"{name}f" if lane == "float" else name
        given = ", ".join([lane] * len(operands))
        self.outside[suffixed] = f"declare {lane} @{suffixed}({given}) nounwind"
        if count == 1:
            return self(f"call {lane} @{suffixed}({', '.join(f'{lane} {x}' for x in operands)})")
        whole = f"{suffixed}.{self.used}"
        if whole not in self.outside:
            self.outside[whole] = _by_lanes(whole, suffixed, kind, self.used, len(operands))
        return self(f"call {kind} @{whole}({', '.join(f'{kind} {x}' for x in operands)})")

    def function(self, name: str, kind: str, build: Callable[..., str], operand: str) -> str:
        """Call a function that is defined by the instructions of a builder."""
        # the vectorizer needs them inside of a loop; elsewhere one copy is faster to compile
        whole = f"{name}.{mangled(kind)}{'.inline' if self.in_loops else ''}"
        if whole not in self.outside:
            inside = Writer()
            result = build(inside, kind, "%x")
            lines = "\n".join(f"  {line}" for line in inside.lines)
            kept = "alwaysinline" if self.in_loops else "noinline"
            self.outside.update(inside.outside)
            self.outside[whole] = (
                f"define internal {kind} @{whole}({kind} %x) {kept} {{\n{lines}\n"
                f"  ret {kind} {result}\n}}"
            )
        return self(f"call {kind} @{whole}({kind} {operand})")


def _by_lanes(whole: str, name: str, kind: str, used: int, operands: int) -> str:
    """Return the definition of a function that calls another for each lane of its vectors."""
    lane, count = lanes(kind)
    given = ", ".join(f"{kind} %a{k}" for k in range(operands))
    lines = []
    last = "poison"
    for i in range(used):
        lines += [f"%x{i}.{k} = extractelement {kind} %a{k}, i64 {i}" for k in range(operands)]
        passed = ", ".join(f"{lane} %x{i}.{k}" for k in range(operands))
        lines.append(f"%y{i} = call {lane} @{name}({passed})")
        lines.append(f"%z{i} = insertelement {kind} {last}, {lane} %y{i}, i64 {i}")
        last = f"%z{i}"
    for i in range(used, count):
        lines.append(f"%z{i} = insertelement {kind} {last}, {lane} %y0, i64 {i}")
        last = f"%z{i}"
    body = "\n".join(f"  {line}" for line in lines)
    return f"define internal {kind} @{whole}({given}) noinline {{\n{body}\n  ret {kind} {last}\n}}"


def vector(lane: str, count: int) -> str:
    """Return the type of `count` numbers: a scalar for one."""
    return lane if count == 1 else f"<{count} x {lane}>"


def lanes(kind: str) -> tuple[str, int]:
    """Return the type of a lane, and how many there are."""
    if not kind.startswith("<"):
        return kind, 1
    count, lane = kind[1:-1].split(" x ")
    return lane, int(count)


def with_lane(kind: str, lane: str) -> str:
    """Return a type of as many lanes of another type."""
    return vector(lane, lanes(kind)[1])


def mangled(kind: str) -> str:
    """Return a type as it is part of the name of an intrinsic function."""
    lane, count = lanes(kind)
    short = {"double": "f64", "float": "f32"}.get(lane, lane)
    return short if count == 1 else f"v{count}{short}"


def literal(value: Any, lane: str) -> str:
    """Return a constant of the type of a lane."""
    if lane == "i1":
        return "true" if value else "false"
    if lane == "i64":
        return str(int(value))
    # a float, too, is written with the digits of a double
    return f"0x{struct.pack('>d', float(np.float32(value) if lane == 'float' else value)).hex()}"


def spread(value: Any, kind: str) -> str:
    """Return a constant with the same number in all lanes."""
    lane, count = lanes(kind)
    one = literal(value, lane)
    return one if count == 1 else "<" + ", ".join([f"{lane} {one}"] * count) + ">"
