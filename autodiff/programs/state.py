"""Objects that a function can read, one by one: what they hold, and whether they are unchanged."""

from __future__ import annotations

import dis
import os
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator
from datetime import date, time, timedelta, tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePath
from random import Random
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from autodiff.core.tracebacks import LIBRARIES
from autodiff.programs.trace import Slot

IMMUTABLE = (
    int, float, complex, bool, str, bytes, type(None), type(...), type(NotImplemented), range,
    np.generic, np.dtype, Enum, Fraction, Decimal, PurePath, date, time, timedelta, tzinfo,
)  # fmt: skip
"""Kinds of objects that are compared by value."""
FOLDERS = (
    *LIBRARIES,
    *{sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")},
)
"""Code in these folders is trusted not to change its own global variables."""
GENERATORS = (np.random.Generator, np.random.RandomState, Random)


class Unsupported(TypeError):
    """Something that the function reads makes this call run eagerly."""


class Recorded(Unsupported):
    """The function reads a node or an array of a trace, so it is a part of something larger."""


class Test(NamedTuple):
    """One object of a check, and what it must be, in words."""

    label: str
    expected: str
    varies: bool
    """Whether it is a captured number, which may be an input instead."""


class Input(NamedTuple):
    """A number or an array that a program is given, and the check's variable that holds it."""

    slot: Slot
    variable: str
    label: str
    captured: bool
    type: type
    value: Any
    """The captured array or number, as it was when the function was traced; else None."""


class Mutable(NamedTuple):
    """An object that the function may change.

    The traced run has a copy of it, or the object itself, which it must not change.
    """

    variable: str
    label: str
    object: Any
    copied: bool


class Appended:
    """What stands for a list that a function adds to without reading it, such as a history."""

    def __init__(self, label: str) -> None:
        self.label, self.added, self.was_read = label, list[Any](), False

    def append(self, x: Any) -> None:
        self.added.append(x)

    def extend(self, parts: Any) -> None:
        self.added.extend(parts)

    def __iadd__(self, parts: Any) -> Appended:  # type: ignore[misc]
        self.extend(parts)
        return self

    def __getattribute__(self, name: str) -> Any:
        if name in ("append", "extend", "added", "label", "was_read"):
            return super().__getattribute__(name)
        self.was_read = True  # also by isinstance, which asks for the class
        return getattr(self.added, name)

    def _read(self, *_: Any) -> Any:
        self.was_read = True
        raise Reread(self.label)

    __len__ = __iter__ = __getitem__ = __setitem__ = __delitem__ = __contains__ = __bool__ = _read
    __add__ = __radd__ = __mul__ = __eq__ = __lt__ = __reversed__ = __str__ = __format__ = _read
    __hash__ = None  # type: ignore[assignment]


class Reread(Exception):
    """A list was read that only seemed to be added to, so the function must be traced again."""


def held(x: Any) -> Any:
    """Return what a mutable object holds: its items, attributes, or value."""
    if type(x) is Appended:  # before isinstance, which it would notice
        return list(x.added)
    if isinstance(x, CellType):
        try:
            return {"cell_contents": x.cell_contents}
        except ValueError:  # it is empty
            return {}
    if isinstance(x, dict):
        return dict(x)
    if isinstance(x, list | deque):
        return list(x)
    if isinstance(x, set):
        return {"items": frozenset(x)}
    return {**getattr(x, "__dict__", {}), **{name: getattr(x, name) for name in slots(x)}}


def slots(x: Any) -> list[str]:
    """Return the names of the attributes that an object keeps in slots."""
    found: list[str] = []
    for kind in type(x).__mro__:
        names = vars(kind).get("__slots__", ())
        found += [names] if isinstance(names, str) else names
    return [name for name in found if not name.startswith("__") and hasattr(x, name)]


def same(x: Any, y: Any) -> bool:
    """Return whether two immutable objects are equal for every purpose."""
    if x is y:
        return True
    if type(x) is not type(y):
        return False
    return repr(x) == repr(y) if isinstance(x, float | complex | np.inexact) else bool(x == y)


def unchanged(array: Any, shape: Any, dtype: Any, numbers: bytes) -> bool:
    """Return whether an array still has the same elements."""
    found: bool = array.shape == shape and array.dtype == dtype and array.tobytes() == numbers
    return found


def converts(kind: type) -> bool:
    """Return whether NumPy's functions convert arrays of a type to NumPy's, as they do JAX's."""
    number = issubclass(kind, bool | int | float | complex | np.generic)
    return not number and not hasattr(kind, "__array_function__")


def speaks(kind: type) -> bool:
    """Return whether a type is of another library's arrays with NumPy's protocols."""
    return hasattr(kind, "__array_function__") and not issubclass(kind, np.ndarray)


def is_library(x: Any) -> bool:
    """Return whether a function, class or module is code of Python or of an installed package."""
    if isinstance(x, FunctionType):
        return x.__code__.co_filename.startswith(FOLDERS)
    module = x if isinstance(x, ModuleType) else sys.modules.get(x.__module__)
    if module is None or module.__name__ == "__main__":
        return False
    if module.__name__.partition(".")[0] in sys.stdlib_module_names:
        return True
    return (getattr(module, "__file__", None) or "").startswith(FOLDERS)


def is_opaque(x: Any) -> bool:
    """Return whether an object is compared by its identity alone."""
    kind = type(x)
    if kind.__module__ == "autodiff.transforms.rules":  # a function of the user with rules
        return False
    return is_library(kind) and (
        kind.__module__.partition(".")[0] in OPAQUE or not hasattr(x, "__dict__")
    )


OPAQUE = {*sys.stdlib_module_names, "numpy", "autodiff"} - {"types"}


def codes(code: CodeType) -> Iterator[CodeType]:
    """Iterate over the code of a function and of the functions defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def global_names(code: CodeType) -> list[str]:
    """Return the names of the global variables and builtins that code reads or changes."""
    operations = {"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"}
    found = (step.argval for step in dis.get_instructions(code) if step.opname in operations)
    return [*dict.fromkeys(found)]
