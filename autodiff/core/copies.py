"""Deep copies and pickles of graphs of any depth, without recursion.

A node is written as a member of a block, which contains all its ancestors. A block is written
column by column (one list for each attribute), so a million nodes are a dozen long lists. A later
block of the same copy or pickle omits the nodes of earlier ones; a block of one node is written as
that node.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from itertools import count, islice
from math import inf, nextafter
from operator import attrgetter
from threading import local
from typing import Any
from weakref import ref

from autodiff.core.graph import Node, ancestors, blank, by_serial


class Block(list[Node]):
    """Nodes that are written together, oldest first."""

    first = 0
    """The number of the first node in `Blocks`."""
    serials: Sequence[float] = ()
    """Serial numbers of the nodes when the block was made."""

    def __reduce__(self) -> tuple[Any, ...]:
        for k, (node, serial) in enumerate(zip(self, self.serials, strict=True)):
            if node.serial != serial:  # modified in place since
                version = node.as_of(nextafter(serial, inf))
                self[k] = node if version is None else version
        kinds: list[type[Node]] = list(map(type, self))
        columns = {
            kind: {
                name: kind.packed([getattr(node, name) for node in self.of_kind(kind)])
                for name in kind.copied()
            }
            for kind in dict.fromkeys(kinds)
        }
        counts = [len(node.inputs) for node in self]
        inputs = [arg for node in self for arg in node.as_read()]
        number = Blocks.current().get
        places = [
            number(arg.serial, -1) - self.first if isinstance(arg, Node) else -1 for arg in inputs
        ]
        others = [arg for arg, place in zip(inputs, places, strict=True) if place < 0]
        return blanks, (kinds,), (columns, counts, places, others)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        columns, counts, places, others = state
        others = iter(others)
        inputs = iter([next(others) if place < 0 else self[place] for place in places])
        for node, n in zip(self, counts, strict=True):
            node.inputs = tuple(islice(inputs, n))
        for kind, by_name in columns.items():
            rows = zip(*map(kind.unpacked, by_name.values()), strict=True)
            for node, row in zip(self.of_kind(kind), rows, strict=True):
                node.__setstate__(dict(zip(by_name, row, strict=True)))

    def of_kind(self, kind: type[Node]) -> list[Node]:
        return [node for node in self if type(node) is kind]


def blanks(kinds: list[type[Node]]) -> Block:
    """Return a block of blank nodes, so that nodes can be referred to before they are filled."""
    return Block(map(blank, kinds))


class Blocks(dict[float, int]):
    """The blocks of one copy or pickle; maps serial numbers to consecutive numbers.

    A node that was modified in place has a new serial number, so it counts as another node.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []

    @classmethod
    def current(cls) -> Blocks:
        """Return the blocks of this thread's copy or pickle; its memo keeps them alive."""
        found: Blocks | None = getattr(_of_thread, "blocks", lambda: None)()
        if found is None:
            found = cls()
            _of_thread.blocks = ref(found)
        return found

    def place(self, node: Node) -> tuple[Block, int]:
        """Return the block of a node, and its index there; make the block if necessary."""
        if node.serial not in self:
            block = Block(reversed(ancestors(node, known=self)))
            block.first, block.serials = len(self), [*map(by_serial, block)]
            self.update(zip(block.serials, count(block.first)))
            self.blocks.append(block)
            return block, len(block) - 1
        number = self[node.serial]
        block = self.blocks[bisect(self.blocks, number, key=attrgetter("first")) - 1]
        return block, number - block.first

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, ()


_of_thread = local()


def reduce_node(node: Node) -> tuple[Any, ...]:
    """Implement `__reduce__` of a node."""
    blocks = Blocks.current()
    block, place = blocks.place(node)
    if len(block) == 1:  # the common case of a variable
        return alone, (type(node), blocks), node.state()
    return member, (block, place, blocks)


def alone(kind: type[Node], _: object) -> Node:
    return blank(kind)


def member(block: Block, place: int, _: object) -> Node:
    return block[place]
