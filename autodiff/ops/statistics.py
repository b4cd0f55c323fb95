"""Averages, covariances and correlations."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from autodiff.core.graph import Node, data_of
from autodiff.ops.alike import own
from autodiff.ops.elementwise import imag, real, sqrt, where
from autodiff.ops.reductions import (
    Axes,
    axes_of,
    mean,
    sum,
)
from autodiff.ops.shapes import (
    as_array,
    broadcast_to,
    concatenate,
    in_dtype,
    squeeze,
)
from autodiff.ops.table import OBJECT, composite, conj

__all__ = ["average", "corrcoef", "cov"]


def _fitting_weights(weights: Any, a: Any, axis: Axes) -> Any:
    """Return the weights, reshaped to broadcast against a."""
    weights = as_array(weights)
    if weights.shape == a.shape:
        return weights
    axes = axes_of(a, axis)
    if axis is None or weights.shape != tuple(a.shape[i] for i in axes):
        raise (TypeError if axis is None else ValueError)(
            f"average of shape {a.shape} over axis={axis} cannot take weights of shape "
            f"{weights.shape}: pass weights of the shape of the array, or of the axes given"
        )
    shape = [n if i in axes else 1 for i, n in enumerate(a.shape)]
    return weights.transpose(tuple(np.argsort(axes))).reshape(shape)


@composite(np.average)
def average(
    a: Any,
    axis: Axes = None,
    weights: Any = None,
    returned: bool = False,
    *,
    keepdims: bool = False,
) -> Any:
    """numpy.average for arrays and Tensors; differentiable by the weights too."""
    a = as_array(a)
    if weights is None:
        result = mean(a, axis=axis, keepdims=keepdims)
        total = np.asarray(a.size / (np.size(result) or 1), getattr(result, "dtype", float))
    else:
        weights = _fitting_weights(weights, a, axis)
        dtype: Any = np.result_type(a.dtype, weights.dtype)
        dtype = None if dtype is OBJECT else dtype
        total = sum(weights, axis=axis, dtype=dtype, keepdims=keepdims)
        if np.any(total == 0):
            raise ZeroDivisionError(f"average: weights of shape {weights.shape} sum to zero")
        result = sum(a * weights, axis=axis, keepdims=keepdims) / total
    if not returned:
        return result
    return result, broadcast_to(total, shape=np.shape(result))


def _variables(m: Any, dtype: Any, upright: bool) -> Any:
    """Return observations as a matrix with a row for each variable."""
    m = as_array(m)
    if m.ndim > 2:
        raise ValueError(f"cov and corrcoef take at most 2 dimensions, not shape {m.shape}")
    rows = m.reshape((1, -1)) if m.ndim < 2 else m if upright else m.T
    return rows if rows.dtype in (dtype, OBJECT) else in_dtype(rows, dtype)


def _sample_weights(name: str, weights: Any, count: int) -> Any:
    weights = weights if isinstance(weights, Node) else own(weights).astype(float)
    if weights.shape != (count,):
        raise RuntimeError(f"cov: {name} has shape {weights.shape}, but there are {count} samples")
    if np.any(weights < 0):
        raise ValueError(f"cov: {name} cannot be negative")
    return weights


@composite(np.cov)
def cov(
    m: Any,
    y: Any = None,
    rowvar: bool = True,
    bias: bool = False,
    ddof: int | None = None,
    fweights: Any = None,
    aweights: Any = None,
    *,
    dtype: Any = None,
) -> Any:
    """numpy.cov for arrays and Tensors; differentiable by aweights too."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"cov: ddof must be an integer, not {ddof!r}")
    if dtype is None:
        given = [as_array(x).dtype for x in (m, y) if x is not None]
        dtype = np.result_type(*given, np.float64)
    x = _variables(m, dtype, rowvar)
    if not x.shape[0]:
        return np.array([]).reshape(0, 0)
    if y is not None:
        x = concatenate([x, _variables(y, dtype, rowvar)], axis=0)
    count = x.shape[1]
    if ddof is None:
        ddof = 0 if bias else 1
    weights = None
    if fweights is not None:
        weights = _sample_weights("fweights", fweights, count)
        if np.any(data_of(weights) != np.around(data_of(weights))):
            raise TypeError("cov: fweights must be integers")
    if aweights is not None:
        aweights = _sample_weights("aweights", aweights, count)
        weights = aweights if weights is None else weights * aweights
    center, total = average(x, axis=1, weights=weights, returned=True, keepdims=True)
    total = total[0, 0]
    freedom: Any = count - ddof if weights is None else total
    if weights is not None and ddof:
        used = 1 if aweights is None else sum(weights * aweights) / total
        freedom = total - ddof * used
    if freedom <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=3)
        freedom = 0.0
    scale = np.divide(1, freedom)
    scale = scale if isinstance(scale, Node) else float(scale)
    x = x - center
    return squeeze((x if weights is None else x * weights) @ conj(x).T * scale)


def _within_one(c: Any) -> Any:
    """Clip a correlation to [-1, 1], which only rounding exceeds."""
    return where(abs(data_of(c)) > 1, np.sign(data_of(c)), c)


@composite(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """numpy.corrcoef for arrays and Tensors."""
    c = cov(x, y, rowvar, dtype=dtype)
    if not c.ndim:
        return c / c
    diagonal = np.arange(len(c))
    deviation = sqrt(real(c[diagonal, diagonal]))
    c = c / deviation[:, None] / deviation[None, :]
    if c.dtype.kind == "c":
        return _within_one(real(c)) + 1j * _within_one(imag(c))
    return _within_one(c)
