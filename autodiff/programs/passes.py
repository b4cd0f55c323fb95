"""Passes: functions from program to program that change nothing but its cost."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from autodiff.core import trees
from autodiff.ops.table import chain
from autodiff.programs.trace import Guard, Method, Slot, Step, mapped, slots_in

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


def without_copies(program: Program) -> Program:
    """Read the original in place of a copy, since no step writes to an array."""
    new = {
        step.out: step.args[0]
        for step in program.steps
        if _is_pure(step, program) and _is_copy(step, program)
    }
    return renamed(program, new)


def _is_copy(step: Step, program: Program) -> bool:
    if step.function is operator.getitem:  # of a scalar
        return (
            program.kinds[step.out].shape == ()
            and isinstance(step.args[1], tuple)
            and not step.args[1]
        )
    return step.function in COPIES and len(step.args) == 1 and step.kwargs.keys() <= {"order"}


COPIES = {Method("copy"), np.copy, np.positive, np.array}


def absorbing(program: Program) -> Program:
    """Make one step of the five that multiply so that a zero absorbs an infinity."""
    made = {step.out: step for step in program.steps if _is_pure(step, program)}

    def maker(x: Any) -> Step | None:
        return made.get(x) if type(x) is Slot else None

    def factors(step: Step | Guard) -> tuple[Any, ...] | None:
        """Return the factors if `step` is where((g == 0) | (partial == 0), 0, g * partial)."""
        if not _calls(step, np.where, 3):
            return None
        either, product = maker(step.args[0]), maker(step.args[2])
        if not (_calls(either, np.bitwise_or, 2) and _calls(product, np.multiply, 2)):
            return None
        for test, factor in zip(either.args, product.args, strict=True):
            if isinstance(factor, np.ndarray):  # a constant, compared while tracing
                if not np.array_equal(test, factor == 0):
                    return None
                continue
            equal = maker(test)
            if not (_calls(equal, np.equal, 2) and equal.args[0] is factor):
                return None
            if not _is_zero(equal.args[1]):
                return None
        return product.args if _is_zero(step.args[1]) else None

    steps: list[Step | Guard] = []
    for step in program.steps:
        found = factors(step)
        if isinstance(step, Step) and found is not None:
            step = step._replace(function=chain.function, args=found)
        steps.append(step)
    return replace(program, steps=tuple(steps))


def _is_pure(step: Step | Guard, program: Program) -> TypeGuard[Step]:
    """Return whether a step has one result, and neither reads nor makes what a step changes."""
    return (
        isinstance(step, Step)
        and type(step.out) is Slot
        and program.written.isdisjoint([step.out, *slots_in([step.args, step.kwargs])])
    )


def _calls(step: Any, function: Callable[..., Any], arguments: int) -> TypeGuard[Step]:
    return (
        isinstance(step, Step)
        and step.function is function
        and len(step.args) == arguments
        and not step.kwargs
    )


def _is_zero(x: Any) -> bool:
    return isinstance(x, int | float | complex | np.generic) and x == 0


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

    for step in program.steps:
        if not _is_pure(step, program):
            steps.append(step)
            continue
        function, args, out = step.function, step.args, step.out
        if function in UNIFORM and len(args) == 1:
            known[out] = UNIFORM[function]
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
    for step in program.steps:
        if _is_pure(step, program) and step.function not in MAKERS:
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


def common(program: Program) -> Program:
    """Compute equal calls once."""
    new: dict[Slot, Any] = {}
    seen: dict[Any, Any] = {}
    decided: set[Any] = set()
    steps: list[Step | Guard] = []

    def change(x: Any) -> Any:
        return new.get(x, x) if type(x) is Slot else x

    for step in program.steps:
        if isinstance(step, Guard):
            step = step._replace(slot=change(step.slot))
            if step.slot not in program.written and (step.slot, step.held) in decided:
                continue
            decided.add((step.slot, step.held))
        else:
            step = step._replace(args=mapped(change, step.args), kwargs=mapped(change, step.kwargs))
        if _is_pure(step, program):
            key = step.function, _key(step.args), _key(step.kwargs)
            known = seen.setdefault(key, step.out)
            if known is not step.out:
                new.update(zip(slots_in(step.out), slots_in(known), strict=True))
                continue
        steps.append(step)
    return renamed(replace(program, steps=tuple(steps)), new)


def _key(x: Any) -> Any:
    """Return a hashable form of arguments: equal only for the same call."""
    if isinstance(x, tuple | list):
        return type(x), tuple(map(_key, x))
    if isinstance(x, dict):
        return tuple((name, _key(part)) for name, part in x.items())
    if isinstance(x, slice):
        return slice, _key(x.start), _key(x.stop), _key(x.step)
    if isinstance(x, np.ndarray):
        return np.ndarray, id(x)
    return type(x), repr(x) if isinstance(x, float | complex | np.generic) else x


def dead(program: Program) -> Program:
    """Drop steps whose results nobody reads."""
    live = {*slots_in(trees.leaves(program.outputs))}
    steps = []
    for step in reversed(program.steps):
        if isinstance(step, Guard):
            live.add(step.slot)
        elif live.isdisjoint(slots_in(step.out)) and not step.writes and not _may_raise(step):
            continue
        else:
            live.update(slots_in([step.args, step.kwargs]))
        steps.append(step)
    return replace(program, steps=tuple(reversed(steps)))


def _may_raise(step: Step) -> bool:
    """Return whether a call by the function itself, not by a rule, may raise an error."""
    if step.function is operator.getitem:
        return step.warns and bool(slots_in(step.args[1]))
    return step.warns and getattr(step.function, "__module__", "") == "numpy.linalg"


PASSES: list[Callable[[Program], Program]] = [
    without_copies,
    absorbing,
    without_constant_factors,
    folded,
    common,
    dead,
]
