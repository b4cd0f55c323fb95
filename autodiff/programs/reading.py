"""What a function can read: its arguments, captured and global variables, attributes, items.

A `Reading` walks from a function and its arguments through all that the code may reach. It writes
a check, which finds the same objects again before a later call and fails if anything differs that
a program takes for granted. And it returns substitutes for a traced run, in which numbers and
arrays are traced; the user's own objects stay as they are.
"""

from __future__ import annotations

import copyreg
import functools
import io
from collections import deque
from collections.abc import Callable, Container
from copy import copy
from enum import Enum
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from autodiff.core.graph import Node
from autodiff.programs.state import (
    GENERATORS,
    IMMUTABLE,
    Appended,
    Input,
    Mutable,
    Recorded,
    Test,
    Unsupported,
    codes,
    converts,
    global_names,
    held,
    is_library,
    is_opaque,
    same,
    unchanged,
)
from autodiff.programs.trace import Refusal, Trace, Traced

LARGEST_INTEGER = 2**53
MOST_OBJECTS = 10_000


class Reading:
    """A walk through all that a function can read.

    Parameters
    ----------
    trace : Trace
        Makes the traced arrays.
    varying : container of str
        Labels of captured numbers that are inputs, since they were seen to change.
    static : container of str
        Names of arguments whose numbers are compared by value.
    read : container of str
        Labels of lists that the function is known to read.
    apart : bool
        Whether arrays are inputs of their own wherever they are found, since none is changed.
    converting : bool
        Whether the back end takes arrays that NumPy's functions turn into arrays of NumPy.
    """

    def __init__(
        self,
        trace: Trace,
        varying: Container[str],
        static: Container[str],
        read: Container[str],
        apart: bool,
        converting: bool,
    ) -> None:
        self.trace, self.varying, self.static = trace, varying, static
        self.read, self.apart, self.converting = read, apart, converting
        self.lines: list[str] = []
        self.space: dict[str, Any] = {"same": same, "unchanged": unchanged}
        self.tests: list[Test] = []
        self.inputs: list[Input] = []
        self.originals: list[Any] = []
        """The arrays among the inputs."""
        self.mutables: list[Mutable] = []
        self.variables: dict[int, str] = {}
        """The check's variables, by the identity of what stands for their objects."""
        self.generators: list[Any] = []
        """Generators of random numbers."""
        self._captured, self._numbers = True, False
        self._in_state = True
        self._known: dict[tuple[int, bool], tuple[Any, str, Any]] = {}
        self._spaces: dict[tuple[int, bool], tuple[dict[str, Any], Callable[[str], None]]] = {}
        self._owners: list[tuple[Any, Callable[[str], None]]] = []
        self._names: set[str] = set()
        self._followed: set[tuple[int, str]] = set()

    def function(self, f: Any) -> Any:
        """Return what stands for the function, which is the same object in every call."""
        made = self._visit(f, self._constant(f), getattr(f, "__name__", "the function"))
        self._follow_names()
        return made

    def argument(self, x: Any, path: str, name: str) -> Any:
        """Return what stands for an argument. Its numbers are inputs, unless it is static."""
        self._captured = self._in_state = False
        self._numbers = name not in self.static
        made = self._visit(x, path, name)
        self._captured = self._in_state = True
        self._numbers = False
        self._follow_names()
        return made

    def reread(self) -> set[str]:
        """Return the labels of lists that were read, and not only added to."""
        lists = (x.object for x in self.mutables if type(x.object) is Appended)
        return {x.label for x in lists if x.was_read}

    def check(self, test: str, label: str, expected: str) -> None:
        """Add a line to the check: what must not hold."""
        self.lines.append(f"if {test}: return None, {len(self.tests)}")
        self.tests.append(Test(label, expected, False))

    def _visit(self, x: Any, path: str, label: str, traced: bool = True) -> Any:
        """Check the object at a path, and return what stands for it in the traced run.

        With `traced=False` the object stands for itself, and its arrays are compared by value.
        """
        if (known := self._known.get((id(x), traced))) is not None:
            _, variable, made = known
            self._bind(
                path, label, f"{{0}} is not {variable}", expected="the same object as before"
            )
            return made
        if isinstance(x, Traced | Node):
            raise Recorded(f"{label} is a {type(x).__name__}")
        if isinstance(x, IMMUTABLE):
            return self._immutable(x, path, label, traced)
        for kinds, visit in VISITS:
            if isinstance(x, kinds):
                return visit(self, x, path, label, traced)
        if hasattr(x, "dtype") and hasattr(x, "shape"):
            return self._array(x, path, label, traced)
        if hasattr(x, "__next__") or isinstance(x, io.IOBase):
            raise Refusal(
                f"{label} is a {type(x).__name__}, whose state cannot be compared: pass what it "
                "gives as an argument"
            )
        if hasattr(x, "__jitted__"):
            inner = f"{self._typed(x, path, label)}.__jitted__"
            return self._visit(x.__jitted__, inner, label, traced)
        if is_opaque(x):
            if isinstance(x, GENERATORS):
                self.generators.append(x)
            return self._itself(x, path, label, traced)
        # a function with rules of its own is called from inside of the engine
        traced = traced and type(x).__module__ != "autodiff.transforms.rules"
        return self._instance(x, path, label, traced)

    def _immutable(self, x: Any, path: str, label: str, traced: bool) -> Any:
        number = isinstance(x, int | float | complex | np.number) and traced
        number = number and not isinstance(x, bool | Enum)
        if not number or not (self._numbers or label in self.varying):
            constant = self._constant(x)
            test = f"{{0}} is not {constant} and not same({{0}}, {constant})"
            self._bind(path, label, test, expected=repr(x), varies=number)
            return x
        tests = [f"type({{0}}) is not {self._constant(type(x))}"]
        if isinstance(x, int):
            if abs(x) > LARGEST_INTEGER:
                raise Unsupported(f"{label} = {x} is beyond 2**53")
            tests.append(f"not {-LARGEST_INTEGER} <= {{0}} <= {LARGEST_INTEGER}")
        return self._input(x, path, label, *tests, expected=f"a number ({type(x).__name__})")[1]

    def _array(self, x: Any, path: str, label: str, traced: bool) -> Any:
        if getattr(x.dtype, "kind", "O") not in "fciub":
            raise Unsupported(f"{label} is an array of dtype {x.dtype}")
        if converts(type(x)) and (not self.converting or self._captured or self._in_state):
            words = 'pass np.asarray of it, or, with backend="jax", an array of JAX as an argument'
            raise Unsupported(f"{label} is a {type(x).__module__}.{type(x).__name__}: {words}")
        kind, shape, dtype = map(self._constant, (type(x), x.shape, x.dtype))
        expected = f"{x.dtype} of shape {x.shape}"
        if traced:
            test = f"type({{0}}) is not {kind} or {{0}}.shape != {shape} or {{0}}.dtype != {dtype}"
            variable, made = self._input(x, path, label, test, expected=expected)
        else:
            numbers = self._constant(x.tobytes())
            test = f"type({{0}}) is not {kind} or not unchanged({{0}}, {shape}, {dtype}, {numbers})"
            variable, made = self._bind(path, label, test, expected="the same numbers"), x
            self.mutables.append(Mutable(variable, label, x, False))
        if self.apart and traced:
            self.variables[id(made)] = variable
        else:
            self._remember(x, variable, made, traced)
        self.originals.append(x)
        return made

    def _input(self, x: Any, path: str, label: str, *tests: str, expected: str) -> tuple[str, Any]:
        variable = self._bind(path, label, *tests, expected=expected)
        made = self.trace.argument(x)
        value = x if self._captured else None
        self.inputs.append(Input(made.slot, variable, label, self._captured, type(x), value))
        return variable, made

    # Containers and objects

    def _tuple(self, x: Any, path: str, label: str, traced: bool) -> Any:
        variable = self._typed(x, path, label, f"len({{0}}) != {len(x)}")
        names = getattr(x, "_fields", None)
        labels = [f"{label}.{name}" for name in names or ()]
        labels = labels or [f"{label}[{k}]" for k in range(len(x))]
        parts = [
            self._visit(part, f"{variable}[{k}]", labels[k], traced) for k, part in enumerate(x)
        ]
        if not traced or all(part is old for part, old in zip(parts, x, strict=True)):
            return x
        made = type(x)(*parts) if names else type(x)(parts)
        self._remember(x, variable, made, traced)
        return made

    def _sequence(self, x: Any, path: str, label: str, traced: bool) -> Any:
        plain = type(x) is list and all(isinstance(part, IMMUTABLE) for part in x)
        if traced and plain and self._in_state and label not in self.read:
            variable = self._typed(x, path, label)
            made: Any = Appended(label)
            self.mutables.append(Mutable(variable, label, made, True))
            self._remember(x, variable, made, traced)
            return made
        variable = self._typed(x, path, label, f"len({{0}}) != {len(x)}")
        made = self._copied(x, variable, label, traced)
        for k, part in enumerate(list(x)):
            found = self._visit(part, f"{variable}[{k}]", f"{label}[{k}]", traced)
            if traced:
                made[k] = found
        return made

    def _dict(self, x: Any, path: str, label: str, traced: bool) -> Any:
        self._check_immutable(x, label)
        variable = self._typed(x, path, label, f"[*{{0}}] != {self._constant([*x])}")
        made = self._copied(x, variable, label, traced)
        for key, part in held(x).items():
            at = f"{variable}[{repr(key) if type(key) is str else self._constant(key)}]"
            found = self._visit(part, at, f"{label}[{key!r}]", traced)
            if traced:
                made[key] = found
        return made

    def _set(self, x: Any, path: str, label: str, traced: bool) -> Any:
        self._check_immutable(x, label)
        variable = self._typed(x, path, label, f"{{0}} != {self._constant(copy(x))}")
        return self._copied(x, variable, label, traced) if isinstance(x, set) else x

    def _check_immutable(self, parts: Any, label: str) -> None:
        """Refuse keys and elements that are not compared by value."""
        for part in parts:
            inside = part if isinstance(part, tuple) else (part,)
            if not all(isinstance(x, (*IMMUTABLE, type, np.ufunc)) for x in inside):
                raise Unsupported(f"{label} has a {type(part).__name__} as a key or an element")

    def _instance(self, x: Any, path: str, label: str, traced: bool) -> Any:
        variable = self._typed(x, path, label)
        self._check_class(type(x))
        made = self._copied(x, variable, label, traced)
        in_state, self._in_state = self._in_state, True
        if hasattr(x, "__dict__"):
            keys = self._constant(frozenset(vars(x)))
            self._bind(f"{variable}.__dict__", label, f"{{0}}.keys() != {keys}")
        for name, part in held(x).items():
            found = self._visit(part, f"{variable}.{name}", f"{label}.{name}", traced)
            if traced:
                object.__setattr__(made, name, found)
        self._in_state = in_state
        return made

    def _class(self, x: Any, path: str, label: str, traced: bool) -> Any:
        self._check_class(x)
        return self._itself(x, path, label, traced)

    def _check_class(self, kind: type) -> None:
        """Check the attributes of a user's class that the code names, those inherited too."""
        for base in kind.__mro__:
            if is_library(base) or (id(base), False) in self._known:
                continue
            name = self._constant(base)
            self._remember(base, name, base, False)
            self.mutables.append(Mutable(name, base.__name__, base, False))
            copyreg._slotnames(base)  # type: ignore[attr-defined]  # which copying adds to a class
            keys = self._constant(frozenset(vars(base)))
            self._bind(f"{name}.__dict__", base.__name__, f"{{0}}.keys() != {keys}")

            def check(attribute: str, base: type = base, name: str = name) -> None:
                path, words = f"{name}.__dict__[{attribute!r}]", f"{base.__name__}.{attribute}"
                self._visit(vars(base)[attribute], path, words, traced=False)

            self._owners.append((vars(base), check))

    def _descriptor(self, x: Any, path: str, label: str, traced: bool) -> Any:
        """Check the functions of a property, a static method or a class method."""
        variable = self._typed(x, path, label)
        for name in ("fget", "fset") if isinstance(x, property) else ("__func__",):
            self._visit(getattr(x, name), f"{variable}.{name}", label, traced=False)
        return x

    # Functions, and what their code refers to by name

    def _function(self, x: Any, path: str, label: str, traced: bool) -> Any:
        code = self._constant(x.__code__)
        variable = self._typed(x, path, label, f"{{0}}.__code__ is not {code}")
        space, require = self._namespace(x.__globals__, traced)
        cells = x.__closure__ or ()
        copies = [
            self._cell(cell, f"{variable}.__closure__[{k}]", x.__code__.co_freevars[k], traced)
            for k, cell in enumerate(cells)
        ]
        made = x
        if traced:
            made = FunctionType(x.__code__, space, x.__name__, None, tuple(copies) or None)
            made.__qualname__, made.__doc__ = x.__qualname__, x.__doc__
        self._remember(x, variable, made, traced)
        for name in ("__defaults__", "__kwdefaults__", "__dict__"):
            if getattr(x, name):
                found = self._visit(getattr(x, name), f"{variable}.{name}", label, traced)
                if traced:
                    setattr(made, name, found)
        for k, (cell, copied) in enumerate(zip(cells, copies, strict=True)):
            self._fill(cell, copied, x.__code__.co_freevars[k], traced)
        for inside in codes(x.__code__):
            self._names.update(inside.co_names)
            if not is_library(x):
                for name in global_names(inside):
                    require(name)
        return made

    def _method(self, x: Any, path: str, label: str, traced: bool) -> Any:
        return MethodType(*self._parts(x, path, label, traced, "__func__", "__self__"))

    def _partial(self, x: Any, path: str, label: str, traced: bool) -> Any:
        f, args, kwargs = self._parts(x, path, label, traced, "func", "args", "keywords")
        return functools.partial(f, *args, **kwargs)

    def _parts(self, x: Any, path: str, label: str, traced: bool, *names: str) -> list[Any]:
        variable = self._typed(x, path, label)
        return [
            self._visit(getattr(x, name), f"{variable}.{name}", label, traced) for name in names
        ]

    def _cell(self, x: CellType, path: str, label: str, traced: bool) -> CellType:
        """Return the cell that stands for a captured variable's, empty when it is new."""
        if (known := self._known.get((id(x), traced))) is not None:
            self._bind(path, label, f"{{0}} is not {known[1]}")
            return known[2]  # type: ignore[no-any-return]
        variable = self._bind(path, label)
        made = CellType() if traced else x
        self.mutables.append(Mutable(variable, label, made, traced))
        self._remember(x, variable, made, traced)
        return made

    def _fill(self, x: CellType, made: CellType, label: str, traced: bool) -> None:
        if held(x) and (not traced or not held(made)):
            variable = self.variables[id(made)]
            found = self._visit(x.cell_contents, f"{variable}.cell_contents", label, traced)
            if traced:
                made.cell_contents = found

    def _module(self, x: Any, path: str, label: str, traced: bool) -> Any:
        if is_library(x):
            return self._itself(x, path, label, traced)
        variable = self._bind(path, label, f"{{0}} is not {self._constant(x)}")
        space, require = self._namespace(vars(x), traced)
        made = x
        if traced:
            made = ModuleType(x.__name__)
            made.__dict__.update(space)
            self.mutables.append(Mutable(variable, label, made, True))
        self._remember(x, variable, made, traced)

        def check(name: str) -> None:
            require(name)
            if traced:
                setattr(made, name, space[name])

        self._owners.append((vars(x), check))
        return made

    def _namespace(
        self, variables: dict[str, Any], traced: bool
    ) -> tuple[dict[str, Any], Callable[[str], None]]:
        """Return what stands for a dict of global variables, and a function that checks one."""
        if (key := (id(variables), traced)) in self._spaces:
            return self._spaces[key]
        name = self._constant(variables)
        made = dict(variables) if traced else variables
        done: set[str] = set()

        def require(wanted: str) -> None:
            if wanted in done:
                return
            done.add(wanted)
            if wanted in variables:
                found = self._visit(variables[wanted], f"{name}[{wanted!r}]", wanted, traced)
                if traced:
                    made[wanted] = found
            else:
                self._bind(f"{wanted!r} in {name}", wanted, "{0}")

        if traced:
            self.mutables.append(Mutable(name, "globals", made, True))
        self._spaces[key] = made, require
        return made, require

    def _follow_names(self) -> None:
        """Check the attributes of classes and modules that any of the code names."""
        while True:
            dynamic = not self._names.isdisjoint({"getattr", "vars", "attrgetter", "methodcaller"})
            found = [
                (k, name)
                for k, (variables, _) in enumerate(self._owners)
                for name in [*variables]
                if (k, name) not in self._followed
                and (name in self._names or dynamic or name in SPECIAL)
                and name not in UNREAD
            ]
            if not found:
                return
            for k, name in found:
                self._followed.add((k, name))
                self._owners[k][1](name)

    # Lines of the check: each names an object, and returns its number where it differs

    def _bind(
        self,
        path: str,
        label: str,
        *tests: str,
        expected: str = "what it was",
        varies: bool = False,
    ) -> str:
        """Add a line that finds an object, and one that tests it; return its variable."""
        if len(self.tests) >= MOST_OBJECTS:
            raise Refusal(
                f"{label}: the function may read more than {MOST_OBJECTS:,} objects: pass what it "
                "needs as arguments, in arrays"
            )
        variable = f"v{len(self.tests)}"
        self.lines.append(f"{variable} = {path}")
        if tests:
            test = " or ".join(test.format(variable) for test in tests)
            self.lines.append(f"if {test}: return None, {len(self.tests)}")
        self.tests.append(Test(label, expected, varies))
        return variable

    def _typed(self, x: Any, path: str, label: str, *tests: str) -> str:
        size = f" of {len(x)}" if isinstance(x, list | tuple | dict | set) else ""
        test = f"type({{0}}) is not {self._constant(type(x))}"
        return self._bind(path, label, test, *tests, expected=f"a {type(x).__name__}{size}")

    def _itself(self, x: Any, path: str, label: str, traced: bool) -> Any:
        name = self._constant(x)
        self._bind(path, label, f"{{0}} is not {name}", expected="the same object as before")
        return x

    def _constant(self, x: Any) -> str:
        name = f"k{len(self.space)}"
        self.space[name] = x
        return name

    def _remember(self, x: Any, variable: str, made: Any, traced: bool) -> None:
        self._known[id(x), traced] = x, variable, made
        self.variables[id(made)] = variable

    def _copied(self, x: Any, variable: str, label: str, traced: bool) -> Any:
        """Return a copy of a mutable object for the traced run, or the object itself."""
        made = copy(x) if traced else x
        self.mutables.append(Mutable(variable, label, made, traced))
        self._remember(x, variable, made, traced)
        return made


VISITS: list[tuple[Any, Callable[..., Any]]] = [
    (FunctionType, Reading._function),
    (MethodType, Reading._method),
    (functools.partial, Reading._partial),
    (ModuleType, Reading._module),
    (type, Reading._class),
    (tuple, Reading._tuple),
    (dict, Reading._dict),
    (list | deque, Reading._sequence),
    (set | frozenset, Reading._set),
    (property | staticmethod | classmethod, Reading._descriptor),
]
"""How objects are read, by their kind."""

SPECIAL = {f"__{name}__" for name in (
    "call", "init", "getattr", "getitem", "setitem", "len", "iter", "bool", "enter", "exit", "add",
    "radd", "iadd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "neg", "matmul",
    "rmatmul", "eq", "lt", "le", "gt", "ge", "contains", "get", "set", "post_init", "new",
)}  # fmt: skip
"""Methods that code calls without their names."""
UNREAD = {"__dict__", "__weakref__", "__doc__", "__annotations__", "__module__", "__qualname__"}
