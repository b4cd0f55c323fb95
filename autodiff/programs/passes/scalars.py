"""Programs of small arrays as programs of numbers.

Arrays become NumPy arrays of slots (and constants), so that views, indices and changes in place of
these are those of the program's arrays. Calls of elementwise functions become a call for each
element.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.core import trees
from autodiff.programs.passes.rewriting import is_elementwise
from autodiff.programs.trace import Guard, Kind, Line, Method, Slot, Step, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program

DTYPES = "bif"
"""Kinds of dtypes of which the numbers may be."""


class Unscalable(Exception):
    """A step has no form on numbers, or takes more of them than is allowed."""


def scalars(program: Program, most: int) -> Program | None:
    """Return a program on numbers that computes the same; None if it had more than `most` calls."""
    calls = (step.function for step in program.steps if isinstance(step, Step))
    if not all(is_elementwise(function) or function in MOVING for function in calls):
        return None
    try:
        return _Expansion(program, most).program()
    except Unscalable:
        return None


class _Expansion:
    def __init__(self, program: Program, most: int) -> None:
        self.old, self.most = program, most
        self.kinds: list[Kind] = [*program.kinds]
        self.steps: list[Step | Guard] = []
        self.arrays: dict[Slot, Any] = {}
        """The elements of each array, as an array of objects."""
        self.step: Step

    def program(self) -> Program:
        inputs = {x.slot for x in self.old.inputs}
        if any(self.old.kinds[x].shape for x in self.old.written if x in inputs):
            raise Unscalable  # an argument is changed
        for argument in self.old.inputs:
            self._unpack(argument.slot)
        for step in self.old.steps:
            if isinstance(step, Guard):
                self._guard(step)
            else:
                self.step = step
                self._enter(step.out, self._result(step))
        made: dict[Slot, Any] = {}
        for x in trees.leaves(self.old.outputs):
            if type(x) is Slot and x not in made:
                made[x] = self._pack(x)
        outputs = trees.mapped(lambda x: made[x] if type(x) is Slot else x, self.old.outputs)
        names = {
            elements[()]: name
            for slot, name in self.old.names.items()
            if not (elements := self.arrays.get(slot, UNKNOWN)).ndim
        }
        return replace(
            self.old,
            steps=tuple(self.steps),
            outputs=outputs,
            kinds=self.kinds,
            names=names,
            written={},
        )

    def emit(self, function: Callable[..., Any], args: Sequence[Any], dtype: Any) -> Any:
        """Add a call of numbers, and return its slot; or its value, if it is the same always."""
        if not slots_in(list(args)):
            with np.errstate(all="ignore"):
                return dtype.type(function(*args))
        if len(self.steps) >= self.most:
            raise Unscalable
        kind = Kind((), dtype, False, True, "CF")
        self.kinds.append(kind)
        out = Slot(len(self.kinds) - 1)
        self.steps.append(
            self.step._replace(function=function, args=tuple(args), kwargs={}, out=out, writes=())
        )
        return out

    def each(self, function: Callable[..., Any], args: Sequence[Any], dtype: Any) -> Any:
        """Call a function of numbers for each element."""
        if prod(np.broadcast_shapes(*map(np.shape, args))) > self.most:
            raise Unscalable
        call = np.frompyfunc(lambda *given: self.emit(function, given, dtype), len(args), 1)
        return call(*args)

    def reduced(self, function: np.ufunc, x: Any, axis: Any, keepdims: bool, dtype: Any) -> Any:
        """Join the elements along axes by a function of two numbers."""
        axes = {*range(x.ndim)}
        if axis is not None and x.ndim:  # NumPy takes a number to have an axis 0
            axes = {int(k) % x.ndim for k in np.atleast_1d(axis)}
        kept = [k for k in range(x.ndim) if k not in axes]
        rows = np.transpose(x, [*kept, *sorted(axes)])
        rows = rows.reshape([x.shape[k] for k in kept] + [prod(x.shape[k] for k in axes)])
        found = np.empty(rows.shape[:-1], object)
        for index in np.ndindex(found.shape):
            elements = [*rows[index]]
            if not elements:
                raise Unscalable
            found[index] = reduce(lambda a, b: self.emit(function, (a, b), dtype), elements)
        shape = [1 if k in axes else n for k, n in enumerate(x.shape)]
        return found.reshape(shape) if keepdims else found

    def _unpack(self, x: Slot) -> None:
        kind = self.old.kinds[x]
        if kind.dtype.kind not in DTYPES or kind.dtype.itemsize not in (1, 8):
            raise Unscalable
        if not kind.shape:
            self.arrays[x] = _boxed(x)
            return
        if prod(kind.shape) > self.most:
            raise Unscalable
        self.arrays[x] = made = np.empty(kind.shape, object)
        self.step = Step(operator.getitem, (), {}, x, Line("", 0), (), False)
        for index in np.ndindex(made.shape):
            made[index] = self.emit(operator.getitem, (x, index), kind.dtype)

    def _pack(self, x: Slot) -> Any:
        kind, elements = self.old.kinds[x], self.arrays[x]
        if not kind.shape:
            return elements[()]
        found = elements.tolist()
        kwargs = {} if kind.dtype == float else {"dtype": kind.dtype}
        if not elements.size:
            found, kwargs = kind.shape, {"dtype": kind.dtype}
        self.kinds.append(kind)
        out = Slot(len(self.kinds) - 1)
        function = np.array if elements.size else np.zeros
        self.steps.append(Step(function, (found,), kwargs, out, Line("", 0), (), False))
        return out

    def _guard(self, guard: Guard) -> None:
        elements = self.arrays[guard.slot]
        if not isinstance(guard.held, bool | int) or elements.ndim:
            raise Unscalable
        if type(x := elements[()]) is Slot:
            self.steps.append(guard._replace(slot=x))

    def _enter(self, out: Any, found: Any) -> None:
        if out is None:  # a change in place
            return
        if isinstance(out, list | tuple):
            for part, x in zip(out, found, strict=True):
                self._enter(part, x)
            return
        kind = self.old.kinds[out]
        if kind.dtype.kind not in DTYPES or kind.dtype.itemsize not in (1, 8):
            raise Unscalable
        found = found.astype(object, copy=False) if isinstance(found, np.ndarray) else _boxed(found)
        if found.shape != kind.shape:
            raise Unscalable
        self.arrays[out] = found

    def _result(self, step: Step) -> Any:
        args = [self._read(x) for x in step.args]
        kwargs = {key: self._read(x) for key, x in step.kwargs.items()}
        function, out = step.function, step.kwargs.get("out")
        if function is operator.setitem:
            return self._assign(args[0], args[1], args[2], step.args)
        if function == np.add.at:  # a new object each time
            return self._add_at(args, step)
        first = slots_in(step.out)[0]
        dtype = self.old.kinds[first].dtype
        if dtype.kind not in DTYPES or (first is not step.out and function not in STRUCTURAL):
            raise Unscalable
        kwargs.pop("out", None)
        found = self._computed(function, args, kwargs, dtype)
        if out is None:
            return found
        target = self.arrays[out[0] if isinstance(out, tuple) else out]
        target[...] = found
        return target

    def _computed(self, function: Any, args: list[Any], kwargs: dict[str, Any], dtype: Any) -> Any:
        shape = self.old.kinds[slots_in(self.step.out)[0]].shape
        if is_elementwise(function) and not kwargs.keys() - {"dtype"}:
            return self.each(function, args, dtype)
        if function in STRUCTURAL:
            moved, kinds = STRUCTURAL[function], self.old.kinds
            dtypes = {kinds[x].dtype for x in slots_in(list(self.step.args[:moved]))}
            if dtypes - {dtype} or kwargs.pop("dtype", dtype) != dtype:
                raise Unscalable  # elements would be converted
            kwargs.pop("casting", None)
            found = function(*args[:moved], *map(_places, args[moved:]), **kwargs)
            return _converted(found, dtype) if function in JOINING else found
        if function in MADE:
            return np.full(shape, dtype.type(MADE[function]), object)
        if function in (np.full, np.full_like):
            return np.broadcast_to(args[1], shape).copy()
        if function in SCANNING and len(args) == 1 and kwargs.keys() == {"axis"}:
            return self._scanned(SCANNING[function], args[0], kwargs["axis"], dtype)
        if function == Method("astype"):
            return self._cast(args[0], self.old.kinds[self.step.args[0]].dtype, dtype)
        if function in REDUCING and len(args) <= 2 and not kwargs.keys() - {"axis", "keepdims"}:
            axis = args[1] if len(args) == 2 else kwargs.get("axis")
            x = args[0]
            if type(self.step.args[0]) is Slot:  # sums of truth values are counts
                x = self._cast(x, self.old.kinds[self.step.args[0]].dtype, dtype)
                x = x if isinstance(x, np.ndarray) else _boxed(x)
            joined = self.reduced(REDUCING[function], x, axis, bool(kwargs.get("keepdims")), dtype)
            if function not in (np.mean, Method("mean")):
                return joined
            return self.each(np.divide, (joined, x.size // max(joined.size, 1)), dtype)
        if function in (np.matmul, np.dot) and not kwargs:
            return self._product(function, args, dtype)
        if function is np.einsum and not kwargs.keys() - {"optimize"}:
            return self._einsum(args[0], args[1:], dtype)
        raise Unscalable

    def _scanned(self, function: np.ufunc, x: Any, axis: Any, dtype: Any) -> Any:
        flat = axis is None or not x.ndim  # NumPy takes a number to have an axis 0
        found = x.reshape(-1).copy() if flat else np.moveaxis(x.copy(), axis, 0)
        for k in range(1, len(found)):
            found[k] = self.each(function, (found[k - 1 : k], found[k : k + 1]), dtype)[0]
        return found if flat else np.moveaxis(found, 0, axis)

    def _cast(self, x: Any, dtype: Any, to: Any) -> Any:
        if dtype == to:
            return x.copy()
        if to.kind not in "if" or dtype.kind == "f":
            raise Unscalable
        return self.each(np.multiply, (x, to.type(1)), to)

    def _einsum(self, subscripts: Any, arrays: Any, dtype: Any) -> Any:
        found = re.fullmatch(r"([\w,]+)->(\w*)", str(subscripts).replace(" ", ""))
        if found is None:
            raise Unscalable
        terms, out = found[1].split(","), found[2]
        summed = "".join(sorted({*found[1]} - {*out, ","}))
        if any(len({*term}) < len(term) for term in terms) or len(arrays) != len(terms):
            raise Unscalable
        spread = []
        for x, term in zip(arrays, terms, strict=True):
            order = [term.index(letter) for letter in out + summed if letter in term]
            missing = [k for k, letter in enumerate(out + summed) if letter not in term]
            spread.append(np.expand_dims(np.transpose(x, order), missing))
        products = reduce(lambda a, b: self.each(np.multiply, (a, b), dtype), spread)
        axes = tuple(range(len(out), len(out + summed)))
        return self.reduced(np.add, products, axes, False, dtype) if axes else products

    def _product(self, function: Any, args: Any, dtype: Any) -> Any:
        a, b = args
        if a.ndim == 0 or b.ndim == 0 or (function is np.dot and b.ndim > 2):
            raise Unscalable
        rows = a[None, :] if a.ndim == 1 else a
        columns = b[:, None] if b.ndim == 1 else b
        products = self.each(np.multiply, (rows[..., :, :, None], columns[..., None, :, :]), dtype)
        found = self.reduced(np.add, products, -2, False, dtype)
        found = found[..., 0] if b.ndim == 1 else found
        if a.ndim > 1:
            return found
        return found[..., 0] if b.ndim == 1 else found[..., 0, :]

    def _assign(self, target: Any, index: Any, value: Any, args: Any) -> Any:
        self._check_dtypes(args[0], args[2])
        target[_places(index)] = value[()] if isinstance(value, np.ndarray) else value
        return None

    def _add_at(self, args: list[Any], step: Step) -> Any:
        target, index, value = args
        self._check_dtypes(step.args[0], step.args[2])
        dtype = self.old.kinds[step.args[0]].dtype
        places = np.arange(target.size).reshape(target.shape)[_places(index)]
        values = np.broadcast_to(value, places.shape)
        for place, x in zip(places.flat, values.flat, strict=True):
            at = np.unravel_index(place, target.shape)
            target[at] = self.emit(np.add, (target[at], x), dtype)
        return None

    def _check_dtypes(self, target: Any, value: Any) -> None:
        if type(value) is Slot and self.old.kinds[value].dtype != self.old.kinds[target].dtype:
            raise Unscalable

    def _read(self, x: Any) -> Any:
        if type(x) is Slot:
            return self.arrays[x]
        if isinstance(x, np.ndarray) and x.dtype.kind in DTYPES:
            if x.size > self.most:
                raise Unscalable
            return x.astype(object) if x.dtype.kind == "f" else x
        if isinstance(x, list | tuple):
            return type(x)([self._read(part) for part in x])
        return x


UNKNOWN = np.empty(1, object)


def _boxed(x: Any) -> Any:
    made = np.empty((), object)
    made[()] = x
    return made


def _converted(elements: Any, dtype: Any) -> Any:
    """Return the elements with constants of the dtype."""
    convert = np.frompyfunc(lambda x: x if type(x) is Slot else dtype.type(x), 1, 1)
    return convert(elements.astype(object))


def _plain(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return [_plain(part) for part in x]
    return x.tolist() if isinstance(x, np.ndarray) else x


def _places(x: Any) -> Any:
    """Return what says where elements are, such as an index; data must not decide it."""
    if isinstance(x, tuple):
        return tuple(map(_places, x))
    if slots_in(_plain(x)):
        raise Unscalable
    if isinstance(x, np.ndarray) and x.dtype == object:
        return np.array(x.tolist(), None if x.size else int)
    return x


STRUCTURAL: dict[Callable[..., Any], int] = {
    operator.getitem: 1, np.reshape: 1, np.transpose: 1, np.swapaxes: 1, np.broadcast_to: 1,
    np.ravel: 1, np.expand_dims: 1, np.squeeze: 1, np.moveaxis: 1, np.flip: 1, np.copy: 1,
    np.concatenate: 1, np.stack: 1, np.array: 1, np.positive: 1, np.diagonal: 1, np.take: 1,
    np.repeat: 1, np.tile: 1, np.roll: 1, np.broadcast_arrays: 9, np.split: 1,
    **{Method(name): 1 for name in (
        "reshape", "transpose", "swapaxes", "ravel", "flatten", "squeeze", "copy", "diagonal",
        "take", "repeat",
    )},
}  # fmt: skip
"""Functions that move elements, with the number of arguments that have elements."""
JOINING = {np.concatenate, np.stack, np.array}
"""Functions that join elements, so that one of them decides on the dtype of another."""
MADE: dict[Callable[..., Any], int] = {
    np.zeros: 0, np.zeros_like: 0, np.ones: 1, np.ones_like: 1,
}  # fmt: skip
"""Functions that make arrays of a number."""
REDUCING: dict[Callable[..., Any], np.ufunc] = {
    np.sum: np.add, np.mean: np.add, np.prod: np.multiply, np.max: np.maximum, np.min: np.minimum,
    np.any: np.logical_or, np.all: np.logical_and,
    Method("sum"): np.add, Method("mean"): np.add, Method("prod"): np.multiply,
    Method("max"): np.maximum, Method("min"): np.minimum,
    Method("any"): np.logical_or, Method("all"): np.logical_and,
}  # fmt: skip
SCANNING: dict[Callable[..., Any], np.ufunc] = {np.cumsum: np.add, np.cumprod: np.multiply}
MOVING = {
    *STRUCTURAL, *MADE, *REDUCING, *SCANNING, operator.setitem, np.add.at, np.full, np.full_like,
    np.matmul, np.dot, np.einsum, Method("astype"),
}  # fmt: skip
"""All functions that are not elementwise and have a form on numbers."""
