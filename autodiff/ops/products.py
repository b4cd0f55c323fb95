"""Rows that multiply and contract."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.ops.general import general
from autodiff.ops.shapes import expand_dims
from autodiff.ops.table import conj, linear

__all__ = [
    "affine",
    "matmul",
]


def _left(g: Any, x: Any, y: Any) -> Any:
    """The cotangent of x in x @ y, where either may be a vector or a stack of matrices."""
    y = conj(y)
    if x.ndim == y.ndim == 1:
        return g * y
    if y.ndim == 1:
        return expand_dims(g, axis=-1) * y
    if x.ndim == 1:
        return (y @ expand_dims(g, axis=-1)).reshape(y.shape[:-1])
    return g @ y.swapaxes(-1, -2)


def _right(g: Any, x: Any, y: Any) -> Any:
    """The cotangent of y: that of the left operand in yᵀ @ xᵀ."""
    x = conj(x)
    if x.ndim == y.ndim == 1:
        return g * x
    if x.ndim == 1:
        return expand_dims(g, axis=-2) * expand_dims(x, axis=-1)
    if y.ndim == 1:
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
    return np.matmul(x, W) + b


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
    doc="x @ W + b in one operation: (..., inputs) @ (inputs, outputs) + (outputs,).",
)
