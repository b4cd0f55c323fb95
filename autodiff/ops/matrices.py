"""Shared by the files of linear algebra: adjoints, diagonals, `inv` and `solve`."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np

from autodiff.ops.alike import alike
from autodiff.ops.general import general
from autodiff.ops.shapes import expand_dims, setitem
from autodiff.ops.table import conj, linear


def adjoint(x: Any) -> Any:
    """Return the conjugate transpose over the last two axes."""
    return conj(x).swapaxes(-1, -2)


def hermitian_part(x: Any) -> Any:
    return (x + adjoint(x)) / 2


def row_vector(x: Any) -> Any:
    """Return vectors (..., n) as (..., 1, n), to scale the columns of a matrix."""
    return expand_dims(x, axis=-2)


def diagonal_matrix(x: Any) -> Any:
    return expand_dims(x, axis=-1) * alike(np.eye(x.shape[-1], dtype=x.dtype), x)


def _places(shape: tuple[int, ...], offset: int) -> Any:
    rows = np.arange(shape[-2])
    rows = rows[(rows + offset >= 0) & (rows + offset < shape[-1])]
    return (Ellipsis, rows, rows + offset)


@wraps(np.linalg.diagonal)
def _diagonal(x: Any, offset: int = 0) -> Any:
    return np.diagonal(x, offset, -2, -1)  # which other libraries have, too


diagonal = linear(
    np.linalg.diagonal,
    lambda g, x, offset=0: setitem(
        alike(np.zeros(x.shape, g.dtype), g), g, index=_places(x.shape, offset)
    ),
    compute=_diagonal,
    name="linalg.diagonal",
    doc="Return a diagonal of matrices (..., m, n).",
)

inv = general(
    np.linalg.inv,
    vjp=lambda g, out, a: -(adjoint(out) @ g @ adjoint(out)),
    jvp=lambda t, out, a: -(out @ t @ out),
    symbol="⁻¹",
    doc="Return the inverses of matrices (..., n, n).",
)


def _as_columns(x: Any, b: Any) -> Any:
    """Return x, of the shape of solve(a, b), as matrices: a b of one axis is a vector."""
    return expand_dims(x, axis=-1) if b.ndim == 1 else x


def _solve_pull(g: Any, a: Any, b: Any) -> Any:
    return solve(adjoint(a), _as_columns(g, b))


solve = general(
    np.linalg.solve,
    vjp=(
        lambda g, out, a, b: -(_solve_pull(g, a, b) @ adjoint(_as_columns(out, b))),
        lambda g, out, a, b: _solve_pull(g, a, b).reshape(g.shape),
    ),
    jvp=(
        lambda t, out, a, b: -solve(a, t @ _as_columns(out, b)).reshape(out.shape),
        lambda t, out, a, b: solve(a, t),
    ),
    doc="Return x with a @ x = b, for a (..., n, n) and b a vector (n,) or matrices (..., n, k).",
)
