"""The namespace of `numpy.linalg`: solving, factorisations, determinants, norms, products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.core.graph import Node, data_of
from autodiff.ops.alike import alike, own
from autodiff.ops.elementwise import absolute, imag, real, where
from autodiff.ops.factorisations import (
    cholesky,
    eig,
    eigh,
    eigvals,
    eigvalsh,
    qr,
    singular_values_jvp,
    svd,
    svdvals,
)
from autodiff.ops.general import general
from autodiff.ops.matrices import (
    adjoint,
    diagonal,
    hermitian_part,
    inv,
    row_vector,
    solve,
)
from autodiff.ops.norms import matrix_norm, norm, vector_norm
from autodiff.ops.products import cross, matmul, tensordot, vecdot
from autodiff.ops.products import outer as _outer
from autodiff.ops.products import trace as _trace
from autodiff.ops.rank import largest, negligible, rounding, singular
from autodiff.ops.reductions import sum
from autodiff.ops.shapes import as_array, expand_dims
from autodiff.ops.table import OBJECT, alias, composite, conj, joined, linear

__all__ = [
    "cholesky",
    "cofactor",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eig",
    "eigh",
    "eigvals",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "matrix_transpose",
    "multi_dot",
    "norm",
    "outer",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "svd",
    "svdvals",
    "tensordot",
    "tensorinv",
    "tensorsolve",
    "trace",
    "vecdot",
    "vector_norm",
]


alias(matmul, np.linalg.matmul)
alias(tensordot, np.linalg.tensordot)


@composite(np.linalg.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    """numpy.linalg.outer: x1[i] * x2[j] for two vectors."""
    x1, x2 = as_array(x1), as_array(x2)
    if not x1.ndim == x2.ndim == 1:
        raise ValueError(f"linalg.outer takes two vectors, got shapes {x1.shape} and {x2.shape}")
    return _outer(x1, x2)


@composite(np.linalg.trace)
def trace(x: Any, /, *, offset: int = 0) -> Any:
    """numpy.linalg.trace: the sum along a diagonal of matrices (..., m, n)."""
    return _trace(x, offset=offset, axis1=-2, axis2=-1)


@composite(np.linalg.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """numpy.linalg.matrix_transpose: (..., m, n) to (..., n, m)."""
    return as_array(x).swapaxes(-1, -2)


# Solving.


@composite(np.linalg.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """numpy.linalg.tensorinv: the inverse of a under tensordot over its first `ind` axes."""
    a = as_array(a)
    if ind <= 0:
        raise ValueError(f"tensorinv takes ind > 0, got {ind}")
    first, rest = a.shape[:ind], a.shape[ind:]
    return inv(a.reshape(math.prod(first), math.prod(rest))).reshape(rest + first)


@composite(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """numpy.linalg.tensorsolve: x with tensordot(a, x, x.ndim) = b; `axes` of a move to its end."""
    a, b = as_array(a), as_array(b)
    if axes is not None:
        moved = [i % a.ndim for i in axes]
        a = a.transpose(tuple([i for i in range(a.ndim) if i not in moved] + moved))
    rest = a.shape[b.ndim :]
    n = math.prod(rest)
    if not b.size == n == math.prod(a.shape[: b.ndim]):
        raise np.linalg.LinAlgError(
            "tensorsolve takes as many equations as unknowns, got a of shape "
            f"{a.shape} (after moving its axes) and b of shape {b.shape}"
        )
    return solve(a.reshape(n, n), b.ravel()).reshape(rest)


def _kept(a: Any, rcond: Any, rtol: Any) -> tuple[Any, bool]:
    """Return a mask of the singular values that pinv inverts, and whether all others are zero.

    Raises
    ------
    LinAlgError
        If a value equals the limit to rounding, as at a lower rank with the default limit.
    """
    values, size = np.linalg.svd(a, compute_uv=False), np.max(a.shape[-2:])
    if rcond is None:
        rcond = size * np.finfo(values.dtype).eps if rtol is None else rtol
        rcond = 1e-15 if rcond is np._NoValue else rcond
    limit = own(rcond)[..., None]
    limit = alike(limit, values) * largest(values)
    if np.any(np.abs(values - limit) <= rounding(values, size)):
        raise np.linalg.LinAlgError(
            f"pinv has no derivative at matrices of shape {a.shape} whose rank is not full, to "
            "rounding: the result jumps there. Append regularisation rows (sqrt(λ) I), or fix the "
            "rank by a limit for the singular values, such as rcond=1e-8"
        )
    kept = values > limit
    return kept, bool(np.all(kept | negligible(values, size)))


def _truncated_jvp(t: Any, out: Any, a: Any, kept: Any) -> Any:
    """Return the tangent of a pseudo-inverse that treats nonzero singular values as 0.

    By divided differences of a function of singular values (Noferini 2017): the vectors of the
    truncated values mix with those of the kept ones.
    """
    u, s, vh = svd(a, full_matrices=False)
    v, back, ahead = adjoint(vh), adjoint(t), adjoint(out)
    inner = adjoint(u) @ t @ v
    inverse = where(kept, 1 / where(kept, s, 1), 0)
    across = kept[..., :, None] != kept[..., None, :]
    row, column = row_vector(s), expand_dims(s, axis=-1)
    squares = absolute(row * row - column * column) + ~across
    left, right = expand_dims(inverse, axis=-1), row_vector(inverse)
    mixed = (adjoint(inner) + (left * row + column * right) * inner) * (across / squares)
    change = v @ (mixed - left * inner * right) @ adjoint(u)
    if u.shape[-2] > s.shape[-1]:
        change = change + out @ ahead @ (back - back @ u @ adjoint(u))
    if v.shape[-2] > s.shape[-1]:
        change = change + (back - v @ vh @ back) @ ahead @ out
    return change


ORDERS = 16
"""Highest order of pinv's derivatives at a matrix that is not of full rank."""


def _with_rest(left: Any, right: Any, t: Any, out: Any, a: Any) -> Any:
    """Return left + right and terms that are 0 at a lower rank, but have derivatives.

    The terms are a power series in the rest of `a` beyond its rank, the solution of a Sylvester
    equation. Its first ORDERS derivatives are exact.
    """
    rest = a - a @ out @ a
    back, ahead = adjoint(rest), adjoint(out)
    left, right = left + out @ ahead @ out @ t @ back, right + back @ t @ out @ ahead @ out
    total = left + right
    for _ in range(ORDERS // 2):
        left, right = out @ ahead @ left @ rest @ back, back @ rest @ right @ ahead @ out
        total = total + left + right
    return total


def _pinv_jvp(
    t: Any,
    out: Any,
    a: Any,
    rcond: Any = None,
    hermitian: bool = False,
    rtol: Any = np._NoValue,
) -> Any:
    t = hermitian_part(t) if hermitian else t
    kept, exact = _kept(data_of(a), rcond, rtol)
    if not exact:
        return _truncated_jvp(t, out, a, kept)
    back, ahead, rank = adjoint(t), adjoint(out), kept.sum(axis=-1)
    change, left, right = -(out @ t @ out), 0, 0
    # exactly zero at full rank; computing it would add rounding of the order of out²
    if np.any(rank < a.shape[-2]):
        left = out @ ahead @ (back - back @ a @ out)
    if np.any(rank < a.shape[-1]):
        right = (back - out @ a @ back) @ ahead @ out
    if np.any(rank < np.min(a.shape[-2:])) and isinstance(a, Node):
        return change + _with_rest(left, right, t, out, a)
    return change + left + right


pinv = general(
    np.linalg.pinv,
    jvp=_pinv_jvp,
    symbol="⁺",
    doc="Return the pseudo-inverses of matrices (..., m, n) (Golub and Pereyra 1973). There is no "
    "derivative where a singular value equals the limit `rcond` to rounding: a matrix of lower "
    "rank needs a limit other than the default.",
)


def _full_rank(out: Any, a: Any) -> None:
    rank, values = int(data_of(out)[2]), data_of(data_of(out)[3])
    if rank < np.min(a.shape) or np.any(negligible(values, np.max(a.shape))):
        raise np.linalg.LinAlgError(
            f"lstsq has no derivative at a matrix of shape {a.shape} and rank {rank}: the solution "
            "jumps there. Append regularisation rows (sqrt(λ) I) to make the rank full"
        )


def _lstsq_parts(out: Any, b: Any, change: Any, rest: Any, more: Any, values: Any) -> Any:
    """Return the tangents of lstsq's results; `more` is that of the solution."""
    squares = None
    if out[1].size:
        squares = 2 * sum(real(conj(rest) * change), axis=0).reshape(out[1].shape)
    return more, squares, None, values


def _lstsq_by_a(t: Any, out: Any, a: Any, b: Any, rcond: Any = None) -> Any:
    _full_rank(out, a)
    x, inverse, back = out[0], pinv(a), adjoint(t)
    change, rest = -(t @ x), b - a @ x
    beside = back @ (adjoint(inverse) @ x)
    more = inverse @ (change + adjoint(inverse) @ (back @ rest)) + beside - inverse @ (a @ beside)
    values = singular_values_jvp(t, *svd(a, full_matrices=False))
    return _lstsq_parts(out, b, change, rest, more, values)


def _lstsq_by_b(t: Any, out: Any, a: Any, b: Any, rcond: Any = None) -> Any:
    _full_rank(out, a)
    return _lstsq_parts(out, b, t, b - a @ out[0], pinv(a) @ t, None)


lstsq = general(
    np.linalg.lstsq,
    jvp=(_lstsq_by_a, _lstsq_by_b),
    doc="Return (x, residuals, rank, singular values) with the shortest x that minimises "
    "|a @ x - b|, for a of shape (m, n) and full rank and b of shape (m,) or (m, k).",
)


# Determinants.


def _inverse(a: Any, message: str) -> Any:
    """Return the inverses of matrices, or raise a LinAlgError if one is singular to rounding."""
    try:
        inverse = inv(a)
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(message) from error
    if singular(data_of(a), data_of(inverse)):
        raise np.linalg.LinAlgError(message)
    return inverse


def _products_of_others(s: Any) -> Any:
    """Return for each element the product of all others along the last axis."""
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before * after


def _svd_and_phase(a: Any) -> Any:
    """Return u, s, vh and det(u) det(vh), so that det(a) is the latter times prod(s)."""
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, own(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]


def _cofactor(a: Any) -> Any:
    u, s, vh, phase = _svd_and_phase(a)
    return phase * (u.conj() * row_vector(_products_of_others(s))) @ vh.conj()


def _cofactor_jvp(t: Any, out: Any, a: Any) -> Any:
    if isinstance(a, Node):  # for derivatives of higher order
        inverse = _inverse(a, "det has only two derivatives at a singular matrix")
        inverse = inverse.swapaxes(-1, -2)
        change = sum(out * t, axis=(-2, -1), keepdims=True)
        return change * inverse - inverse @ t.swapaxes(-1, -2) @ out
    u, s, vh, phase = _svd_and_phase(a)
    one = alike(np.eye(s.shape[-1], dtype=bool), s)
    pairs = np.where(one, 0, _products_of_others(np.where(one, s.dtype.type(1), row_vector(s))))
    t = (adjoint(u) @ t @ adjoint(vh)).swapaxes(-1, -2)
    own = (pairs @ expand_dims(diagonal(t), axis=-1)) * one
    return phase * (u.conj() @ (own - pairs * t) @ vh.conj())


# computed from the singular values, since det(a) inv(a)ᵀ breaks down where det(a) is 0
cofactor = general(
    _cofactor,
    jvp=_cofactor_jvp,
    name="linalg.cofactor",
    symbol="cof",
    doc="Return the cofactors of matrices (..., n, n), singular ones too: the derivative of det. "
    "Their derivatives of order 2 and higher need regular matrices.",
)
det = general(
    np.linalg.det,
    vjp=lambda g, out, a: expand_dims(g, axis=(-2, -1)) * conj(cofactor(a)),
    jvp=lambda t, out, a: sum(cofactor(a) * t, axis=(-2, -1)),
    doc="Return the determinants of matrices (..., n, n), differentiable at singular ones too.",
)


def _log_slope(a: Any) -> Any:
    return _inverse(a, "slogdet has no derivative at a singular matrix: use det, which has one")


def _slogdet_vjp(g: Any, out: Any, a: Any) -> Any:
    of_sign, slope = g
    if a.dtype.kind == "c" and of_sign is not None:
        turn = -1j * imag(conj(of_sign) * out[0])
        slope = turn if slope is None else slope + turn
    return None if slope is None else expand_dims(slope, axis=(-2, -1)) * adjoint(_log_slope(a))


def _slogdet_jvp(t: Any, out: Any, a: Any) -> Any:
    change = trace(_log_slope(a) @ t)
    return (out[0] * 1j * imag(change) if a.dtype.kind == "c" else None), real(change)


slogdet = general(
    np.linalg.slogdet,
    vjp=_slogdet_vjp,
    jvp=_slogdet_jvp,
    doc="Return (sign, logabsdet) of matrices (..., n, n): det is sign * exp(logabsdet).",
)


@composite(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """numpy.linalg.cond: the condition numbers of matrices (..., n, n)."""
    x = as_array(x)
    x = joined(x) if x.dtype == OBJECT else x
    with np.errstate(all="ignore"):
        if p in (None, 2, -2):
            s = svdvals(x)
            out = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            out = matrix_norm(x, ord=p) * matrix_norm(inv(x), ord=p)
    undefined = np.isnan(data_of(out))
    if undefined.any():  # inf for a matrix of zeros, NaN for one that contains NaN
        out = where(undefined & ~np.isnan(data_of(x)).any(axis=(-2, -1)), math.inf, out)
    return out


# Products of many matrices.


def _multi_dot_transposed(g: Any, k: int, arrays: Any) -> Any:
    first, last = arrays[0], arrays[-1]
    chain = list(arrays)
    if first.ndim == 1:
        chain[0] = first.reshape(1, -1)
    if last.ndim == 1:
        chain[-1] = last.reshape(-1, 1)
    g = g.reshape(chain[0].shape[0], chain[-1].shape[1])
    before = [adjoint(matrix) for matrix in reversed(chain[:k])]
    after = [adjoint(matrix) for matrix in reversed(chain[k + 1 :])]
    return multi_dot([*before, g, *after]).reshape(arrays[k].shape)


multi_dot = linear(
    np.linalg.multi_dot,
    _multi_dot_transposed,
    sequence=True,
    jointly=False,
    symbol="@",
    doc="Return the product of a list of matrices, in the cheapest order; the ends may be vectors.",
)


@composite(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """numpy.linalg.matrix_power: the n-th power of matrices; of their inverses for n < 0."""
    a = as_array(a)
    if not isinstance(n, int | np.integer):
        raise TypeError(f"matrix_power takes an integer exponent, not {n!r}")
    if a.ndim < 2 or a.shape[-2] != a.shape[-1]:
        raise np.linalg.LinAlgError(f"matrix_power takes matrices (..., n, n), got {a.shape}")
    if n == 0:
        return where(True, alike(np.eye(a.shape[-1], dtype=a.dtype), a), a)
    square, out = inv(a) if n < 0 else a, None
    for i, bit in enumerate(reversed(f"{abs(n):b}")):
        square = square @ square if i else square
        if bit == "1":
            out = square if out is None else out @ square
    return out
