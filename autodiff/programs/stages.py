"""The stages of a program: what each pass made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from autodiff.core.columns import table
from autodiff.programs.passes import PASSES

if TYPE_CHECKING:
    from autodiff.programs.program import Program


class Stage(NamedTuple):
    """A program, and the name of the pass that made it: "recorded" for the first."""

    name: str
    program: Program

    def __str__(self) -> str:
        return f"# {self.name}\n{self.program}"


class Stages(tuple[Stage, ...]):
    """The stages of a program, from its recording on; prints as a table of their steps."""

    def __str__(self) -> str:
        rows = [("pass", "steps before", "steps after")]
        before = ""
        for name, program in self:
            after = f"{len(program.steps):,}"
            rows.append((name, before, after))
            before = after
        return table(rows, "<>>")


def stages_of(program: Program) -> Stages:
    """Return the program after recording, and after each pass that changed its source.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import program
    >>> p = program(lambda x: np.sin(x) + np.sin(x), np.ones(2))
    >>> print(p.stages)
    pass      steps before  steps after
    recorded                          3
    common               3            2
    >>> print(p.stages[0])
    # recorded
    def program(x):
        return np.sin(x) + np.sin(x)
    <BLANKLINE>
    """
    stage = Stage("recorded", program)
    if program.recorded is not None:
        start = replace(program.recorded, forms=program.forms, backend=program.backend)
        stage = stage._replace(program=start)
    found = [stage]
    for change in PASSES if program.recorded is not None else []:
        stage = Stage(change.__name__, change(stage.program))
        if str(stage.program) != str(found[-1].program):
            found.append(stage)
    return Stages(found)
