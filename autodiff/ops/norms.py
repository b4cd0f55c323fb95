"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from functools import wraps
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autodiff.core.graph import data_of
from autodiff.ops.alike import foreign
from autodiff.ops.elementwise import absolute, real, sign, where
from autodiff.ops.factorisations import svdvals
from autodiff.ops.general import general
from autodiff.ops.kinks import Kink
from autodiff.ops.rank import rounding
from autodiff.ops.reductions import _aligned, axes_of, kept_shape, lined_up, max, min, sum
from autodiff.ops.shapes import as_array, expand_dims
from autodiff.ops.table import composite, conj


def _steepest(out: Any, x: Any, axis: Any, ord: Any) -> Any:
    """Return the gradient of the norm; 0 where the norm is 0."""
    out = _aligned(out, x, axis)
    if ord == 0:
        return np.zeros_like(data_of(x))
    if ord == 2:
        return x / where(data_of(out) == 0, math.inf, out)
    size = absolute(x)
    flat = (data_of(size) == 0) | (data_of(out) == 0)  # a kink, or an infinite slope
    turning = x.dtype.kind == "c"
    direction = x / where(flat, math.inf, size) if turning else where(flat, 0, sign(x))
    if ord == 1:
        return direction
    if abs(ord) == math.inf:
        reached = data_of(size) == data_of(out)
        return direction * (reached / np.sum(reached, axis=axis, keepdims=True)).astype(size.dtype)
    return direction * where(flat, 1, size / where(flat, 1, out)) ** (ord - 1)


def _zero_elements(out: Any, x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    return np.any((x == 0) & (ord <= 1), axis=axis, keepdims=keepdims)


def _tied_elements(out: Any, x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    reached = (np.abs(x) == _aligned(out, x, axis)) & (abs(ord) == math.inf)
    return np.sum(reached, axis=axis, keepdims=keepdims) > 1


@wraps(np.linalg.vector_norm)
def _vector_norm(x: Any, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    if not foreign(x):
        return np.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
    shape = kept_shape(x, axis)
    out = np.linalg.norm(lined_up(x, axis), ord, -1).reshape(shape)  # the function that CuPy has
    return out if keepdims else np.squeeze(out, tuple(axes_of(x, axis)))


vector_norm = general(
    np.linalg.vector_norm,
    compute=_vector_norm,
    vjp=lambda g, out, x, axis=None, keepdims=False, ord=2: (
        _aligned(g, x, axis) * _steepest(out, x, axis, ord)
    ),
    jvp=lambda t, out, x, axis=None, keepdims=False, ord=2: sum(
        real(conj(_steepest(out, x, axis, ord)) * t), axis=axis, keepdims=keepdims
    ),
    symbol="‖·‖",
    kinks=(
        Kink("x = 0", lambda out, x, **params: out == 0),
        Kink("ties for the norm of order ±∞", _tied_elements),
        Kink("an element of 0 if the order is 1 or less", _zero_elements),
    ),
    doc="Return the norms of vectors along one axis or several, of any order.",
)


def _tied(values: Any, size: int, ord: int) -> Any:
    """Return singular values, with those that equal the extreme to rounding set to it."""
    data = data_of(values)
    if not data.size:
        return values
    extreme = (np.max if ord > 0 else np.min)(data, axis=-1, keepdims=True)
    near = np.abs(data - extreme) <= rounding(data, size)
    return values + np.where(near, extreme - data, 0)


@composite(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """numpy.linalg.norm: norms of vectors along one axis or of matrices along two."""
    x = as_array(x)
    if ord is None and axis is None:
        return vector_norm(x, keepdims=keepdims)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if len(axes) == 1 or (len(axes) == 2 and ord in (None, "fro", "f")):
        order = 2 if ord is None or len(axes) == 2 else ord
        return vector_norm(x, axis=axes, keepdims=keepdims, ord=order)
    if len(axes) != 2:
        raise ValueError(f"norm of order {ord!r} takes one axis or two, not {len(axes)}")
    x = x.transpose(tuple([i for i in range(x.ndim) if i not in axes] + list(axes)))
    if ord in (2, -2, "nuc"):
        lines = svdvals(x) if ord == "nuc" else _tied(svdvals(x), np.max(x.shape[-2:]), ord)
    elif ord in (1, -1, math.inf, -math.inf):
        lines = vector_norm(x, axis=-2 if abs(ord) == 1 else -1, ord=1)
    else:
        raise ValueError(f"norm has no order {ord!r} for matrices")
    reduce = sum if ord == "nuc" else max if ord > 0 else min
    out = reduce(lines, axis=-1)
    return expand_dims(out, axis=axes) if keepdims else out


@composite(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """numpy.linalg.matrix_norm: the norms of matrices (..., m, n), of any order."""
    return norm(x, ord=ord, axis=(-2, -1), keepdims=keepdims)
