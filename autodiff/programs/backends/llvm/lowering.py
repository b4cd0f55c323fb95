"""Steps of a program as operations on element numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from autodiff.ops.table import chain
from autodiff.programs.backends.llvm.elements import TYPES, Array, Tape, Unsupported
from autodiff.programs.backends.llvm.elementwise import BUILDERS, castable
from autodiff.programs.backends.llvm.grids import Grid, reshaped, viewed
from autodiff.programs.backends.llvm.large import LARGEST, Large, shape_of
from autodiff.programs.trace import NARROW, Kind, Method, Slot, Step, layout, slots_in


class Lowering:
    """The arrays of a kernel, and the operations that compute them."""

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
        self._check(slot)
        make = self.tape.input if prod(kind.shape) <= LARGEST else self.large.input
        self.values[slot] = make(number, kind.shape, kind.dtype)

    def add(self, step: Step) -> None:
        """Enter the result of a step.

        Raises
        ------
        Unsupported
            If native code does not compute it.
        """
        for slot in slots_in(step.out):
            self._check(slot)
        lower = LOWERINGS.get(step.function)
        if lower is None and isinstance(step.function, np.ufunc):
            lower = _ufunc
        if lower is None:
            raise Unsupported
        found = lower(self, step)
        outs = step.out if isinstance(step.out, tuple | list) else [step.out]
        results = found if isinstance(found, list) else [found]
        if step.writes and all(slot is None or slot in self.values for slot in outs):
            return
        if len(outs) != len(results):
            raise Unsupported
        for slot, result in zip(outs, results, strict=True):
            kind = self.kinds[slot]
            if result.dtype != kind.dtype or shape_of(result) != kind.shape:
                raise Unsupported
            if isinstance(result, Grid):
                result = self.large.small(self.large.settled(result, self.uses.get(slot, 1)))
            elif slot in self.written and layout(result.elements) != kind.layout:
                raise Unsupported  # a view there might be a copy here
            self.values[slot] = result

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
        return any(
            type(x) is Slot and not kinds[x].weak and kinds[x].dtype in NARROW for x in args
        )

    def _check(self, slot: Slot) -> None:
        kind = self.kinds[slot]
        if kind.dtype not in TYPES or (slot in self.written and prod(kind.shape) > LARGEST):
            raise Unsupported


def _types(lowering: Lowering, function: np.ufunc, step: Step, args: Sequence[Any]) -> Any:
    """Return the dtypes that a ufunc computes in: of its operands, and of its result."""
    narrow = lowering.is_narrow(step.args)
    given = [lowering.loop_type(x, narrow) for x in args]
    options = {}
    if (dtype := step.kwargs.get("dtype")) is not None:
        options["signature"] = (*[None] * function.nin, np.dtype(dtype))
    try:
        return function.resolve_dtypes((*given, None), **options)
    except TypeError as error:
        raise Unsupported from error


def _ufunc(lowering: Lowering, step: Step) -> Array | Grid:
    function = step.function
    assert isinstance(function, np.ufunc)
    if function.nout != 1 or function.signature or step.kwargs.keys() - {"dtype", "out"}:
        raise Unsupported
    args = step.args[: function.nin]
    if len(step.args) != function.nin:
        raise Unsupported
    *types, out = _types(lowering, function, step, args)
    operands = [lowering.operand(x) for x in args]
    found = _elementwise(lowering, function.__name__, operands, types, out, args)
    return _into(lowering, step, found)


def _elementwise(
    lowering: Lowering,
    name: str,
    operands: list[Array | Grid],
    types: list[np.dtype[Any]],
    out: np.dtype[Any],
    args: Sequence[Any],
) -> Array | Grid:
    if len(set(types)) != 1:
        raise Unsupported
    dtype = types[0]
    if name in IDENTITIES:
        return lowering.cast(operands[0], out)
    if name == "power" and dtype.kind == "f":
        found = _power(lowering, operands, dtype, args[1])
        if found is not None:
            return found
    if name in LOGICAL:
        dtype = np.dtype(bool)
    return lowering.compute(name, operands, dtype, out)


IDENTITIES = {"positive", "conjugate"}
LOGICAL = {"logical_and", "logical_or", "logical_xor", "logical_not"}


def _power(
    lowering: Lowering, operands: list[Array | Grid], dtype: np.dtype[Any], exponent: Any
) -> Array | Grid | None:
    """Return a power with a small whole exponent as products; None for others."""
    if type(exponent) is Slot or np.ndim(exponent) or exponent not in (0, 1, 2, 3):
        return None
    x = lowering.cast(operands[0], dtype)
    if exponent == 0:
        return lowering.full(shape_of(x), 1, dtype)
    found = x
    for _ in range(int(exponent) - 1):
        found = lowering.compute("multiply", [found, x], dtype, dtype)
    return found


def _into(lowering: Lowering, step: Step, found: Array | Grid) -> Array | Grid:
    """Write a result to the array `out=` if there is one."""
    out = step.kwargs.get("out")
    if out is None:
        return found
    target = lowering.small(out[0] if isinstance(out, tuple) else out)
    _write(lowering, target.elements, (), found, target.dtype)
    return target


def _write(
    lowering: Lowering, target: Any, index: Any, value: Array | Grid, dtype: np.dtype[Any]
) -> None:
    value = lowering.cast(value, dtype)
    if isinstance(value, Grid):
        raise Unsupported
    target[index] = value.elements


def _chain(lowering: Lowering, step: Step) -> Array | Grid:
    args = step.args
    narrow = lowering.is_narrow(args)
    types = np.multiply.resolve_dtypes((*[lowering.loop_type(x, narrow) for x in args], None))
    operands = [lowering.operand(x) for x in args]
    return lowering.compute("chain", operands, types[2], types[2])


def _where(lowering: Lowering, step: Step) -> Array | Grid:
    if len(step.args) != 3 or step.kwargs:
        raise Unsupported
    narrow = lowering.is_narrow(step.args[1:])
    given = [lowering.loop_type(x, narrow) for x in step.args[1:]]
    *_, dtype = np.maximum.resolve_dtypes((*given, None))  # promotes as np.where does
    condition, a, b = (lowering.operand(x) for x in step.args)
    given = [lowering.cast(condition, np.dtype(bool)), *(lowering.cast(x, dtype) for x in (a, b))]
    return lowering.apply("where", given, dtype)


def _getitem(lowering: Lowering, step: Step) -> Array | Grid:
    target, index = step.args
    x = lowering.operand(target)
    if slots_in(index):
        raise Unsupported
    if isinstance(x, Grid):
        parts = index if isinstance(index, tuple) else (index,)
        if any(type(k) not in (int, slice, type(None), type(Ellipsis)) for k in parts):
            raise Unsupported
        return viewed(x, lambda a: a[(*parts, ...)] if ... not in parts else a[parts])
    return _array(x.elements[index], x.dtype)


def _setitem(lowering: Lowering, step: Step) -> Array:
    target, index, value = step.args
    if slots_in(index) or type(target) is not Slot:
        raise Unsupported
    into = lowering.small(target)
    _write(lowering, into.elements, index, lowering.operand(value), into.dtype)
    return into


def _copyto(lowering: Lowering, step: Step) -> Array:
    target, value = step.args
    into = lowering.small(target)
    if step.kwargs:
        raise Unsupported
    _write(lowering, into.elements, ..., lowering.operand(value), into.dtype)
    return into


def _array(elements: Any, dtype: np.dtype[Any]) -> Array:
    return Array(np.asarray(elements), dtype)


def _moving(function: Callable[..., Any]) -> Callable[[Lowering, Step], Any]:
    """Lower a function that moves numbers, by the function itself on element numbers."""

    def lower(lowering: Lowering, step: Step) -> Any:
        if slots_in([step.args[1:], step.kwargs]):
            raise Unsupported
        orders = [x for x in (step.kwargs.get("order"), *step.args[1:]) if isinstance(x, str)]
        if any(order in "AFK" for order in orders):
            raise Unsupported
        x = lowering.operand(step.args[0])
        if isinstance(x, Grid) or prod(lowering.shape(step)) > LARGEST:
            return _moved(lowering, function, x, step)
        found = function(x.elements, *step.args[1:], **step.kwargs)
        if isinstance(found, list | tuple):
            return [_array(part, x.dtype) for part in found]
        return _array(found, x.dtype)

    return lower


def _moved(
    lowering: Lowering, function: Callable[..., Any], x: Array | Grid, step: Step
) -> Grid:
    """Return a view of a large array, or a small one spread over a large shape."""
    shape = lowering.shape(step)
    if isinstance(x, Array):
        if function is not np.broadcast_to:
            raise Unsupported
        return lowering.large.spread(x, shape)
    if function in RESHAPES:
        found = reshaped(x, shape)
        return found if found is not None else _reshaped(lowering, x, shape)
    if function not in VIEWS:
        raise Unsupported
    return viewed(x, lambda a: function(a, *step.args[1:], **step.kwargs))


def _reshaped(lowering: Lowering, x: Grid, shape: tuple[int, ...]) -> Grid:
    found = reshaped(lowering.large.store(x), shape)
    assert found is not None
    return found


def _joining(function: Callable[..., Any]) -> Callable[[Lowering, Step], Any]:
    """Lower a function that joins a sequence of arrays."""

    def lower(lowering: Lowering, step: Step) -> Any:
        parts, *rest = step.args
        if slots_in([rest, step.kwargs]) or not isinstance(parts, tuple | list):
            raise Unsupported
        if step.kwargs.keys() - {"axis"}:
            raise Unsupported
        dtype = lowering.kinds[step.out].dtype
        arrays = [lowering.cast(lowering.operand(x), dtype) for x in parts]
        small = [x.elements for x in arrays if isinstance(x, Array)]
        if len(small) < len(arrays) or prod(lowering.shape(step)) > LARGEST:
            axis = rest[0] if rest else step.kwargs.get("axis", 0)
            return _large_joined(lowering, function, arrays, axis, lowering.shape(step))
        return _array(function(small, *rest, **step.kwargs), dtype)

    return lower


def _large_joined(
    lowering: Lowering,
    function: Callable[..., Any],
    parts: list[Array | Grid],
    axis: int,
    shape: tuple[int, ...],
) -> Grid:
    if function not in (np.concatenate, np.stack):
        raise Unsupported
    axis %= len(shape)
    places: list[Any] = []
    end = 0
    for x in parts:
        start, end = end, end + (1 if function is np.stack else shape_of(x)[axis])
        places.append(start if function is np.stack else slice(start, end))
    before = (slice(None),) * axis
    views = [lambda a, k=k: a[(*before, k)] for k in places]
    return lowering.large.joined(parts, views, shape, parts[0].dtype)


def _copy(lowering: Lowering, step: Step) -> Array | Grid:
    x = lowering.operand(step.args[0])
    if step.kwargs.keys() - {"order", "dtype", "copy"} or len(step.args) > 1:
        raise Unsupported
    dtype = np.dtype(step.kwargs.get("dtype") or x.dtype)
    return _copied(lowering.cast(x, dtype))


def _copied(x: Array | Grid) -> Array | Grid:
    return Array(x.elements.copy(), x.dtype) if isinstance(x, Array) else x


def _astype(lowering: Lowering, step: Step) -> Array | Grid:
    if len(step.args) != 2 or step.kwargs.keys() - {"copy"}:
        raise Unsupported
    return _copied(lowering.cast(lowering.operand(step.args[0]), np.dtype(step.args[1])))


def _made(lowering: Lowering, step: Step) -> Array | Grid:
    """Lower a function that makes an array of the same numbers in every run."""
    if slots_in([step.args[1:], step.kwargs]):
        raise Unsupported
    kind = lowering.kinds[step.out]
    function, args = step.function, step.args
    if function in LIKE:
        number = args[1] if function is np.full_like else LIKE[function]
        return lowering.full(kind.shape, number, kind.dtype)
    if slots_in(args):
        raise Unsupported
    if prod(kind.shape) > LARGEST:
        if function not in (np.zeros, np.ones, np.full):
            raise Unsupported
        number = args[1] if function is np.full else int(function is np.ones)
        return lowering.full(kind.shape, number, kind.dtype)
    return lowering.tape.constant(function(*args, **step.kwargs), kind.dtype)


LIKE = {np.zeros_like: 0, np.ones_like: 1, np.full_like: None}


def _triangle(function: Callable[..., Any]) -> Callable[[Lowering, Step], Array]:
    def lower(lowering: Lowering, step: Step) -> Array:
        x = lowering.small(step.args[0])
        kept = function(np.ones(x.elements.shape, bool), *step.args[1:], **step.kwargs)
        zero = lowering.tape.constant(0, x.dtype).elements
        return Array(np.where(kept, x.elements, zero), x.dtype)

    return lower


def _reduction(name: str) -> Callable[[Lowering, Step], Array | Grid]:
    """Lower a reduction over axes as a tree of elementwise operations."""

    def lower(lowering: Lowering, step: Step) -> Array | Grid:
        args = dict(zip(("a", "axis", "dtype", "out", "keepdims"), step.args, strict=False))
        given = {**args, **step.kwargs}
        if isinstance(step.function, Method | type(np.add.reduce)) and len(step.args) > 3:
            raise Unsupported
        x = lowering.operand(given.pop("a"))
        keepdims = given.pop("keepdims", False)
        axis = given.pop("axis", 0 if step.function in FROM_FIRST else None)
        given.pop("dtype", None)
        if given.pop("out", None) is not None or given or slots_in([axis, keepdims]):
            raise Unsupported
        dtype = lowering.kinds[step.out].dtype
        count = 1
        if name == "mean":
            count = prod(shape_of(x)) // max(prod(lowering.shape(step)), 1)
        if keepdims not in (True, False):
            raise Unsupported
        found = _reduced(lowering, "add" if name == "mean" else name, x, axis, bool(keepdims), dtype)
        if name == "mean":
            divisor = lowering.tape.constant(count, dtype)
            found = lowering.compute("divide", [found, divisor], dtype, dtype)
        return found

    return lower


def _reduced(
    lowering: Lowering, name: str, x: Array | Grid, axis: Any, keepdims: bool, dtype: np.dtype[Any]
) -> Array | Grid:
    ndim = len(shape_of(x))
    axes = range(ndim) if axis is None else axis if isinstance(axis, tuple | list) else (axis,)
    axes = tuple(sorted(int(k) % max(ndim, 1) for k in axes))
    if not prod(shape_of(x)):
        raise Unsupported
    if isinstance(x, Grid):
        return _large_reduced(lowering, name, x, axes, keepdims, dtype)
    kept = [k for k in range(ndim) if k not in axes]
    shape = tuple(x.elements.shape[k] for k in kept)
    rows = np.transpose(x.elements, [*axes, *kept]).reshape(-1, *shape)
    loop = np.dtype(bool) if name in LOGICAL else dtype
    result = lowering.cast(Array(rows, x.dtype), loop)
    assert isinstance(result, Array)
    while len(result.elements) > 1:
        half = len(result.elements) // 2
        low, high, rest = (
            result.elements[part]
            for part in (slice(half), slice(half, 2 * half), slice(2 * half, None))
        )
        joined = lowering.compute(name, [Array(low, loop), Array(high, loop)], loop, loop)
        assert isinstance(joined, Array)
        result = Array(np.concatenate([joined.elements, rest]), loop)
    found = result.elements[0]
    if keepdims:
        found = np.expand_dims(found, axes)
    return Array(np.asarray(found), loop)


def _large_reduced(
    lowering: Lowering,
    name: str,
    x: Grid,
    axes: tuple[int, ...],
    keepdims: bool,
    dtype: np.dtype[Any],
) -> Array | Grid:
    loop = np.dtype(bool) if name in LOGICAL else dtype
    cast = lowering.cast(x, loop)
    assert isinstance(cast, Grid)
    found = lowering.large.reduced(name, cast, axes, loop)
    if not keepdims:
        return found
    if isinstance(found, Array):
        return Array(np.expand_dims(found.elements, axes), loop)
    return viewed(found, lambda a: np.expand_dims(a, axes))


FROM_FIRST = {
    x.reduce for x in (np.add, np.multiply, np.maximum, np.minimum, np.logical_and, np.logical_or)
}
"""Reductions whose axis is the first if it is not given."""


def _product(subscripts: Callable[[int, int], str | None]) -> Callable[[Lowering, Step], Array]:
    """Lower a product of matrices and vectors."""

    def lower(lowering: Lowering, step: Step) -> Array:
        if len(step.args) != 2 or step.kwargs:
            raise Unsupported
        a, b = (lowering.small(x) for x in step.args)
        text = subscripts(a.elements.ndim, b.elements.ndim)
        if text is None:
            raise Unsupported
        return _einsum(lowering, text, a, b, lowering.kinds[step.out].dtype)

    return lower


def _einsum(lowering: Lowering, text: str, a: Array, b: Array, dtype: np.dtype[Any]) -> Array:
    inputs, out = text.split("->")
    left, right = inputs.split(",")
    summed = [x for x in dict.fromkeys(left + right) if x not in out]
    order = out + "".join(summed)

    def spread(elements: Any, letters: str) -> Any:
        present = [x for x in order if x in letters]
        moved = np.transpose(elements, [letters.index(x) for x in present])
        return moved[tuple(slice(None) if x in letters else None for x in order)]

    parts = [Array(spread(a.elements, left), a.dtype), Array(spread(b.elements, right), b.dtype)]
    shape = np.broadcast_shapes(*[x.elements.shape for x in parts])
    if np.prod(shape) > LARGEST or (dtype.kind != "f"):
        raise Unsupported
    product = lowering.compute("multiply", parts, dtype, dtype)
    if summed:
        axes = tuple(range(len(out), len(order)))
        product = _reduced(lowering, "add", product, axes, False, dtype)
    assert isinstance(product, Array)
    return product


def _matmul(a: int, b: int) -> str | None:
    return {(1, 1): "i,i->", (2, 1): "ij,j->i", (1, 2): "j,jk->k", (2, 2): "ij,jk->ik"}.get((a, b))


def _inner(a: int, b: int) -> str | None:
    return {(1, 1): "i,i->", (2, 2): "ij,kj->ik"}.get((a, b))


def _methods(names: str) -> list[Method]:
    return [Method(name) for name in names.split()]


def _named(names: str) -> list[Any]:
    return [getattr(np, name) for name in names.split()]


RESHAPES = {np.reshape, np.ravel, *_methods("reshape ravel flatten")}
"""Functions that depend on the shape of their result only."""
VIEWS = {
    *_named("transpose swapaxes moveaxis rollaxis expand_dims squeeze flip fliplr flipud"),
    *_named("broadcast_to diagonal"),
    *_methods("transpose swapaxes squeeze diagonal"),
}
"""Functions that read no numbers: they return a view in other shapes and strides."""


LOWERINGS: dict[Any, Callable[[Lowering, Step], Any]] = {
    chain.function: _chain,
    np.where: _where,
    operator.getitem: _getitem,
    operator.setitem: _setitem,
    np.copyto: _copyto,
    np.matmul: _product(_matmul),
    np.dot: _product(_matmul),
    np.inner: _product(_inner),
    Method("dot"): _product(_matmul),
    np.outer: _product(lambda a, b: "i,j->ij" if (a, b) == (1, 1) else None),
    np.tril: _triangle(np.tril),
    np.triu: _triangle(np.triu),
    Method("astype"): _astype,
    **dict.fromkeys([np.copy, np.array, Method("copy"), np.ascontiguousarray], _copy),
    **dict.fromkeys(
        _named("zeros ones full eye identity arange linspace tri zeros_like ones_like full_like"),
        _made,
    ),
    **{
        function: _moving(function)
        for function in [
            *_named(
                "reshape ravel transpose swapaxes moveaxis rollaxis expand_dims squeeze flip fliplr "
                "flipud rot90 roll broadcast_to atleast_1d atleast_2d atleast_3d diagonal repeat "
                "tile take split array_split hsplit vsplit dsplit delete resize"
            ),
            *_methods(
                "reshape ravel flatten transpose swapaxes squeeze diagonal repeat take"
            ),
        ]
    },
    **{
        function: _joining(function)
        for function in _named("concatenate stack hstack vstack dstack column_stack")
    },
    **{
        function: _reduction(name)
        for name, functions in {
            "add": [np.sum, np.add.reduce, Method("sum")],
            "multiply": [np.prod, np.multiply.reduce, Method("prod")],
            "maximum": [np.max, np.amax, np.maximum.reduce, Method("max")],
            "minimum": [np.min, np.amin, np.minimum.reduce, Method("min")],
            "mean": [np.mean, Method("mean")],
            "logical_and": [np.all, np.logical_and.reduce, Method("all")],
            "logical_or": [np.any, np.logical_or.reduce, Method("any")],
        }.items()
        for function in functions
    },
}
"""Functions that become operations on element numbers; ufuncs do by their names."""

