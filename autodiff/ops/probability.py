"""The softmax and related functions, without overflow."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from autodiff.ops.alike import alike
from autodiff.ops.elementwise import exp
from autodiff.ops.general import general
from autodiff.ops.reductions import Axes, sum, weighted
from autodiff.ops.shapes import as_array
from autodiff.ops.table import conj

__all__ = [
    "cross_entropy",
    "log_softmax",
    "logsumexp",
    "softmax",
]


class _Exponentials(NamedTuple):
    """exp(x) as powers * exp(top), without overflow."""

    top: Any  # the maximum of x, with keepdims
    rest: Any  # x - top
    powers: Any  # exp(rest)
    total: Any  # the sum of powers, with keepdims


def _exponentials(x: Any, axis: Axes) -> _Exponentials:
    x = as_array(x)
    if x.dtype.kind in "iub":
        x = x.astype(float)
    if type(x) is np.ndarray and x.ndim == 2 and axis in (1, -1) and x.shape[1] <= 32:
        # NumPy is slow along many short rows; on a transposed copy it is several times faster
        return _Exponentials(*[part.T for part in _exponentials(x.T.copy(), 0)])
    top = x.max(axis=axis, keepdims=True)
    if np.vdot(top, top) < math.inf:
        rest = x - top
    else:
        with np.errstate(invalid="ignore"):  # inf - inf counts as 0 here
            rest = np.where(x == top, x.dtype.type(0), x - top)
    powers = np.exp(rest)
    return _Exponentials(top, rest, powers, powers.sum(axis=axis, keepdims=True))


def _logsumexp(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    top, _, _, total = _exponentials(x, axis)
    total = np.log(total) + top
    return total if keepdims else np.squeeze(total, axis)


def _softmax(x: Any, axis: Axes = None) -> Any:
    _, _, powers, total = _exponentials(x, axis)
    return powers / total


def _log_softmax(x: Any, axis: Axes = None) -> Any:
    _, rest, _, total = _exponentials(x, axis)
    return rest - np.log(total)


logsumexp = weighted(
    _logsumexp,
    lambda out, x, axis: softmax(x, axis=axis),
    name="logsumexp",
    doc="Return log(sum(exp(x))) over an axis, without overflow for any x.",
)
softmax = general(
    _softmax,
    vjp=lambda g, out, x, axis=None: conj(out) * (g - sum(g * conj(out), axis=axis, keepdims=True)),
    jvp=lambda t, out, x, axis=None: out * (t - sum(t * out, axis=axis, keepdims=True)),
    name="softmax",
    doc="Return exp(x) / sum(exp(x)) over an axis, without overflow. Equal infinities share.",
)
log_softmax = general(
    _log_softmax,
    vjp=lambda g, out, x, axis=None: g - conj(exp(out)) * sum(g, axis=axis, keepdims=True),
    jvp=lambda t, out, x, axis=None: t - sum(exp(out) * t, axis=axis, keepdims=True),
    name="log_softmax",
    symbol="log softmax",
    doc="Return x - logsumexp(x) over an axis, accurate for any x.",
)


def _cross_entropy(x: Any, labels: Any = ()) -> Any:
    if np.ndim(x) != 2 or len(labels) != len(x):
        raise ValueError(
            f"cross_entropy takes a label for each row of x: got {len(labels)} labels and an x of "
            f"shape {np.shape(x)}"
        )
    _, rest, _, total = _exponentials(x, -1)
    return (np.log(total).sum() - rest[np.arange(len(labels)), labels].sum()) / len(labels)


def _excess(x: Any, labels: Any) -> Any:
    """Return softmax(x) minus the one-hot labels."""
    return softmax(x, axis=-1) - (
        alike(np.reshape(labels, (-1, 1)), x) == alike(np.arange(x.shape[-1]), x)
    )


cross_entropy = general(
    _cross_entropy,
    vjp=lambda g, out, x, labels=(): g / len(labels) * conj(_excess(x, labels)),
    jvp=lambda t, out, x, labels=(): sum(t * _excess(x, labels)) / len(labels),
    name="cross_entropy",
    symbol="cross entropy",
    doc="Return the mean of -log_softmax(x)[i, labels[i]] over n rows of x; labels: n integers.",
)
