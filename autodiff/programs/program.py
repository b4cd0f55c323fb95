"""A recorded run of a function as a program: NumPy calls that can be run, read and saved."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.programs import backends
from autodiff.programs.compiled import Compiled, Diverged, defined
from autodiff.programs.cost import Cost, cost_of
from autodiff.programs.reading import Reading
from autodiff.programs.replay import Run, entered, run_step
from autodiff.programs.results import (
    Change,
    ending,
    form,
    own,
    paired,
    separated,
)
from autodiff.programs.source import Source, source_of, written_out
from autodiff.programs.stages import Stages, stages_of
from autodiff.programs.state import Input, converts
from autodiff.programs.trace import Guard, Kind, Slot, Step, dtype_of

NUMBERS = (bool, int, float, complex)


class Check:
    """What finds the inputs of a call, if the program is made for it.

    `find(args, kwargs)` returns (inputs, objects that the result or a change refers to), or
    (None, the number of the test that failed).
    """

    def __init__(self, reading: Reading, needed: Sequence[str]) -> None:
        self.tests, self.space = reading.tests, reading.space
        inputs = "".join(f"{x.variable}, " for x in reading.inputs)
        objects = "".join(f"{name}, " for name in needed)
        self.lines = [*reading.lines, f"return ({inputs}), ({objects})"]

    @cached_property
    def find(self) -> Callable[[Any, Any], tuple[Any, Any]]:
        lines = ["def find(args, kwargs):", "    try:", *[f"        {line}" for line in self.lines]]
        lines += ["    except LOOKUPS:", "        return None, -1"]
        space = {**self.space, "LOOKUPS": (AttributeError, LookupError, TypeError, ValueError)}
        return defined("find", "\n".join(lines), "check", space)


@dataclass(frozen=True, eq=False)  # constant arrays have no truth value to compare
class Program:
    """The NumPy calls of one run of a function, in their order; made by `program` and `jit`.

    `str(p)` is its source, plain Python over NumPy, and `p(*args)` runs it. `p.stages` shows what
    each pass did, `p.cost()` what each step costs; `draw`, `explore` and `expression` show the
    calls.

    Attributes
    ----------
    name : str
        The function's name.
    signature : inspect.Signature
        The function's signature, without arguments that were left out.
    inputs : sequence of Input
        Numbers and arrays that it computes with: those of the arguments, and captured ones.
    steps : sequence of Step and Guard
        The calls, and the decisions that data took between them.
    outputs : container
        The result, with slots; with the values of changes, if there are any, as a pair.
    changes : sequence of Change
        What it changes in objects that it was given, apart from arrays in place.
    kinds : sequence of Kind
        Shape and dtype of the value of each slot.
    names : dict
        Names of slots in the user's functions.
    written : dict
        Slots of arrays that a step changes in place, or that share memory with one; each with a
        number that is the same for those that share memory.
    decisions : sequence
        What data decided, in its order.
    check : Check
        Finds the inputs of a call.
    forms : sequence of str
        The source around each leaf of the outputs that makes it what the caller gets.
    backend : str
        The name of the back end that computes it.
    recorded : Program or None
        The program before any pass; None if this is it.
    """

    name: str
    signature: inspect.Signature
    inputs: Sequence[Input]
    steps: tuple[Step | Guard, ...]
    outputs: Any
    changes: Sequence[Change]
    kinds: Sequence[Kind]
    names: Mapping[Slot, str]
    written: Mapping[Slot, int]
    decisions: Sequence[Any]
    check: Check
    forms: Sequence[str]
    backend: str = "numpy"
    recorded: Program | None = None

    @cached_property
    def stages(self) -> Stages:
        """The program after recording and after each pass that changed it; prints as a table."""
        return stages_of(self)

    def cost(self) -> Cost:
        """Return the operations, the bytes moved and the memory of each step, and their totals.

        Examples
        --------
        >>> import numpy as np
        >>> from autodiff import program
        >>> cost = program(lambda a, b: np.sum(a @ b), np.ones((2, 3)), np.ones((3, 4))).cost()
        >>> cost.operations, cost.read, cost.written, cost.peak
        (56, 208, 72, 72)
        """
        return cost_of(self)

    @cached_property
    def source(self) -> Source:
        """The source, and the arrays that it refers to by a name."""
        return source_of(self)

    def __str__(self) -> str:
        return self.source.text

    def __repr__(self) -> str:
        calls = sum(isinstance(step, Step) for step in self.steps)
        return f"<program {self.name}: {calls} calls of NumPy>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program.

        Parameters
        ----------
        *args, **kwargs
            Arguments of the function, of the shapes and dtypes that it was traced with.

        Returns
        -------
        container
            What the function returns. Its arrays are the caller's own.

        Raises
        ------
        TypeError
            If an argument, or something that the function captured, differs in structure, shape or
            dtype, or a captured number in value.
        ValueError
            If the data take another branch than in the traced run.
        """
        inputs, found = self.check.find(args, kwargs)
        if inputs is None:
            raise TypeError(self.mismatch(found))
        return self.end(self._computed(inputs), inputs, found)

    def at(self, *args: Any, **kwargs: Any) -> Run:
        """Return the program at a point: `draw` and `explore` show it with its numbers.

        Nothing that the program changes is seen outside.

        Parameters
        ----------
        *args, **kwargs
            Arguments of the function, as for a call.

        Raises
        ------
        TypeError, ValueError
            As in a call.

        Examples
        --------
        >>> from autodiff import draw, grad, program, sin
        >>> p = program(grad(lambda x: sin(x) * x), 2.0)
        >>> picture = draw(p.at(2.0))
        """
        inputs, found = self.check.find(args, kwargs)
        if inputs is None:
            raise TypeError(self.mismatch(found))
        self._computed([copy(x) for x in inputs])  # raises if data decide otherwise
        return Run(self, [copy(x) for x in inputs])

    def _computed(self, inputs: Sequence[Any]) -> list[Any]:
        """Return the values of the outputs; undo changes of the inputs if that fails."""
        saved = self.saved(inputs)
        try:
            with np.errstate(all="ignore"):
                return self.compute(inputs)
        except BaseException as error:
            self.restore(inputs, saved)
            if isinstance(error, Diverged):
                raise ValueError(str(error)) from None
            raise

    @cached_property
    def converts(self) -> bool:
        """Whether an input is an array that NumPy's functions turn into one of NumPy."""
        return any(converts(x.type) for x in self.inputs)

    def compute(self, inputs: Sequence[Any], first: bool = False) -> list[Any]:
        """Return the values of all slots of the outputs; `first` if this call was traced now.

        Raises
        ------
        Diverged
            If data decide otherwise than in the traced run.
        """
        made = self._compiled
        return (made.first if first and made.first else made.function)(*inputs)

    def end(self, values: list[Any], inputs: Sequence[Any], objects: Sequence[Any]) -> Any:
        """Make the changes, and return the result."""
        return self._end(own(values, inputs), *objects)

    def finished_as(self, result: Any) -> Program:
        """Return the program with numbers of the result in the types of the function's own."""
        whole = self.outputs[0] if self.changes else self.outputs
        found = list(self.forms)
        for k, (leaf, theirs) in enumerate(paired(whole, result)):
            if np.ndim(leaf) == 0:
                scalar = isinstance(theirs, np.generic)
                python = isinstance(theirs, NUMBERS) and not scalar
                found[k] = form(python, scalar, dtype_of(theirs))
        return replace(self, forms=found)

    def separated(self, result: Any, inputs: Sequence[Any]) -> Any:
        """Return the function's own result as `end` gives it: its arrays are the caller's."""
        whole = self.outputs[0] if self.changes else self.outputs
        return separated(whole, result, {id(x) for x in inputs})

    def saved(self, inputs: Sequence[Any]) -> Sequence[Any]:
        """Return copies of the inputs if the program changes any; else nothing."""
        if not self._changed:
            return ()
        return [copy(x) if k in self._changed else x for k, x in enumerate(inputs)]

    def restore(self, inputs: Sequence[Any], saved: Sequence[Any]) -> None:
        """Put back what a run that was given up has changed in its inputs."""
        if saved:
            for k in self._changed:
                np.copyto(inputs[k], saved[k])

    @cached_property
    def _changed(self) -> list[int]:
        return [
            k
            for k, x in enumerate(self.inputs)
            if x.slot in self.written and self.kinds[x.slot].shape
        ]

    def warns(self, inputs: Sequence[Any]) -> bool:
        """Return whether NumPy warns of a call outside of the rules of derivatives."""
        values = entered(self, inputs)
        heard: list[str] = []

        def hear(kind: str, flag: int) -> None:
            if isinstance(step, Step) and step.warns:
                heard.append(kind)

        with np.errstate(all="call", under="ignore", call=hear):
            for step in (self.recorded or self).steps:
                if isinstance(step, Step):
                    run_step(step, values)
        return bool(heard)

    def mismatch(self, number: int) -> str:
        """Return why the check failed, in words."""
        if number < 0:
            return f"{self.name}: the arguments have another structure: make another program"
        test = self.check.tests[number]
        return (
            f"{self.name}: {test.label} is not {test.expected}, with which the program was "
            "traced: make another program for it"
        )

    def guard_at(self, error: Diverged) -> Guard:
        """Return the guard that raised an error."""
        return self._compiled.guard_at(error)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the source to a file that needs nothing but NumPy.

        Arrays that it refers to by a name go to a file of the same name with the suffix ".npz".
        Captured arrays are saved as they are now, as defaults of their parameters.
        """
        path, source = Path(path), self.source
        arrays, numbers = dict(source.constants), []
        for name, x in source.captured.items():
            if not isinstance(x.value, np.ndarray):
                numbers.append(f"{name} = {x.value!r}")
            elif (text := written_out(x.value)) is not None:
                numbers.append(f"{name} = {text}")
            else:
                arrays[name] = x.value
        lines = [f'"""The calls of NumPy in {self.name}."""\n', "import numpy as np\n"]
        if arrays:
            data = path.with_suffix(".npz")
            np.savez(data, **arrays)
            lines.insert(1, "from pathlib import Path\n")
            lines.append(f"_arrays = np.load(Path(__file__).parent / {data.name!r})")
            lines += [f"{name} = _arrays[{name!r}]" for name in arrays]
            lines.append("")
        path.write_text("\n".join([*lines, *numbers, "", source.saved]), encoding="utf-8")

    @cached_property
    def _compiled(self) -> Compiled:
        return backends.compiled(self.backend, self)

    @cached_property
    def _end(self) -> Callable[..., Any]:
        """The function that makes changes and the result of the values of the outputs."""
        found = ending(self.outputs, self.changes, self.forms)
        text = "\n    ".join([f"def end({', '.join(['r', *found.variables])}):", *found.lines])
        return defined("end", text, "result", found.space)
