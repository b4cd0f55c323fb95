"""Cholesky, QR, eigenvalue and singular value decompositions, also of stacked complex matrices.

Sources: Giles, "An extended collection of matrix derivative results" (2008), for eigenvalues;
Murray, "Differentiation of the Cholesky decomposition" (2016); Walter and Lehmann, "Algorithmic
differentiation of linear algebra functions" (2010), for QR; Townsend, "Differentiating the singular
value decomposition" (2016). The complex cases are derived in the same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.core.graph import data_of
from autodiff.ops.alike import alike
from autodiff.ops.elementwise import imag, real, where
from autodiff.ops.general import general, transposed
from autodiff.ops.kinks import Kink
from autodiff.ops.matrices import (
    adjoint,
    diagonal,
    diagonal_matrix,
    hermitian_part,
    row_vector,
    solve,
)
from autodiff.ops.products import einsum
from autodiff.ops.rank import coinciding, negligible, rounding, undetermined
from autodiff.ops.reductions import sum
from autodiff.ops.shapes import concatenate, expand_dims
from autodiff.ops.table import composite, conj


def _times(x: Any, y: Any) -> Any:
    """Return x * y element by element; in its derivatives 0 * inf is NaN, unlike in multiply's."""
    return einsum("...ij,...ij->...ij", x, y)


def _gaps(x: Any, same: Any) -> Any:
    """Return 1 / (x_j - x_i) at [i, j], and 0 on the diagonal and for the pairs in `same`."""
    without = same | alike(np.eye(x.shape[-1], dtype=bool), same)
    return ~without / (row_vector(x) - expand_dims(x, axis=-1) + without)


def _free_columns(vectors: Any, free: Any, t: Any) -> Any:
    """Mark the tangents of the columns in the mask `free` (..., n) as undetermined."""
    if not free.any():
        return vectors
    return where(free[..., None, :], undetermined(t, vectors.shape), vectors)


def _half_lower(x: Any) -> Any:
    """Return the lower triangle of x with half the diagonal."""
    n = x.shape[-1]
    return x * alike(np.tri(n, dtype=x.dtype) - np.eye(n, dtype=x.dtype) / 2, x)


def _cholesky_vjp(g: Any, out: Any, a: Any, upper: bool = False) -> Any:
    out, g = (out, adjoint(g)) if upper else (adjoint(out), g)
    inner = adjoint(_half_lower(out @ g))
    return hermitian_part(solve(out, adjoint(solve(out, inner))))


def _cholesky_jvp(t: Any, out: Any, a: Any, upper: bool = False) -> Any:
    out = adjoint(out) if upper else out
    change = out @ _half_lower(solve(out, adjoint(solve(out, hermitian_part(t)))))
    return adjoint(change) if upper else change


cholesky = general(
    np.linalg.cholesky,
    vjp=_cholesky_vjp,
    jvp=_cholesky_jvp,
    hermitian=True,
    doc="Return lower triangular l with l @ lᴴ = a for positive definite a (..., n, n), or lᴴ if "
    "`upper`.",
)


def _dependent(r: Any, rows: int) -> bool:
    """Return whether a column of a = q @ r depends linearly on those before, to rounding."""
    columns = np.abs(data_of(r)).swapaxes(-1, -2)
    diagonals = np.diagonal(columns, axis1=-2, axis2=-1)
    size = np.max([rows, columns.shape[-1]])
    return bool(np.any(diagonals <= rounding(columns, size)[..., 0]))


def _qr_jvp(t: Any, out: Any, a: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr has no derivative in mode {mode!r}: use 'reduced'")
    q, r = qr(a) if mode == "r" else out
    m, k = a.shape[-2], np.min(a.shape[-2:])
    more, q, r = q[..., k:], q[..., :k], r[..., :k, :]
    # the last of m columns of a real q depends on the others only: LAPACK does not reflect the last
    # of m rows; of a complex last row it changes the phase
    p = k - (m == k > 0 and r.dtype.kind != "c")
    if _dependent(r[..., :p, :p], m):
        raise np.linalg.LinAlgError(
            f"qr has no derivative where the first {p} columns are dependent"
        )
    change = solve(r[..., :p, :p].swapaxes(-1, -2), t[..., :p].swapaxes(-1, -2))
    change = change.swapaxes(-1, -2)
    inner = adjoint(q) @ change
    lower = inner * alike(np.tri(k, p, k=-1, dtype=inner.dtype), inner)
    if p < k:
        last = alike(np.zeros((*lower.shape[:-1], 1), lower.dtype), lower)
        lower = concatenate([lower, last], axis=-1)
    turn = lower - adjoint(lower)
    if inner.dtype.kind == "c":  # the diagonal of r is real
        turn = turn + 1j * diagonal_matrix(imag(diagonal(inner)))
    dq, dr = q @ turn, adjoint(q) @ t - turn @ r
    if m > k:
        dq = dq + change - q @ inner
    if mode == "r":
        return dr
    if mode == "complete":
        dq = concatenate([dq, undetermined(t, more.shape)], axis=-1)
        below = alike(np.zeros((*dr.shape[:-2], a.shape[-2] - k, a.shape[-1]), dr.dtype), dr)
        dr = concatenate([dr, below], axis=-2)
    return dq, dr


qr = general(
    np.linalg.qr,
    jvp=_qr_jvp,
    undetermined="the columns of q that only complete a basis",
    doc="Return (q, r) with a = q @ r for a (..., m, n), or only r (mode='r'). The first min(m, n) "
    "columns of a must be independent (but for the last of them, if a is real and m <= n). With "
    "mode='complete' the columns of q after the first min(m, n) have no derivative.",
)


def _same(w: Any) -> Any:
    """Return a mask of the pairs of coinciding eigenvalues of Hermitian matrices."""
    w = data_of(w)
    return coinciding(w, rounding(w, w.shape[-1]))


def _alike_where(same: Any, g: Any) -> bool:
    """Return whether coinciding values have equal cotangents: then their order does not matter."""
    return g is None or not np.any(same & (g[..., None, :] != g[..., :, None]))


def _eigh_vjp(g: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    (gw, gv), (w, v) = g, out
    inner = 0 if gw is None else diagonal_matrix(gw)
    if gv is not None:
        same = _same(w)
        free = same.any(axis=-1)[..., None, :]
        if free.any():
            inner = inner + undetermined(where(free, gv, 0), v.shape)
            gv = where(free, 0, gv)
        inner = inner + _times(_gaps(w, same), adjoint(v) @ gv)
    return hermitian_part(v @ inner @ adjoint(v))


def _eigh_jvp(t: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    w, v = out
    same = _same(w)
    inner = adjoint(v) @ hermitian_part(t) @ v
    vectors = v @ _times(_gaps(w, same), inner)
    return real(diagonal(inner)), _free_columns(vectors, same.any(axis=-1), t)


eigh = general(
    np.linalg.eigh,
    vjp=_eigh_vjp,
    jvp=_eigh_jvp,
    hermitian=True,
    undetermined="the eigenvectors of eigenvalues that coincide",
    kinks=Kink(
        "eigenvalues that coincide",
        lambda out, a, UPLO="L": bool(_same(out[0]).any()),
        smooth=lambda g, out: g[1] is None and _alike_where(_same(out[0]), g[0]),
    ),
    doc="Return (eigenvalues, eigenvectors) of Hermitian matrices (..., n, n). Eigenvectors of "
    "eigenvalues that coincide to rounding have no derivative; all others have one.",
)


def _eigvalsh_vjp(g: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    _, v = eigh(a, UPLO=UPLO)
    return (v * row_vector(g)) @ adjoint(v)


def _eigvalsh_jvp(t: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    _, v = eigh(a, UPLO=UPLO)
    return real(sum(conj(v) * (hermitian_part(t) @ v), axis=-2))


eigvalsh = general(
    np.linalg.eigvalsh,
    vjp=_eigvalsh_vjp,
    jvp=_eigvalsh_jvp,
    hermitian=True,
    kinks=Kink(
        "eigenvalues that coincide",
        lambda out, a, UPLO="L": bool(_same(out).any()),
        smooth=lambda g, out: _alike_where(_same(out), g),
    ),
    doc="Return the eigenvalues of Hermitian matrices (..., n, n) in ascending order.",
)


def _alike(a: Any, w: Any, v: Any) -> Any:
    """Return a mask of the pairs of eigenvalues that coincide.

    Raises
    ------
    LinAlgError
        If the eigenvectors are dependent to rounding: the eigenvalues have no derivative either.
    """
    a, w, v = data_of(a), data_of(w), data_of(v)
    n, spread = w.shape[-1], np.linalg.svd(v, compute_uv=False)
    if np.any(negligible(spread, n)):
        raise np.linalg.LinAlgError("eig has no derivative where the eigenvectors are dependent")
    # Bauer and Fike (1960) bound the change of an eigenvalue by the rounding of the matrix
    condition = spread[..., :1] / spread[..., -1:]
    return coinciding(w, rounding(np.linalg.norm(a, axis=-1), n) * condition)


def _eig_jvp(t: Any, out: Any, a: Any) -> Any:
    w, v = out
    same = _alike(a, w, v)
    inner = solve(v, t @ v)
    change = v @ _times(_gaps(w, same), inner)
    along = sum(conj(v) * change, axis=-2, keepdims=True)  # keeps the vectors at length 1
    return diagonal(inner), _free_columns(change - v * along, same.any(axis=-1), t)


def _eig_vjp(g: Any, out: Any, a: Any) -> Any:
    # decided by the values: cotangents may cancel, as in v @ diag(w) @ inv(v) at the identity
    if g[1] is not None and np.any(_alike(a, *out)):
        raise eig.no_derivative([a])
    return transposed(lambda t: _eig_jvp(t, out, a), a, out, g)


eig = general(
    np.linalg.eig,
    vjp=_eig_vjp,
    jvp=_eig_jvp,
    undetermined="the eigenvectors of eigenvalues that coincide",
    kinks=Kink(
        "eigenvalues that coincide",
        lambda out, a: bool(_alike(a, *out).any()),
        smooth=lambda g, out: g[1] is None and _alike_where(_same(out[0]), g[0]),
    ),
    doc="Return (eigenvalues, eigenvectors) of matrices (..., n, n), complex unless all are real. "
    "Eigenvectors of eigenvalues that coincide to rounding have no derivative; all others have "
    "one.",
)


@composite(np.linalg.eigvals)
def eigvals(a: Any) -> Any:
    """numpy.linalg.eigvals: the eigenvalues of matrices (..., n, n), in the order of eig."""
    return eig(a)[0]


def singular_values_jvp(t: Any, u: Any, s: Any, vh: Any) -> Any:
    """Return the tangents of singular values; 0 where a value is 0 to rounding (a kink)."""
    kept = ~negligible(data_of(s), np.max([u.shape[-2], vh.shape[-1]]))
    return real(sum(conj(u) * (t @ adjoint(vh)), axis=-2)) * kept


def _degenerate(s: Any, a: Any) -> bool:
    size = max(a.shape[-2:])
    return bool(negligible(s, size).any() or coinciding(s, rounding(s, size)).any())


def _smooth_values(g: Any, out: Any) -> bool:
    """Return whether the cotangent of singular values is smooth where they coincide or are 0.

    The vectors and values of 0 must have none, and coinciding values equal cotangents.
    """
    if isinstance(out, tuple):
        (gu, g, gvh), s = g, out[1]
        if gu is not None or gvh is not None:
            return False
    else:
        s = out
    size = s.shape[-1]
    return g is None or (
        _alike_where(coinciding(s, rounding(s, size)), g)
        and not np.any(negligible(s, size) & (g != 0))
    )


def _svd_jvp(
    t: Any,
    out: Any,
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
) -> Any:
    t = hermitian_part(t) if hermitian else t
    if not compute_uv:
        given = {"hermitian": True} if hermitian else {}  # which CuPy does not have
        return singular_values_jvp(t, *svd(a, full_matrices=False, **given))
    u, s, vh = out
    k, complex = s.shape[-1], a.dtype.kind == "c"
    more_u, u, v = u[..., k:], u[..., :k], adjoint(vh)
    more_v, v = v[..., k:], v[..., :k]
    values, size = data_of(s), np.max(a.shape[-2:])
    zero = negligible(values, size)
    same = coinciding(values, rounding(values, size))
    free = same.any(axis=-1)
    divisor = where(zero, 1, s)
    ahead = t @ v
    inner = adjoint(u) @ ahead
    right, left = inner * row_vector(s), inner * expand_dims(s, axis=-1)
    one = alike(np.eye(k, dtype=s.dtype), s)
    gaps = _gaps(s, same) / (row_vector(s) + expand_dims(s, axis=-1) + one + same)  # of the squares
    du = u @ _times(gaps, right + adjoint(right))
    dv = v @ _times(gaps, left + adjoint(left))
    if complex:  # only the product of the two phases is determined: half for each
        turn = 0.5j * row_vector(imag(diagonal(inner)) / divisor)
        du, dv = du + u * turn, dv - v * turn
    if a.shape[-2] > k:
        du = du + (ahead - u @ inner) / row_vector(divisor)
    if a.shape[-1] > k:
        dv = dv + (adjoint(t) @ u - v @ adjoint(inner)) / row_vector(divisor)
    du = _free_columns(du, free | (zero & (complex or a.shape[-2] > k)), t)
    dv = _free_columns(dv, free | (zero & (complex or a.shape[-1] > k)), t)
    du = concatenate([du, undetermined(t, more_u.shape)], axis=-1)
    dv = concatenate([dv, undetermined(t, more_v.shape)], axis=-1)
    return du, real(diagonal(inner)) * ~zero, adjoint(dv)


svd = general(
    np.linalg.svd,
    jvp=_svd_jvp,
    undetermined="the singular vectors of values that coincide, or that only complete a basis",
    kinks=Kink(
        "singular values that coincide or are 0",
        lambda out, a, compute_uv=True, **params: _degenerate(out[1] if compute_uv else out, a),
        smooth=lambda g, out: _smooth_values(g, out),
    ),
    doc="Return (u, s, vh) with a = u @ diag(s) @ vh for a (..., m, n), or only s "
    "(compute_uv=False). Vectors of singular values that coincide to rounding have no derivative. "
    "Vectors that only complete a basis have none either: those after the first min(m, n) (use "
    "full_matrices=False), and, on a side with such vectors or for complex a, those of values that "
    "are 0 to rounding.",
)


@composite(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """numpy.linalg.svdvals: the singular values of matrices (..., m, n), largest first."""
    return svd(x, compute_uv=False)
