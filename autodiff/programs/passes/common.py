"""Calls that are made twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.programs.passes.rewriting import is_pure, renamed, with_pending
from autodiff.programs.trace import Guard, Slot, Step, mapped, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def common(program: Program) -> Program:
    """Compute equal calls once."""
    new: dict[Slot, Any] = {}
    seen: dict[Any, Any] = {}
    decided: set[Any] = set()
    steps: list[Step | Guard] = []

    def change(x: Any) -> Any:
        return new.get(x, x) if type(x) is Slot else x

    for step, pending in with_pending(program):
        if isinstance(step, Guard):
            step = step._replace(slot=change(step.slot))
            if step.slot not in pending and (step.slot, step.held) in decided:
                continue
            decided.add((step.slot, step.held))
        else:
            step = step._replace(args=mapped(change, step.args), kwargs=mapped(change, step.kwargs))
        if is_pure(step, pending):
            key = step.function, call_key(step.args), call_key(step.kwargs)
            known = seen.setdefault(key, step.out)
            if known is not step.out:
                new.update(zip(slots_in(step.out), slots_in(known), strict=True))
                continue
        steps.append(step)
    return renamed(replace(program, steps=tuple(steps)), new)


def call_key(x: Any) -> Any:
    """Return a hashable form of arguments: equal only for the same call."""
    if isinstance(x, tuple | list):
        return type(x), tuple(map(call_key, x))
    if isinstance(x, dict):
        return tuple((name, call_key(part)) for name, part in x.items())
    if isinstance(x, slice):
        return slice, call_key(x.start), call_key(x.stop), call_key(x.step)
    if isinstance(x, np.ndarray):
        return np.ndarray, id(x)
    return type(x), repr(x) if isinstance(x, float | complex | np.generic) else x
