"""NumPy's `linalg` by its own names: solving, factorisations, determinants, norms, products."""

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


# Names of this namespace for what stands elsewhere.

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
    """numpy.linalg.tensorinv: the inverse for tensordot, by the first `ind` axes of a."""
    a = as_array(a)
    if ind <= 0:
        raise ValueError(f"tensorinv takes ind > 0, got {ind}")
    first, rest = a.shape[:ind], a.shape[ind:]
    return inv(a.reshape(math.prod(first), math.prod(rest))).reshape(rest + first)


@composite(np.linalg.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Sequence[int] | None = None) -> Any:
    """numpy.linalg.tensorsolve: x of tensordot(a, x, x.ndim) = b; `axes` of a go to its end."""
    a, b = as_array(a), as_array(b)
    if axes is not None:
        moved = [i % a.ndim for i in axes]
        a = a.transpose(tuple([i for i in range(a.ndim) if i not in moved] + moved))
    rest = a.shape[b.ndim :]
    n = math.prod(rest)
    if not b.size == n == math.prod(a.shape[: b.ndim]):
        raise np.linalg.LinAlgError(
            f"tensorsolve takes as many equations as unknowns, got a of shape {a.shape} (its axes "
            f"in that order) and b of shape {b.shape}"
        )
    return solve(a.reshape(n, n), b.ravel()).reshape(rest)


def _kept(a: Any, rcond: Any, rtol: Any) -> tuple[Any, bool]:
    """Return a mask of the singular values that pinv inverts, and whether all others are 0.

    Raises
    ------
    LinAlgError
        If a value is equal to the limit, to rounding: at a lower rank, with the default limit.
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
            "rounding, where the result jumps: add a row of regularisation (sqrt(λ) I), or keep "
            "the rank by a limit for the singular values, such as rcond=1e-8"
        )
    kept = values > limit
    return kept, bool(np.all(kept | negligible(values, size)))


def _truncated_jvp(t: Any, out: Any, a: Any, kept: Any) -> Any:
    """The tangent of a pseudo-inverse that takes singular values for 0 which are not.

    Their vectors turn into those of the others, as the divided differences of a function of
    singular values say (Noferini 2017).
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
"""Up to which order pinv can be differentiated at a rank that is not full."""


def _with_rest(left: Any, right: Any, t: Any, out: Any, a: Any) -> Any:
    """Add to two terms of the tangent what is 0 at a lower rank, though its derivatives are not.

    The rest of `a` beyond its rank enters as a power series, the solution of a Sylvester equation,
    of which the first ORDERS derivatives are exact.
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
    doc="The pseudo-inverses of matrices (..., m, n) (Golub and Pereyra 1973). No derivative where "
    "a singular value is equal to the limit `rcond`, to rounding; so at a matrix of lower rank a "
    "limit other than the default is needed.",
)


def _full_rank(out: Any, a: Any) -> None:
    rank, values = int(data_of(out)[2]), data_of(data_of(out)[3])
    if rank < np.min(a.shape) or np.any(negligible(values, np.max(a.shape))):
        raise np.linalg.LinAlgError(
            f"lstsq has no derivative at a matrix of shape {a.shape} and rank {rank}, where the "
            "solution jumps: add a row of regularisation (sqrt(λ) I) to make the rank full"
        )


def _lstsq_parts(out: Any, b: Any, change: Any, rest: Any, more: Any, values: Any) -> Any:
    """Tangents of the results, of which the solution changes by `more`."""
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
    doc="(x, residuals, rank, singular values) of the shortest x that minimises |a @ x - b|, for a "
    "matrix a (m, n) of full rank and b (m,) or (m, k); differentiated as pinv(a) @ b.",
)


# Determinants.


def _inverse(a: Any, said: str) -> Any:
    """The inverses of matrices, or an error that says `said` for those singular to rounding."""
    try:
        inverse = inv(a)
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(said) from error
    if singular(data_of(a), data_of(inverse)):
        raise np.linalg.LinAlgError(said)
    return inverse


def _products_of_others(s: Any) -> Any:
    """The product of all elements but one, for each."""
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before * after


def _turned(a: Any) -> Any:
    """The singular value decomposition, and the determinant that is left without the values."""
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, own(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]


def _cofactor(a: Any) -> Any:
    u, s, vh, phase = _turned(a)
    return phase * (u.conj() * row_vector(_products_of_others(s))) @ vh.conj()


def _cofactor_jvp(t: Any, out: Any, a: Any) -> Any:
    if isinstance(a, Node):  # for derivatives of yet higher order
        inverse = _inverse(a, "det has only two derivatives at a singular matrix")
        inverse = inverse.swapaxes(-1, -2)
        change = sum(out * t, axis=(-2, -1), keepdims=True)
        return change * inverse - inverse @ t.swapaxes(-1, -2) @ out
    u, s, vh, phase = _turned(a)
    one = alike(np.eye(s.shape[-1], dtype=bool), s)
    pairs = np.where(one, 0, _products_of_others(np.where(one, s.dtype.type(1), row_vector(s))))
    t = (adjoint(u) @ t @ adjoint(vh)).swapaxes(-1, -2)
    own = (pairs @ expand_dims(diagonal(t), axis=-1)) * one
    return phase * (u.conj() @ (own - pairs * t) @ vh.conj())


# From the singular values, since det(a) inv(a)ᵀ breaks down where det(a) is 0
cofactor = general(
    _cofactor,
    jvp=_cofactor_jvp,
    name="linalg.cofactor",
    symbol="cof",
    doc="The cofactors of matrices (..., n, n), singular ones too: the derivative of det. "
    "Derivatives of theirs beyond the first need regular matrices.",
)
det = general(
    np.linalg.det,
    vjp=lambda g, out, a: expand_dims(g, axis=(-2, -1)) * conj(cofactor(a)),
    jvp=lambda t, out, a: sum(cofactor(a) * t, axis=(-2, -1)),
    doc="The determinants of matrices (..., n, n): differentiable at singular ones too.",
)


def _log_slope(a: Any) -> Any:
    return _inverse(a, "slogdet has no derivative at a singular matrix: det has one")


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
    doc="(sign, logabsdet) of matrices (..., n, n): det is sign * exp(logabsdet).",
)


@composite(np.linalg.cond)
def cond(x: Any, p: Any = None) -> Any:
    """numpy.linalg.cond: how many times larger matrices (..., n, n) make a relative error."""
    x = as_array(x)
    x = joined(x) if x.dtype == OBJECT else x
    with np.errstate(all="ignore"):
        if p in (None, 2, -2):
            s = svdvals(x)
            out = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            out = matrix_norm(x, ord=p) * matrix_norm(inv(x), ord=p)
    spoilt = np.isnan(data_of(out))
    if spoilt.any():  # a matrix of zeros, and not one of NaN
        out = where(spoilt & ~np.isnan(data_of(x)).any(axis=(-2, -1)), math.inf, out)
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
    doc="The product of a list of matrices in the cheapest order; the ends may be vectors.",
)


@composite(np.linalg.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """numpy.linalg.matrix_power: the n-th power of matrices, of their inverses for n < 0."""
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
