"""Products and contractions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from autodiff.ops.alike import alike
from autodiff.ops.general import general
from autodiff.ops.shapes import as_array, expand_dims, reshape, stack, unbroadcast
from autodiff.ops.table import OBJECT, alias, composite, conj, joined, linear

__all__ = [
    "affine",
    "cross",
    "dot",
    "einsum",
    "inner",
    "kron",
    "matmul",
    "outer",
    "tensordot",
    "vdot",
    "vecdot",
]


# in the order of the integer labels of einsum's second calling convention
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _dense(g: Any) -> Any:
    """Copy a broadcast array: `@` of NumPy 2.0 cannot take strides of 0."""
    return g.copy() if type(g) is np.ndarray and 0 in g.strides else g


def _left(g: Any, x: Any, y: Any) -> Any:
    """Return the cotangent of x in x @ y; each may be a vector or a stack of matrices."""
    g, y = _dense(g), conj(y)
    if x.ndim == y.ndim == 1:
        return g * y
    if y.ndim == 1:
        return expand_dims(g, axis=-1) * y
    if x.ndim == 1 and y.ndim > 2:
        return (y @ expand_dims(g, axis=-1)).reshape(y.shape[:-1])
    return g @ y.swapaxes(-1, -2)


def _right(g: Any, x: Any, y: Any) -> Any:
    """Return the cotangent of y in x @ y: that of the left operand in yᵀ @ xᵀ."""
    g, x = _dense(g), conj(x)
    if x.ndim == y.ndim == 1:
        return g * x
    if x.ndim == 1:
        return expand_dims(g, axis=-2) * expand_dims(x, axis=-1)
    if y.ndim == 1 and x.ndim > 2:
        columns = x.swapaxes(-1, -2) @ expand_dims(g, axis=-1)
        return columns.reshape(columns.shape[:-1])
    return x.swapaxes(-1, -2) @ g


matmul = linear(np.matmul, _left, _right, symbol="@")


def _affine(x: Any, W: Any, b: Any) -> Any:
    if x.shape[-1:] != W.shape[:1] or b.shape != W.shape[1:]:
        raise ValueError(
            f"x @ W + b for x of shape {x.shape}, W of shape {W.shape} and b of shape {b.shape}: "
            "expected (..., inputs), (inputs, outputs), (outputs,)"
        )
    out = np.matmul(x, W)
    if type(out) is np.ndarray and out.dtype == b.dtype:
        out += b
        return out
    return out + b


affine = general(
    _affine,
    vjp=(
        lambda g, out, x, W, b: _left(g, x, W),
        lambda g, out, x, W, b: _right(g, x, W),
        lambda g, out, x, W, b: g,
    ),
    jvp=(
        lambda t, out, x, W, b: matmul(t, W),
        lambda t, out, x, W, b: matmul(x, t),
        lambda t, out, x, W, b: t,
    ),
    name="affine",
    doc="Return x @ W + b in one operation: (..., inputs) @ (inputs, outputs) + (outputs,).",
)


# Sums over pairs of axes: `pairs` lists the axes of a, and the axes of b that they are paired with.

Pairs = tuple[list[int], list[int]]


def _pairs(a: Any, b: Any, axes: Any) -> Pairs:
    """Return the pairs for NumPy's `axes` of tensordot."""
    if isinstance(axes, int | np.integer):
        return list(range(a.ndim - int(axes), a.ndim)), list(range(int(axes)))
    ours, theirs = ([int(i) for i in np.atleast_1d(side)] for side in axes)
    return [i % a.ndim for i in ours], [i % b.ndim for i in theirs]


def _free(x: Any, paired: list[int]) -> list[int]:
    return [i for i in range(x.ndim) if i not in paired]


def _arranged(g: Any, axes: list[int]) -> Any:
    """Transpose g such that its axis i becomes axis axes[i]."""
    return g.transpose(tuple(int(i) for i in np.argsort(axes)))


def _contracted_left(g: Any, a: Any, b: Any, pairs: Pairs) -> Any:
    """Return the cotangent of a; the axes of a that are not paired come first in g."""
    free = _free(a, pairs[0])
    g = tensordot(g, conj(b), axes=(list(range(len(free), g.ndim)), _free(b, pairs[1])))
    return _arranged(g, free + [pairs[0][i] for i in np.argsort(pairs[1])])


def _contracted_right(g: Any, a: Any, b: Any, pairs: Pairs) -> Any:
    """Return the cotangent of b; the axes of b that are not paired come last in g."""
    free = _free(a, pairs[0])
    g = tensordot(conj(a), g, axes=(free, list(range(len(free)))))
    return _arranged(g, [pairs[1][i] for i in np.argsort(pairs[0])] + _free(b, pairs[1]))


tensordot = linear(
    np.tensordot,
    lambda g, a, b, axes=2: _contracted_left(g, a, b, _pairs(a, b, axes)),
    lambda g, a, b, axes=2: _contracted_right(g, a, b, _pairs(a, b, axes)),
    symbol="⊗",
)


def _last_with(b_axis: int, a: Any, b: Any) -> Pairs:
    """Pair the last axis of a with one of b; no axes if either is a number, which multiplies."""
    return ([a.ndim - 1], [max(b.ndim + b_axis, 0)]) if a.ndim and b.ndim else ([], [])


def _is_matmul(a: Any, b: Any) -> bool:
    """Return whether dot is the same as `@`, whose rules are faster."""
    return a.ndim > 0 and b.ndim in (1, 2)


dot = linear(
    np.dot,
    lambda g, a, b: (
        _left(g, a, b) if _is_matmul(a, b) else _contracted_left(g, a, b, _last_with(-2, a, b))
    ),
    lambda g, a, b: (
        _right(g, a, b) if _is_matmul(a, b) else _contracted_right(g, a, b, _last_with(-2, a, b))
    ),
    symbol="·",
)
inner = linear(
    np.inner,
    lambda g, a, b: _contracted_left(g, a, b, _last_with(-1, a, b)),
    lambda g, a, b: _contracted_right(g, a, b, _last_with(-1, a, b)),
)
outer = linear(
    np.outer,
    lambda g, a, b: (g @ conj(b).ravel()).reshape(a.shape),
    lambda g, a, b: (conj(a).ravel() @ g).reshape(b.shape),
)
# antilinear in a, so the cotangent of a is not conjugated again
vdot = linear(
    np.vdot,
    lambda g, a, b: conj(g) * b.reshape(a.shape),
    lambda g, a, b: g * a.reshape(b.shape),
)


# Products of stacked vectors along an axis.


def _last(x: Any, axis: int) -> Any:
    """Move an axis of x to its end; the others broadcast."""
    axes = list(range(x.ndim))
    axes.append(axes.pop(normalize_axis_index(axis, x.ndim)))
    return x.transpose(tuple(axes))


def _along(g: Any, x: Any, like: Any, axis: int) -> Any:
    """Return the cotangent of `like` in sum(like * x, axis)."""
    like = _last(like, axis)
    g = unbroadcast(expand_dims(g, axis=-1) * _last(x, axis), like.shape)
    axes = list(range(like.ndim - 1))
    axes.insert(axis % like.ndim, like.ndim - 1)
    return g.transpose(tuple(axes))


vecdot = linear(
    np.vecdot,
    lambda g, x1, x2, axis=-1: _along(conj(g), x2, x1, axis),
    lambda g, x1, x2, axis=-1: _along(g, x1, x2, axis),
)
alias(vecdot, np.linalg.vecdot)

if hasattr(np, "matvec"):  # since NumPy 2.2
    matvec = linear(
        np.matvec,
        lambda g, x1, x2: expand_dims(g, axis=-1) * expand_dims(conj(x2), axis=-2),
        lambda g, x1, x2: matvec(conj(x1).swapaxes(-1, -2), g),
    )
    vecmat = linear(
        np.vecmat,
        lambda g, x1, x2: matvec(x2, conj(g)),
        lambda g, x1, x2: expand_dims(x1, axis=-1) * expand_dims(g, axis=-2),
    )
    __all__ += ["matvec", "vecmat"]


@composite(np.cross, np.linalg.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """numpy.cross for vectors of three elements along any axes."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = _last(as_array(a), axisa), _last(as_array(b), axisb)
    if not a.shape[-1] == b.shape[-1] == 3:
        raise ValueError(
            f"cross takes vectors of 3 elements, got {a.shape[-1]} and {b.shape[-1]}: "
            "for 2 write a0 * b1 - a1 * b0"
        )
    a0, a1, a2 = (a[..., i] for i in range(3))
    b0, b1, b2 = (b[..., i] for i in range(3))
    return stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=axisc)


@composite(np.kron)
def kron(a: Any, b: Any) -> Any:
    """numpy.kron: each element of a times the whole of b, in any number of dimensions."""
    a, b = as_array(a), as_array(b)
    n = max(a.ndim, b.ndim)
    rows, columns = ((1,) * (n - x.ndim) + x.shape for x in (a, b))
    # interleave the axes of a with those of b
    blocks = a.reshape([m for size in rows for m in (size, 1)])
    blocks = blocks * b.reshape([m for size in columns for m in (1, size)])
    return reshape(blocks, tuple(m * size for m, size in zip(rows, columns, strict=True)))


def _on_diagonal(g: Any, a: Any, offset: int, axis1: int, axis2: int) -> Any:
    axis1, axis2 = axis1 % a.ndim, axis2 % a.ndim
    ones = alike(np.eye(a.shape[axis1], a.shape[axis2], offset, dtype=g.dtype), g)
    ones = ones if axis1 < axis2 else ones.T
    sizes = [size if i in (axis1, axis2) else 1 for i, size in enumerate(a.shape)]
    return expand_dims(g, axis=(axis1, axis2)) * ones.reshape(sizes)


# reached as np.trace and linalg.trace; `autodiff.trace` is the evaluation trace
trace = linear(
    np.trace,
    lambda g, a, offset=0, axis1=0, axis2=1: _on_diagonal(g, a, offset, axis1, axis2),
    symbol="tr",
)


# Einstein's sums.


def _written_out(subscripts: str, operands: Sequence[Any]) -> tuple[list[str], str]:
    """Return the axis labels of the operands and of the result, with ellipses expanded."""
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    spare = [letter for letter in LETTERS if letter not in left]
    terms, most = [], 0
    for term, x in zip(left.split(","), operands, strict=True):
        count = x.ndim - len(term.replace("...", ""))
        terms.append(term.replace("...", "".join(spare[:count][::-1])))
        most = max(most, count)
    if not arrow:
        times = Counter(left)
        output = "..." + "".join(sorted(c for c in times if c.isalpha() and times[c] == 1))
    return terms, output.replace("...", "".join(spare[:most][::-1]))


def _einsum_transposed(g: Any, k: int, operands: Any, subscripts: str, optimize: Any) -> Any:
    """Return the cotangent of the k-th operand: an einsum of g and the other operands."""
    terms, output = _written_out(subscripts, operands)
    x, wanted = operands[k], terms[k]
    factors = [g, *[conj(other) for i, other in enumerate(operands) if i != k]]
    labels = [output, *terms[:k], *terms[k + 1 :]]
    spans = {
        span
        for term, factor in zip(labels, factors, strict=True)
        for span in zip(term, factor.shape, strict=True)
    }
    spare = (letter for letter in LETTERS if letter not in "".join([output, *terms]))
    result = ""
    for label, size in zip(wanted, x.shape, strict=True):
        if label in result:  # a repeated label reads the diagonal only
            result += next(spare)
            factors.append(alike(np.eye(size, dtype=g.dtype), g))
            labels.append(label + result[-1])
        else:
            result += label
            if (label, size) not in spans:  # the operand was summed over this axis
                factors.append(alike(np.ones(size, g.dtype), g))
                labels.append(label)
    return einsum(f"{','.join(labels)}->{result}", *factors, optimize=bool(optimize))


_einsum = linear(
    lambda operands, subscripts="", **options: np.einsum(subscripts, *operands, **options),
    lambda g, k, operands, subscripts="", dtype=None, order="K", casting="safe", optimize=False: (
        _einsum_transposed(g, k, operands, subscripts, optimize)
    ),
    sequence=True,
    jointly=False,
    name="einsum",
    doc="numpy.einsum with the subscripts as one string.",
)


def _letters(labels: Sequence[Any]) -> str:
    return "".join("..." if label is Ellipsis else LETTERS[label] for label in labels)


@composite(np.einsum)
def einsum(*operands: Any, **options: Any) -> Any:
    """numpy.einsum: subscripts as a string before the operands, or as a list after each."""
    if isinstance(operands[0], str):
        subscripts, arrays = operands[0], operands[1:]
    else:
        arrays, lists = operands[: len(operands) // 2 * 2 : 2], operands[1::2]
        subscripts = ",".join(map(_letters, lists))
        if len(operands) % 2:
            subscripts += "->" + _letters(operands[-1])
    inputs = list(map(as_array, arrays))
    if options.get("optimize"):  # not all of NumPy's steps accept arrays of Values
        inputs = [joined(x) if x.dtype == OBJECT else x for x in inputs]
    return _einsum(inputs, subscripts=subscripts, **options)
