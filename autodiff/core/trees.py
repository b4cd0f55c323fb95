"""Nested containers of numbers and arrays: dict, list, tuple, namedtuple, dataclass.

A leaf is a number, an array or a node. Anything else (None, a string, a bool, a function) is part
of the structure and stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from numbers import Number
from typing import Any

import numpy as np

from autodiff.core.graph import Node


def is_leaf(x: Any) -> bool:
    """Return whether `x` is a number, an array of numbers or a node."""
    if (kind := type(x)) is float or isinstance(x, Node):
        return True
    if kind is tuple or kind is list or kind is dict:  # fast path: most containers
        return False
    if kind is np.ndarray:  # fast path: most arrays
        return x.dtype.kind in "fciub"
    of_dtype = getattr(getattr(x, "dtype", None), "kind", None)
    if of_dtype is not None:
        return of_dtype in "fciub"
    return isinstance(x, Number) and not isinstance(x, bool)


def mapped(
    f: Callable[[Any], Any], tree: Any, other: Callable[[Any], Any] = lambda part: part
) -> Any:
    """Return the same containers with `f` applied to each leaf, `other` to anything else."""
    if is_leaf(tree):
        return f(tree)
    if isinstance(tree, dict):
        made: Any = copy(tree)
        made.update((key, mapped(f, part, other)) for key, part in tree.items())
        return made
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[mapped(f, part, other) for part in tree])
    if isinstance(tree, list | tuple):
        return type(tree)([mapped(f, part, other) for part in tree])
    if hasattr(type(tree), "__dataclass_fields__"):
        from dataclasses import fields  # slow to import, but a dataclass has loaded it

        made = copy(tree)
        for field in fields(tree):
            # works for a frozen dataclass too
            object.__setattr__(made, field.name, mapped(f, getattr(tree, field.name), other))
        return made
    return other(tree)


def leaves(tree: Any) -> list[Any]:
    """Return all leaves, in the order of their containers."""
    if is_leaf(tree):
        return [tree]
    found: list[Any] = []
    mapped(found.append, tree)
    return found


def rebuilt(tree: Any, new: Iterable[Any]) -> Any:
    """Return the same containers with new leaves, given in the order of `leaves`."""
    following = iter(new)
    return mapped(lambda _: next(following), tree)


def checked(tree: Any, like: Any, what: str) -> list[Any]:
    """Return the leaves of a container; raise a ValueError unless their shapes match `like`."""
    found, expected = leaves(tree), leaves(like)
    shapes = [[np.shape(leaf) for leaf in part] for part in (found, expected)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{what} has shapes {shapes[0]}, but must have shapes {shapes[1]}")
    return found


def paths(tree: Any, name: str = "") -> list[str]:
    """Return the path of each leaf, as in name['weights'][0], in the order of `leaves`."""
    if is_leaf(tree):
        return [name]
    parts: Iterable[tuple[str, Any]] = ()
    if isinstance(tree, dict):
        parts = [(f"[{key!r}]", part) for key, part in tree.items()]
    elif isinstance(tree, list | tuple):
        fields = getattr(tree, "_fields", None)
        words = (
            [f".{field}" for field in fields] if fields else [f"[{i}]" for i in range(len(tree))]
        )
        parts = zip(words, tree, strict=True)
    elif hasattr(type(tree), "__dataclass_fields__"):
        parts = [(f".{key}", getattr(tree, key)) for key in type(tree).__dataclass_fields__]
    return [path for word, part in parts for path in paths(part, name + word)]
