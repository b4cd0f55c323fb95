"""The steps of a program one by one, with their values."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.programs.results import paired
from autodiff.programs.trace import Slot, Step, mapped

if TYPE_CHECKING:
    from autodiff.programs.program import Program


class Run(NamedTuple):
    """A program at a point; made by `Program.at`, for `draw` and `explore`."""

    program: Program
    inputs: Sequence[Any]
    """The values of the program's inputs."""


def entered(program: Program, inputs: Sequence[Any]) -> dict[Slot, Any]:
    """Return the values of a program's inputs by slot, as its steps read them.

    They are copies, with NumPy's numbers in place of Python's, as in the traced run.
    """
    return {
        x.slot: copy(value) if hasattr(value, "dtype") else np.result_type(value).type(value)
        for x, value in zip(program.inputs, inputs, strict=True)
    }


def run_step(step: Step, values: dict[Slot, Any]) -> None:
    """Call the function of a step on the values of its slots, and enter its results."""
    args, kwargs = (
        mapped(lambda x: values[x] if type(x) is Slot else x, given)
        for given in (step.args, step.kwargs)
    )
    found = step.function(*args, **kwargs)
    values.update((slot, x) for slot, x in paired(step.out, found) if type(slot) is Slot)
