"""Reverse and forward mode: `pull` carries cotangents back, `push` carries tangents forward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from autodiff.core.graph import Node, ancestors, plain_data
from autodiff.core.modes import watcher


def _since(nodes: Iterable[Node]) -> float:
    """Return the serial number of the oldest node that may depend on the given nodes."""
    serials = [node.serial for node in nodes]
    return 0 if any(serial % 1 for serial in serials) else min(serials, default=0)


def dependents(nodes: list[Node], sources: set[Node]) -> set[Node]:
    """Return `sources` and the nodes (newest first) that depend on any of them."""
    live = set(sources)
    for node in reversed(nodes):
        for arg in node.inputs:
            if isinstance(arg, Node) and arg in live:
                live.add(node)
                break
    return live


# Whether the chain rule's products skip the test for a zero that absorbs an infinity (see
# `table.scaled`), which costs an extra pass over memory for each product.
hasty: ContextVar[bool] = ContextVar("hasty", default=False)

Check = Callable[[Node, Node, int, Any, Any, Any], None]  # a `Watcher.carried`
Resolve = Callable[[Node, Any, Any], Any]  # from (reader, given, share) to the share to use
Ask = Callable[[Node, Any, Any], tuple[Any, Mapping[Node, Any]]]


def _walked(
    walk: Callable[..., dict[Node, Any]],
    carried: Mapping[Node, Any],
    wanted: Iterable[Node] | None,
    record: bool,
    order: list[Node] | None,
    ask: Ask,
) -> dict[Node, Any]:
    """Walk hastily; if there is NaN, walk carefully and ask the ops whose rules made it.

    `ask(reader, given, share)` returns the share to use and what to add to the walk's results. If
    that share is NaN, there is no derivative: an error if NaN reaches a result.
    """
    if record and order is None:
        for node in ancestors(*carried, *(wanted or ())):
            node.settle()  # before the walk, so that it sees data changed since it was read
    watched = watcher()
    if watched is None:
        if hasty.get():  # a nested walk: the outer one looks for NaN
            return walk(carried, wanted, record, order)
        token = hasty.set(not record)
        try:
            found = walk(carried, wanted, record, order)
        finally:
            hasty.reset(token)
        if not _undefined(found):
            return found
    added: list[Mapping[Node, Any]] = []
    lacking: list[Node] = []

    def resolve(reader: Node, given: Any, share: Any) -> Any:
        op: Any = reader.op
        if op.lacks(reader, given, share):
            share, more = ask(reader, given, share)
            added.append(more)
            if op.lacks(reader, given, share):
                lacking.append(reader)
        return share

    if watched is None:
        found = walk(carried, wanted, record, order, resolve)
    else:
        with watched.walking():
            found = walk(carried, wanted, record, order, resolve, watched.carried)
    for more in added:
        for node, t in more.items():
            found[node] = found[node] + t
    if lacking and _undefined(found):
        op: Any = lacking[0].op
        raise op.no_derivative(lacking[0].inputs)
    return found


def _undefined(found: dict[Node, Any]) -> bool:
    for node, x in found.items():  # noqa: SIM110  faster than any() for a few nodes
        if node.undefined(x._data if isinstance(x, Node) else x):
            return True
    return False


def pull(
    cotangents: Mapping[Node, Any],
    wanted: Iterable[Node] | None = None,
    record: bool = False,
    order: list[Node] | None = None,
) -> dict[Node, Any]:
    """Return the cotangents of the wanted nodes, or of all ancestors, from those given.

    With `record` the rules run on nodes, so that the result can be differentiated again. `order`,
    if known, lists the nodes that depend on the wanted ones, newest first.
    """

    def ask(reader: Node, g: Any, share: Any) -> tuple[Any, Mapping[Node, Any]]:
        op: Any = reader.op
        return op.resolve_pulled(reader, g, share, cotangents), {}

    return _walked(_pull, cotangents, wanted, record, order, ask)


def _pull(
    cotangents: Mapping[Node, Any],
    wanted: Iterable[Node] | None,
    record: bool,
    order: list[Node] | None,
    resolve: Resolve | None = None,
    check: Check | None = None,
) -> dict[Node, Any]:
    cotangents = dict(cotangents)
    kept = None if wanted is None else set(wanted)
    if kept is None:
        nodes = ancestors(*cotangents)
        live = set(nodes)
        kept = {node for node in nodes if not node.superseded}
    elif order is None:
        nodes = ancestors(*cotangents, since=_since(kept))
        live = dependents(nodes, kept)
    else:
        nodes, live = order, set(order)
    own: set[Node] = set()  # nodes whose cotangent may be changed in place
    for node in nodes:
        op = node.op
        if op is None or (g := cotangents.pop(node, None)) is None:
            continue
        if node in kept:
            cotangents[node] = g
        inputs, params = node.inputs, node.params
        if op.access and check is None:
            _pull_elements(node, g, cotangents, live, own, node in own and node not in kept)
            continue
        out: Any = node
        args = inputs
        if not record:  # not plain_data, to save a call for each node
            out, args = node._data, [x._data if isinstance(x, Node) else x for x in inputs]
        for k, arg in enumerate(inputs):
            if isinstance(arg, Node) and arg in live:
                share = op.vjp(k, g, out, args, params)
                share = None if share is None else arg.fit(share)
                if resolve is not None and op.undetermined:
                    share = resolve(node, g, share)
                if check is not None:
                    check(node, arg, k, g, share, cotangents.get(arg))
                if share is not None:
                    # pop, so that the array can be accumulated in place
                    cotangents[arg] = cotangents.pop(arg) + share if arg in cotangents else share
    return {node: cotangents[node] if node in cotangents else node.zero() for node in kept}


def _pull_elements(
    node: Node, g: Any, cotangents: dict[Node, Any], live: set[Node], own: set[Node], spare: bool
) -> None:
    """Pull `g` back through an access to elements; if `spare`, `g` may be changed in place.

    The array (the first input) comes last: its cotangent may reuse the memory of `g`.
    """
    op, inputs, params = node.op, node.inputs, node.params
    assert op is not None
    for k, arg in enumerate(inputs):
        if k and isinstance(arg, Node) and arg in live:
            share = op.vjp(k, g, node, inputs, params)
            share = arg.fit(node.fresh(share) if spare else share)
            cotangents[arg] = cotangents.pop(arg) + share if arg in cotangents else share
    array = inputs[0]
    if isinstance(array, Node) and array in live:
        total = cotangents.pop(array, None)
        if total is not None and array not in own:
            total = array.fresh(total)
        cotangents[array] = op.pull_elements(total, g, spare, node)
        own.add(array)


def push(
    tangents: Mapping[Node, Any],
    wanted: Iterable[Node],
    record: bool = False,
    order: list[Node] | None = None,
) -> dict[Node, Any]:
    """Return the tangents of the wanted nodes, from those given."""
    wanted = [*wanted]

    def ask(reader: Node, t: Any, share: Any) -> tuple[Any, Mapping[Node, Any]]:
        op: Any = reader.op
        resolved: tuple[Any, Mapping[Node, Any]] = op.resolve_pushed(reader, t, share, wanted)
        return resolved

    return _walked(_push, tangents, wanted, record, order, ask)


def _push(
    tangents: Mapping[Node, Any],
    wanted: Iterable[Node],
    record: bool,
    order: list[Node] | None,
    resolve: Resolve | None = None,
    check: Check | None = None,
) -> dict[Node, Any]:
    tangents, kept = dict(tangents), set(wanted)
    if order is None:
        order = ancestors(*kept, since=_since(tangents))
    own: set[Node] = set()  # nodes whose tangent may be changed in place
    last: dict[Node, Node] = {}  # the last reader of each node, filled at the first write
    for node in reversed(order):
        op, inputs = node.op, node.inputs
        if node in tangents or op is None:
            continue
        if op.access == "write" and check is None:
            last = last or {
                arg: x for x in order[::-1] for arg in x.inputs if isinstance(arg, Node)
            }
            array = inputs[0]
            spare = (
                isinstance(array, Node)
                and array in own
                and array not in kept
                and last[array] is node
            )
            _push_written(node, tangents, spare)
            if node in tangents:
                own.add(node)
            continue
        out, args = (node, inputs) if record else (node._data, plain_data(inputs))
        total = None
        for k, arg in enumerate(inputs):
            if isinstance(arg, Node) and arg in tangents:
                share = op.jvp(k, tangents[arg], out, args, node.params)
                if arg in own:  # the share may be a view of its tangent
                    if op.access:
                        share = node.fresh(share)
                    else:
                        own.discard(arg)
                if resolve is not None and op.undetermined:
                    share = resolve(node, tangents[arg], share)
                if check is not None:
                    spread = None if share is None else node.spread(share)
                    check(node, arg, k, tangents[arg], spread, total)
                if share is not None:
                    total = share if total is None else total + share
        if total is not None:
            tangents[node] = node.spread(total)
    return {node: tangents[node] if node in tangents else node.zero() for node in kept}


def _push_written(node: Node, tangents: dict[Node, Any], spare: bool) -> None:
    """Push tangents through a write; if `spare`, the array's may be changed in place."""
    t, value = (tangents.get(arg) if isinstance(arg, Node) else None for arg in node.inputs)
    if t is None and value is None:
        return
    if spare:
        del tangents[node.inputs[0]]
    op: Any = node.op
    tangents[node] = op.push_written(t, value, spare, node)
