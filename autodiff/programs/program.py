"""A recorded run of a function as a program: a list of NumPy calls that can be run, read and saved."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from inspect import Parameter
from pathlib import Path
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.programs.passes import PASSES
from autodiff.programs.source import Source, source_of
from autodiff.programs.trace import Guard, Kind, Slot, Step, Trace, Traced, mapped
from autodiff.transforms.results import Function, name_of


@dataclass(frozen=True)
class Program:
    """Steps that compute the outputs from the arguments.

    Attributes
    ----------
    name : str
        The function's name.
    parameters : tuple of str
        The parameters of the call, as in a `def` statement.
    arguments : dict
        The arguments by name, with slots in place of numbers and arrays.
    steps : tuple of Step and Guard
        The calls, in their order.
    outputs : container
        The result, with slots.
    kinds : list of Kind
        The shape and dtype of each slot's value.
    names : dict
        Names of slots in the user's function.
    written : frozenset of Slot
        The slots of arrays that share memory with one that a step changes in place.
    """

    name: str
    parameters: tuple[str, ...]
    arguments: dict[str, Any]
    steps: tuple[Step | Guard, ...]
    outputs: Any
    kinds: Sequence[Kind]
    names: dict[Slot, str]
    written: frozenset[Slot]

    @cached_property
    def source(self) -> Source:
        return source_of(self)

    def __str__(self) -> str:
        return self.source.text

    @cached_property
    def _function(self) -> Callable[..., Any]:
        space = {"np": np, **self.source.constants}
        exec(compile(self.source.text, f"<program {self.name}>", "exec"), space)
        made: Callable[..., Any] = space[self.source.name]
        return made

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program on arguments of the same structure, shapes and dtypes."""
        with np.errstate(all="ignore"):
            return self._function(*args, **kwargs)


def program(f: Function, *args: Any, **kwargs: Any) -> Program:
    """Trace one run of `f`."""
    trace = Trace()
    bound = inspect.signature(f).bind(*args, **kwargs)
    arguments: dict[str, Any] = dict(bound.arguments)
    stars = {Parameter.VAR_POSITIONAL: "*", Parameter.VAR_KEYWORD: "**"}
    parameters = [
        stars.get(parameter.kind, "") + name
        for name, parameter in bound.signature.parameters.items()
        if name in arguments
    ]
    traced = trees.mapped(lambda leaf: trace.new(copy(leaf), not hasattr(leaf, "dtype")), arguments)
    bound.arguments.update(traced)
    result = f(*bound.args, **bound.kwargs)
    trace.open = False
    found = Program(
        name_of(f),
        tuple(parameters),
        mapped(_slot, traced),
        tuple(trace.steps),
        mapped(_slot, result),
        trace.kinds(),
        trace.names,
        trace.written(),
    )
    for change in PASSES:
        found = change(found)
    return found


def _slot(x: Any) -> Any:
    return x.slot if type(x) is Traced else x
