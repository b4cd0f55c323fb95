"""Derivatives by finite differences, each with an estimate of its own error.

The step is cut level by level and the central differences are extrapolated to step zero (L. F.
Richardson 1911; the error estimate of an entry of the table after C. J. F. Ridders, Advances in
Engineering Software 4, 1982).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVELS = 9
CUT = 4.0
FIRST_STEP = 1 / 16
CLASSIC_STEP = 1e-4


def directional_derivative(
    f: Callable[[float], Any], scale: float = 1.0
) -> tuple[NDArray[Any], NDArray[Any]]:
    """df/dt at t = 0 by Richardson extrapolation, and a bound on its error.

    Parameters
    ----------
    f : callable
        Takes one float, returns a number or an array.
    scale : float
        The distance over which `f` changes in earnest; steps go from 1/16 to 1e-6 of it.

    Returns
    -------
    (derivative, error) : arrays of the shape of f's result
        The bound covers truncation and rounding at the dtype of `f`; it is infinite where a value
        was not finite. Estimates from coarse steps count only as far as those from finer steps
        bear them out, so a kink further away than the finest step does no harm.
    """
    steps = scale * FIRST_STEP * CUT ** -np.arange(LEVELS)
    above = [np.asarray(f(step)) for step in steps]
    below = [np.asarray(f(-step)) for step in steps]
    eps = float(np.finfo(above[0].dtype).eps) if above[0].dtype.kind in "fc" else 2.0**-52
    size = np.max(np.abs([*above, *below]), axis=0)
    with np.errstate(all="ignore"):
        # table[i][k] extrapolates from the k + 1 levels up to i; found[j] is the best entry of
        # those whose coarsest level is j
        table: list[list[NDArray[Any]]] = []
        found = [(np.zeros(size.shape), np.full(size.shape, np.inf)) for _ in steps]
        for i, (step, high, low) in enumerate(zip(steps, above, below, strict=True)):
            row = [(high.astype(float) - low.astype(float)) / (2 * step)]
            noise = 16 * eps * (size + scale * abs(row[0])) / step
            for k in range(1, i + 1):
                coarser = table[-1][k - 1]
                row.append(row[-1] + (row[-1] - coarser) / (CUT ** (2 * k) - 1))
                spread = np.maximum(abs(row[k] - row[k - 1]), abs(row[k] - coarser))
                found[i - k] = _nearer(found[i - k], (row[k], 2 * spread + noise))
            table.append(row)
        best, error = found[-2]
        borne_out = np.isfinite(error)
        for value, bound in reversed(found[:-2]):
            borne_out &= abs(value - best) <= bound + error
            better = borne_out & (bound < error)
            best, error = np.where(better, value, best), np.where(better, bound, error)
    return best, error


def _nearer(one: tuple[Any, Any], other: tuple[Any, Any]) -> tuple[Any, Any]:
    better = other[1] < one[1]
    return np.where(better, other[0], one[0]), np.where(better, other[1], one[1])


def _central(f: Callable[[float], Any], step: float) -> Any:
    return (np.asarray(f(step)) - np.asarray(f(-step))) / (2 * step)


def numerical_gradient(
    f: Callable[[Any], Any],
    x: Any,
    *,
    method: str = "richardson",
    step: float = CLASSIC_STEP,
    with_error: bool = False,
) -> Any:
    """The gradient of `f` at `x`, element by element, from values of `f` alone.

    Parameters
    ----------
    f : callable
        Takes a number or array like `x`, returns one number.
    x : number or array
        The point; it is not changed. Integers are taken as float64.
    method : {"richardson", "central"}
        "richardson" extrapolates 9 central differences (18 evaluations an element) and knows its
        error; "central" is the classic (f(x + step) - f(x - step)) / 2·step (2 evaluations).
    step : float
        The step of "central".
    with_error : bool
        Whether to return a bound on the error too ("richardson" only).

    Returns
    -------
    gradient, or (gradient, error)
        Floats for a number, float arrays of the shape of `x` for an array.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import numerical_gradient
    >>> bool(abs(numerical_gradient(np.exp, 0.0) - 1) < 1e-13)
    True
    >>> numerical_gradient(lambda x: np.sum(x**2), np.array([1.0, 2.0])).round(9)
    array([2., 4.])
    """
    if method not in ("richardson", "central"):
        raise ValueError(f"method must be 'richardson' or 'central', not {method!r}")
    if with_error and method == "central":
        raise ValueError("the classic central difference knows no error: use method='richardson'")
    point = np.array(x)
    if point.dtype.kind not in "fc":
        point = point.astype(float)
    gradient, error = np.zeros(point.shape), np.zeros(point.shape)
    for index in np.ndindex(point.shape):

        def along(t: float, index: Any = index) -> Any:
            moved = point.copy()
            moved[index] += t
            value = np.asarray(f(moved if point.shape else moved[()]))
            if value.shape != ():
                raise ValueError(
                    f"numerical_gradient needs one number, but f returned shape {value.shape}"
                )
            return value

        if method == "central":
            gradient[index] = _central(along, step)
        else:
            scale = max(1.0, float(abs(point[index])))
            gradient[index], error[index] = directional_derivative(along, scale)
    if not point.shape:
        return (float(gradient), float(error)) if with_error else float(gradient)
    return (gradient, error) if with_error else gradient
