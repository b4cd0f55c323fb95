"""Products of two arrays by subscripts, as matrix products."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.programs.trace import Guard, Kind, Method, Slot, Step

if TYPE_CHECKING:
    from autodiff.programs.program import Program

LEAST = 1000
"""The number of products from which a matrix product pays."""


class Roles(NamedTuple):
    """The letters of an einsum of two operands, by what they are for."""

    stacked: str
    left: str
    summed: str
    right: str


def matrix_products(program: Program) -> Program:
    """Compute an einsum of two arrays by matmul, which NumPy leaves to BLAS."""
    kinds = [*program.kinds]
    steps: list[Step | Guard] = []
    for step in program.steps:
        made = _as_matmul(step, kinds) if isinstance(step, Step) else None
        steps += [step] if made is None else made
    return replace(program, steps=tuple(steps), kinds=kinds)


def _as_matmul(step: Step, kinds: list[Kind]) -> list[Step] | None:
    """Return the steps that compute an einsum by matmul, or None if it is no matrix product."""
    if step.function is not np.einsum or len(step.args) != 3 or step.kwargs.keys() - {"optimize"}:
        return None
    subscripts, *operands = step.args
    if not all(type(x) is Slot and kinds[x].dtype == kinds[step.out].dtype for x in operands):
        return None
    found = re.fullmatch(r"(\w+),(\w+)->(\w*)", str(subscripts).replace(" ", ""))
    if found is None or kinds[step.out].dtype.kind not in "fc":  # BLAS has no whole numbers
        return None
    first, second, out = found.groups()
    roles = _roles(first, second, out)
    sizes = dict(zip(first + second, _shapes(operands, kinds), strict=True))
    if roles is None or prod(sizes.values()) < LEAST:
        return None
    if out == roles.stacked + roles.right + roles.left:  # else the result had to be transposed
        first, second, operands = second, first, operands[::-1]
        roles = Roles(roles.stacked, roles.right, roles.summed, roles.left)
    lines = _Lines(step, kinds, sizes)
    a = lines.arranged(operands[0], first, roles.stacked, roles.left, roles.summed)
    b = lines.arranged(operands[1], second, roles.stacked, roles.summed, roles.right)
    c = lines.call(np.matmul, (a, b), roles.stacked, roles.left, roles.right)
    lines.finish(c, roles, out)
    return lines.steps


def _shapes(operands: Sequence[Slot], kinds: Sequence[Kind]) -> list[int]:
    return [size for x in operands for size in kinds[x].shape]


def _roles(first: str, second: str, out: str) -> Roles | None:
    """Sort the letters; None if one stands twice in an operand, or is summed in one alone."""
    letters = first + second
    if any(len({*term}) < len(term) for term in (first, second)):
        return None
    both = [x for x in first if x in second]
    roles = Roles(
        "".join(x for x in out if x in both),
        "".join(x for x in out if x not in second),
        "".join(x for x in both if x not in out),
        "".join(x for x in out if x not in first),
    )
    return roles if roles.summed and {*letters} == {*"".join(roles)} else None


class _Lines:
    """Writes the steps in place of an einsum."""

    def __init__(self, step: Step, kinds: list[Kind], sizes: dict[str, int]) -> None:
        self.step, self.kinds, self.sizes = step, kinds, sizes
        self.steps: list[Step] = []

    def call(self, function: Any, args: tuple[Any, ...], *groups: str) -> Slot:
        """Add a call whose result has an axis for each letter, or one for each group of them."""
        shape = tuple(prod(self.sizes[x] for x in group) for group in groups)
        if groups[0] == "":
            shape = shape[1:]
        return self.add(function, args, shape)

    def add(self, function: Any, args: tuple[Any, ...], shape: tuple[int, ...]) -> Slot:
        kind = Kind(shape, self.kinds[self.step.out].dtype, False, False, "")
        self.kinds.append(kind)
        out = Slot(len(self.kinds) - 1)
        self.steps.append(self.step._replace(function=function, args=args, kwargs={}, out=out))
        return out

    def arranged(self, x: Slot, letters: str, *groups: str) -> Slot:
        """Return an operand with its axes in the order of three groups, one axis for each."""
        stacked, rows, columns = groups
        wanted = stacked + rows + columns
        if letters == stacked + columns + rows and len(rows) == len(columns) == 1:
            x = self.add(Method("swapaxes"), (x, -1, -2), self._shape(wanted))
        elif letters != wanted:
            order = tuple(map(letters.index, wanted))
            x = self.add(np.transpose, (x, order), self._shape(wanted))
        if len(rows) == len(columns) == 1 and len(stacked) <= 1:
            return x
        shape = tuple(prod(self._shape(group)) for group in groups)
        shape = shape if stacked else shape[1:]
        return self.add(Method("reshape"), (x, shape), shape)

    def finish(self, x: Slot, roles: Roles, out: str) -> None:
        """Bring the product into the shape of the result, and give it the einsum's slot."""
        found = roles.stacked + roles.left + roles.right
        if self.kinds[x].shape != self._shape(found):
            x = self.add(Method("reshape"), (x, self._shape(found)), self._shape(found))
        if found != out:
            self.add(np.transpose, (x, tuple(map(found.index, out))), self._shape(out))
        self.steps[-1] = self.steps[-1]._replace(out=self.step.out)

    def _shape(self, letters: str) -> tuple[int, ...]:
        return tuple(self.sizes[x] for x in letters)
