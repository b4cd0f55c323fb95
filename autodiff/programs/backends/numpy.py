"""Python source over NumPy, which is always there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autodiff.programs.compiled import Compiled, Diverged, defined
from autodiff.programs.source import source_of
from autodiff.programs.trace import Guard

if TYPE_CHECKING:
    from autodiff.programs.program import Program


def compiled(program: Program) -> Compiled:
    """Return the function of a program's source."""
    source = source_of(program, flat=True)
    space = {"np": np, "ValueError": Diverged, **source.constants}
    function = defined(source.name, source.text, f"program {program.name}", space)
    raising = [
        number
        for number, line in enumerate(source.text.splitlines(), 1)
        if line.lstrip().startswith("raise ValueError(")
    ]
    guards = [step for step in program.steps if isinstance(step, Guard)]
    return Compiled(function, dict(zip(raising, guards, strict=True)))
