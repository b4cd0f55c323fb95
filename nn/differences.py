"""Central differences with a fixed step: slow and inexact, for checking gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def central_differences(
    f: Callable[[], Any], x: NDArray[Any], *, step: float = 1e-4
) -> NDArray[Any]:
    """Return (f(x + step) - f(x - step)) / 2·step for each element of `x`.

    Parameters
    ----------
    f : callable
        Takes nothing, reads `x`, and returns one number.
    x : array of floats
        Changed in place, one element at a time, without a copy. Each element is restored, even if
        `f` raises.

    Returns
    -------
    array of the shape and dtype of x

    Raises
    ------
    ValueError
        If `f` returns an array with axes.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([3.0, 4.0])
    >>> central_differences(lambda: np.sum(x**2), x).round(6)
    array([6., 8.])
    """
    slopes = np.empty_like(x)
    for index in np.ndindex(x.shape):
        here = x[index]
        try:
            x[index] = here + step
            above = f()
            x[index] = here - step
            below = f()
        finally:
            x[index] = here
        if shape := np.shape(above):
            raise ValueError(f"f must return one number, not an array of shape {shape}")
        slopes[index] = (above - below) / (2 * step)
    return slopes
