"""Copies of arrays that no step changes."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from autodiff.programs.passes.rewriting import is_pure, renamed, with_pending
from autodiff.programs.trace import Method, Slot, Step

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def without_copies(program: Program) -> Program:
    """Read the original in place of a copy, where no later step changes either."""
    new = {
        step.out: step.args[0]
        for step, pending in with_pending(program)
        if is_pure(step, pending) and _is_copy(step, program)
    }
    return renamed(program, new)


def _is_copy(step: Step, program: Program) -> bool:
    if step.function is operator.getitem:  # of a scalar
        return (
            program.kinds[step.out].shape == ()
            and isinstance(step.args[1], tuple)
            and not step.args[1]
        )
    single = len(step.args) == 1 and type(step.args[0]) is Slot
    return step.function in COPIES and single and step.kwargs.keys() <= {"order"}


COPIES = {Method("copy"), np.copy, np.positive, np.array}
