"""NumPy's `linalg`: solving, decomposing, measuring matrices, stacked and complex ones too.

Where a derivative does not exist (eigenvectors of a repeated eigenvalue, singular vectors of a
repeated singular value, vectors that are only there to complete a basis) it is NaN; eigenvalues and
singular values alone have theirs nevertheless. The vectors of complex matrices have a free phase:
their derivative is that of any expression in them which does not depend on it. A Hermitian matrix
is read from one triangle, but has the derivative by both: that of (a + aᴴ) / 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from autodiff.core.graph import Node, data_of
from autodiff.ops.elementwise import absolute, imag, real, sign, where
from autodiff.ops.general import general
from autodiff.ops.products import (
    cross,
    einsum,
    matmul,
    tensordot,
    vecdot,
)
from autodiff.ops.products import outer as _outer
from autodiff.ops.products import trace as _trace
from autodiff.ops.reductions import _aligned, max, min, sum
from autodiff.ops.shapes import as_array, concatenate, expand_dims, setitem
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


def _adjoint(x: Any) -> Any:
    """The conjugate transpose of the last two axes."""
    return conj(x).swapaxes(-1, -2)


@contextmanager
def _unless_singular(said: str) -> Iterator[None]:
    """What a rule computes with, whose own complaint would not tell the function's name."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(said) from error


def _hermitian(x: Any) -> Any:
    return (x + _adjoint(x)) / 2


def _row(x: Any) -> Any:
    """A vector as something that scales the columns of a matrix."""
    return expand_dims(x, axis=-2)


def _diagonal_matrix(x: Any) -> Any:
    return expand_dims(x, axis=-1) * np.eye(x.shape[-1], dtype=x.dtype)


def _times(x: Any, y: Any) -> Any:
    """x * y element by element, in whose derivatives zeros do not absorb infinities either."""
    return einsum("...ij,...ij->...ij", x, y)


def _gaps(x: Any) -> Any:
    """1 / (x_j - x_i) at [i, j], 0 on the diagonal: infinite where two are the same."""
    one = np.eye(x.shape[-1], dtype=x.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 / (_row(x) - expand_dims(x, axis=-1) + one) - one


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


def _places(shape: tuple[int, ...], offset: int) -> Any:
    rows = np.arange(shape[-2])
    rows = rows[(rows + offset >= 0) & (rows + offset < shape[-1])]
    return (Ellipsis, rows, rows + offset)


diagonal = linear(
    np.linalg.diagonal,
    lambda g, x, offset=0: setitem(np.zeros(x.shape, g.dtype), g, index=_places(x.shape, offset)),
    name="linalg.diagonal",
    doc="A diagonal of matrices (..., m, n).",
)


# Solving.

inv = general(
    np.linalg.inv,
    vjp=lambda g, out, a: -(_adjoint(out) @ g @ _adjoint(out)),
    jvp=lambda t, out, a: -(out @ t @ out),
    symbol="⁻¹",
    doc="The inverses of matrices (..., n, n).",
)


def _as_columns(x: Any, b: Any) -> Any:
    """What is like the solution for b, as matrices: NumPy takes a b of one axis for a vector."""
    return expand_dims(x, axis=-1) if b.ndim == 1 else x


def _solve_pull(g: Any, a: Any, b: Any) -> Any:
    return solve(_adjoint(a), _as_columns(g, b))


solve = general(
    np.linalg.solve,
    vjp=(
        lambda g, out, a, b: -(_solve_pull(g, a, b) @ _adjoint(_as_columns(out, b))),
        lambda g, out, a, b: _solve_pull(g, a, b).reshape(g.shape),
    ),
    jvp=(
        lambda t, out, a, b: -solve(a, t @ _as_columns(out, b)).reshape(out.shape),
        lambda t, out, a, b: solve(a, t),
    ),
    doc="x of a @ x = b, for matrices a (..., n, n) and b a vector (n,) or matrices (..., n, k).",
)


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


def _pinv_jvp(
    t: Any, out: Any, a: Any, rcond: Any = None, hermitian: bool = False, rtol: Any = None
) -> Any:
    t = _hermitian(t) if hermitian else t
    back, ahead = _adjoint(t), _adjoint(out)
    change = -(out @ t @ out)
    rank = np.rint(np.einsum("...ij,...ji->...", data_of(out), data_of(a)).real)
    # at full rank a projection is zero: computed, it would be rounding, times the square of out
    if np.any(rank < a.shape[-2]):
        change = change + out @ ahead @ (back - back @ a @ out)
    if np.any(rank < a.shape[-1]):
        change = change + (back - out @ a @ back) @ ahead @ out
    return change


pinv = general(
    np.linalg.pinv,
    jvp=_pinv_jvp,
    symbol="⁺",
    doc="The pseudo-inverses of matrices (..., m, n); its derivative (Golub and Pereyra 1973) is "
    "that along changes which keep the rank: all, if the rank is full.",
)


def _full_rank(out: Any, a: Any) -> None:
    rank = int(data_of(out)[2])
    if rank < np.min(a.shape):
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
    x, inverse, back = out[0], pinv(a), _adjoint(t)
    change, rest = -(t @ x), b - a @ x
    beside = back @ (_adjoint(inverse) @ x)
    more = inverse @ (change + _adjoint(inverse) @ (back @ rest)) + beside - inverse @ (a @ beside)
    values = _values_jvp(t, *svd(a, full_matrices=False))
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


def _products_of_others(s: Any) -> Any:
    """The product of all elements but one, for each."""
    one = np.ones_like(s[..., :1])
    before = np.cumprod(np.concatenate([one, s[..., :-1]], axis=-1), axis=-1)
    after = np.cumprod(np.concatenate([one, s[..., :0:-1]], axis=-1), axis=-1)[..., ::-1]
    return before * after


def _turned(a: Any) -> Any:
    """The singular value decomposition, and the determinant that is left without the values."""
    u, s, vh = np.linalg.svd(a)
    return u, s, vh, np.asarray(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]


def _cofactor(a: Any) -> Any:
    u, s, vh, phase = _turned(a)
    return phase * (u.conj() * _row(_products_of_others(s))) @ vh.conj()


def _cofactor_jvp(t: Any, out: Any, a: Any) -> Any:
    if isinstance(a, Node):  # for derivatives of yet higher order
        with _unless_singular("det has only two derivatives at a singular matrix"):
            inverse = inv(a).swapaxes(-1, -2)
        change = sum(out * t, axis=(-2, -1), keepdims=True)
        return change * inverse - inverse @ t.swapaxes(-1, -2) @ out
    u, s, vh, phase = _turned(a)
    one = np.eye(s.shape[-1], dtype=bool)
    pairs = np.where(one, 0, _products_of_others(np.where(one, s.dtype.type(1), _row(s))))
    t = (_adjoint(u) @ t @ _adjoint(vh)).swapaxes(-1, -2)
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
    with _unless_singular("slogdet has no derivative at a singular matrix: det has one"):
        return inv(a)


def _slogdet_vjp(g: Any, out: Any, a: Any) -> Any:
    of_sign, slope = g
    if a.dtype.kind == "c" and of_sign is not None:
        turn = -1j * imag(conj(of_sign) * out[0])
        slope = turn if slope is None else slope + turn
    return None if slope is None else expand_dims(slope, axis=(-2, -1)) * _adjoint(_log_slope(a))


def _slogdet_jvp(t: Any, out: Any, a: Any) -> Any:
    change = trace(_log_slope(a) @ t)
    return (out[0] * 1j * imag(change) if a.dtype.kind == "c" else None), real(change)


slogdet = general(
    np.linalg.slogdet,
    vjp=_slogdet_vjp,
    jvp=_slogdet_jvp,
    doc="(sign, logabsdet) of matrices (..., n, n): det is sign * exp(logabsdet).",
)


# Decompositions. Sources: Giles, "An extended collection of matrix derivative results" (2008), for
# eigenvalues; Murray, "Differentiation of the Cholesky decomposition" (2016); Walter and Lehmann,
# "Algorithmic differentiation of linear algebra functions" (2010), for QR; Townsend,
# "Differentiating the singular value decomposition" (2016). Complex ones by the same reasoning.


def _half_lower(x: Any) -> Any:
    """The lower triangle, with half the diagonal."""
    n = x.shape[-1]
    return x * (np.tri(n, dtype=x.dtype) - np.eye(n, dtype=x.dtype) / 2)


def _cholesky_vjp(g: Any, out: Any, a: Any, upper: bool = False) -> Any:
    out, g = (out, _adjoint(g)) if upper else (_adjoint(out), g)
    inner = _adjoint(_half_lower(out @ g))
    return _hermitian(solve(out, _adjoint(solve(out, inner))))


def _cholesky_jvp(t: Any, out: Any, a: Any, upper: bool = False) -> Any:
    out = _adjoint(out) if upper else out
    change = out @ _half_lower(solve(out, _adjoint(solve(out, _hermitian(t)))))
    return _adjoint(change) if upper else change


cholesky = general(
    np.linalg.cholesky,
    vjp=_cholesky_vjp,
    jvp=_cholesky_jvp,
    hermitian=True,
    doc="Lower triangular l with l @ lᴴ = a for positive definite a (..., n, n); `upper`: lᴴ.",
)


def _undetermined(t: Any, like: Any) -> Any:
    """The tangent of vectors that only complete a basis: NaN."""
    return like * (math.nan * sum(t, axis=(-2, -1), keepdims=True))


def _dependent(r: Any, rows: int) -> bool:
    """Return whether a column of a = q @ r depends on those before it, to the rounding of r.

    LAPACK's error in a column is of the order of its length · size · eps (Higham, Accuracy and
    Stability of Numerical Algorithms, 19.3), so a smaller diagonal element counts as zero.
    """
    columns = np.abs(data_of(r))
    diagonals = np.diagonal(columns, axis1=-2, axis2=-1)
    rounding = np.max([rows, columns.shape[-1]]) * np.finfo(columns.dtype).eps
    largest = columns.max(axis=-2, initial=0.0)
    return bool(np.any(diagonals <= rounding * largest))


def _qr_jvp(t: Any, out: Any, a: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr has no derivative in mode {mode!r}: use 'reduced'")
    q, r = qr(a) if mode == "r" else out
    m, k = a.shape[-2], np.min(a.shape[-2:])
    more, q, r = q[..., k:], q[..., :k], r[..., :k, :]
    # of m columns of a real q the last follows from the others, since LAPACK leaves the last of m
    # rows as it is, whatever the last column of a; of a complex row it turns the phase
    p = k - (m == k > 0 and r.dtype.kind != "c")
    if _dependent(r[..., :p, :p], m):
        raise np.linalg.LinAlgError(
            f"qr has no derivative where the first {p} columns are dependent"
        )
    change = solve(r[..., :p, :p].swapaxes(-1, -2), t[..., :p].swapaxes(-1, -2))
    change = change.swapaxes(-1, -2)
    inner = _adjoint(q) @ change
    lower = inner * np.tri(k, p, k=-1, dtype=inner.dtype)
    if p < k:
        lower = concatenate([lower, np.zeros((*lower.shape[:-1], 1), lower.dtype)], axis=-1)
    turn = lower - _adjoint(lower)
    if inner.dtype.kind == "c":  # the diagonal of r is real
        turn = turn + 1j * _diagonal_matrix(imag(diagonal(inner)))
    dq, dr = q @ turn, _adjoint(q) @ t - turn @ r
    if m > k:
        dq = dq + change - q @ inner
    if mode == "r":
        return dr
    if mode == "complete":
        dq = concatenate([dq, _undetermined(t, more)], axis=-1)
        below = np.zeros((*dr.shape[:-2], a.shape[-2] - k, a.shape[-1]), dr.dtype)
        dr = concatenate([dr, below], axis=-2)
    return dq, dr


qr = general(
    np.linalg.qr,
    jvp=_qr_jvp,
    doc="(q, r) with a = q @ r for a (..., m, n) whose first min(m, n) columns are independent (of "
    "a real one with m <= n the last of these need not be), or only r (mode='r'). With "
    "mode='complete' the columns of q beyond have the derivative NaN.",
)


def _eigh_vjp(g: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    (gw, gv), (w, v) = g, out
    inner = 0 if gw is None else _diagonal_matrix(gw)
    if gv is not None:
        inner = inner + _times(_gaps(w), _adjoint(v) @ gv)
    return _hermitian(v @ inner @ _adjoint(v))


def _eigh_jvp(t: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    w, v = out
    inner = _adjoint(v) @ _hermitian(t) @ v
    return real(diagonal(inner)), v @ _times(_gaps(w), inner)


eigh = general(
    np.linalg.eigh,
    vjp=_eigh_vjp,
    jvp=_eigh_jvp,
    hermitian=True,
    doc="(eigenvalues, eigenvectors) of Hermitian matrices (..., n, n). The derivative of the "
    "vectors is NaN or infinite where eigenvalues are repeated.",
)


def _eigvalsh_vjp(g: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    _, v = eigh(a, UPLO=UPLO)
    return (v * _row(g)) @ _adjoint(v)


def _eigvalsh_jvp(t: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    _, v = eigh(a, UPLO=UPLO)
    return real(sum(conj(v) * (_hermitian(t) @ v), axis=-2))


eigvalsh = general(
    np.linalg.eigvalsh,
    vjp=_eigvalsh_vjp,
    jvp=_eigvalsh_jvp,
    hermitian=True,
    doc="The eigenvalues of Hermitian matrices (..., n, n), in ascending order.",
)


def _eig_jvp(t: Any, out: Any, a: Any) -> Any:
    w, v = out
    with _unless_singular("eig has no derivative where the eigenvectors are dependent"):
        inner = solve(v, t @ v)
    change = v @ _times(_gaps(w), inner)
    along = sum(conj(v) * change, axis=-2, keepdims=True)  # the vectors stay of length 1
    return diagonal(inner), change - v * along


eig = general(
    np.linalg.eig,
    jvp=_eig_jvp,
    doc="(eigenvalues, eigenvectors) of matrices (..., n, n), complex unless all are real. The "
    "derivative of the vectors is NaN or infinite where eigenvalues are repeated.",
)


@composite(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """numpy.linalg.eigvals: the eigenvalues of matrices (..., n, n), in the order of eig's."""
    return eig(a)[0]


def _values_jvp(t: Any, u: Any, s: Any, vh: Any) -> Any:
    """The tangent of singular values; at 0 they have a kink."""
    return real(sum(conj(u) * (t @ _adjoint(vh)), axis=-2)) * sign(s)


def _svd_jvp(
    t: Any,
    out: Any,
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
) -> Any:
    t = _hermitian(t) if hermitian else t
    if not compute_uv:
        return _values_jvp(t, *svd(a, full_matrices=False, hermitian=hermitian))
    u, s, vh = out
    k = s.shape[-1]
    more_u, u, v = u[..., k:], u[..., :k], _adjoint(vh)
    more_v, v = v[..., k:], v[..., :k]
    ahead, back = t @ v, _adjoint(t) @ u
    inner = _adjoint(u) @ ahead
    right, left = inner * _row(s), inner * expand_dims(s, axis=-1)
    one = np.eye(k, dtype=s.dtype)
    gaps = _gaps(s) / (_row(s) + expand_dims(s, axis=-1) + one)  # of the squares
    du = u @ _times(gaps, right + _adjoint(right))
    dv = v @ _times(gaps, left + _adjoint(left))
    if inner.dtype.kind == "c":  # together the two phases are determined: half to each
        turn = 0.5j * _row(imag(diagonal(inner)) / s)
        du, dv = du + u * turn, dv - v * turn
    if a.shape[-2] > k:
        du = du + (ahead - u @ inner) / _row(s)
    if a.shape[-1] > k:
        dv = dv + (back - v @ _adjoint(inner)) / _row(s)
    du = concatenate([du, _undetermined(t, more_u)], axis=-1)
    dv = concatenate([dv, _undetermined(t, more_v)], axis=-1)
    return du, real(diagonal(inner)) * sign(s), _adjoint(dv)


svd = general(
    np.linalg.svd,
    jvp=_svd_jvp,
    doc="(u, s, vh) with a = u @ diag(s) @ vh for a (..., m, n), or only s (compute_uv=False). The "
    "derivative of the vectors is NaN or infinite where singular values are repeated, and NaN for "
    "those beyond the first min(m, n): use full_matrices=False.",
)


@composite(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """numpy.linalg.svdvals: the singular values of matrices (..., m, n), largest first."""
    return svd(x, compute_uv=False)


# Norms.


def _steepest(out: Any, x: Any, axis: Any, ord: Any) -> Any:
    """The direction in which the norm grows fastest, as steep as it does; 0 where out is 0."""
    out = _aligned(out, x, axis)
    if ord == 0:
        return np.zeros(x.shape, x.dtype)
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


vector_norm = general(
    np.linalg.vector_norm,
    vjp=lambda g, out, x, axis=None, keepdims=False, ord=2: (
        _aligned(g, x, axis) * _steepest(out, x, axis, ord)
    ),
    jvp=lambda t, out, x, axis=None, keepdims=False, ord=2: sum(
        real(conj(_steepest(out, x, axis, ord)) * t), axis=axis, keepdims=keepdims
    ),
    symbol="‖·‖",
    doc="The norm of any order of the vectors along an axis, or several.",
)


@composite(np.linalg.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """numpy.linalg.norm: of vectors along an axis, or matrices along two, of any order."""
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
        lines = svdvals(x)
    elif ord in (1, -1, math.inf, -math.inf):
        lines = vector_norm(x, axis=-2 if abs(ord) == 1 else -1, ord=1)
    else:
        raise ValueError(f"norm has no order {ord!r} for matrices")
    reduce = sum if ord == "nuc" else max if ord > 0 else min
    out = reduce(lines, axis=-1)
    return expand_dims(out, axis=axes) if keepdims else out


@composite(np.linalg.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """numpy.linalg.matrix_norm: the norm of any order of matrices (..., m, n)."""
    return norm(x, ord=ord, axis=(-2, -1), keepdims=keepdims)


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
    before = [_adjoint(matrix) for matrix in reversed(chain[:k])]
    after = [_adjoint(matrix) for matrix in reversed(chain[k + 1 :])]
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
        return where(True, np.eye(a.shape[-1], dtype=a.dtype), a)
    square, out = inv(a) if n < 0 else a, None
    for i, bit in enumerate(reversed(f"{abs(n):b}")):
        square = square @ square if i else square
        if bit == "1":
            out = square if out is None else out @ square
    return out
