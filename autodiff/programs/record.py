"""One run of a function on traced arrays, and the program of its calls."""

from __future__ import annotations

import inspect
from collections.abc import Container, Sequence
from dataclasses import replace
from inspect import Parameter
from itertools import combinations
from typing import Any

import numpy as np

from autodiff.programs import effects
from autodiff.programs.passes import simplified
from autodiff.programs.program import Check, Program
from autodiff.programs.reading import Reading
from autodiff.programs.results import changes, ending, forms, restore, template
from autodiff.programs.state import Unsupported, converts, held
from autodiff.programs.trace import Kind, Refusal, Trace, layout
from autodiff.transforms.results import Function, name_of


def record(
    f: Function,
    args: Any,
    kwargs: Any,
    varying: Container[str] = (),
    static: Container[str] = (),
    converting: bool = False,
) -> Program:
    """Run a function on traced arrays, and return its calls as a program, after all passes.

    Nothing that the run changes is seen outside.

    Parameters
    ----------
    f : callable
        The function.
    args, kwargs
        Its arguments.
    varying : container of str
        Labels of captured numbers that are inputs.
    static : container of str
        Names of arguments whose numbers are compared by value.
    converting : bool
        Whether the back end takes arrays that NumPy's functions turn into arrays of NumPy.

    Raises
    ------
    Refusal
        If the function does something that no program can repeat.
    Unsupported
        If it reads something that cannot be traced.
    """
    read: set[str] = set()
    apart = True
    while True:
        found = _one_run(f, args, kwargs, varying, static, read, apart, converting)
        if isinstance(found, Program):
            break
        if not found:  # arrays are changed
            apart = False
        read |= found
    return replace(simplified(found), recorded=found)


def _one_run(
    f: Function,
    args: Any,
    kwargs: Any,
    varying: Container[str],
    static: Container[str],
    read: Container[str],
    apart: bool,
    converting: bool,
) -> Program | set[str]:
    """Return the program without passes, or the labels of lists that the function reads.

    The set is empty if it changes an array that is found in several places.
    """
    trace, name = Trace(), name_of(f)
    reading = Reading(trace, varying, static, read, apart, converting)
    signature, labels = _labelled(f, args, kwargs)
    standin = reading.function(f)
    test = f"len(args) != {len(args)} or [*kwargs] != {[*kwargs]!r}"
    reading.check(test, "the call", f"one with the arguments {', '.join(labels.values())}")
    given = [reading.argument(x, f"args[{k}]", labels[k]) for k, x in enumerate(args)]
    named = {key: reading.argument(x, f"kwargs[{key!r}]", labels[key]) for key, x in kwargs.items()}
    before = [
        held(x.object) if x.copied or not isinstance(x.object, np.ndarray) else x.object.copy()
        for x in reading.mutables
    ]
    generators = [*effects.generators(), *reading.generators]
    states = [(x, effects.state_of(x)) for x in generators]
    try:
        with effects.refused(name), np.errstate(all="call", call=_unheard):
            result = standin(*given, **named)
    except Exception:
        if reread := reading.reread():
            return reread
        raise
    finally:
        trace.open = False
        restore(reading, before, name)
        effects.check_generators(states, name)
    if trace.texts:
        raise trace.texts[0]
    if reread := reading.reread():
        return reread
    found = changes(reading, before, name)
    whole = template(result, reading, f"{name} returned")
    kinds, written = trace.kinds(), trace.written()
    if written:
        if any(not isinstance(x, np.ndarray) for x in trace.values if np.shape(x)):
            raise Unsupported(f"{name} changes arrays in place, which are not all NumPy's")
        for x in reading.inputs:
            if x.slot in written and converts(x.type):
                raise Refusal(
                    f"{name} changes {x.label} in place, but a {x.type.__module__}."
                    f"{x.type.__name__} does not change: copy it first"
                )
        if apart and len({*map(id, reading.originals)}) < len(reading.originals):
            return set()
        if overlap(*reading.originals):
            raise Unsupported(f"{name} changes arrays in place, and its arguments share memory")
        _check_memory(reading, kinds)
    outputs = (whole, [change.value for change in found]) if found else whole
    around = forms(outputs, kinds)
    return Program(
        name,
        signature,
        reading.inputs,
        tuple(trace.steps),
        outputs,
        found,
        kinds,
        trace.names,
        written,
        trace.decisions,
        Check(reading, ending(outputs, found, around).variables),
        around,
    )


def _unheard(kind: str, flag: int) -> None:
    """Ignore a warning of NumPy, which the function itself gives."""


def _labelled(f: Any, args: Any, kwargs: Any) -> tuple[inspect.Signature, dict[Any, str]]:
    """Return the signature of a call, and the names of its arguments by position and by keyword."""
    try:
        bound = inspect.signature(f).bind(*args, **kwargs)
    except ValueError:  # of a builtin function
        parameters = [Parameter(f"x{k}", Parameter.POSITIONAL_OR_KEYWORD) for k in range(len(args))]
        parameters += [Parameter(key, Parameter.KEYWORD_ONLY) for key in kwargs]
        bound = inspect.Signature(parameters).bind(*args, **kwargs)
    labels: dict[Any, str] = {}
    kept = []
    for name, parameter in bound.signature.parameters.items():
        if name not in bound.arguments:
            continue
        kept.append(parameter.replace(default=Parameter.empty, annotation=Parameter.empty))
        if parameter.kind is Parameter.VAR_POSITIONAL:
            start = len([key for key in labels if type(key) is int])
            labels.update((start + k, f"{name}[{k}]") for k in range(len(bound.arguments[name])))
        elif parameter.kind is Parameter.VAR_KEYWORD:
            labels.update((key, f"{name}[{key!r}]") for key in bound.arguments[name])
        else:
            position = len([key for key in labels if type(key) is int])
            labels[name if name in kwargs else position] = name
    return inspect.Signature(kept), labels


def _check_memory(reading: Reading, kinds: Sequence[Kind]) -> None:
    """Add what must hold of arrays that a program may change in place.

    They must lie in memory as the traced ones did, and share none of it.
    """
    reading.space.update(layout=layout, overlap=overlap)
    arrays = [x for x in reading.inputs if kinds[x.slot].shape and not converts(x.type)]
    names = "".join(f"{x.variable}, " for x in arrays)
    reading.check(f"overlap({names})", "an array", "apart from the others in memory")
    for x in arrays:
        found = kinds[x.slot].layout
        expected = f"contiguous in the orders {found!r}"
        reading.check(f"layout({x.variable}) != {found!r}", x.label, expected)


def overlap(*arrays: Any) -> bool:
    """Return whether any two arrays of NumPy may share memory."""
    arrays = tuple(x for x in arrays if isinstance(x, np.ndarray))
    return any(np.may_share_memory(*pair) for pair in combinations(arrays, 2))
