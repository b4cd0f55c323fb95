"""The steps of a program one by one, with their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from autodiff.programs.results import paired
from autodiff.programs.trace import Slot, Step, mapped

if TYPE_CHECKING:
    from autodiff.programs.program import Program


class Run(NamedTuple):
    """A program at a point; made by `Program.at`, for `draw` and `explore`."""

    program: Program
    inputs: Sequence[Any]
    """The values of the program's inputs."""


def run_step(step: Step, values: dict[Slot, Any]) -> None:
    """Call the function of a step on the values of its slots, and enter its results."""
    args, kwargs = (
        mapped(lambda x: values[x] if type(x) is Slot else x, given)
        for given in (step.args, step.kwargs)
    )
    found = step.function(*args, **kwargs)
    values.update((slot, x) for slot, x in paired(step.out, found) if type(slot) is Slot)
