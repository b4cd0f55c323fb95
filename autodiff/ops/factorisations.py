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
from autodiff.ops.degenerate import Degeneracy, decomposition
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
from autodiff.ops.rank import coinciding, negligible, rounding, singular, undetermined
from autodiff.ops.reductions import sum
from autodiff.ops.shapes import concatenate, expand_dims
from autodiff.ops.spaces import Space, space_of
from autodiff.ops.table import composite, conj


def _times(x: Any, y: Any) -> Any:
    """Return x * y element by element; in its derivatives 0 * inf is NaN, unlike in multiply's."""
    return einsum("...ij,...ij->...ij", x, y)


def _gaps(x: Any, same: Any) -> Any:
    """Return 1 / (x_j - x_i) at [i, j], and 0 on the diagonal and for the pairs in `same`."""
    without = same | alike(np.eye(x.shape[-1], dtype=bool), same)
    return ~without / (row_vector(x) - expand_dims(x, axis=-1) + without)


def _groups(same: Any) -> list[Any]:
    """Return the indices of coinciding values in groups, from a mask (n, n) of the pairs."""
    n = same.shape[-1]
    bounds = np.flatnonzero(~np.diagonal(same, 1)) + 1  # the values are sorted
    return [group for group in np.split(np.arange(n), bounds) if len(group) > 1]


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


def _dependent(r: Any) -> bool:
    """Return whether a column of a = q @ r depends linearly on others, to rounding."""
    r = data_of(r)
    try:
        inverse = np.linalg.inv(r)
    except np.linalg.LinAlgError:  # an exact zero
        return True
    return singular(r.swapaxes(-1, -2), inverse.swapaxes(-1, -2))


def _qr_jvp(t: Any, out: Any, a: Any, mode: str = "reduced") -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr has no derivative in mode {mode!r}: use 'reduced'")
    q, r = qr(a) if mode == "r" else out
    m, k = a.shape[-2], np.min(a.shape[-2:])
    more, q, r = q[..., k:], q[..., :k], r[..., :k, :]
    # the last of m columns of a real q depends on the others only: LAPACK does not reflect the last
    # of m rows; of a complex last row it changes the phase
    p = k - (m == k > 0 and r.dtype.kind != "c")
    if _dependent(r[..., :p, :p]):
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
        inner = inner + _times(_gaps(w, _same(w)), adjoint(v) @ gv)
    return hermitian_part(v @ inner @ adjoint(v))


def _eigh_jvp(t: Any, out: Any, a: Any, UPLO: str = "L") -> Any:
    w, v = out
    inner = adjoint(v) @ hermitian_part(t) @ v
    return real(diagonal(inner)), v @ _times(_gaps(w, _same(w)), inner)


def _eigh_spaces(out: Any, a: Any) -> list[Space]:
    w, v = out
    near = _same(w)
    return [
        space_of(at, group, False, v, w, v)
        for at in np.ndindex(w.shape[:-1])
        for group in _groups(near[at])
    ]


eigh = decomposition(
    np.linalg.eigh,
    Degeneracy(
        _eigh_jvp,
        free=lambda out, a: _same(out[0]).any(axis=-1),
        spaces=_eigh_spaces,
        vectors=(1,),
        unpacked=lambda parts: (parts[1], parts[0], parts[1]),
        packed=lambda u, s, v: (s, u),
    ),
    vjp=_eigh_vjp,
    jvp=_eigh_jvp,
    hermitian=True,
    undetermined="the eigenvectors of eigenvalues that coincide",
    kinks=Kink(
        "eigenvalues that coincide",
        lambda out, a, UPLO="L": bool(_same(out[0]).any()),
        smooth=lambda g, out: _alike_where(_same(out[0]), g[0]),
    ),
    doc="Return (eigenvalues, eigenvectors) of Hermitian matrices (..., n, n). Eigenvectors of "
    "eigenvalues that coincide to rounding have no derivative; all others have one. So has a "
    "function that is the same however those eigenvectors are turned, such as v @ diag(w) @ vᴴ.",
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
    vectors, free = change - v * along, same.any(axis=-1)
    if free.any():
        vectors = where(row_vector(free), undetermined(t, v.shape), vectors)
    return diagonal(inner), vectors


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


def _smooth_values(g: Any, s: Any) -> bool:
    """Return whether the cotangent of singular values is smooth where they coincide or are 0.

    Coinciding values must have equal cotangents, and values of 0 none.
    """
    size = s.shape[-1]
    return g is None or (
        _alike_where(coinciding(s, rounding(s, size)), g)
        and not np.any(negligible(s, size) & (g != 0))
    )


def _zero_and_same(s: Any, a: Any) -> tuple[Any, Any]:
    """Return masks of the singular values that are 0, and of the pairs that coincide."""
    s, size = data_of(s), np.max(a.shape[-2:])
    return negligible(s, size), coinciding(s, rounding(s, size))


def _free_values(out: Any, a: Any) -> Any:
    """Return a mask of the singular values whose vectors are not determined."""
    zero, same = _zero_and_same(out[1], a)
    return zero | same.any(axis=-1)


def _svd_smooth_jvp(
    t: Any, out: Any, a: Any, full_matrices: bool = True, hermitian: bool = False
) -> Any:
    t = hermitian_part(t) if hermitian else t
    u, s, vh = out
    k, v = s.shape[-1], adjoint(vh)
    more_u, u, more_v, v = u[..., k:], u[..., :k], v[..., k:], v[..., :k]
    zero, same = _zero_and_same(s, a)
    ahead, back = t @ v, adjoint(t) @ u
    inner = adjoint(u) @ ahead
    both = zero[..., None, :] & zero[..., :, None]  # any turn of their vectors will do
    sums = 1 / (row_vector(s) + expand_dims(s, axis=-1) + both)
    alike_turn = _times(_gaps(s, same), hermitian_part(inner))
    apart = _times(sums, (inner - adjoint(inner)) / 2)  # half for each, as of the phases
    du, dv = u @ (alike_turn + apart), v @ (alike_turn - apart)
    inverse = row_vector(1 / where(zero, 1, s))
    if a.shape[-2] > k:
        du = du + (ahead - u @ inner) * inverse
    if a.shape[-1] > k:
        dv = dv + (back - v @ adjoint(inner)) * inverse
    du = concatenate([du, -u @ adjoint(adjoint(more_u) @ ahead * inverse)], axis=-1)
    dv = concatenate([dv, -v @ adjoint(adjoint(more_v) @ back * inverse)], axis=-1)
    return du, real(diagonal(inner)) * ~zero, adjoint(dv)


def _svd_jvp(
    t: Any,
    out: Any,
    a: Any,
    full_matrices: bool = True,
    compute_uv: bool = True,
    hermitian: bool = False,
) -> Any:
    if not compute_uv:
        t = hermitian_part(t) if hermitian else t
        given = {"hermitian": True} if hermitian else {}  # which CuPy does not have
        return singular_values_jvp(t, *svd(a, full_matrices=False, **given))
    du, ds, dvh = _svd_smooth_jvp(t, out, a, full_matrices, hermitian)
    k, dv = ds.shape[-1], adjoint(dvh)
    du, dv = (
        concatenate([x[..., :k], undetermined(t, x[..., k:].shape)], axis=-1) for x in (du, dv)
    )
    return du, ds, adjoint(dv)


def _svd_spaces(out: Any, a: Any) -> list[Space]:
    u, s, v = _svd_unpacked(out)
    zero, same = _zero_and_same(s, a)
    found = []
    for at in np.ndindex(s.shape[:-1]):
        groups = _groups(same[at] & ~zero[at])
        found += [space_of(at, group, False, u, s, v) for group in groups]
        null = np.flatnonzero(zero[at])
        if null.size or max(u.shape[-1], v.shape[-1]) > s.shape[-1]:
            found.append(space_of(at, null, True, u, s, v))
    return found


def _svd_unpacked(parts: Any) -> tuple[Any, Any, Any]:
    u, s, vh = parts
    return u, s, None if vh is None else adjoint(vh)


def _svd_packed(u: Any, s: Any, v: Any) -> tuple[Any, Any, Any]:
    return u, s, None if v is None else adjoint(v)


svd = decomposition(
    np.linalg.svd,
    Degeneracy(_svd_smooth_jvp, _free_values, _svd_spaces, (0, 2), _svd_unpacked, _svd_packed),
    jvp=_svd_jvp,
    undetermined="the singular vectors of values that coincide, or that only complete a basis",
    kinks=Kink(
        "singular values that coincide or are 0",
        lambda out, a, compute_uv=True, **params: bool(
            _free_values(out if compute_uv else (None, out), a).any()
        ),
        smooth=lambda g, out: (
            _smooth_values(g[1], out[1]) if isinstance(out, tuple) else _smooth_values(g, out)
        ),
    ),
    doc="Return (u, s, vh) with a = u @ diag(s) @ vh for a (..., m, n), or only s "
    "(compute_uv=False). Vectors of singular values that coincide to rounding have no derivative. "
    "Vectors that only complete a basis have none either: those after the first min(m, n) (use "
    "full_matrices=False), and, on a side with such vectors or for complex a, those of values that "
    "are 0 to rounding. A function that is the same however all these vectors are turned, such as "
    "u @ diag(s) @ vh, has one.",
)


@composite(np.linalg.svdvals)
def svdvals(x: Any, /) -> Any:
    """numpy.linalg.svdvals: the singular values of matrices (..., m, n), largest first."""
    return svd(x, compute_uv=False)
