"""The steps of a program that native code computes, grouped in few blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from autodiff.core import trees
from autodiff.programs.backends.llvm.blocks import block
from autodiff.programs.backends.llvm.elements import TYPES, Unsupported
from autodiff.programs.backends.llvm.lowering import Lowering
from autodiff.programs.passes.common import call_key
from autodiff.programs.trace import Guard, Line, Slot, Step, mapped, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program

FEWEST = 2
"""A block of fewer steps is not worth a call of native code."""


def grouped(program: Program) -> Program:
    """Return a program whose steps are blocks where native code can compute them.

    Steps change places, so that blocks become few: all that can be computed natively is, then all
    that NumPy must do, in turn.
    """
    families = _families(program)
    given = {x.slot for x in program.inputs}
    native = _native_steps(program)
    while True:
        for family in families:
            if family.slots & given or not all(native[k] for k in family.core):
                for k in family.core:
                    native[k] = False
        groups = _scheduled(program, native, families)
        place = {k: number for number, (_, group) in enumerate(groups) for k in group}
        split = [
            x.core for x in families if native[x.core[0]] and len({place[k] for k in x.core}) > 1
        ]
        if not split:
            break
        for core in split:
            native[core[0]] = False
    return _with_blocks(program, groups)


def _native_steps(program: Program) -> list[bool]:
    """Return for each step whether native code computes it."""
    known: dict[Any, bool] = {}
    found = []
    for step in program.steps:
        if isinstance(step, Guard):
            kind = program.kinds[step.slot]
            decided = isinstance(step.held, bool | int) and kind.shape == ()
            found.append(decided and kind.dtype in TYPES)
            continue
        key = _signature(step, program)
        if key not in known:
            known[key] = _is_native(step, program)
        found.append(known[key])
    return found


def _signature(step: Step, program: Program) -> Any:
    """Return all that decides whether native code computes a step."""
    slots = slots_in([step.args, step.kwargs, step.out])
    numbers = {x: Slot(k) for k, x in enumerate(slots)}

    def numbered(x: Any) -> Any:
        return numbers[x] if type(x) is Slot else x

    call = call_key(mapped(numbered, (step.args, step.kwargs)))
    return step.function, call, *[(program.kinds[x], x in program.written) for x in slots]


def _is_native(step: Step, program: Program) -> bool:
    lowering = Lowering(program.kinds, program.written, {})
    try:
        for number, slot in enumerate(dict.fromkeys(slots_in([step.args, step.kwargs]))):
            lowering.input(slot, number)
        lowering.add(step)
    except (Unsupported, TypeError, ValueError, IndexError):  # errors are left to NumPy
        return False
    return True


class Family(NamedTuple):
    """Arrays that may share memory, of which some are changed in place.

    `core` are the steps that touch them up to the last change, `rest` those after it.
    """

    slots: set[Slot]
    core: list[int]
    rest: list[int]


def _families(program: Program) -> list[Family]:
    families: dict[int, Family] = {}
    for x, memory in program.written.items():
        families.setdefault(memory, Family(set(), [], [])).slots.add(x)
    for k, step in enumerate(program.steps):
        parts = [step.slot] if isinstance(step, Guard) else [step.args, step.kwargs, step.out]
        for memory in {program.written[x] for x in slots_in(parts) if x in program.written}:
            families[memory].rest.append(k)
        for memory in {program.written[x] for x in getattr(step, "writes", ())}:
            families[memory].core.extend(families[memory].rest)
            families[memory].rest.clear()
    return [family for family in families.values() if family.core]


def _scheduled(
    program: Program, native: Sequence[bool], families: Sequence[Family]
) -> list[tuple[bool, list[int]]]:
    """Return groups of steps, native ones and others in turn, in an order that can be run."""
    count = len(program.steps)
    needs = _dependences(program, native, families)
    users: list[list[int]] = [[] for _ in range(count)]
    missing = [len(x) for x in needs]
    for k, given in enumerate(needs):
        for j in given:
            users[j].append(k)
    ready: dict[bool, list[int]] = {True: [], False: []}
    for k in range(count):
        if not missing[k]:
            heappush(ready[native[k]], k)
    groups: list[tuple[bool, list[int]]] = []
    turn = True
    while ready[True] or ready[False]:
        group = []
        while ready[turn]:
            k = heappop(ready[turn])
            group.append(k)
            for user in users[k]:
                missing[user] -= 1
                if not missing[user]:
                    heappush(ready[native[user]], user)
        if group:
            groups.append((turn, group))
        turn = not turn
    return groups


def _dependences(
    program: Program, native: Sequence[bool], families: Sequence[Family]
) -> list[set[int]]:
    """Return for each step those that must come before it."""
    makers: dict[Slot, int] = {}
    needs: list[set[int]] = []
    guard: int | None = None
    for k, step in enumerate(program.steps):
        given = [step.slot] if isinstance(step, Guard) else slots_in([step.args, step.kwargs])
        found = {makers[x] for x in given if x in makers}
        if guard is not None and (isinstance(step, Guard) or not native[k]):
            found.add(guard)  # which keeps steps from what they were not traced for
        if isinstance(step, Guard):
            guard = k
        else:
            for x in slots_in(step.out):
                makers.setdefault(x, k)
        needs.append(found)
    for family in families:
        for before, after in pairwise(family.core):
            needs[after].add(before)
        for k in family.rest:
            needs[k].add(family.core[-1])
    return needs


def _with_blocks(program: Program, groups: list[tuple[bool, list[int]]]) -> Program:
    leaves = trees.leaves(program.outputs)
    outputs = {x for x in leaves if type(x) is Slot}
    forms = zip(leaves, program.forms, strict=True)
    others = {x for x, form in forms if type(x) is Slot and form[:6] != "float("}
    readers: dict[Slot, set[int]] = {}
    for number, (_, group) in enumerate(groups):
        for k in group:
            step = program.steps[k]
            given = [step.slot] if isinstance(step, Guard) else slots_in([step.args, step.kwargs])
            for x in given:
                readers.setdefault(x, set()).add(number)
    steps: list[Step | Guard] = []
    for number, (is_native, group) in enumerate(groups):
        inside = [program.steps[k] for k in group]
        if not is_native or sum(isinstance(x, Step) for x in inside) < FEWEST:
            steps += inside
            continue
        read = {x for x, numbers in readers.items() if numbers - {number}}
        made = block(
            inside, read | outputs, outputs - others - read, program.kinds, program.written
        )
        steps.append(Step(made, tuple(made.inputs), {}, tuple(made.outputs), Line("", 0)))
    changed = {program.written[x] for step in steps for x in getattr(step, "writes", ())}
    written = {x: memory for x, memory in program.written.items() if memory in changed}
    return replace(program, steps=tuple(steps), written=written)
