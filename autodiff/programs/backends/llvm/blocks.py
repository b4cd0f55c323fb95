"""Steps that one kernel computes, as one step."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.kernel import kernel
from autodiff.programs.compiled import Diverged, Native, defined
from autodiff.programs.results import paired
from autodiff.programs.source import divergence
from autodiff.programs.trace import NARROW, Guard, Kind, Slot, Step, mapped, slots_in


class Block(Native):
    """A function of the values that some steps read, which returns those that others need.

    Machine code computes it. If that meets a warning, a guard that does not hold, or an object that
    it does not know, NumPy computes it instead, with all that it warns of and raises.

    Attributes
    ----------
    steps : sequence of Step and Guard
        The steps, in an order in which they can be computed.
    inputs, outputs : sequence of Slot
        Slots of the arguments and of the results.
    numbers : set of Slot
        Those of the results that may be Python's numbers.
    """

    def __init__(
        self,
        steps: Sequence[Step | Guard],
        inputs: Sequence[Slot],
        outputs: Sequence[Slot],
        kinds: Sequence[Kind],
        written: Container[Slot],
        numbers: set[Slot],
    ) -> None:
        self.steps, self.inputs, self.outputs, self.kinds = steps, inputs, outputs, kinds
        self._written, self._numbers = written, numbers

    def __call__(self, *args: Any) -> Any:
        return self.run(*args)

    @cached_property
    def run(self) -> Callable[..., Any]:
        """The function, compiled."""
        made = kernel(
            self.steps, self.inputs, self.outputs, self.kinds, self._written, self._numbers
        )
        names = [f"a{k}" for k in range(len(self.inputs))]
        given = [
            self._exact(name, self.kinds[x]) for name, x in zip(names, self.inputs, strict=True)
        ]
        given += [f"r{k}" for k in range(len(made.arrays))]
        space: dict[str, Any] = {"kernel": made.run, "instead": self.instead, "np": np}
        lines = [f"def native({', '.join(names)}):"]
        for k, (shape, dtype) in enumerate(made.arrays):
            space[f"d{k}"] = dtype
            lines.append(f"    r{k} = np.empty({shape}, d{k})")
        results = ", ".join(
            f"r{x.array}" if x.element is None else f"r{x.array}[{x.element}]" for x in made.places
        )
        if len(made.arrays) == 1 and all(x.element is not None for x in made.places):
            python = self._numbers.issuperset(self.outputs)
            results = "*r0.tolist()" if python else "*r0"
        if made.scratch:  # kept between calls, for one call at a time
            space["scratch"] = _Scratch(made.scratch)
            lines.append("    memory = scratch.taken()")
            given.append("*memory")
        call = f"failed = kernel({', '.join(given)})"
        if any(self.kinds[x].weak and self.kinds[x].dtype == int for x in self.inputs):
            lines += ["    try:", f"        {call}", "    except OverflowError:"]
            call = "    failed = True"
        lines.append(f"    {call}")
        if made.scratch:
            lines.append("    scratch.idle.append(memory)")
        lines += [
            "    if failed:",
            f"        return instead({', '.join(names)})",
            f"    return ({results},)" if results else "    return ()",
        ]
        return defined("native", "\n".join(lines), "native block", space)

    @staticmethod
    def _exact(name: str, kind: Kind) -> str:
        """Return the source of an argument: Python's whole numbers and bools become NumPy's."""
        return (
            f"np.{kind.dtype.type.__name__}({name})" if kind.weak and kind.dtype != float else name
        )

    def instead(self, *args: Any) -> tuple[Any, ...]:
        """Compute by NumPy, or by the kernel on copies of arrays that are not contiguous."""
        if any(type(x) is np.ndarray and not _is_plain(x) for x in args):
            copies = [np.require(x, None, ["C", "A"]) if type(x) is np.ndarray else x for x in args]
            found: tuple[Any, ...] = self.run(*copies)
            return found
        values = dict(zip(self.inputs, args, strict=True))
        for x in self.inputs:
            if self.kinds[x].weak and self.kinds[x].dtype == float:
                values[x] = np.float64(values[x])
        for step in self.steps:
            if isinstance(step, Guard):
                if type(step.held)(values[step.slot]) != step.held:
                    raise Diverged(divergence(step), step)
                continue
            arguments, named = self._given(step, values)
            found = step.function(*arguments, **named)
            values.update(paired(step.out, found))
        return tuple(values[x] for x in self.outputs)

    def _given(self, step: Step, values: dict[Slot, Any]) -> Any:
        """Return a step's arguments, with Python numbers beside narrow arrays."""
        narrow = any(
            type(x) is Slot and not self.kinds[x].weak and self.kinds[x].dtype in NARROW
            for x in step.args
        )

        def value(x: Any) -> Any:
            if type(x) is not Slot:
                return x
            number = narrow and self.kinds[x].weak and isinstance(values[x], np.generic)
            return values[x].item() if number else values[x]

        return mapped(value, step.args), mapped(value, step.kwargs)


class _Scratch:
    """Memory that kernels use while they run."""

    def __init__(self, sizes: Sequence[tuple[int, np.dtype[Any]]]) -> None:
        self.sizes = sizes
        self.idle: list[list[Any]] = []

    def taken(self) -> list[Any]:
        try:
            return self.idle.pop()
        except IndexError:
            return [np.empty(size, dtype) for size, dtype in self.sizes]


def _is_plain(x: Any) -> bool:
    return bool(x.flags.c_contiguous and x.flags.aligned)


def block(
    steps: Sequence[Step | Guard],
    needed: set[Slot],
    numbers: set[Slot],
    kinds: Sequence[Kind],
    written: Container[Slot],
) -> Block:
    """Return steps as a block, of whose results the slots `needed` are read by others.

    Results in `numbers` may be Python's.
    """
    made: dict[Slot, None] = {}
    read: dict[Slot, None] = {}
    for step in steps:
        given = [step.slot] if isinstance(step, Guard) else slots_in([step.args, step.kwargs])
        read.update(dict.fromkeys(x for x in given if x not in made))
        if isinstance(step, Step):
            made.update(dict.fromkeys(slots_in(step.out)))
    results = [x for x in made if x in needed and x not in read]
    return Block(steps, [*read], results, kinds, written, numbers)
