"""Functions that select elements or move them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.core.graph import Args, Node, Params, Parts, data_of
from autodiff.ops.alike import alike, own
from autodiff.ops.kinks import Kink
from autodiff.ops.reductions import max, mean, min
from autodiff.ops.shapes import (
    along,
    as_array,
    astype,
    broadcast_to,
    concatenate,
    getitem,
    ravel,
    refuse_nodes,
    scatter,
    setitem,
)
from autodiff.ops.table import Row, composite, is_complex, linear, register

__all__ = [
    "choose",
    "compress",
    "copyto",
    "diag",
    "diagflat",
    "diagonal",
    "extract",
    "fill_diagonal",
    "flip",
    "fliplr",
    "flipud",
    "pad",
    "partition",
    "place",
    "put",
    "put_along_axis",
    "putmask",
    "repeat",
    "resize",
    "roll",
    "rot90",
    "select",
    "sliding_window_view",
    "sort",
    "sort_complex",
    "take",
    "take_along_axis",
    "tile",
    "tril",
    "trim_zeros",
    "triu",
    "unique",
]


def positions(shape: tuple[int, ...], first: int = 0) -> Any:
    """Return consecutive integers in an array of this shape."""
    return np.arange(first, first + math.prod(shape)).reshape(shape)


class Moving(Row):
    """A row that moves elements of its argument and fills other places with constants.

    It needs no rule: the function itself, run on the positions of the elements, gives the position
    of each element of the result. Positions count from 1, and 0 marks a constant.
    """

    rule: Callable[..., Any] | None

    @property
    def parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.names if self.rule else self.signature[1:]

    def places(self, x: Any, params: Params) -> Any:
        """Return for each element of the result its position in x."""
        numbered = alike(positions(x.shape, 1), x)
        if self.rule:
            return self.rule(numbered, data_of(x), **params)
        return self.function(numbered, **params)

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        (x,) = args
        places = self.places(x, params)
        if isinstance(g, Parts):
            told = [i for i, part in enumerate(g) if part is not None]
            g = concatenate([g[i].ravel() for i in told])
            places = np.concatenate([places[i].ravel() for i in told])
        moved = scatter(g.ravel(), index=places.ravel(), shape=(x.size + 1,))
        return moved[1:].reshape(x.shape)

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        places = self.places(args[0], params)
        padded = concatenate([alike(np.zeros(1, t.dtype), t), t.ravel()])
        if isinstance(places, tuple | list):
            return Parts([padded[part] for part in places])
        return padded[places]


def moving(
    function: Callable[..., Any], places: Callable[..., Any] | None = None, **labels: Any
) -> Moving:
    """Make a row for a function that only moves elements.

    If the moves depend on the data, `places(positions, x, **parameters)` moves the positions.
    """
    op = Moving()
    register(op, function, labels)
    op.arity, op.rule = 1, places
    if places:
        op.names = places.__code__.co_varnames[2 : places.__code__.co_argcount]
    return op


# Moves whose transpose is another NumPy function.


def _back(shift: Any) -> Any:
    """The opposite of one whole number, or of several."""
    opposite = np.negative(shift).tolist()
    return tuple(opposite) if isinstance(opposite, list) else opposite


roll = linear(
    np.roll,
    lambda g, a, shift=0, axis=None: roll(g, _back(shift), axis),
)
flip = linear(np.flip, lambda g, m, axis=None: flip(g, axis))
fliplr = linear(np.fliplr, lambda g, m: fliplr(g))
flipud = linear(np.flipud, lambda g, m: flipud(g))
rot90 = linear(np.rot90, lambda g, m, k=1, axes=(0, 1): rot90(g, -k, axes))
tril = linear(np.tril, lambda g, m, k=0: tril(g, k))
triu = linear(np.triu, lambda g, m, k=0: triu(g, k))


def _untake(g: Any, a: Any, indices: Any, axis: int | None, mode: Any) -> Any:
    shape = (a.size,) if axis is None else a.shape
    axis = (axis or 0) % len(shape)
    options = {} if mode == "raise" else {"mode": mode}  # which CuPy does not have
    rows = np.take(alike(np.arange(shape[axis]), a), indices, **options)
    index = along(axis, len(shape), rows) if axis else rows
    return scatter(g, index=index, shape=shape).reshape(a.shape)


take = linear(
    np.take,
    lambda g, a, indices=(), axis=None, mode="raise": _untake(g, a, indices, axis, mode),
)

# Moves that do not depend on the data.

diag = moving(np.diag)
diagflat = moving(np.diagflat)
diagonal = moving(np.diagonal)
repeat = moving(np.repeat)
resize = moving(np.resize)
sliding_window_view = moving(np.lib.stride_tricks.sliding_window_view)
take_along_axis = moving(np.take_along_axis)
tile = moving(np.tile)


def _sorted(places: Any, x: Any, axis: int | None) -> Any:
    """Return the positions in the stable order of the data."""
    if axis is None:
        places, x, axis = places.ravel(), x.ravel(), -1
    return np.take_along_axis(places, np.argsort(x, axis, kind="stable"), axis)


def _partitioned(places: Any, x: Any, kth: Any, axis: int | None) -> Any:
    if axis is None:
        places, x, axis = places.ravel(), x.ravel(), -1
    # NumPy's partition and argpartition need not agree, so elements are found by their rank
    ranks = np.argsort(np.partition(x, kth, axis), axis, kind="stable")
    back = np.argsort(ranks, axis, kind="stable")
    return np.take_along_axis(_sorted(places, x, axis), back, axis)


def _unique(places: Any, x: Any, axis: int | None, equal_nan: bool) -> Any:
    _, first = np.unique(x, return_index=True, axis=axis, equal_nan=equal_nan)
    return np.take(places, first, axis)


def _repeated(out: Any, x: Any, axis: int | None = -1, **params: Any) -> bool:
    """Return whether elements along an axis are equal."""
    x = np.sort(x, axis).swapaxes(-1 if axis is None else axis, -1)
    return bool(np.any(x[..., 1:] == x[..., :-1]))


_AT_TIES = Kink("equal elements", _repeated)
sort = moving(
    np.sort,
    lambda places, x, axis=-1, kind=None, stable=None: _sorted(places, x, axis),
    kinks=_AT_TIES,
)


@composite(np.sort_complex)
def sort_complex(a: Any) -> Any:
    """numpy.sort_complex for arrays and Tensors."""
    values = sort(a)
    return values if is_complex(values) else astype(values, dtype=complex)


partition = moving(
    np.partition,
    lambda places, x, kth=0, axis=-1, kind="introselect": _partitioned(places, x, kth, axis),
    kinks=_AT_TIES,
)
unique = moving(
    np.unique,
    lambda places, x, axis=None, equal_nan=True: _unique(places, x, axis, equal_nan),
    kinks=Kink("equal elements", lambda out, x, **params: out.size < x.size),
)


@composite(np.compress)
def compress(condition: Any, a: Any, axis: int | None = None) -> Any:
    """numpy.compress for arrays and Tensors."""
    refuse_nodes(condition)
    return take(a, np.flatnonzero(condition), axis)


@composite(np.extract)
def extract(condition: Any, arr: Any) -> Any:
    """numpy.extract for arrays and Tensors."""
    refuse_nodes(condition)
    return take(arr, np.flatnonzero(condition))


@composite(np.trim_zeros)
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """numpy.trim_zeros for arrays and Tensors."""
    x = own(data_of(filt))
    trimmed = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    index = [slice(None)] * x.ndim
    for i, found in enumerate(x.nonzero()):
        if i in [axis % x.ndim for axis in trimmed]:
            start, stop = (int(found.min()), int(found.max()) + 1) if found.size else (0, 0)
            index[i] = slice(start if "f" in trim else None, stop if "b" in trim else None)
    return getitem(filt, tuple(index))


def pooled(arrays: Any, dtype: Any = None) -> tuple[Any, list[Any]]:
    """Return the elements of arrays in one vector, and for each array their positions in it."""
    parts = [ravel(x) for x in arrays]
    pairs = list(zip(arrays, parts, strict=True))
    numbers = (int, float, complex)  # Python numbers adapt to the dtype of the others
    common = np.result_type(*[x if type(x) in numbers else part.dtype for x, part in pairs])
    places, first = [], 0
    for x, part in pairs:
        places.append(positions(np.shape(x), first))
        first += part.size
    return concatenate(parts, dtype=dtype or common, casting="unsafe"), places


@composite(np.choose)
def choose(a: Any, choices: Any, mode: str = "raise") -> Any:
    """numpy.choose; the choices may be numbers, arrays, Values and Tensors."""
    refuse_nodes(a)
    elements, places = pooled(list(choices))
    return elements[np.choose(a, places, mode=mode)]  # type: ignore[call-overload]


@composite(np.select)
def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """numpy.select; the choices may be numbers, arrays, Values and Tensors."""
    refuse_nodes(condlist)
    elements, places = pooled([*choicelist, default])
    chosen = np.select(condlist, places[:-1], places[-1])
    return elements[chosen.ravel()].reshape(chosen.shape)


def _median(x: Any, axis: int, keepdims: bool) -> Any:
    ordered, n = sort(x, axis), x.shape[axis]
    lower = getitem(ordered, along(axis, x.ndim, slice((n - 1) // 2, (n - 1) // 2 + 1)))
    upper = getitem(ordered, along(axis, x.ndim, slice(n // 2, n // 2 + 1)))
    return (lower + upper) / 2


STATISTICS: dict[Any, Callable[..., Any]] = {
    "maximum": max,
    "mean": mean,
    "median": _median,
    "minimum": min,
}


def _before(x: Any, axis: int, width: int, mode: str, option: Any) -> Any:
    """Return the elements that `pad` puts before x along an axis, in a mode that computes them."""

    def part(start: int, stop: int | None) -> Any:
        return getitem(x, along(axis, x.ndim, slice(start, stop)))

    shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
    if mode in STATISTICS:
        return broadcast_to(STATISTICS[mode](part(0, option), axis=axis, keepdims=True), shape)
    edge = part(0, 1)
    if mode == "linear_ramp":
        steps = (np.arange(width) / width).astype(x.dtype)
        steps = alike(steps.reshape([width] + [1] * (x.ndim - axis - 1)), x)
        return option + (edge - option) * steps
    first = 0 if mode == "symmetric" else 1
    if first + width > x.shape[axis]:
        raise ValueError(
            f"pad(reflect_type='odd') of {x.shape[axis]} elements by {width} reflects more than "
            "once: pad in several steps"
        )
    return 2 * edge - flip(part(first, first + width), axis)


@composite(np.pad)
def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """numpy.pad for arrays and Tensors. `mode="empty"` fills with zeros."""
    if callable(mode):
        raise TypeError(
            "pad does not take a function as its mode, since that writes into a plain array: "
            "concatenate the array with its padding"
        )
    x = as_array(array)
    shape = x.shape
    one = np.ones([1] * len(shape), int)
    np.pad(one, 0, mode, **kwargs)  # raises NumPy's errors
    padded = np.pad(one, pad_width)
    before = np.argwhere(padded)[0].tolist()
    if mode in ("constant", "empty"):
        inner = tuple(slice(i, i + n) for i, n in zip(before, shape, strict=True))
        outer = alike(np.pad(np.zeros(shape, x.dtype), pad_width, **kwargs), x)
        return setitem(outer, x, index=inner)
    if mode not in STATISTICS and mode != "linear_ramp" and kwargs.get("reflect_type") != "odd":
        return ravel(x)[np.pad(positions(shape), pad_width, mode, **kwargs)]
    options: Any = kwargs.get("end_values", 0 if mode == "linear_ramp" else None)
    options = kwargs.get("stat_length", options)
    for axis, pair in enumerate(np.broadcast_to(options, (len(shape), 2)).tolist()):
        after = padded.shape[axis] - 1 - before[axis]
        backwards = flip(x, axis)
        parts = [
            _before(x, axis, before[axis], mode, pair[0]),
            x,
            flip(_before(backwards, axis, after, mode, pair[1]), axis),
        ]
        x = concatenate(parts, axis=axis)
    return x


def _assign(function: Callable[..., None], target: Any, k: int, *args: Any) -> None:
    """Call `function(target, *args)`, which writes args[k], on a plain array or a Tensor."""
    value = args[k]
    if isinstance(target, Node.tensor):
        refuse_nodes(*args[:k], *args[k + 1 :])
        places = alike(np.zeros(target.shape, int), target)
        numbered = alike(positions(np.shape(value), 1), target)
        function(places, *args[:k], numbered, *args[k + 1 :])
        written = places > 0
        target[written] = getitem(ravel(value), places[written] - 1)
    elif any(isinstance(x, Node) for x in (target, *args)):
        raise TypeError(
            f"{function.__name__} cannot write nodes into a {type(target).__name__}, which has no "
            "derivative: make the target a Tensor, with autodiff.zeros, ones, empty or full"
        )
    else:
        function(target, *args)


@composite(np.copyto)
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """numpy.copyto into an array or a Tensor."""
    _assign(np.copyto, dst, 0, src, casting, where)


@composite(np.fill_diagonal)
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """numpy.fill_diagonal of an array or a Tensor."""
    _assign(np.fill_diagonal, a, 0, val, wrap)


@composite(np.place)
def place(arr: Any, mask: Any, vals: Any) -> None:
    """numpy.place into an array or a Tensor."""
    _assign(np.place, arr, 1, mask, vals)


@composite(np.put)
def put(a: Any, ind: Any, v: Any, mode: Any = "raise") -> None:
    """numpy.put into an array or a Tensor."""
    _assign(np.put, a, 1, ind, v, mode)


@composite(np.put_along_axis)
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """numpy.put_along_axis into an array or a Tensor."""
    _assign(np.put_along_axis, arr, 1, indices, values, axis)


@composite(np.putmask)
def putmask(a: Any, mask: Any, values: Any) -> None:
    """numpy.putmask into an array or a Tensor."""
    _assign(np.putmask, a, 1, mask, values)
