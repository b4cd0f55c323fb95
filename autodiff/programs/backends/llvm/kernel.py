"""Steps of a program as one function of machine code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Sequence
from typing import Any, NamedTuple

import numpy as np

from autodiff.programs.backends.llvm.body import Body
from autodiff.programs.backends.llvm.calling import builtin, called, entry
from autodiff.programs.backends.llvm.elements import Array
from autodiff.programs.backends.llvm.grids import Buffer, Grid
from autodiff.programs.backends.llvm.lowering import Lowering
from autodiff.programs.backends.llvm.machine import LONG, machine
from autodiff.programs.backends.llvm.text import Writer
from autodiff.programs.trace import Guard, Kind, Slot, Step, slots_in


class Place(NamedTuple):
    """Where a kernel writes a result: an array of its own, or an element of one for scalars."""

    array: int
    element: int | None


class Kernel(NamedTuple):
    """Machine code: its function, the arrays to be given for results, and where each result is.

    After those for results it takes others, `scratch`.
    """

    run: Callable[..., bool | None]
    arrays: list[tuple[tuple[int, ...], np.dtype[Any]]]
    scratch: list[tuple[int, np.dtype[Any]]]
    places: list[Place]


def places_of(outputs: Sequence[Kind], numbers: Sequence[bool]) -> tuple[list[Any], list[Place]]:
    """Return shapes and dtypes of arrays for results, and the place of each in them.

    Scalars of one dtype share an array, as do arrays of shape () that may be Python's numbers.
    """
    arrays: list[Any] = []
    scalars: dict[np.dtype[Any], int] = {}
    places = []
    for kind, number_too in zip(outputs, numbers, strict=True):
        if kind.scalar or number_too:
            number = scalars.setdefault(kind.dtype, len(arrays))
            if number == len(arrays):
                arrays.append(((0,), kind.dtype))
            count = arrays[number][0][0]
            arrays[number] = ((count + 1,), kind.dtype)
            places.append(Place(number, count))
        else:
            places.append(Place(len(arrays), None))
            arrays.append((kind.shape, kind.dtype))
    return arrays, places


def kernel(
    steps: Sequence[Step | Guard],
    inputs: Sequence[Slot],
    outputs: Sequence[Slot],
    kinds: Sequence[Kind],
    written: Container[Slot],
    numbers: Container[Slot],
) -> Kernel:
    """Return machine code that computes some steps; results in `numbers` may be Python's."""
    lowering = Lowering(kinds, written, uses(steps, outputs))
    for number, slot in enumerate(inputs):
        lowering.input(slot, number)
    guards: list[Array] = []
    for step in steps:
        if isinstance(step, Guard):
            guards.append(differs(lowering, step))
        else:
            lowering.add(step)
    results = [lowering.values[slot] for slot in outputs]
    arrays, places = places_of([kinds[x] for x in outputs], [x in numbers for x in outputs])
    memory = {
        lowering.large.result(x): f"%o{place.array}"
        for x, place in zip(results, places, strict=True)
        if isinstance(x, Grid)
    }
    scratch = lowering.large.scratch()
    memory |= {x: f"%o{k}" for k, x in enumerate(scratch, len(arrays))}
    small = [(x, place) for x, place in zip(results, places, strict=True) if isinstance(x, Array)]
    text, count = _text(
        lowering, [kinds[x] for x in inputs], small, guards, len(arrays) + len(scratch), memory
    )
    found = machine()
    level = 2 if lowering.large.nests or count <= LONG else 0
    address, kept = found.loaded(found.object_code(text, level))
    sizes = [(x.size, x.dtype) for x in scratch]
    return Kernel(builtin(address, kept), arrays, sizes, places)


def uses(steps: Sequence[Step | Guard], outputs: Sequence[Slot]) -> Counter[Slot]:
    """Return how often each value is read."""
    return Counter(
        [
            *outputs,
            *slots_in([x.slot if isinstance(x, Guard) else (x.args, x.kwargs) for x in steps]),
        ]
    )


def differs(lowering: Lowering, guard: Guard) -> Array:
    """Return whether data decide otherwise than a guard says."""
    value = lowering.small(guard.slot)
    dtype = np.dtype(bool) if isinstance(guard.held, bool) else value.dtype
    held = lowering.tape.constant(guard.held, dtype)
    found = lowering.compute("not_equal", [value, held], dtype, np.dtype(bool))
    assert isinstance(found, Array)
    return found


def _text(
    lowering: Lowering,
    inputs: list[Kind],
    results: list[tuple[Array, Place]],
    guards: list[Array],
    arrays: int,
    memory: dict[Buffer, str],
) -> tuple[str, int]:
    """Return the text of a module, and the number of its instructions."""
    w = Writer()
    body = Body(lowering.tape, w)
    body.pointers |= memory
    for buffer in lowering.large.rooms():
        body.pointers[buffer] = body.room(buffer.size, buffer.dtype)
    body.compute([x.elements.ravel() for x in [*(x for x, _ in results), *guards]])
    for result, place in results:
        body.store(result, f"%o{place.array}", place.element or 0)
    diverged = "false"
    for guard in guards:
        diverged = w(f"or i1 {diverged}, {body.gather(guard.elements.ravel())}")
    w.do(f"ret i1 {diverged}")
    around = entry(machine().processor, [called(kind) for kind in inputs], arrays)
    given = [f"ptr readonly %i{k}" for k in range(len(inputs))]
    given += [f"ptr noalias %o{k}" for k in range(arrays)]
    outside = {**w.outside, **around.outside}
    text = "\n".join(
        [
            *outside.values(),
            f"define internal i1 @body({', '.join(given)}) noinline {{",
            "entry:",
            *w.rooms,
            *w.lines,
            "}",
            "define ptr @kernel(ptr %self, ptr %args, i64 %count) {",
            *around.lines,
            "}",
        ]
    )
    return text, len(w.lines) + len(around.lines)
