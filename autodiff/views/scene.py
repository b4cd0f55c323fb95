"""Select what to draw of a graph: its nodes and blocks, their boxes, the edges.

A picture has room for some hundred nodes; a graph may have a million. So the graph is read from its
newest node, up to a bound. Groups below the chosen depth, iterations of a loop, and nodes beyond
the limit are each replaced by a block: one item with a label and edges. Nothing is computed here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heapify, heappop, heappush
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.core.graph import Node, by_serial
from autodiff.core.groups import Group, groups_of
from autodiff.ops.general import item

READ = 20_000  # most nodes read of a graph
REPEATS = 5  # fewest iterations of a loop that is folded
PERIOD = 256  # most operations of one iteration
STRETCHES = 50  # most loops folded in one box
SHOWN = 12  # most variables drawn that one operation alone reads
BETWEEN = 3  # most edges drawn between a block and another item


@dataclass(eq=False)
class Block:
    """Several nodes drawn as one.

    Attributes
    ----------
    label : str
    kind : str
        "layer" (a group), "fold" (iterations, or variables), or "rest" (nodes beyond the limit).
    nodes : list of Node
        The nodes it stands for, oldest first, as far as they were read.
    serial : float
        The serial number of its newest node.
    box : Box
        The box around it.
    """

    label: str
    kind: str
    nodes: list[Node]
    serial: float
    box: Box


Item = Node | Block


@dataclass(eq=False)
class Box:
    """A frame around a group of nodes, and around the frames inside it; the root is the picture."""

    label: str
    result: Node | None = None
    group: Group | None = None
    parent: Box | None = None
    level: int = 0
    nodes: list[Node] = field(default_factory=list)  # without those of inner boxes
    boxes: list[Box] = field(default_factory=list)

    def path(self) -> list[Box]:
        """Return this box and its ancestors, innermost first."""
        path = [self]
        while path[-1].parent is not None:
            path.append(path[-1].parent)
        return path

    def all_boxes(self) -> list[Box]:
        """Return this box and its descendants, outer boxes first."""
        found = [self]
        for box in found:
            found += box.boxes
        return found

    def all_nodes(self) -> list[Node]:
        """Return the nodes of this box and its descendants, oldest first."""
        return sorted([node for box in self.all_boxes() for node in box.nodes], key=by_serial)


@dataclass(frozen=True, eq=False)
class Edge:
    """An edge from the item that computes a value to an item that reads it.

    Attributes
    ----------
    tail, head : Node or Block
    node : Node
        The node of the value: the tail, one of its several results, or a node inside it.
    k : int
        The position among the inputs of `head`; for a block, in the order of drawing.
    count : int
        The number of edges that this one represents.
    """

    tail: Item
    head: Item
    node: Node
    k: int
    count: int = 1


@dataclass(frozen=True, eq=False)
class Ends:
    """Where a picture ends.

    Attributes
    ----------
    results : dict
        The results, each by its place: "" for a result by itself, "[0]" in a tuple.
    loose : sequence of Node
        Nodes whose results nobody reads.
    """

    results: Mapping[str, Node]
    loose: Sequence[Node] = ()

    def nodes(self) -> list[Node]:
        """Return the results and the loose nodes."""
        return [*dict.fromkeys([*self.results.values(), *self.loose])]


@dataclass(frozen=True, eq=False)
class Scene:
    """The items and edges to draw.

    Attributes
    ----------
    ends : Ends
    last : dict
        The item that computes each result, by the result's place.
    root : Box
        The picture itself.
    items : dict
        The key in the picture of each item, oldest first: n0, n1 … for nodes, b0, b1 … for blocks.
    boxes : dict
        The box around each item.
    edges : list of Edge
        Ordered by head, oldest first, then by k.
    """

    ends: Ends
    last: dict[str, Item]
    root: Box
    items: dict[Item, str]
    boxes: dict[Item, Box]
    edges: list[Edge]

    @property
    def nodes(self) -> list[Node]:
        """The nodes among the items, oldest first."""
        return [item for item in self.items if isinstance(item, Node)]


def origin(node: Node) -> Node:
    """Return the node to draw: for one of several results, the operation that computed them."""
    return node.inputs[0] if node.op is item else node


def scene(
    output: Node | Ends, *, depth: int | None = None, fold: bool = True, max_nodes: int = 500
) -> Scene:
    """Select what to draw of the graph of `output`, or of the graph with several ends.

    `depth` is the number of levels of groups to open (None: all). `fold` is whether to fold loops
    and variables. The newest `max_nodes` operations are drawn.
    """
    ends = output if isinstance(output, Ends) else Ends({"": output})
    origins = [origin(node) for node in ends.nodes()]
    nodes, unread = newest(origins, READ, _inputs)
    uses = Counter(arg for node in nodes for arg in _inputs(node))
    root = _boxes(nodes)
    boxes = {node: box for box in root.all_boxes() for node in box.nodes}
    home: dict[Node, Block] = {}  # the block of each hidden node
    for box in root.all_boxes():
        if box.result in home:
            continue
        if depth is not None and box.level > depth and box.parent:
            _hide(home, _layer(box), "layer", box.all_nodes(), box.parent)
        elif fold:
            for label, hidden in _loops(box, uses):
                _hide(home, label, "fold", hidden, box)
    for node in nodes if fold else []:
        hidden = [] if node in home else _repeated_inputs(node, uses, home)
        if hidden:
            label = f"variables\n× {len(hidden):,} more"
            _hide(home, label, "fold", hidden, boxes[hidden[0]])
    _limit(nodes, unread, home, max_nodes, root, origins)
    drawn: list[Item] = [node for node in nodes if node not in home and node.op is not item]
    keys = {each: f"n{i}" for i, each in enumerate(drawn)}
    keys |= {block: f"b{i}" for i, block in enumerate(dict.fromkeys(home.values()))}
    items = {each: keys[each] for each in sorted(keys, key=by_serial)}
    return Scene(
        ends,
        {place: home.get(origin(x), origin(x)) for place, x in ends.results.items()},
        root,
        items,
        {each: each.box if isinstance(each, Block) else boxes[each] for each in items},
        [edge for each in items for edge in _edges_into(each, home)],
    )


def _inputs(node: Node) -> list[Node]:
    return [arg for arg in node.inputs[:READ] if isinstance(arg, Node)]


def newest(
    outputs: Iterable[Node], most: int, inputs: Callable[[Node], Iterable[Any]]
) -> tuple[list[Node], list[Node]]:
    """Return the newest `most` nodes of the graph of `outputs`, and the unread ones that they read.

    Both are oldest first. No other node is visited.
    """
    seen = {*outputs}
    for output in seen:
        output.follow()
    found: list[Node] = []
    heap = [(-output.serial, output) for output in seen]
    heapify(heap)
    while heap and len(found) < most:
        _, node = heappop(heap)
        found.append(node)
        node.as_read()
        for arg in inputs(node):
            if isinstance(arg, Node) and arg not in seen:
                seen.add(arg)
                heappush(heap, (-arg.serial, arg))
    return found[::-1], sorted((node for _, node in heap), key=by_serial)


def _hide(home: dict[Node, Block], label: str, kind: str, nodes: list[Node], box: Box) -> None:
    nodes = sorted(nodes, key=by_serial)
    home |= dict.fromkeys(nodes, Block(label, kind, nodes, nodes[-1].serial, box))


# Boxes


def _boxes(nodes: list[Node]) -> Box:
    """Return the tree of boxes around the nodes."""
    root = Box("")
    inside = dict.fromkeys(nodes, root)
    readers: dict[Node, list[Node]] = {}
    for node in nodes:
        for arg in _inputs(node):
            readers.setdefault(arg, []).append(node)
    for result, group in groups_of(nodes):  # outer ones first
        parent = inside[result]
        box = Box(group.label, result, group, parent, parent.level + 1)
        parent.boxes.append(box)
        inside[result] = box
        found = [result]
        for node in found:
            for arg in _inputs(node):
                if arg.serial > group.since and inside.get(arg, box) is not box:
                    inside[arg] = box
                    found.append(arg)
    for node in nodes:
        if node.op is None and node in readers:
            inside[node] = _box_of(node, [inside[reader] for reader in readers[node]])
        inside[node].nodes.append(node)
    return root


def _box_of(variable: Node, readers: list[Box]) -> Box:
    """Return the innermost box around all readers of a variable whose group was not given it."""
    around = readers[0].path()
    for box in readers[1:]:
        path = box.path()
        around = [each for each in around if each in path]
    return next(
        box for box in around if box.group is None or variable.serial not in box.group.given
    )


def _layer(box: Box) -> str:
    """Return the label of a closed box: its name, and the names of its parameters."""
    names = [node.name for node in box.all_nodes() if node.op is None and node.name]
    return f"{box.label}\n{_abridged(names)}" if names else box.label


def _abridged(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 4 else [*names[:2], "…", names[-1]])


# Folds


def _loops(box: Box, uses: Counter[Node]) -> Iterator[tuple[str, list[Node]]]:
    """Find loops among the operations of a box; yield a label and the nodes to hide for each."""
    units = [
        (node.serial, node.op.symbol, [node])
        for node in box.nodes
        if node.op is not None and node.op is not item
    ]
    units += [(each.result.serial, each.label, each.all_nodes()) for each in box.boxes]  # type: ignore[union-attr]
    units.sort(key=lambda unit: unit[0])
    signs = _signs([(name, members) for _, name, members in units])
    for start, period, repeats in _repetitions(signs):
        first, last = start + period, start + period * (repeats - 1)
        hidden = [node for _, _, members in units[first:last] for node in members]
        reads = Counter(arg for node in hidden for arg in _inputs(node))
        seen = set(hidden)
        hidden += [
            arg
            for arg, count in reads.items()
            if arg.op is None and count == uses[arg] and arg not in seen
        ]
        names = [name for _, name, _ in units[first : first + period]]
        yield f"{_abridged(names)}\n× {repeats - 2:,} more", hidden


def _signs(units: list[tuple[str, list[Node]]]) -> Any:
    """Return a number for each unit: equal for the same operations on inputs at equal distances."""
    place = {node: i for i, (_, members) in enumerate(units) for node in members}
    numbers: dict[Any, int] = {}
    read: dict[Node, int] = {}
    signs = []
    for i, (name, members) in enumerate(units):
        sign: list[Any] = [name]
        for node in members:
            sign.append(node.op and node.op.name)
            for arg in node.inputs[:SHOWN]:
                if not isinstance(arg, Node):
                    sign.append(type(arg))
                elif origin(arg) in place:
                    sign.append(i - place[origin(arg)])
                else:  # a variable, or a node outside the box: new, or read before
                    sign.append(("again", i - read[arg]) if arg in read else "new")
                    read[arg] = i
        signs.append(numbers.setdefault(tuple(sign), len(numbers)))
    return np.array(signs, int)


def _repetitions(signs: Any) -> list[tuple[int, int, int]]:
    """Return the repetitions in a sequence, none inside another: (start, period, repeats) each."""
    found = []
    free = np.ones(len(signs), bool)
    for _ in range(STRETCHES):
        best = (0, 0, 0, 0)
        for period in range(1, min(PERIOD, len(signs) // REPEATS) + 1):
            same = (signs[period:] == signs[:-period]) & free[period:] & free[:-period]
            changes = np.flatnonzero(np.diff(same.view(np.int8), prepend=0, append=0))
            lengths = changes[1::2] - changes[::2]
            if len(lengths):
                repeats = int(lengths.max()) // period + 1
                start = int(changes[2 * lengths.argmax()])
                if repeats >= REPEATS:
                    best = max(best, ((repeats - 2) * period, -period, start, repeats))
        hidden, negative, start, repeats = best
        if not hidden:
            break
        found.append((start, -negative, repeats))
        free[start : start - negative * repeats] = False
    return sorted(found)


def _repeated_inputs(node: Node, uses: Counter[Node], home: dict[Node, Block]) -> list[Node]:
    """Return the middle of the variables that this operation alone reads, if they are many."""
    own = [arg for arg in _inputs(node) if arg.op is None and uses[arg] == 1]
    return [arg for arg in own[SHOWN // 2 : -1] if arg not in home] if len(own) > SHOWN else []


def _limit(
    nodes: list[Node],
    unread: list[Node],
    home: dict[Node, Block],
    most: int,
    root: Box,
    origins: list[Node],
) -> None:
    """Hide the oldest nodes in one block if more than `most` operations would be drawn."""
    units = dict.fromkeys(
        home.get(node, node)
        for node in reversed(nodes)
        if node in home or node.op not in (None, item)
    )
    kept = set(list(units)[:most])
    rest = {node for node in nodes if home.get(node, node) in units.keys() - kept}
    still_read = {arg for node in nodes if node not in rest for arg in _inputs(node)}
    rest |= {node for node in nodes if node.op in (None, item) and node not in still_read}
    rest.difference_update(origins)
    if rest or unread:
        read = sorted(rest, key=by_serial)
        number = f"more than {READ:,}" if unread else f"{len(read):,}"
        oldest = (read or unread)[-1].serial
        block = Block(f"{number}\nearlier nodes", "rest", read, oldest, root)
        home |= dict.fromkeys([*unread, *read], block)


# Edges


def _edges_into(each: Item, home: dict[Node, Block]) -> list[Edge]:
    """Return the edges into an item; many edges from one block are merged."""
    if isinstance(each, Node):
        reads = [(k, arg) for k, arg in enumerate(each.inputs[:READ]) if isinstance(arg, Node)]
    else:
        reads = list(enumerate(dict.fromkeys(a for node in each.nodes for a in _inputs(node))))
    between: dict[Item, list[Edge]] = {}
    for k, arg in reads:
        tail = home.get(origin(arg), origin(arg))
        if tail is not each:
            between.setdefault(tail, []).append(Edge(tail, each, arg, k))
    found = []
    for tail, edges in between.items():
        if len(edges) > BETWEEN and isinstance(tail, Block):
            edges = [replace(edges[0], count=len(edges))]
        found += edges
    return sorted(found, key=attrgetter("k"))
