"""What a function gives back: its result, and its changes to objects that exist already.

Both are recorded as templates: containers with slots in place of traced arrays, and the names of
the check's variables in place of objects that the check finds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from copy import copy
from types import CellType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from autodiff.core import trees
from autodiff.nodes.arrays import private
from autodiff.programs.reading import Reading
from autodiff.programs.state import IMMUTABLE, Mutable, held
from autodiff.programs.trace import Kind, Refusal, Slot, Traced


class Known(NamedTuple):
    """An object that the check finds, by the name of its variable there."""

    variable: str


class Change(NamedTuple):
    """A change to an object: `source` has {0} for the object and {1} for the new value."""

    target: Known
    label: str
    source: str
    value: Any


LOST = object()
"""In place of the value of an item or attribute that was deleted."""


def changes(reading: Reading, before: Sequence[Any], name: str) -> list[Change]:
    """Return what a traced run changed.

    Parameters
    ----------
    reading : Reading
        What the run could read, and so change.
    before : sequence
        What each of `reading.mutables` held before it.
    name : str
        The function's name, for errors.
    """
    found = []
    for mutable, old in zip(reading.mutables, before, strict=True):
        if mutable.copied:
            for label, source, value in _differences(mutable, old, held(mutable.object)):
                value = value if value is LOST else template(value, reading, f"{name} sets {label}")
                found.append(Change(Known(mutable.variable), label, source, value))
    return found


def _differences(mutable: Mutable, old: Any, new: Any) -> Iterator[tuple[str, str, Any]]:
    """Iterate over (what changed, source of the change, new value)."""
    x, label = mutable.object, mutable.label
    if isinstance(new, list):
        if len(new) < len(old) or any(a is not b for a, b in zip(old, new, strict=False)):
            replace = "{0}.clear(); {0}.extend({1})" if isinstance(x, deque) else "{0}[:] = {1}"
            yield f"{label}[...]", replace, new
        elif len(new) > len(old):
            yield f"{label}[...]", "{0}.extend({1})", new[len(old) :]
        return
    if isinstance(x, set):
        if new != old:
            yield label, "{0}.clear(); {0}.update({1})", new["items"]
        return
    items = isinstance(x, dict)
    for key in [*old, *(key for key in new if key not in old)]:
        value = new.get(key, LOST)
        if value is old.get(key, LOST):
            continue
        if items and not isinstance(key, IMMUTABLE):
            raise Refusal(f"{label}: a key of type {type(key).__name__} cannot be added")
        target = f"{{0}}[{key!r}]" if items else f"{{0}}.{key}"
        words = target.format(label) if not isinstance(x, CellType) else label
        if label == "globals":
            words = key
        if not items and not isinstance(x, CellType | ModuleType):
            set_ = f"object.__setattr__({{0}}, {key!r}, {{1}})"
        else:
            set_ = f"{target} = {{1}}"
        yield words, f"del {target}" if value is LOST else set_, value


def restore(reading: Reading, before: Sequence[Any], name: str) -> None:
    """Put back what a traced run changed in objects of which it had no copy, and refuse it."""
    for mutable, old in zip(reading.mutables, before, strict=True):
        x = mutable.object
        if mutable.copied:
            continue
        if isinstance(x, np.ndarray):
            if x.tobytes() == old.tobytes():
                continue
            x[...] = old
        else:
            new = held(x)
            if len(new) == len(old) and not [*_differences(mutable, old, new)]:
                continue
            if isinstance(x, dict | set):
                x.clear()
                x.update(old if isinstance(x, dict) else old["items"])
            elif isinstance(x, list | deque):
                x.clear()
                x.extend(old)
            else:
                for key in new.keys() - old.keys():
                    delattr(x, key)
                for key, value in old.items():
                    if value is not new.get(key, LOST):
                        setattr(x, key, value)
        raise Refusal(
            f"{name} changes {mutable.label}, which a compiled function would change when it is "
            "traced only: pass what it changes as an argument, or make it an attribute of an object"
        )


def template(x: Any, reading: Reading, words: str) -> Any:
    """Return an object with slots in place of traced arrays, and known objects by name."""
    if type(x) is Traced:
        if x.trace is not reading.trace:
            raise Refusal(f"{words} to an array of another traced run")
        return x.slot
    if isinstance(x, IMMUTABLE) or x is LOST:
        return x
    if (variable := reading.variables.get(id(x))) is not None:
        return Known(variable)
    if isinstance(x, np.ndarray) and x.dtype != object:
        return private(x)
    if isinstance(x, dict):
        made: Any = copy(x)
        for key, part in x.items():
            made[key] = template(part, reading, words)
        return made
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[template(part, reading, words) for part in x])
    if isinstance(x, list | tuple):
        return type(x)([template(part, reading, words) for part in x])
    if isinstance(x, set | frozenset) and all(isinstance(part, IMMUTABLE) for part in x):
        return x
    if hasattr(type(x), "__dataclass_fields__"):
        made = copy(x)
        for name in type(x).__dataclass_fields__:
            object.__setattr__(made, name, template(getattr(x, name), reading, words))
        return made
    advice = ": return x.data" if hasattr(x, "data") and hasattr(x, "grad") else ""
    raise Refusal(
        f"{words}: a {type(x).__name__}, but a compiled function gives back numbers, arrays, and "
        f"lists, tuples, dicts and dataclasses of them{advice}"
    )


def paired(outputs: Any, found: Any) -> Iterator[tuple[Any, Any]]:
    """Iterate over the leaves of a template, each with what stands at its place in an object."""
    if trees.is_leaf(outputs):
        yield outputs, found
    elif isinstance(outputs, dict):
        for key, part in outputs.items():
            yield from paired(part, found[key])
    elif isinstance(outputs, list | tuple) and not isinstance(outputs, Known):
        for part, other in zip(outputs, found, strict=True):
            yield from paired(part, other)
    elif hasattr(type(outputs), "__dataclass_fields__"):
        for name in type(outputs).__dataclass_fields__:
            yield from paired(getattr(outputs, name), getattr(found, name))


def separated(outputs: Any, result: Any, taken: set[int]) -> Any:
    """Return the function's own result, with copies of arrays that share memory with others.

    `taken` has the identities of the inputs; those of the result are added.
    """
    if trees.is_leaf(outputs):
        return _own(result, taken)
    if isinstance(outputs, dict):
        for key, part in outputs.items():
            result[key] = separated(part, result[key], taken)
    elif isinstance(outputs, list | tuple) and not isinstance(outputs, Known):
        parts = [separated(*pair, taken) for pair in zip(outputs, result, strict=True)]
        return type(result)(*parts) if hasattr(result, "_fields") else type(result)(parts)
    elif hasattr(type(outputs), "__dataclass_fields__"):
        for name in type(outputs).__dataclass_fields__:
            part = separated(getattr(outputs, name), getattr(result, name), taken)
            object.__setattr__(result, name, part)
    return result


def _own(x: Any, taken: set[int]) -> Any:
    if isinstance(x, np.ndarray):
        if x.base is not None or id(x) in taken or not x.flags.writeable:
            x = np.array(x)
        taken.add(id(x))
    return x


class Ending(NamedTuple):
    """The source of what follows a program's calls: changes, and the result in its containers."""

    lines: list[str]
    variables: list[str]
    """The check's variables that the lines need."""
    space: dict[str, Any]


def ending(outputs: Any, found: Sequence[Change], forms: Sequence[str]) -> Ending:
    """Return the lines that make changes and the result of `r`, the values of all slots in order.

    Parameters
    ----------
    outputs : container
        The result, with slots; with the values of changes, if there are any, as a pair.
    found : sequence of Change
        The changes.
    forms : sequence of str
        The source around each leaf of the outputs.
    """
    result, values = outputs if found else (outputs, [])
    around = iter(forms)
    variables: dict[str, None] = {}
    space: dict[str, Any] = {"copy": copy, "array": np.array}
    count = 0

    def constant(x: Any) -> str:
        name = f"c{len(space)}"
        space[name] = x
        return name

    def expression(x: Any) -> str:
        nonlocal count
        if trees.is_leaf(x):
            if type(x) is Slot:
                count += 1
                return next(around).format(f"r[{count - 1}]")
            return next(around).format(f"array({constant(x)})" if np.ndim(x) else constant(x))
        if isinstance(x, Known):
            variables[x.variable] = None
            return x.variable
        if type(x) is dict:
            parts = [f"{constant(key)}: {expression(part)}" for key, part in x.items()]
            return f"{{{', '.join(parts)}}}"
        if isinstance(x, tuple) and hasattr(x, "_fields"):
            return f"{constant(type(x))}({', '.join(map(expression, x))})"
        if isinstance(x, list | tuple):
            parts = [expression(part) for part in x]
            if type(x) in (list, tuple):
                inside = ", ".join(parts)
                if type(x) is list:
                    return f"[{inside}]"
                return f"({inside}{',' if len(parts) == 1 else ''})"
            return f"{constant(type(x))}([{', '.join(parts)}])"
        if isinstance(x, dict) or hasattr(type(x), "__dataclass_fields__"):
            inside = ", ".join(map(expression, held(x).values()))
            return f"{constant(_remade)}({constant(x)}, [{inside}])"
        if isinstance(x, set):
            return f"copy({constant(x)})"
        return constant(x)

    whole = expression(result)
    lines = [f"result = {whole}"]
    for change, new in zip(found, values, strict=True):
        variables[change.target.variable] = None
        value = "" if new is LOST else expression(new)
        lines.append(change.source.format(change.target.variable, value))
    return Ending([*lines, "return result"], [*variables], space)


def forms(outputs: Any, kinds: Sequence[Kind]) -> list[str]:
    """Return the source around each leaf of the outputs that makes it what the caller gets.

    Python numbers are Python's, and NumPy's scalars are no arrays of shape ().
    """
    return [
        form(kinds[x].weak, kinds[x].scalar, kinds[x].dtype) if type(x) is Slot else "{}"
        for x in trees.leaves(outputs)
    ]


def form(python: bool, scalar: bool, dtype: np.dtype[Any]) -> str:
    """Return the source around a value of the given kind."""
    if python:
        names = {"b": "bool", "i": "int", "u": "int", "f": "float", "c": "complex"}
        return f"{names[dtype.kind]}({{}})"
    return "{}[()]" if scalar else "{}"


def _remade(like: Any, parts: list[Any]) -> Any:
    """Return a copy of a dict or dataclass with other parts."""
    made = copy(like)
    for key, part in zip(held(like), parts, strict=True):
        if isinstance(made, dict):
            made[key] = part
        else:
            object.__setattr__(made, key, part)
    return made


def own(values: list[Any], inputs: Sequence[Any]) -> list[Any]:
    """Return results as arrays that the caller may change, which share no memory."""
    taken = {id(x) for x in inputs}
    return [_own(x, taken) if isinstance(x, np.ndarray) else x for x in values]
