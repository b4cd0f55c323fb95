"""Rank, dependence and multiplicity, decided relative to the rounding of a factorisation.

Whether a singular value is 0 or two eigenvalues are equal is never decided by exact equality: which
digits beyond rounding a factorisation returns depends on the processor. The backward error of
LAPACK's factorisations is of the order of size · eps · scale (Higham, "Accuracy and Stability of
Numerical Algorithms", 2002; Anderson et al., "LAPACK Users' Guide", 1999, chapter 4).
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
    """Return size · eps · the largest |value| along the last axis, which stays with length 1.

    A size below 10 counts as 10: a small matrix has been rounded as well, before it came here.
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
    """Return a mask (..., n, n) of the pairs among the values (..., n) that are equal to rounding.

    No value makes a pair with itself.
    """
    gaps = np.abs(values[..., None, :] - values[..., :, None])
    return (gaps <= rounding[..., None]) & ~alike(np.eye(values.shape[-1], dtype=bool), values)


def singular(a: Any, inverse: Any) -> bool:
    """Return whether any of the matrices (..., n, n) is singular to rounding.

    Skeel's condition number ‖|a⁻¹| |a|‖ (1979) bounds how much a relative rounding of the elements
    is amplified. The scale of a row does not change it.
    """
    condition = (np.abs(inverse) @ np.abs(a)).sum(axis=-1)
    return bool(np.any(rounding(condition, a.shape[-1]) >= 1))


def undetermined(carried: Any, shape: tuple[int, ...]) -> Any:
    """Return matrices of NaN for what has no derivative; of 0 where `carried` is all 0.

    As a linear map of `carried` (..., m, n) it has the same property as its own transpose: only
    cotangents of 0 are carried back as 0. So it does no harm to what does not depend on it.
    """
    found = sum(scaled(carried, math.nan), axis=(-2, -1), keepdims=True)
    return scaled(broadcast_to(found, shape), math.nan)
