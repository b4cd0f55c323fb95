"""Rank, dependence and multiplicity, decided relative to the rounding of a factorisation.

Singular values and eigenvalues are never compared exactly: the digits below rounding depend on the
processor. The backward error of LAPACK's factorisations is of the order of size · eps · scale
(Higham, "Accuracy and Stability of Numerical Algorithms", 2002; Anderson et al., "LAPACK Users'
Guide", 1999, chapter 4).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.ops.alike import alike
from autodiff.ops.reductions import sum
from autodiff.ops.shapes import broadcast_to
from autodiff.ops.table import scaled


def rounding(values: Any, size: int) -> Any:
    """Return size · eps · max |values| along the last axis, with keepdims.

    A size below 10 counts as 10, since the elements of a small matrix are rounded too.
    """
    values = np.abs(values)
    return max(size, 10) * np.finfo(values.dtype).eps * largest(values)


def largest(values: Any) -> Any:
    """Return the largest of the values, none of them negative, along the last axis; 0 of none."""
    if not values.shape[-1]:
        return np.zeros_like(values, shape=(*values.shape[:-1], 1))
    return values.max(axis=-1, keepdims=True)


def negligible(values: Any, size: int) -> Any:
    """Return a mask of the values (..., n) that are 0 to rounding."""
    return np.abs(values) <= rounding(values, size)


def coinciding(values: Any, rounding: Any) -> Any:
    """Return a mask (..., n, n) of the pairs of values (..., n) that are equal to rounding.

    Its diagonal is False.
    """
    gaps = np.abs(values[..., None, :] - values[..., :, None])
    return (gaps <= rounding[..., None]) & ~alike(np.eye(values.shape[-1], dtype=bool), values)


def singular(a: Any, inverse: Any) -> bool:
    """Return whether any of the matrices (..., n, n) is singular to rounding.

    Skeel's condition number ‖|a⁻¹| |a|‖ (1979) bounds the amplification of a relative rounding of
    the elements. The scale of a row does not change it.
    """
    condition = (np.abs(inverse) @ np.abs(a)).sum(axis=-1)
    return bool(np.any(rounding(condition, a.shape[-1]) >= 1))


def undetermined(carried: Any, shape: tuple[int, ...]) -> Any:
    """Return matrices of NaN, for results without a derivative, and of 0 where `carried` is all 0.

    The transpose of this linear map of `carried` (..., m, n) does the same to cotangents: one that
    is all 0 is pulled back to 0. So NaN spreads only to gradients that depend on these results.
    """
    found = sum(scaled(carried, math.nan), axis=(-2, -1), keepdims=True)
    return scaled(broadcast_to(found, shape), math.nan)
