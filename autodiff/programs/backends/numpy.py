"""Python source over NumPy, which is always there; over floats for programs of numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from autodiff.core import trees
from autodiff.programs.backends.floats import floats
from autodiff.programs.compiled import Compiled, Diverged, defined
from autodiff.programs.passes import simplified
from autodiff.programs.passes.planning import planned
from autodiff.programs.passes.scalars import scalars
from autodiff.programs.source import source_of
from autodiff.programs.trace import Guard, Kind, Slot

if TYPE_CHECKING:
    from autodiff.programs.program import Program

NUMBERS_A_CALL = 20
"""The calls on floats that take the time of one call of NumPy."""
LARGEST = 5000
"""Arrays become numbers up to this number of calls, beyond which they take long to compile."""


def compiled(program: Program) -> Compiled:
    """Return the function of a program's source."""
    made = over_arrays(program)
    calls = len(program.steps)
    expanded = scalars(program, min(NUMBERS_A_CALL * calls, max(2 * calls, LARGEST)))
    if expanded is None:
        return made
    expanded = simplified(expanded)
    leaves = zip(trees.leaves(program.outputs), trees.leaves(expanded.outputs), strict=True)
    results = [
        (new, form)
        for (old, new), form in zip(leaves, program.forms, strict=True)
        if type(old) is Slot
    ]
    quick = floats(expanded, results)
    if quick is None:
        return made
    space = {**quick.space, "careful": made.function}
    return made._replace(function=defined(quick.name, quick.text, f"program {program.name}", space))


def over_arrays(program: Program, buffered: bool = True) -> Compiled:
    """Return the function of the source over NumPy; `buffered` if all arrays are NumPy's."""
    program, buffers = planned(program) if buffered else (program, ())
    source = source_of(program, flat=True, buffers=buffers)
    space = {"np": np, "ValueError": Diverged, **source.constants}
    function = defined(source.name, source.text, f"program {program.name}", space)
    raising = [
        number
        for number, line in enumerate(source.text.splitlines(), 1)
        if line.lstrip().startswith("raise ValueError(")
    ]
    guards = [step for step in program.steps if isinstance(step, Guard)]
    called = function
    if buffers:
        called = _with_buffers(function, [program.kinds[slot] for slot in buffers])
    return Compiled(called, function.__code__, dict(zip(raising, guards, strict=True)))


def _with_buffers(function: Callable[..., list[Any]], kinds: Sequence[Kind]) -> Any:
    """Return the function without its last arguments, which are buffers for one call at a time."""
    idle: list[list[Any]] = []

    def called(*inputs: Any) -> list[Any]:
        try:
            buffers = idle.pop()
        except IndexError:
            buffers = [np.empty(x.shape, x.dtype, "F" if x.layout == "F" else "C") for x in kinds]
        result = function(*inputs, *buffers)
        idle.append(buffers)
        return result

    return called
