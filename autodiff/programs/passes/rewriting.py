"""What passes have in common: to read steps, and to rename the slots of a program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from autodiff.core import trees
from autodiff.ops.table import chain
from autodiff.programs.trace import Guard, Slot, Step, mapped, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def renamed(program: Program, new: dict[Slot, Any]) -> Program:
    """Return a program that reads `new[slot]` in place of each slot in `new`."""
    if not new:
        return program

    def change(x: Any) -> Any:
        while type(x) is Slot and x in new:
            x = new[x]
        return x

    steps: list[Step | Guard] = []
    for step in program.steps:
        if isinstance(step, Guard):
            if type(slot := change(step.slot)) is Slot:  # else a constant, which cannot change
                steps.append(step._replace(slot=slot))
        else:
            args, kwargs = mapped(change, step.args), mapped(change, step.kwargs)
            steps.append(step._replace(args=args, kwargs=kwargs))
    names = dict(program.names)
    for slot, by in new.items():
        if slot in names and type(change(by)) is Slot:
            names.setdefault(change(by), names[slot])
    outputs = trees.mapped(change, program.outputs)
    return replace(program, steps=tuple(steps), outputs=outputs, names=names)


def with_pending(program: Program) -> Iterator[tuple[Step | Guard, AbstractSet[Slot]]]:
    """Iterate over the steps, each with the slots of arrays that it or a later step changes.

    Arrays that share memory with one of these are among them. The set changes in the next turn.
    """
    last = {
        program.written[slot]: k
        for k, step in enumerate(program.steps)
        if isinstance(step, Step)
        for slot in step.writes
    }
    ended: dict[int, list[Slot]] = {}
    for slot, memory in program.written.items():
        if memory in last:
            ended.setdefault(last[memory], []).append(slot)
    pending = {slot for slots in ended.values() for slot in slots}
    for k, step in enumerate(program.steps):
        yield step, pending
        pending.difference_update(ended.get(k, ()))


def is_pure(step: Step | Guard, pending: AbstractSet[Slot]) -> TypeGuard[Step]:
    """Return whether a step has one result, and reads and makes nothing that is changed later."""
    return (
        isinstance(step, Step)
        and type(step.out) is Slot
        and pending.isdisjoint([step.out, *slots_in([step.args, step.kwargs])])
    )


def calls(step: Any, function: Callable[..., Any], arguments: int) -> TypeGuard[Step]:
    return (
        isinstance(step, Step)
        and step.function is function
        and len(step.args) == arguments
        and not step.kwargs
    )


def is_zero(x: Any) -> bool:
    number = isinstance(x, int | float | complex | np.generic) and type(x) is not Slot
    return number and bool(x == 0)


def is_elementwise(function: Callable[..., Any]) -> bool:
    """Return whether each element of a result depends on one element of each argument."""
    if isinstance(function, np.ufunc):
        return function.signature is None
    return function in (chain.function, np.where)
