"""Calls whose results nobody reads."""

from __future__ import annotations

import operator
from dataclasses import replace
from typing import TYPE_CHECKING

from autodiff.core import trees
from autodiff.programs.trace import Guard, Step, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def dead(program: Program) -> Program:
    """Drop calls whose results nobody reads, and changes of arrays that nobody reads later."""
    live = {*slots_in(trees.leaves(program.outputs)), *(x.slot for x in program.inputs)}
    memory = {program.written[slot] for slot in live if slot in program.written}
    steps = []
    for step in reversed(program.steps):
        if isinstance(step, Guard):
            read = [step.slot]
        elif (
            live.isdisjoint(slots_in(step.out))
            and memory.isdisjoint(program.written[slot] for slot in step.writes)
            and not _may_raise(step)
        ):
            continue
        else:
            read = slots_in([step.args, step.kwargs])
        live.update(read)
        memory.update(program.written[slot] for slot in read if slot in program.written)
        steps.append(step)
    return replace(program, steps=tuple(reversed(steps)))


def _may_raise(step: Step) -> bool:
    """Return whether a call by the function itself, not by a rule, may raise an error."""
    if step.function is operator.getitem:
        return step.warns and bool(slots_in(step.args[1]))
    return step.warns and getattr(step.function, "__module__", "") == "numpy.linalg"
