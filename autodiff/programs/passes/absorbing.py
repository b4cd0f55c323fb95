"""The product in which a zero absorbs an infinity."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.ops.table import chain
from autodiff.programs.passes.rewriting import calls, is_pure, is_zero, with_pending
from autodiff.programs.trace import Guard, Slot, Step

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def absorbing(program: Program) -> Program:
    """Make one step of the five that multiply so that a zero absorbs an infinity."""
    made = {step.out: step for step, pending in with_pending(program) if is_pure(step, pending)}

    def maker(x: Any) -> Step | None:
        return made.get(x) if type(x) is Slot else None

    def factors(step: Step | Guard) -> tuple[Any, ...] | None:
        """Return the factors if `step` is where((g == 0) | (partial == 0), 0, g * partial)."""
        if not calls(step, np.where, 3):
            return None
        either, product = maker(step.args[0]), maker(step.args[2])
        if not (calls(either, np.bitwise_or, 2) and calls(product, np.multiply, 2)):
            return None
        for test, factor in zip(either.args, product.args, strict=True):
            if isinstance(factor, np.ndarray):  # a constant, compared while tracing
                if not np.array_equal(test, factor == 0):
                    return None
                continue
            equal = maker(test)
            if not (calls(equal, np.equal, 2) and equal.args[0] is factor):
                return None
            if not is_zero(equal.args[1]):
                return None
        return product.args if is_zero(step.args[1]) else None

    steps: list[Step | Guard] = []
    for step in program.steps:
        found = factors(step)
        if isinstance(step, Step) and found is not None:
            step = step._replace(function=chain.function, args=found)
        steps.append(step)
    return replace(program, steps=tuple(steps))
