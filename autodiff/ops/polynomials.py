"""Polynomials as vectors of coefficients, highest power first.

Most are expressions over other rows. Results have the length of NumPy's: a leading zero that NumPy
cuts off has no derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.core.graph import data_of
from autodiff.ops.alike import alike, own
from autodiff.ops.elementwise import real, sqrt
from autodiff.ops.general import general
from autodiff.ops.linalg import inv, lstsq
from autodiff.ops.reductions import sum
from autodiff.ops.shapes import as_array, astype, concatenate, expand_dims, scatter, setitem
from autodiff.ops.signals import convolve
from autodiff.ops.table import composite, is_object, joined

__all__ = [
    "poly",
    "polyadd",
    "polyder",
    "polydiv",
    "polyfit",
    "polyint",
    "polymul",
    "polysub",
    "polyval",
    "roots",
    "vander",
]


def _array(p: Any, name: str) -> Any:
    if isinstance(p, np.poly1d):
        raise TypeError(f"{name} does not take np.poly1d: pass the coefficients, p.coeffs")
    return as_array(p)


def _coefficients(p: Any, name: str) -> Any:
    """Return the coefficients of a polynomial; a number is a constant polynomial."""
    p = _array(p, name)
    return p.reshape(1) if p.ndim == 0 else p


def _aligned(a1: Any, a2: Any, name: str) -> list[Any]:
    """Return two polynomials, the shorter one padded with leading zeros."""
    pair = _coefficients(a1, name), _coefficients(a2, name)
    size = max(map(len, pair))
    return [
        concatenate([alike(np.zeros(size - len(p), p.dtype), p), p]) if len(p) < size else p
        for p in pair
    ]


def _leading_zeros(p: Any) -> int:
    """Return the number of leading zeros that NumPy cuts off; it keeps at least one."""
    (places,) = np.nonzero(data_of(p))
    return int(places[0]) if places.size else len(p) - 1


@composite(np.polyadd)
def polyadd(a1: Any, a2: Any) -> Any:
    """numpy.polyadd for arrays and Tensors."""
    a1, a2 = _aligned(a1, a2, "polyadd")
    return a1 + a2


@composite(np.polysub)
def polysub(a1: Any, a2: Any) -> Any:
    """numpy.polysub for arrays and Tensors."""
    a1, a2 = _aligned(a1, a2, "polysub")
    return a1 - a2


@composite(np.polymul)
def polymul(a1: Any, a2: Any) -> Any:
    """numpy.polymul for arrays and Tensors."""
    a1, a2 = _coefficients(a1, "polymul"), _coefficients(a2, "polymul")
    # zeros are cut off the result, not the arguments: the other coefficients depend on them
    return convolve(a1, a2)[_leading_zeros(a1) + _leading_zeros(a2) :]


@composite(np.polydiv)
def polydiv(u: Any, v: Any) -> Any:
    """numpy.polydiv for arrays and Tensors: the quotient and the remainder."""
    u, v = _coefficients(u, "polydiv") + 0.0, _coefficients(v, "polydiv") + 0.0
    if u.ndim > 1 or v.ndim > 1:
        raise ValueError(f"polydiv takes vectors of coefficients: got {u.shape} and {v.shape}")
    dtype = (data_of(u)[:1] + data_of(v)[:1]).dtype
    scale = 1.0 / v[0]
    quotient = []
    r = u + alike(np.zeros(1, dtype), u)
    for k in range(len(u) - len(v) + 1):
        part = slice(k, k + len(v))
        quotient.append(scale * r[k : k + 1])
        r = setitem(r, r[part] - quotient[-1] * v, index=part)
    while np.allclose(data_of(r[0]), 0, rtol=1e-14) and len(r) > 1:
        r = r[1:]
    return concatenate(quotient) if quotient else np.zeros(1, dtype), r


@composite(np.polyder)
def polyder(p: Any, m: int = 1) -> Any:
    """numpy.polyder for arrays and Tensors."""
    if int(m) < 0:
        raise ValueError(f"polyder: the order m={m} is negative: use polyint")
    p = _array(p, "polyder")
    for _ in range(int(m)):
        p = p[:-1] * alike(np.arange(len(p) - 1, 0, -1), p)
    return p


@composite(np.polyint)
def polyint(p: Any, m: int = 1, k: Any = None) -> Any:
    """numpy.polyint for arrays and Tensors; differentiable by the constants k too."""
    m = int(m)
    if m < 0:
        raise ValueError(f"polyint: the order m={m} is negative: use polyder")
    p = _array(p, "polyint")
    k = _coefficients(alike(np.zeros(m), p) if k is None else k, "polyint")
    if len(k) == 1 and m > 1:
        k = k * alike(np.ones(m), k)
    if len(k) < m:
        raise ValueError(f"polyint: k has {len(k)} constants for {m} integrals: give 1 or {m}")
    for i in range(m):
        p = concatenate([p / alike(np.arange(len(p), 0, -1), p), k[i : i + 1]])
    return p


@composite(np.polyval)
def polyval(p: Any, x: Any) -> Any:
    """numpy.polyval for arrays and Tensors, by Horner's rule."""
    p, x = _array(p, "polyval"), _array(x, "polyval")
    y = np.zeros_like(data_of(x))
    for coefficient in p:
        y = y * x + coefficient
    return y


@composite(np.poly)
def poly(seq_of_zeros: Any) -> Any:
    """numpy.poly for arrays and Tensors: the polynomial with these roots."""
    zeros = _coefficients(seq_of_zeros, "poly")
    if zeros.ndim != 1:
        raise ValueError(
            f"poly takes a vector of roots, not shape {zeros.shape}: for the characteristic "
            "polynomial of a matrix write poly(linalg.eigvals(a))"
        )
    if zeros.dtype != object:
        zeros = astype(zeros, dtype=np.dtype(np.mintypecode(zeros.dtype.char)))
    one = alike(np.ones(1, zeros.dtype), zeros)
    a: Any = one if len(zeros) else 1.0
    for i in range(len(zeros)):
        a = convolve(a, concatenate([one, -zeros[i : i + 1]]))
    numbers = data_of(zeros)
    if zeros.dtype.kind == "c" and np.array_equal(np.sort(numbers), np.sort(numbers.conj())):
        return real(a)  # the roots come in conjugate pairs
    return a


def _roots(p: Any) -> Any:
    p = own(p)
    if p.dtype == object:  # NumPy would dispatch on the elements and call this again
        raise TypeError("roots does not take an array of Values: join them with autodiff.stack")
    return np.roots(p)


roots = general(
    np.roots,
    compute=_roots,
    # differentiate p(r) = 0; a multiple root has no derivative
    jvp=lambda t, out, p: -polyval(t, out) / polyval(polyder(p), out),
)


def _vander_jvp(t: Any, out: Any, x: Any, N: int | None = None, increasing: bool = False) -> Any:
    columns = out.shape[1]
    powers = alike(np.arange(1, columns), x)
    slopes = vander(x, N=max(columns - 1, 0), increasing=increasing)
    slopes = slopes * (powers if increasing else powers[::-1])
    places = slice(1, None) if increasing else slice(None, -1)
    return scatter(expand_dims(t, axis=1) * slopes, index=(slice(None), places), shape=out.shape)


vander = general(np.vander, jvp=_vander_jvp)


@composite(np.polyfit)
def polyfit(
    x: Any,
    y: Any,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: Any = None,
    cov: Any = False,
) -> Any:
    """numpy.polyfit for arrays and Tensors; differentiable by x, y and w."""
    x, y = (joined(p) if is_object(p) else _array(p, "polyfit") for p in (x, y))
    if x.ndim != 1 or y.ndim not in (1, 2) or len(x) != len(y) or not len(x):
        raise TypeError(
            f"polyfit takes x of shape (n,) and y of shape (n,) or (n, k) with n > 0, not {x.shape}"
            f" and {y.shape}"
        )
    columns, goals = vander(x + 0.0, deg + 1), y + 0.0
    if w is not None:
        w = (joined(w) if is_object(w) else _array(w, "polyfit")).reshape(len(x), 1)
        columns, goals = columns * w, goals * (w if y.ndim == 2 else w.reshape(len(x)))
    scale = sqrt(sum(columns * columns, axis=0))
    rcond = len(x) * float(np.finfo(x.dtype).eps) if rcond is None else rcond
    columns = columns / scale
    c, residuals, rank, singular = lstsq(columns, goals, rcond=rcond)
    c = c / (expand_dims(scale, axis=-1) if y.ndim == 2 else scale)
    if full:
        return c, residuals, rank, singular, rcond
    if not cov:
        return c
    variance: Any = 1.0
    if cov != "unscaled":
        if len(x) <= deg + 1:
            raise ValueError("polyfit: cov=True needs more points than coefficients")
        variance = residuals / (len(x) - (deg + 1))
    covariance = inv(columns.T @ columns) / (scale * expand_dims(scale, axis=-1))
    if y.ndim == 1:
        return c, covariance * variance
    return c, expand_dims(covariance, axis=-1) * variance
