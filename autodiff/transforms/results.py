"""Conversion of a function's result: object arrays of nodes to Tensors, unknown types to errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Node
from autodiff.ops.joining import array
from autodiff.ops.table import is_object

Function = (
    Callable[Concatenate[Any, ...], Any]
    | Callable[Concatenate[Any, Any, ...], Any]
    | Callable[Concatenate[Any, Any, Any, ...], Any]
    | Callable[Concatenate[Any, Any, Any, Any, ...], Any]
    | Callable[..., Any]
)
"""A user's function: `Callable[..., Any]`, by which pyright also infers a lambda's arguments."""

_STRUCTURE = type(None), bool, str, bytes
"""Types allowed in a container besides numbers, arrays, nodes and functions."""


def name_of(f: Callable[..., Any]) -> str:
    return getattr(f, "__name__", None) or getattr(f, "name", None) or repr(f)


def with_tensors(tree: Any) -> Any:
    """Return the same containers with a Tensor in place of each object array that contains a node.

    Raises
    ------
    TypeError
        If such an array contains anything but nodes and numbers.
    """

    if trees.is_leaf(tree):
        return tree

    def converted(part: Any) -> Any:
        held = is_object(part) and any(isinstance(x, Node) for x in part.flat)
        return _joined(part) if held else part

    return trees.mapped(lambda leaf: leaf, tree, converted)


def differentiable(tree: Any, source: str, bare: bool = False) -> Any:
    """Return a function's result with Tensors in place of object arrays of nodes and numbers.

    `source` begins the error message, as in "f returned". With `bare`, `tree` itself may be None, a
    bool, a string or a function, which are otherwise allowed in containers only.

    Raises
    ------
    TypeError
        If `tree` contains an unknown type, such as a set.
    """

    if trees.is_leaf(tree):
        return tree

    def converted(part: Any) -> Any:
        if is_object(part):
            try:
                return _joined(part)
            except (TypeError, ValueError) as error:
                raise TypeError(f"{source} an object array: {error}") from error
        if (bare or part is not tree) and (isinstance(part, _STRUCTURE) or callable(part)):
            return part
        dtype = getattr(part, "dtype", None)
        raise TypeError(
            f"{source} {'' if part is tree else 'a container with '}{part!r:.60} of type "
            f"{type(part).__name__}{'' if dtype is None else f' and dtype {dtype}'}, which has no "
            "derivative: make it a number, an array, a node, or a list, tuple, dict or dataclass "
            "of them" + (" (is a return statement missing?)" if part is None else "")
        )

    return trees.mapped(lambda leaf: leaf, tree, converted)


def _joined(objects: Any) -> Any:
    if not objects.size:
        return np.zeros(objects.shape)
    joined = array(objects.tolist())
    if joined.shape != objects.shape:
        raise TypeError(
            f"the elements of an object array are arrays, of shape {joined.shape[objects.ndim :]}: "
            "join them with autodiff.stack or autodiff.concatenate"
        )
    return joined
