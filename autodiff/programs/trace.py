"""Traced arrays: they compute as NumPy's do, and write down every call that is made on them.

A traced array speaks NumPy's protocols, so neither the user's function nor the engine's rules know
that they are being traced.
"""

from __future__ import annotations

import linecache
import operator
import sys
from collections.abc import Callable, Iterator
from copy import copy
from threading import get_ident
from types import FrameType
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from autodiff.core.graph import Node, data_of
from autodiff.core.tracebacks import user_frame
from autodiff.nodes.arrays import private


class Refusal(TypeError):
    """The function does something that no program can repeat; the message says what to do."""


class Slot(int):
    """The number of a value in a program: of an argument, or of a step's result."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Slot({int(self)})"


class Line(NamedTuple):
    """A line of the user's code."""

    file: str
    number: int

    def __str__(self) -> str:
        return f"line {self.number} of {self.file}" if self.number else "its caller"

    @property
    def text(self) -> str:
        """The line with its number, as in "line 3: y = x * x"; empty if its file is not there."""
        text = linecache.getline(self.file, self.number).strip()
        return f"line {self.number}: {text}" if text else ""


class Step(NamedTuple):
    """A call of a function.

    `args` and `kwargs` have slots in place of traced arrays, `out` is the result's slot, or a
    container of slots. `writes` are the slots of arrays that the call changes in place. `warns`
    says whether NumPy's warnings are on, as they are outside of the rules of derivatives.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    line: Line
    writes: tuple[Slot, ...] = ()
    warns: bool = True


class Guard(NamedTuple):
    """What data decided while the function was traced.

    A truth value, a whole number, a shape, or the name of a dtype; `order` counts the decisions.
    """

    slot: Slot
    held: bool | int | tuple[int, ...] | str
    line: Line
    order: int


NARROW = {np.dtype(name) for name in ("float16", "float32", "complex64")}
"""Dtypes that a Python number does not widen, but a NumPy number of double precision does."""


class Kind(NamedTuple):
    """What is known of a value: shape, dtype, layout; whether it is a Python or NumPy number."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    weak: bool
    scalar: bool
    layout: str

    def __str__(self) -> str:
        if self.weak or not self.shape:
            return ""
        dtype = "" if self.dtype == float else f"{self.dtype} "
        return f"{dtype}{self.shape}"


def dtype_of(x: Any) -> np.dtype[Any]:
    """Return the dtype of an array or a number."""
    return x.dtype if hasattr(x, "dtype") else np.result_type(x)


def layout(array: Any) -> str:
    """Return the orders in which an array is contiguous: "CF", "C", "F" or ""."""
    if (flags := getattr(array, "flags", None)) is None:  # of a library without such orders
        return ""
    orders = {"C": flags.c_contiguous, "F": flags.f_contiguous}
    return "".join(order for order, holds in orders.items() if holds)


class Trace:
    """The steps of one run of a function, and the values that they had in it."""

    def __init__(self) -> None:
        self.steps: list[Step | Guard] = []
        self.values: list[Any] = []
        self.weak: list[bool] = []
        self.names: dict[Slot, str] = {}
        self.decisions: list[Any] = []
        self.texts: list[Refusal] = []
        """For each text that was made of a traced array."""
        self.thread, self.caller = get_ident(), user_frame(sys._getframe(1))
        self.open = True

    def new(self, value: Any, weak: bool = False) -> Traced:
        self.values.append(value)
        self.weak.append(weak)
        return Traced(self, Slot(len(self.values) - 1), weak)

    def argument(self, leaf: Any) -> Traced:
        """Return a traced copy of an argument, since the function may change it in place."""
        if isinstance(leaf, Node):
            raise TypeError(f"a program takes numbers and arrays, not a {type(leaf).__name__}")
        if isinstance(leaf, np.ndarray | np.generic):
            return self.new(copy(leaf))
        if hasattr(leaf, "__array_function__"):
            return self.new(leaf.copy())
        if hasattr(leaf, "dtype"):
            return self.new(np.array(leaf))
        return self.new(np.result_type(leaf).type(leaf), weak=True)

    def call(self, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """Compute on the values, and write down the call if its result has numbers."""
        if not self.open:
            raise Refusal(
                "an array of a trace was used after the trace had ended: return it from the "
                "function instead of storing it"
            )
        if get_ident() != self.thread:
            raise Refusal("a traced array was used by another thread than the function's own")
        targets = _written(function, args, kwargs)
        value = function(*values_beside(args), **mapped(_value, kwargs))
        if function in STRUCTURAL:
            return value
        made = next((x for x in targets if x.value is value), None)
        if made is None:
            made = self._wrapped(value, _is_weak([*args, *kwargs.values()]), function)
        line = self._line()
        given = mapped(_slot, tuple(args)), mapped(_slot, kwargs)
        writes = tuple(x.slot for x in targets)
        out = mapped(_slot, made)
        warns = np.geterr()["divide"] != "ignore"
        self.steps.append(Step(function, *given, out, line, writes, warns))
        if isinstance(value, bool | int):  # as of np.allclose: a decision
            return self.decide(made, type(value))
        for slot in slots_in(out):
            if _shape_depends_on_data(function, args, kwargs):
                self._guard(slot, self.values[slot].shape, line)
            if function in DTYPE_OF_DATA:
                self._guard(slot, self.values[slot].dtype.name, line)
        return made

    def _guard(self, slot: Slot, held: Any, line: Line) -> None:
        self.steps.append(Guard(slot, held, line, len(self.decisions)))
        self.decisions.append(held)

    def written(self) -> dict[Slot, int]:
        """Return the slots of all arrays that a step changes, or that share memory with one.

        Each with a number that is the same for those that share memory.
        """
        owners = [_owner(value) for value in self.values]
        changed = {
            owners[slot] for step in self.steps if isinstance(step, Step) for slot in step.writes
        }
        return {Slot(k): owner for k, owner in enumerate(owners) if owner in changed}

    def kinds(self) -> list[Kind]:
        return [
            Kind(
                np.shape(value),
                dtype_of(value),
                weak,
                isinstance(value, np.generic),
                layout(value),
            )
            for value, weak in zip(self.values, self.weak, strict=True)
        ]

    def decide(self, x: Traced, kind: type[int]) -> int:
        """Return the truth value or whole number of an array, which later runs must find again."""
        held: int = kind(x.value)
        self._guard(x.slot, held, self._line())
        return held

    def _line(self) -> Line:
        """Return the user's line, and take names of its function's variables."""
        frame = user_frame(sys._getframe(2))
        if frame is self.caller:  # a rule of a derivative, after the function has returned
            return Line("", 0)
        for name, x in frame.f_locals.items():
            x = data_of(x)
            if type(x) is Traced and x.trace is self and name.isidentifier():
                self.names.setdefault(x.slot, name)
        return Line(frame.f_code.co_filename, frame.f_lineno)

    def _wrapped(self, value: Any, weak: bool, function: Callable[..., Any]) -> Any:
        """Return the result of a call with traced arrays in place of arrays and numbers."""
        if isinstance(value, np.ndarray | np.generic) or hasattr(value, "__array_ufunc__"):
            return self.new(value, weak and value.shape == ())
        if isinstance(value, bool | int | float | complex):
            return self.new(np.result_type(value).type(value), True)
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*[self._wrapped(part, False, function) for part in value])
        if isinstance(value, tuple | list):
            return type(value)([self._wrapped(part, False, function) for part in value])
        if value is None:
            return None
        raise Refusal(
            f"{function.__name__} cannot be traced: it returned {type(value).__name__}, which is "
            "not an array"
        )


def mapped(change: Callable[[Any], Any], x: Any) -> Any:
    """Return nested arguments with each leaf changed."""
    if not isinstance(x, NESTED):
        return change(x)
    if isinstance(x, dict):
        return {key: mapped(change, part) for key, part in x.items()}
    parts = (x.start, x.stop, x.step) if isinstance(x, slice) else x
    # most parts are leaves, and programs have many
    made = [mapped(change, p) if isinstance(p, NESTED) else change(p) for p in parts]
    if isinstance(x, slice):
        return slice(*made)
    return type(x)(*made) if hasattr(x, "_fields") else type(x)(made)


NESTED = (tuple, list, dict, slice)


def slots_in(x: Any) -> list[Slot]:
    """Return all slots in nested arguments, in their order."""
    if type(x) is Slot:
        return [x]
    found: list[Slot] = []
    if isinstance(x, NESTED):
        _collect(x, found)
    return found


def _collect(x: Any, found: list[Slot]) -> None:
    if isinstance(x, dict):
        x = x.values()
    elif isinstance(x, slice):
        x = x.start, x.stop, x.step
    for part in x:
        if type(part) is Slot:
            found.append(part)
        elif isinstance(part, NESTED):
            _collect(part, found)


def _is_scalar(x: Any) -> bool:
    return type(x) is Traced and not isinstance(x.value, np.ndarray)


def _value(x: Any) -> Any:
    if isinstance(x, Node):
        raise TypeError(f"a traced array cannot be combined with a {type(x).__name__} here")
    return x.value if type(x) is Traced else x


def values_beside(args: Any) -> Any:
    """Return arguments with values in place of traced arrays.

    A weak number beside arrays of less than double precision is a Python number, which does not
    widen them.
    """
    if any(type(x) is Traced and not x.weak and x.dtype in NARROW for x in args):
        args = [x.value.item() if type(x) is Traced and x.weak else x for x in args]
    return mapped(_value, args)


def _slot(x: Any) -> Any:
    """Return what a step stores of an argument: constant arrays as they are now."""
    return x.slot if type(x) is Traced else private(x)


def _is_weak(operands: list[Any]) -> bool:
    return all(x.weak if type(x) is Traced else isinstance(x, int | float) for x in operands)


class Method:
    """A method of arrays, as a function."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, array: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(array, self.__name__)(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Method) and other.__name__ == self.__name__

    def __hash__(self) -> int:
        return hash(self.__name__)


WRITERS = {np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis}
WRITING_METHODS = {"fill", "sort", "put", "partition", "at", "resize"}


def _written(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> list[Traced]:
    """Return the traced arrays that a call changes in place."""
    targets = kwargs.get("out")
    found = [*targets] if isinstance(targets, tuple) else [targets]
    in_place = function is operator.setitem or function in WRITERS
    name = function.__name__
    if in_place or (isinstance(function, Method) and name in WRITING_METHODS) or name == "at":
        found.append(args[0])
    if any(isinstance(x, np.ndarray) for x in found):
        raise Refusal(
            f"{name} would write the numbers of a traced run to an array that is not traced: make "
            "the array with np.zeros_like(x) or x.copy() of a traced one"
        )
    return [x for x in found if type(x) is Traced]


STRUCTURAL = {
    np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast,
    np.common_type, np.min_scalar_type, np.may_share_memory, np.shares_memory, np.isfortran,
}  # fmt: skip
"""Functions that depend on shapes and dtypes only."""

SHAPE_OF_DATA = {
    np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.unique_all, np.unique_counts,
    np.unique_inverse, np.unique_values, np.extract, np.compress, np.union1d, np.intersect1d,
    np.setdiff1d, np.setxor1d, np.bincount, np.trim_zeros, Method("nonzero"),
}  # fmt: skip
"""Functions whose first argument decides the shape of the result."""
SHAPE_OF_INDICES = {np.take, np.take_along_axis, np.choose, Method("take"), Method("choose")}
"""Functions of whole numbers whose values do not change the shape of the result."""
DTYPE_OF_DATA = {
    np.linalg.eig, np.linalg.eigvals, np.roots, np.real_if_close, np.emath.sqrt, np.emath.log,
    np.emath.log2, np.emath.log10, np.emath.logn, np.emath.power, np.emath.arccos, np.emath.arcsin,
    np.emath.arctanh,
}  # fmt: skip
"""Functions that return real or complex numbers, as the data are."""


def _shape_depends_on_data(function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> bool:
    """Return whether data may decide the shape of a result: by a mask, a count or a bound."""
    if function in SHAPE_OF_DATA:
        return True
    if isinstance(function, np.ufunc) or function in SHAPE_OF_INDICES:
        return False
    if function is np.where:
        return len(args) == 1
    if function is operator.getitem:
        parts = args[1] if isinstance(args[1], tuple) else (args[1],)
        bounds = [part for part in parts if isinstance(part, slice)]
        masks = [part for part in parts if type(part) is Traced and part.dtype == bool]
        return bool(masks or _traced(bounds))
    return any(x.dtype.kind in "biu" for x in _traced([args[1:], kwargs]))


def _traced(x: Any) -> list[Traced]:
    """Return all traced arrays in nested arguments."""
    found: list[Traced] = []
    mapped(lambda part: found.append(part) if type(part) is Traced else None, x)
    return found


def _owner(value: Any) -> int:
    """Return the identity of the memory of an array."""
    while isinstance(getattr(value, "base", None), np.ndarray):
        value = value.base
    return id(value)


def _frozen(frame: FrameType) -> Refusal:
    return Refusal(
        f"{frame.f_code.co_filename}, line {frame.f_lineno}: a traced array does not turn into a "
        "plain number, array or text, since that would freeze the number of this run"
    )


class Traced(NDArrayOperatorsMixin):
    """An array or a scalar of a trace; `weak` if it is a Python number outside."""

    __slots__ = ("slot", "trace", "weak")

    def __init__(self, trace: Trace, slot: Slot, weak: bool) -> None:
        self.trace, self.slot, self.weak = trace, slot, weak

    @property
    def value(self) -> Any:
        """The array of this run."""
        return self.trace.values[self.slot]

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    nbytes = property(lambda self: self.value.nbytes)
    itemsize = property(lambda self: self.value.itemsize)
    base = None
    T = property(lambda self: self.trace.call(np.transpose, (self,), {}))
    real = property(lambda self: self.trace.call(np.real, (self,), {}))
    imag = property(lambda self: self.trace.call(np.imag, (self,), {}))

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Node) for x in inputs):
            return NotImplemented  # the node's turn
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if method == "__call__" and len(out := kwargs.get("out", ())) == 1 and _is_scalar(out[0]):
            kwargs.pop("out")  # `x += y` rebinds the name of a scalar
        return self.trace.call(function, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(kind, Node) for kind in types):
            return NotImplemented
        if function is np.asarray and len(args) == 1:  # a constant, in the library of this array
            return args[0] if type(args[0]) is Traced else self.trace.call(np.array, args, kwargs)
        return self.trace.call(function, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self.trace.call(operator.getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.trace.call(operator.setitem, (self, index, value), {})

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.trace.decide(self, bool))

    def __int__(self) -> int:
        if self.dtype.kind not in "iu":
            self._refuse()
        return self.trace.decide(self, int)

    __index__ = __int__

    def __getattr__(self, name: str) -> Any:
        # without bytes to compare, as a lazy array, so that `tensor.data` is a traced copy
        if name.startswith("__") or name == "tobytes" or not callable(getattr(self.value, name)):
            raise AttributeError(f"a traced array has no attribute {name!r}", name=name, obj=self)
        return lambda *args, **kwargs: self.trace.call(Method(name), (self, *args), kwargs)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise _frozen(user_frame(sys._getframe(1)))

    __float__ = __complex__ = __array__ = item = tolist = _refuse

    def __str__(self) -> str:
        # refused at the end only: it may be for the message of an error
        self.trace.texts.append(_frozen(user_frame(sys._getframe(1))))
        return repr(self)

    def __format__(self, spec: str) -> str:
        self.trace.texts.append(_frozen(user_frame(sys._getframe(1))))
        return repr(self)

    def __repr__(self) -> str:
        return f"<traced {self.dtype} of shape {self.shape}>"
