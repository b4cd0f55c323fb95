"""Buffers for large arrays, so that a call allocates its results only.

A fresh large array costs more than the arithmetic on it: the system clears its pages first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from autodiff.core import trees
from autodiff.ops.table import chain
from autodiff.programs.passes.rewriting import is_elementwise
from autodiff.programs.trace import Guard, Kind, Slot, Step, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program

LEAST = 1 << 15
"""The size in bytes from which an array gets a buffer."""
REDUCING = {np.sum, np.max, np.min, np.mean, np.prod}
"""Functions that give a fresh array, and write it to `out` if asked to."""
FRESH = {*REDUCING, np.where, np.einsum, np.concatenate, np.stack, np.dot, np.tensordot}
"""Functions whose results share no memory with their arguments."""


class Plan(NamedTuple):
    """A program whose calls write to buffers, and the slots of the buffers."""

    program: Program
    buffers: list[Slot]


def planned(program: Program) -> Plan:
    """Return the program with a buffer for the result of each large call, used again and again.

    A buffer is free once nothing that may share its memory is read any more. Results of the
    program get none.
    """
    return _Planner(program).plan()


class _Planner:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.kinds = [*program.kinds]
        self.sources: dict[Slot, set[Slot]] = {}
        """For each slot, the calls whose fresh results it may share memory with."""
        self.last: dict[Slot, int] = {}
        """For each of these, the last step that reads it."""
        for k, step in enumerate(program.steps):
            self._look(k, step)
        for x in trees.leaves(program.outputs):
            if type(x) is Slot:
                for source in self.sources.get(x, ()):
                    self.last[source] = len(program.steps)

    def _look(self, k: int, step: Step | Guard) -> None:
        read = [step.slot] if isinstance(step, Guard) else slots_in([step.args, step.kwargs])
        shared = set().union(*(self.sources.get(x, ()) for x in read))
        for source in shared:
            self.last[source] = k
        if isinstance(step, Step):
            for out in slots_in(step.out):
                if is_fresh(step.function):
                    self.sources[out] = {out}
                    self.last[out] = k
                else:
                    self.sources[out] = {*shared, out}

    def plan(self) -> Plan:
        steps: list[Step | Guard] = []
        buffers: list[Slot] = []
        free: dict[Any, list[Slot]] = {}
        ending: dict[int, list[Slot]] = {}
        held: dict[Slot, Slot] = {}
        for k, step in enumerate(self.program.steps):
            over = ending.pop(k, [])
            if isinstance(step, Step) and (kind := self._buffered(step)) is not None:
                if is_elementwise(step.function):  # may write where it reads
                    self._release(over, held, free)
                    over = []
                key = kind.shape, kind.dtype, kind.layout
                if not free.setdefault(key, []):
                    self.kinds.append(kind)
                    buffers.append(Slot(len(self.kinds) - 1))
                    free[key].append(buffers[-1])
                buffer = held[step.out] = free[key].pop()
                ending.setdefault(self.last[step.out], []).append(step.out)
                step = step._replace(kwargs={**step.kwargs, "out": buffer}, writes=(buffer,))
            self._release(over, held, free)
            steps.append(step)
        written = dict(self.program.written)
        for out, shared in self.sources.items():
            for source in shared:
                if source in held:
                    written[out] = held[source]
        written.update({buffer: buffer for buffer in buffers})
        made = replace(self.program, steps=tuple(steps), kinds=self.kinds, written=written)
        return Plan(made, buffers)

    def _release(self, over: list[Slot], held: dict[Slot, Slot], free: Any) -> None:
        for x in over:
            kind = self.kinds[x]
            free[kind.shape, kind.dtype, kind.layout].append(held[x])

    def _buffered(self, step: Step) -> Kind | None:
        """Return the kind of a result that gets a buffer, or None."""
        if type(step.out) is not Slot or step.writes or step.out in self.program.written:
            return None
        kind = self.kinds[step.out]
        large = prod(kind.shape) * kind.dtype.itemsize >= LEAST
        known = self.last.get(step.out, -1) < len(self.program.steps)
        return kind if large and known and takes_out(step.function) else None


def takes_out(function: Callable[..., Any]) -> bool:
    """Return whether a function writes its result to `out`."""
    if isinstance(function, np.ufunc):
        return function.nout == 1
    return function in REDUCING or function is chain.function


def is_fresh(function: Callable[..., Any]) -> bool:
    """Return whether the result of a function shares no memory with its arguments."""
    return isinstance(function, np.ufunc) or is_elementwise(function) or function in FRESH
