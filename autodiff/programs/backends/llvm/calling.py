"""Kernels as built-in functions of Python.

A kernel reads the memory of its arguments directly: an array's data pointer follows the head of the
object, and so does the number of a scalar. `check` proves that before the first kernel runs.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.text import Writer
from autodiff.programs.trace import Kind

HEAD = object.__basicsize__
"""Bytes before the first field of an object; the last of them point to its type."""
FLAGS = HEAD + 6 * ctypes.sizeof(ctypes.c_void_p)
"""Offset of an array's flags, after data, number of dimensions, shape, strides, base and dtype."""
PLAIN = 0x0001 | 0x0100
"""Flags of arrays that are contiguous in C's order and aligned."""

OBJECTS: tuple[Any, ...] = (
    None, True, np.ndarray, float, np.float64, np.float32, np.int64, np.bool_,
)  # fmt: skip
"""Objects that kernels know by their addresses, in the order of the table that they are given."""


def called(kind: Kind) -> tuple[Any, ...]:
    """Return the types of objects that a value may be."""
    if not kind.scalar:
        return (np.ndarray,)
    return (float, np.float64) if kind.dtype == np.float64 else (kind.dtype.type,)


def entry(processor: str, inputs: Sequence[tuple[Any, ...]], outputs: int) -> Writer:
    """Return the function that Python calls, which calls `body` with pointers to the data.

    It returns None if all went well, and True if an argument is not as expected, a guard does not
    hold, or a warning was raised.
    """
    w = Writer()
    table = _field(w, "%self", HEAD)
    pointers = []
    for k, types in enumerate([*inputs, *[(np.ndarray,)] * outputs]):
        argument = _field(w, "%args", 8 * k)
        if k < len(inputs):
            _refuse_others(w, argument, types, table)
        if types == (np.ndarray,):
            pointers.append(_field(w, argument, HEAD))
        else:
            pointers.append(w(f"getelementptr i8, ptr {argument}, i64 {HEAD}"))
    clear, raised = WARNINGS[processor]
    clear(w)
    diverged = w(f"call i1 @body({', '.join(f'ptr {x}' for x in pointers)})")
    failed = w(f"or i1 {diverged}, {raised(w)}")
    w.do(f"br i1 {failed}, label %refused, label %done")
    for label, result in (("refused", True), ("done", None)):
        w.do(f"{label}:")
        found = _field(w, table, 8 * OBJECTS.index(result))
        if sys.version_info < (3, 12):  # these objects count references, too
            count = w(f"load i64, ptr {found}")
            count = w(f"add i64 {count}, 1")
            w.do(f"store i64 {count}, ptr {found}")
        w.do(f"ret ptr {found}")
    return w


def _field(w: Writer, object: str, offset: int, kind: str = "ptr") -> str:
    place = w(f"getelementptr i8, ptr {object}, i64 {offset}")
    return w(f"load {kind}, ptr {place}")


def _refuse_others(w: Writer, argument: str, types: tuple[Any, ...], table: str) -> None:
    """Leave unless an argument has one of the types and, as an array, a plain layout."""
    own = _field(w, argument, HEAD - 8)
    known = [w(f"icmp eq ptr {own}, {_field(w, table, 8 * OBJECTS.index(x))}") for x in types]
    good = known[0] if len(known) == 1 else w(f"or i1 {known[0]}, {known[1]}")
    _refuse_unless(w, good)
    if types == (np.ndarray,):
        flags = w(f"and i32 {_field(w, argument, FLAGS, 'i32')}, {PLAIN}")
        _refuse_unless(w, w(f"icmp eq i32 {flags}, {PLAIN}"))


def _refuse_unless(w: Writer, condition: str) -> None:
    after = w.label("next")
    w.do(f"br i1 {condition}, label %{after}, label %refused")
    w.do(f"{after}:")


def _clear_on_x86(w: Writer) -> None:
    w.outside["stmxcsr"] = "declare void @llvm.x86.sse.stmxcsr(ptr)"
    w.outside["ldmxcsr"] = "declare void @llvm.x86.sse.ldmxcsr(ptr)"
    w.do("%flags = alloca i32")
    w.do("call void @llvm.x86.sse.stmxcsr(ptr %flags)")
    flags = w("load i32, ptr %flags")
    flags = w(f"and i32 {flags}, -64")
    w.do(f"store i32 {flags}, ptr %flags")
    w.do("call void @llvm.x86.sse.ldmxcsr(ptr %flags)")


def _raised_on_x86(w: Writer) -> str:
    w.do("call void @llvm.x86.sse.stmxcsr(ptr %flags)")
    # invalid, divide by zero, overflow
    flags = w("load i32, ptr %flags")
    flags = w(f"and i32 {flags}, {0b1101}")
    return w(f"icmp ne i32 {flags}, 0")


def _clear_on_arm(w: Writer) -> None:
    w.outside["get"] = "declare i64 @llvm.aarch64.get.fpsr()"
    w.outside["set"] = "declare void @llvm.aarch64.set.fpsr(i64)"
    w.do("call void @llvm.aarch64.set.fpsr(i64 0)")


def _raised_on_arm(w: Writer) -> str:
    # invalid, divide by zero, overflow
    flags = w(f"and i64 {w('call i64 @llvm.aarch64.get.fpsr()')}, {0b111}")
    return w(f"icmp ne i64 {flags}, 0")


WARNINGS: dict[str, tuple[Callable[[Writer], None], Callable[[Writer], str]]] = {
    "x86_64": (_clear_on_x86, _raised_on_x86),
    "amd64": (_clear_on_x86, _raised_on_x86),
    "aarch64": (_clear_on_arm, _raised_on_arm),
    "arm64": (_clear_on_arm, _raised_on_arm),
}
"""Instructions that clear and read the processor's floating-point flags, by processor."""


class _Definition(ctypes.Structure):
    """Python's `PyMethodDef`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


FASTCALL = 0x0080


class _Table(np.ndarray[Any, Any]):
    """Addresses that a kernel reads, with what must live as long as the kernel."""

    kept: Any


def builtin(address: int, kept: Any, more: Sequence[int] = ()) -> Callable[..., bool | None]:
    """Return the function at an address as a built-in one."""
    definition = _Definition(b"kernel", address, FASTCALL, None)
    table = np.array([*map(id, OBJECTS), *more], np.int64).view(_Table)
    table.kept = kept, definition
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype, make.argtypes = ctypes.py_object, [
        ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p,
    ]  # fmt: skip
    made: Callable[..., bool | None] = make(ctypes.addressof(definition), table, None)
    return made


def check() -> None:
    """Raise an error unless objects lie in memory as kernels expect.

    Raises
    ------
    ImportError
        If this is not CPython, or arrays and numbers are laid out in another way.
    """
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        raise ImportError("backend='llvm' needs CPython on a 64-bit processor: use backend='numpy'")
    square, column = np.arange(4.0).reshape(2, 2), np.arange(4.0)[::2]
    odd = np.frombuffer(bytearray(9), np.uint8)[1:].view(np.float64)
    numbers = (2.5, np.float64(2.5), np.float32(2.5), np.int64(-7), np.bool_(True))
    right = all(_pointer(x, HEAD) == x.ctypes.data for x in (square, column))
    right &= all(_pointer(x, HEAD - 8) == id(type(x)) for x in (square, *numbers))
    right &= [_int(x, FLAGS) & PLAIN == PLAIN for x in (square, square.T, column)] == [
        True, False, False,
    ]  # fmt: skip
    right &= odd.flags.aligned == (_int(odd, FLAGS) & 0x100 != 0)
    for x in numbers:
        dtype = np.result_type(x)
        right &= np.frombuffer(ctypes.string_at(id(x) + HEAD, dtype.itemsize), dtype)[0] == x
    if not right:
        raise ImportError(
            f"backend='llvm' does not know how NumPy {np.__version__} lays out arrays: use "
            "backend='numpy'"
        )


def _pointer(x: Any, offset: int) -> int | None:
    return ctypes.c_void_p.from_address(id(x) + offset).value


def _int(x: Any, offset: int) -> int:
    return ctypes.c_int.from_address(id(x) + offset).value
