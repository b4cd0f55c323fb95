"""Checks that a derivative must survive, for use in anyone's tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from autodiff.graph import data_of
from autodiff.numerical import directional_derivative
from autodiff.ops.reductions import sum
from autodiff.ops.table import shape_of
from autodiff.runs import run_on_variables

_STRATEGIES = ("arrays_like", "expressions", "gradient_test", "graphs", "points")


class Check(NamedTuple):
    """One comparison: a derivative along a random direction, three ways."""

    order: int
    argument: int
    reverse: float
    forward: float
    numerical: float
    error: float
    """What the numerical derivative may be off by, plus the rounding of the analytic ones."""


def check_grads(
    f: Callable[..., Any],
    *args: Any,
    order: int = 1,
    directions: int = 2,
    seed: int = 0,
) -> list[Check]:
    """Compare the derivatives of `f`, both modes, with numerical differentiation.

    For every argument and a few random directions v in its space (and w in the result's) the
    derivative of ⟨w, f⟩ along v is taken by reverse mode, by forward mode, and by extrapolated
    central differences; they must agree within the bound that the last states for itself.

    Parameters
    ----------
    f : callable
        Takes numbers and arrays, returns a number or an array; smooth around the point.
    *args : numbers and arrays
        The point. It is not changed.
    order : int
        The highest derivative to check.
    directions : int
        How many random directions per argument.
    seed : int
        Of the random directions.

    Returns
    -------
    list of Check
        What was compared, with error bounds.

    Raises
    ------
    AssertionError
        If any two disagree; the message says where, the values and the bound.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import check_grads
    >>> checks = check_grads(lambda x, y: np.sum(np.exp(x) * y), np.ones(3), 2.0, order=2)
    >>> max(check.error for check in checks) < 1e-7
    True
    """
    random = np.random.default_rng(seed)
    checks = []
    for k in range(len(args)):
        checks += [_compare(f, args, k, random) for _ in range(directions)]
    if order > 1:
        for k in range(len(args)):
            slope = _slope(f, k, _direction(random, args[k]), seed)
            deeper = check_grads(
                slope, *args, order=order - 1, directions=directions, seed=seed + 1
            )
            checks += [check._replace(order=check.order + 1) for check in deeper]
    return checks


def _direction(random: np.random.Generator, like: Any) -> Any:
    like = np.asarray(like)
    dtype = like.dtype if like.dtype.kind == "f" else np.dtype(float)
    return random.standard_normal(like.shape).astype(dtype)


def _inner(v: Any, w: Any) -> Any:
    return sum(v * w) if shape_of(w) else v * w


def _slope(f: Callable[..., Any], k: int, direction: Any, seed: int) -> Callable[..., Any]:
    """The derivative of ⟨w, f⟩ by argument k along `direction`, as a function to check in turn."""

    def slope(*args: Any) -> Any:
        with run_on_variables(f, k, args, {}) as run:
            weights = _direction(np.random.default_rng(seed), data_of(run.output))
            return _inner(run.pull(weights), direction)

    return slope


def _compare(
    f: Callable[..., Any],
    args: tuple[Any, ...],
    k: int,
    random: np.random.Generator,
) -> Check:
    point = np.asarray(args[k])
    point = point if point.dtype.kind == "f" else point.astype(float)
    v = _direction(random, point)
    with run_on_variables(f, k, args, {}) as run:
        w = _direction(random, data_of(run.output))
        pulled = run.pull(w)
        reverse = float(_inner(pulled, v))
        pushed = run.push(v)
        forward = float(_inner(pushed, w))

    def along(t: float) -> Any:
        moved = (point + point.dtype.type(t) * v)[()]
        value = f(*args[:k], moved, *args[k + 1 :])
        return np.asarray(value) * w

    scale = max(1.0, float(np.max(np.abs(point), initial=0))) / max(
        1.0, float(np.max(np.abs(v), initial=0))
    )
    numerical, error = (float(np.sum(part)) for part in directional_derivative(along, scale)[:2])
    eps = float(np.finfo(point.dtype).eps)
    error += 32 * eps * float(np.sum(np.abs(pulled * v)))
    if not np.isfinite(error):
        raise AssertionError(
            f"{getattr(f, '__name__', f)} has no numerical derivative for argument {k} to compare "
            "with: a value of it near the point is not finite"
        )
    check = Check(1, k, reverse, forward, numerical, error)
    if not (abs(reverse - numerical) <= error and abs(forward - numerical) <= error):
        raise AssertionError(
            f"derivatives of {getattr(f, '__name__', f)} disagree for argument {k} "
            f"(shape {point.shape}, {point.dtype}): reverse mode {reverse!r}, forward mode "
            f"{forward!r}, numerical {numerical!r} ± {error:.2g}"
        )
    return check


def __getattr__(name: str) -> Any:
    # Hypothesis is an extra, and takes long to import
    if name in _STRATEGIES:
        from autodiff import strategies

        return getattr(strategies, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
