"""Methods of ufuncs on nodes: `np.add.reduce`, `np.multiply.outer` and so on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autodiff.core.graph import Node, current
from autodiff.nodes.writing import write_at
from autodiff.ops.elementwise import where as choose
from autodiff.ops.shapes import as_array, broadcast_to, in_dtype, stack
from autodiff.ops.table import TABLE, gives_out, shape_of, written

# Rows equivalent to a ufunc's method; methods of other ufuncs are computed step by step.
REDUCTIONS = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logaddexp": "logsumexp",
}  # fmt: skip
SCANS = {"add": "cumsum", "multiply": "cumprod"}


def call_method(ufunc: Any, op: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """Compute `ufunc.method(*inputs, **kwargs)` on nodes; `op` is the ufunc's row."""
    name = f"{ufunc.__name__}.{method}"
    if method == "at":
        return write_at(ufunc, op, *inputs)
    out = kwargs.pop("out", None)
    if gives_out(out):
        return written(name, out, lambda: call_method(ufunc, op, method, inputs, kwargs))
    with np.errstate(all="ignore"):
        # on plain data first, so that NumPy raises for wrong arguments
        plain = getattr(ufunc, method)(
            *map(current, inputs), **{key: current(value) for key, value in kwargs.items()}
        )
    if isinstance(plain, np.ndarray) and not plain.size:
        return Node.tensor(plain)
    if method == "outer":
        return _outer(op, *inputs, **kwargs)
    x, *indices = inputs
    x = as_array(x)
    dtype = kwargs.pop("dtype", None)
    if dtype is not None:
        x = in_dtype(x, dtype)
    return METHODS[method](ufunc, op, x, *indices, **kwargs)


def _reduce(
    ufunc: Any, op: Any, x: Any, axis: Any = 0, keepdims: bool = False, **options: Any
) -> Any:
    whole: Any = TABLE.get(REDUCTIONS.get(ufunc.__name__, ""))
    given = {name: value for name, value in options.items() if value is not None}
    if whole and x.size and given.keys() <= {*whole.parameters}:
        return whole(x, axis=axis, keepdims=keepdims, **given)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    return _folded(ufunc, op, x, axes, keepdims, **options)


def _folded(
    ufunc: Any,
    op: Any,
    x: Any,
    axes: tuple[int, ...],
    keepdims: bool = False,
    where: Any = True,
    **start: Any,
) -> Any:
    """Reduce over the axes by one call of `op` per element, starting at the identity if any."""
    rest = tuple(i for i in range(x.ndim) if i not in axes)
    shape = tuple(x.shape[i] for i in rest)

    def in_front(array: Any) -> Any:
        return array.transpose(axes + rest).reshape((-1, *shape))

    total = start.get("initial", ufunc.identity)
    if total is not None:
        total = total if isinstance(total, Node) else np.asarray(total, x.dtype)
        total = broadcast_to(total, shape=shape)
    masks = in_front(np.broadcast_to(current(where), x.shape))
    for each, mask in zip(in_front(x), masks, strict=True):
        step = each if total is None else op(total, each)
        total = step if np.all(mask) else choose(mask, step, total)
    if keepdims:
        total = total.reshape(tuple(1 if i in axes else n for i, n in enumerate(x.shape)))
    return total if isinstance(total, Node) else Node.tensor(total)


def _accumulate(ufunc: Any, op: Any, x: Any, axis: int = 0) -> Any:
    whole = TABLE.get(SCANS.get(ufunc.__name__, ""))
    if whole:
        return whole(x, axis=axis)
    first, *others = x.swapaxes(0, axis)
    totals = [first]
    for each in others:
        totals.append(op(totals[-1], each))
    return stack(totals).swapaxes(0, axis)


def _reduceat(ufunc: Any, op: Any, x: Any, indices: Any, axis: int = 0) -> Any:
    rows = x.swapaxes(0, axis)
    starts = [int(i) for i in indices]
    stops = [*starts[1:], len(rows)]
    slices = [rows[i : j if i < j else i + 1] for i, j in zip(starts, stops, strict=True)]
    return stack([_reduce(ufunc, op, part, initial=None) for part in slices]).swapaxes(0, axis)


METHODS: dict[str, Callable[..., Any]] = {
    "reduce": _reduce,
    "accumulate": _accumulate,
    "reduceat": _reduceat,
}


def _outer(op: Any, a: Any, b: Any, **options: Any) -> Any:
    a, b = (x if isinstance(x, Node) else np.asarray(x) for x in (a, b))
    if shape_of(a):
        a = a.reshape(a.shape + (1,) * len(shape_of(b)))
    return op(a, b, **options)
