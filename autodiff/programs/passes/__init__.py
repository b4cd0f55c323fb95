"""Passes: functions from program to program that change nothing but its cost, a file each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from autodiff.programs.passes.absorbing import absorbing
from autodiff.programs.passes.common import common
from autodiff.programs.passes.constants import folded, without_constant_factors
from autodiff.programs.passes.copies import without_copies
from autodiff.programs.passes.dead import dead
from autodiff.programs.passes.identities import without_identities
from autodiff.programs.passes.products import matrix_products

if TYPE_CHECKING:
    from autodiff.programs.program import Program

PASSES: list[Callable[[Program], Program]] = [
    without_copies,
    absorbing,
    without_constant_factors,
    without_identities,
    matrix_products,
    folded,
    common,
    dead,
]


def simplified(program: Program) -> Program:
    """Return a program after all passes."""
    for change in PASSES:
        program = change(program)
    return program
