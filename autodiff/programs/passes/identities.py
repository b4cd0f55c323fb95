"""Calls that give back their argument, and calls of calls that one call can do.

Only what is the same for every number stays: x + 0 is not x for x = -0.0.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.programs.passes.rewriting import is_elementwise, is_pure, renamed, with_pending
from autodiff.programs.trace import Guard, Kind, Method, Slot, Step

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def without_identities(program: Program) -> Program:
    """Read the argument in place of a call that gives it back."""
    made: dict[Any, Step] = {}
    new: dict[Slot, Any] = {}
    steps: list[Step | Guard] = []
    for step, pending in with_pending(program):
        if is_pure(step, pending):
            step = step._replace(args=tuple(_read(x, new) for x in step.args))
            step = _shorter(step, made, program)
            same = _same(step, program.kinds)
            if same is not None:
                new[step.out] = same
                continue
            made[step.out] = step
        steps.append(step)
    return renamed(replace(program, steps=tuple(steps)), new)


def _read(x: Any, new: dict[Slot, Any]) -> Any:
    return new.get(x, x) if type(x) is Slot else x


def _same(step: Step, kinds: Any) -> Any:
    """Return the argument that a call gives back, or None."""
    args, out = step.args, kinds[step.out]
    pairs = [args, args[::-1]] if step.function in COMMUTING else [args]
    for pair in pairs:
        x, *rest = pair
        if type(x) is Slot and _is_like(kinds[x], out) and _gives_back(step, x, rest, kinds):
            return x
    return None


def _is_like(kind: Kind, out: Kind) -> bool:
    return kind.shape == out.shape and kind.dtype == out.dtype and kind.scalar == out.scalar


def _gives_back(step: Step, x: Slot, rest: list[Any], kinds: Any) -> bool:
    function, kind = step.function, kinds[x]
    if function in NEUTRAL and len(rest) == 1 and not step.kwargs:
        neutral, dtypes = NEUTRAL[function]
        return kind.dtype.kind in dtypes and _is_number(rest[0], neutral)
    if function in RESHAPING:
        return True
    whole = rest and (rest[0] is Ellipsis or (type(rest[0]) is tuple and not rest[0]))
    return function is operator.getitem and bool(whole) and not kind.scalar


def _is_number(x: Any, number: int) -> bool:
    return type(x) is not Slot and isinstance(x, int | float | np.generic) and x == number


COMMUTING = {np.multiply, np.add, np.bitwise_and, np.bitwise_or}
NEUTRAL: dict[Callable[..., Any], tuple[int, str]] = {
    np.multiply: (1, "iufc"),
    np.divide: (1, "fc"),
    np.power: (1, "iuf"),
    np.add: (0, "iu"),
    np.subtract: (0, "iuf"),
    np.bitwise_and: (1, "b"),
    np.bitwise_or: (0, "b"),
}
"""The second operand that gives back the first, and for which kinds of dtypes it does."""
RESHAPING = {np.reshape, np.broadcast_to, Method("reshape")}


def _is_plain(step: Step) -> bool:
    """Return whether a call has no options, such as a reshape's order."""
    return not step.kwargs and not (step.function is np.reshape and len(step.args) > 2)


def _shorter(step: Step, made: dict[Any, Step], program: Program) -> Step:
    """Return a call that computes the same from an earlier value."""

    def source(x: Any, functions: dict[Callable[..., Any], int]) -> Any:
        before = made.get(x) if type(x) is Slot else None
        if before is None or before.function not in functions or not _is_plain(before):
            return x
        return before.args[functions[before.function]]

    shape = program.kinds[step.out].shape
    if step.function in RESHAPED and _is_plain(step):
        return step._replace(args=(source(step.args[0], RESHAPED), shape))
    if is_elementwise(step.function):
        args = tuple(source(x, SPREADING) for x in step.args)
        kinds = [program.kinds[x] for x in args if type(x) is Slot]
        dtypes = {kind.dtype for kind in kinds} == {np.dtype(float)}  # which no number widens
        if np.broadcast_shapes(*(kind.shape for kind in kinds)) == shape and dtypes:
            return step._replace(args=args)
    return step


RESHAPED: dict[Callable[..., Any], int] = {np.reshape: 0, Method("reshape"): 0}
SPREADING: dict[Callable[..., Any], int] = {np.broadcast_to: 0, np.full: 1}
"""The argument whose numbers these functions reshape or spread."""
