"""What there is to draw of a graph: its nodes, the boxes they stand in, what is folded, the edges.

A picture holds some hundred things, a graph a million. So it is read from its newest node on, up to
a bound; groups of operations deeper than asked for, iterations of a loop, and whatever is still too
much each become one block, which has a label and edges like a node. Nothing is computed here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from operator import attrgetter
from typing import Any

import numpy as np

from autodiff.core.graph import Node, by_serial
from autodiff.core.groups import Group, groups_of
from autodiff.ops.general import item

READ = 20_000  # how many nodes of a graph are looked at
REPEATS = 5  # from so many iterations on, a loop is folded between its first and its last
PERIOD = 256  # how many operations an iteration may have
STRETCHES = 50  # how many loops are looked for
SHOWN = 12  # how many variables are drawn that only one operation reads
BETWEEN = 3  # how many edges are drawn between a block and something else


@dataclass(eq=False)
class Block:
    """Several nodes drawn as one.

    Attributes
    ----------
    label : str
        What is written in it.
    kind : str
        "layer" (a group), "fold" (iterations, or inputs of one kind), or "rest" (what is too much).
    nodes : list of Node
        What it stands for, oldest first, as far as that was read.
    serial : float
        Its place among the nodes: that of the newest of its own.
    box : Box
        Where it stands.
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
    nodes: list[Node] = field(default_factory=list)  # its own, not those of the boxes inside it
    boxes: list[Box] = field(default_factory=list)

    def path(self) -> list[Box]:
        """This box and those around it, from the inside out."""
        path = [self]
        while path[-1].parent is not None:
            path.append(path[-1].parent)
        return path

    def all_boxes(self) -> list[Box]:
        """This box and those inside it, outer ones first."""
        found = [self]
        for box in found:
            found += box.boxes
        return found

    def all_nodes(self) -> list[Node]:
        """Its nodes and those of the boxes inside it, oldest first."""
        return sorted([node for box in self.all_boxes() for node in box.nodes], key=by_serial)


@dataclass(frozen=True, eq=False)
class Edge:
    """A value on its way from what computed it to what reads it.

    Attributes
    ----------
    tail, head : Node or Block
    node : Node
        Whose value it is: the tail itself, one of its several results, or a node inside of it.
    k : int
        Which input of `head` it is; of a block, they are counted as they are drawn.
    count : int
        How many edges this one is drawn for.
    """

    tail: Item
    head: Item
    node: Node
    k: int
    count: int = 1


@dataclass(frozen=True, eq=False)
class Scene:
    """What there is to draw.

    Attributes
    ----------
    output : Node
    last : Node or Block
        Where the output comes from.
    root : Box
        The picture itself.
    items : dict
        What is drawn, oldest first, and its key in the picture: n0, n1 … for nodes, b0, b1 … for
        blocks.
    boxes : dict
        The box that each item stands in.
    edges : list of Edge
        By their heads, oldest first, and by k.
    """

    output: Node
    last: Item
    root: Box
    items: dict[Item, str]
    boxes: dict[Item, Box]
    edges: list[Edge]

    @property
    def nodes(self) -> list[Node]:
        """The nodes that are drawn themselves, oldest first."""
        return [item for item in self.items if isinstance(item, Node)]


def origin(node: Node) -> Node:
    """The node to draw for this one: of an operation's several results, the operation."""
    return node.inputs[0] if node.op is item else node


def scene(
    output: Node, *, depth: int | None = None, fold: bool = True, max_nodes: int = 500
) -> Scene:
    """Read what there is to draw of the graph that `output` was computed from.

    `depth` is how many levels of groups are opened (None: all), and `fold` whether repetitions are
    folded; at most `max_nodes` operations are drawn, the newest.
    """
    nodes, unread = newest(origin(output), READ, _inputs)
    uses = Counter(arg for node in nodes for arg in _inputs(node))
    root = _boxes(nodes)
    boxes = {node: box for box in root.all_boxes() for node in box.nodes}
    home: dict[Node, Block] = {}  # of the nodes that are not drawn themselves
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
    _limit(nodes, unread, home, max_nodes, root)
    drawn: list[Item] = [node for node in nodes if node not in home and node.op is not item]
    keys = {each: f"n{i}" for i, each in enumerate(drawn)}
    keys |= {block: f"b{i}" for i, block in enumerate(dict.fromkeys(home.values()))}
    items = {each: keys[each] for each in sorted(keys, key=by_serial)}
    return Scene(
        output,
        home.get(origin(output), origin(output)),
        root,
        items,
        {each: each.box if isinstance(each, Block) else boxes[each] for each in items},
        [edge for each in items for edge in _edges_into(each, home)],
    )


def _inputs(node: Node) -> list[Node]:
    return [arg for arg in node.inputs[:READ] if isinstance(arg, Node)]


def newest(
    output: Node, most: int, inputs: Callable[[Node], Iterable[Any]]
) -> tuple[list[Node], list[Node]]:
    """At most so many nodes that `output` was computed from, and those that they read beyond.

    Oldest first. No more of the graph than that is looked at.
    """
    output.follow()
    found: list[Node] = []
    heap, seen = [(-output.serial, output)], {output}
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
    """The boxes that the nodes stand in, as a tree."""
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
    """The innermost box that all who read a variable stand in, and that was not given it."""
    around = readers[0].path()
    for box in readers[1:]:
        path = box.path()
        around = [each for each in around if each in path]
    return next(
        box for box in around if box.group is None or variable.serial not in box.group.given
    )


def _layer(box: Box) -> str:
    """What is written on a box that is closed: its name, and those of its parameters."""
    names = [node.name for node in box.all_nodes() if node.op is None and node.name]
    return f"{box.label}\n{_abridged(names)}" if names else box.label


def _abridged(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 4 else [*names[:2], "…", names[-1]])


# Folds


def _loops(box: Box, uses: Counter[Node]) -> Iterator[tuple[str, list[Node]]]:
    """The iterations of loops among a box's operations: a label, and the nodes to hide."""
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
    """A number for each unit, equal for those that do the same to what is as far behind them."""
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
                else:  # a variable, or from outside of the box: new, or read before
                    sign.append(("again", i - read[arg]) if arg in read else "new")
                    read[arg] = i
        signs.append(numbers.setdefault(tuple(sign), len(numbers)))
    return np.array(signs, int)


def _repetitions(signs: Any) -> list[tuple[int, int, int]]:
    """Stretches that repeat themselves: (start, period, how often), none in another."""
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
    """Of many variables that one operation alone reads, all but the first ones and the last."""
    own = [arg for arg in _inputs(node) if arg.op is None and uses[arg] == 1]
    return [arg for arg in own[SHOWN // 2 : -1] if arg not in home] if len(own) > SHOWN else []


def _limit(
    nodes: list[Node], unread: list[Node], home: dict[Node, Block], most: int, root: Box
) -> None:
    """Put the oldest in one block, if more operations would be drawn than that many."""
    units = dict.fromkeys(
        home.get(node, node)
        for node in reversed(nodes)
        if node in home or node.op not in (None, item)
    )
    kept = set(list(units)[:most])
    rest = {node for node in nodes if home.get(node, node) in units.keys() - kept}
    still_read = {arg for node in nodes if node not in rest for arg in _inputs(node)}
    rest |= {node for node in nodes if node.op in (None, item) and node not in still_read}
    rest.discard(nodes[-1])
    if rest or unread:
        read = sorted(rest, key=by_serial)
        number = f"more than {READ:,}" if unread else f"{len(read):,}"
        oldest = (read or unread)[-1].serial
        block = Block(f"what comes before\n{number} nodes", "rest", read, oldest, root)
        home |= dict.fromkeys([*unread, *read], block)


# Edges


def _edges_into(each: Item, home: dict[Node, Block]) -> list[Edge]:
    """The edges that lead to a node or a block; many from one block are made one."""
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
