"""Values that are the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.ops.table import chain
from autodiff.programs.passes.rewriting import is_pure, is_zero, renamed, with_pending
from autodiff.programs.trace import Guard, Method, Slot, Step, mapped, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def without_constant_factors(program: Program) -> Program:
    """Compute with numbers in place of arrays that are the same number in every run.

    A factor of 1 disappears. These are the seeds of derivatives, spread over arrays.
    """
    kinds = program.kinds
    known: dict[Slot, float] = {}
    new: dict[Slot, Any] = {}
    steps: list[Step | Guard] = []

    def number(x: Any) -> float | None:
        while type(x) is Slot and x in new:
            x = new[x]
        if type(x) is Slot:
            return known.get(x)
        return float(x) if isinstance(x, int | float) else None

    for step, pending in with_pending(program):
        if not is_pure(step, pending):
            steps.append(_made_anew(step, number, kinds))
            continue
        function, args, out = step.function, step.args, step.out
        if function in UNIFORM and len(args) == 1:
            known[out] = UNIFORM[function]
        elif function is np.power and _is_zero_exponent(step, kinds):
            known[out] = 1.0  # of NaN, too
        elif function in (np.broadcast_to, np.negative) and (x := number(args[0])) is not None:
            known[out] = -x if function is np.negative else x
        elif function in (chain.function, np.multiply) and not step.kwargs:
            left, right = map(number, args)
            step = _product(step, left, right, known, new, kinds)
        if out in known:
            made = (kinds[out].shape, known[out], kinds[out].dtype)
            if kinds[out].shape:
                step = step._replace(function=np.full, args=made, kwargs={})
            else:
                new[out] = kinds[out].dtype.type(known[out])
        if out not in new:
            steps.append(step)
    return renamed(replace(program, steps=tuple(steps)), new)


def _made_anew(step: Step | Guard, number: Callable[[Any], float | None], kinds: Any) -> Any:
    """Make the array that will be changed, in place of a copy of one that is the same always."""
    if isinstance(step, Step) and step.function == Method("copy"):
        kind, x = kinds[step.out], number(step.args[0])
        if x is not None and not step.kwargs:
            return step._replace(function=np.full, args=(kind.shape, x, kind.dtype))
    return step


def _is_zero_exponent(step: Step, kinds: Any) -> bool:
    return not step.kwargs and is_zero(step.args[1]) and kinds[step.out].dtype.kind == "f"


def _product(
    step: Step,
    left: float | None,
    right: float | None,
    known: dict[Slot, float],
    new: dict[Slot, Any],
    kinds: Any,
) -> Step:
    """Simplify a product with a constant factor, or enter its value."""
    out, absorbs = step.out, step.function is chain.function
    if left is not None and right is not None:
        known[out] = 0.0 if absorbs and 0 in (left, right) else left * right
        return step
    factor, other = (left, step.args[1]) if left is not None else (right, step.args[0])
    if factor is None or (absorbs and not np.isfinite(factor)):
        return step
    if absorbs and factor == 0:
        known[out] = 0.0
    kind = kinds[other] if type(other) is Slot else other
    same = getattr(kind, "shape", None) == kinds[out].shape and kind.dtype == kinds[out].dtype
    if factor == 1 and same:
        new[out] = other
    elif factor == -1 and same:
        return step._replace(function=np.negative, args=(other,))
    elif absorbs and same:
        return step._replace(function=np.multiply, args=(factor, other))
    return step


def folded(program: Program) -> Program:
    """Compute calls of small constants."""
    new: dict[Slot, Any] = {}
    for step, pending in with_pending(program):
        if is_pure(step, pending) and step.function not in MAKERS:
            args, kwargs = (
                mapped(lambda x: new.get(x, x) if type(x) is Slot else x, given)
                for given in (step.args, step.kwargs)
            )
            if not slots_in([args, kwargs]) and prod(program.kinds[step.out].shape) <= SMALL:
                new[step.out] = step.function(*args, **kwargs)
    return renamed(program, new)


MAKERS = {np.zeros, np.ones, np.full, np.arange, np.eye, np.broadcast_to}
SMALL = 20
UNIFORM = {np.ones_like: 1.0, np.zeros_like: 0.0}
