"""Groups of operations, for pictures only.

A side table: nodes and engine do not know of it. A group is stored as its result and the serial
number at which its computation began; it contains the ancestors of the result made since then. The
table forgets a group when its result is freed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, NamedTuple
from weakref import ref

from autodiff.core import trees
from autodiff.core.graph import Node, next_serial


class Group(NamedTuple):
    """Operations under one name.

    Attributes
    ----------
    label : str
        The name on the box.
    since : int
        The next serial number when the computation began.
    given : list of float
        The serial numbers of the arguments. Variables among them are drawn outside the box.
    """

    label: str
    since: int
    given: list[float]


class _Result(ref[Node]):
    """A weak reference to a result, with its groups, inner ones first."""

    __slots__ = ("groups", "serial")
    groups: list[Group]
    serial: float


_results: dict[float, _Result] = {}


def _forget(result: ref[Node]) -> None:
    assert isinstance(result, _Result)
    _results.pop(result.serial, None)


def grouped(label: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Draw the operations of a function as one box.

    The layers of `nn` are grouped in this way. Groups nest. Values and derivatives do not change.

    Parameters
    ----------
    label : str, optional
        The name on the box; by default the function's name, or the class's for a `__call__`.

    Returns
    -------
    callable
        A decorator of functions.

    Examples
    --------
    >>> from autodiff import Value, draw, exp, grouped
    >>> @grouped()
    ... def bell(x):
    ...     return exp(-x * x)
    >>> picture = draw(3 * bell(Value(0.5, "x")), depth=0)  # the box as one node
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = label or (None if function.__name__ == "__call__" else function.__name__)

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            since = next_serial()
            returned = function(*args, **kwargs)
            for node in [returned] if isinstance(returned, Node) else trees.leaves(returned):
                if isinstance(node, Node) and node.serial > since:
                    given = [arg.serial for arg in args if isinstance(arg, Node)]
                    remember(node, Group(own or type(args[0]).__name__, since, given))
            return returned

        return call

    return decorate


def remember(node: Node, group: Group) -> None:
    """Add a group to those whose result is `node`."""
    result = _results.get(node.serial)
    if result is None:
        result = _results[node.serial] = _Result(node, _forget)
        result.serial, result.groups = node.serial, []
    result.groups.append(group)


def groups_of(nodes: Iterable[Node]) -> list[tuple[Node, Group]]:
    """Return the groups whose result is one of the nodes, each with that node, outer ones first."""
    found = []
    for node in nodes:
        result = _results.get(node.serial)
        if result is not None:
            found += [(node, group) for group in result.groups]
    return sorted(found, key=lambda pair: pair[1].since)
