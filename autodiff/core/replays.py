"""Recompute a part of a graph from other data."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any

from autodiff.core.graph import Node, ancestors, plain_data


def replayed(source: Node, data: Any, outputs: Iterable[Node]) -> dict[Node, Node]:
    """Return new nodes for `source`, now a variable with this data, and for its dependents.

    The keys are the nodes between the source and the outputs, both included.
    """
    nodes = ancestors(*outputs, since=source.serial)
    twins: dict[Node, Node] = {}
    for node in reversed(nodes):
        if node is source:
            twin = copy(node)
            twin.op, twin.inputs, twin._data = None, (), data
        elif any(isinstance(arg, Node) and arg in twins for arg in node.inputs):
            twin = copy(node)
            twin.inputs = tuple(
                [twins.get(arg, arg) if isinstance(arg, Node) else arg for arg in node.inputs]
            )
            assert node.op is not None
            twin._data = node.op.plain(plain_data(twin.inputs), node.params)
        else:
            continue
        twins[node] = twin
    return twins
