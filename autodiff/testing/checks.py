"""`check_grads`: compare the derivatives of a function with numerical differentiation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import current
from autodiff.testing.comparisons import Check, compare, trials
from autodiff.testing.diagnosis import failure, faulty_operation
from autodiff.testing.numerical import Point
from autodiff.transforms.results import Function, name_of

__all__ = ["Check", "check_grads"]


def check_grads(
    f: Function,
    *args: Any,
    order: int = 1,
    directions: int = 2,
    seed: int = 0,
    elementwise: bool = False,
) -> list[Check]:
    """Compare the derivatives of `f` in both modes with numerical differentiation.

    For each argument, draw random directions v in its space and w in the result's. Compute the
    derivative of ⟨w, f⟩ along v by reverse mode, ⟨v, Jᵀw⟩, by forward mode, ⟨Jv, w⟩, and
    numerically: by extrapolated central differences, or by the complex step if `f` is analytic and
    takes complex numbers. The first two must be equal up to rounding, and both must lie within the
    error bound of the third. Higher orders check the mean of both modes' derivatives in the same
    way.

    `f` must also return the same bits when it is called again and leave its arguments unchanged.
    Cotangents must have the shapes and dtypes of the arguments, tangents those of the result.

    Parameters
    ----------
    f : callable
        Takes and returns numbers, arrays and nested containers of them, real or complex; smooth
        around the point.
    *args : numbers, arrays and containers
        The point. It is not changed. Arguments without numbers are passed on unchanged.
    order : int
        The highest order to check.
    directions : int
        The number of random directions per argument.
    seed : int
        The seed of the random directions.
    elementwise : bool
        Whether to compare each element of the result by each element of the arguments instead
        (at orders above the first, the derivatives along a random direction).

    Returns
    -------
    list of Check
        The comparisons, with error bounds.

    Raises
    ------
    AssertionError
        If any two disagree. The message names the argument, the element if possible, the three
        values and the bound, and the first operation whose rule fails the same check by itself.
    KinkError
        If the point is at a kink or a jump, where no derivative exists.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import check_grads
    >>> checks = check_grads(lambda x, y: np.sum(np.exp(x) * y), np.ones(3), 2.0, order=2)
    >>> max(check.error for check in checks) < 1e-7
    True
    >>> for check in check_grads(lambda p: p["a"] ** 2, {"a": np.array([1.0, 3.0])},
    ...                          elementwise=True):
    ...     print(check.at, round(check.reverse))
    p['a'][0] → [0] 2
    p['a'][0] → [1] 0
    p['a'][1] → [0] 0
    p['a'][1] → [1] 6
    """
    args = trees.mapped(_copied, args)
    names = _argument_names(f, args)
    chosen = [k for k, arg in enumerate(args) if trees.leaves(arg)]
    if not chosen:
        raise TypeError("check_grads: the arguments contain no number to differentiate by")
    for k in chosen:
        _require_repeatable(f, args, k, names)
    checks = []
    for trial in trials(f, args, names, order, directions, seed, elementwise):
        for found in compare(trial):
            check = found.checks[0]
            if not check.passed:
                culprit = None if found.kink else faulty_operation(f, args, check.order)
                # if no rule is wrong, `f` is not quite analytic: the wider bound decides
                check = found.checks[-1]
                if found.kink or culprit or not check.passed:
                    raise failure(name_of(f), trial, found, culprit)
            checks.append(check)
    return checks


def _copied(leaf: Any) -> Any:
    leaf = current(leaf)
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf


def _argument_names(f: Callable[..., Any], args: tuple[Any, ...]) -> list[str]:
    try:
        bound = inspect.signature(f).bind(*args)
    except (TypeError, ValueError):
        return [f"args[{k}]" for k in range(len(args))]
    names = []
    for name, value in bound.arguments.items():
        several = bound.signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}[{i}]" for i in range(len(value))] if several else [name]
    return names


def _require_repeatable(
    f: Callable[..., Any], args: tuple[Any, ...], k: int, names: list[str]
) -> None:
    given = (*args[:k], Point(args[k]).tree, *args[k + 1 :])
    before = _bits(given)
    first, second = (_bits(f(*given)) for _ in range(2))
    paths = [path for arg, name in zip(args, names, strict=True) for path in trees.paths(arg, name)]
    for path, one, other in zip(paths, before, _bits(given), strict=True):
        if one != other:
            raise AssertionError(
                f"{name_of(f)} changed its argument {path} in place: let it work on a copy"
            )
    if first != second:
        raise AssertionError(
            f"{name_of(f)} returned another result when it was called again with the same "
            "arguments, so it has no derivative to check: fix the seed of its random numbers"
        )


def _bits(tree: Any) -> list[Any]:
    arrays = [np.asarray(leaf) for leaf in trees.leaves(tree)]
    return [(x.dtype, x.shape, x.tobytes()) for x in arrays]
