"""The steps of a program as a graph of nodes, so that whatever shows a graph shows a program.

A node stands for a value. An array that is changed in place has a node for each version, as in the
graph of in-place code, and so have the arrays that share its memory.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from copy import copy
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Node, Op, Params, next_serial
from autodiff.core.groups import Group, remember
from autodiff.ops.general import item
from autodiff.ops.registry import BY_FUNCTION, TABLE
from autodiff.programs.program import Program
from autodiff.programs.replay import Run, run_step
from autodiff.programs.source import BINARY
from autodiff.programs.trace import Guard, Line, Method, Slot, Step, mapped, slots_in
from autodiff.views.scene import Ends

LONGEST = 60  # most characters of a line of code on a box


class Named(Op):
    """An operation without a row in the table: its name, and its symbol in a picture."""

    def __init__(self, name: str, symbol: str) -> None:
        self.name, self.symbol = name, symbol


class Decision(Named):
    """What data decided; its node is drawn as a diamond, and nobody reads it."""


class ProgramNode(Node):
    """A value of a program: its number at a point, else its kind (shape and dtype)."""

    __slots__ = ("captured", "params")

    def __init__(
        self, data: Any, name: str | None, op: Op | None, inputs: Sequence[Any], params: Params
    ) -> None:
        self._data, self.name, self.op = data, name, op
        self.inputs, self.params = tuple(inputs), params
        self.grad, self.captured, self.serial = None, False, next_serial()

    def __repr__(self) -> str:
        return self.name or (self.op.name if self.op else "a constant")


class Constant(ProgramNode):
    """A result that is the same in every run."""

    __slots__ = ()

    def __init__(self, data: Any) -> None:
        super().__init__(data, None, None, (), {})
        self.captured = True


def ends_of(x: Any, taker: str) -> Ends:
    """Return the ends of a graph, or of the graph of a program, with its numbers at a point.

    Raises
    ------
    TypeError
        If `x` is none of these; the message names the function `taker`.
    """
    if isinstance(x, Node):
        return Ends({"": x})
    if isinstance(x, Program | Run):
        return _Graph(x).ends()
    raise TypeError(f"{taker} takes a Value, a Tensor or a program, not {type(x).__name__}")


class _Graph:
    """Makes the nodes of a program, step by step."""

    def __init__(self, x: Program | Run) -> None:
        self.program = x.program if isinstance(x, Run) else x
        self.values: dict[Slot, Any] | None = None
        if isinstance(x, Run):
            slots = [given.slot for given in self.program.inputs]
            self.values = dict(zip(slots, map(copy, x.inputs), strict=True))
        self.nodes: dict[Slot, ProgramNode] = {}
        """The node of each slot's current version."""
        self.views: dict[Slot, tuple[Slot, Step]] = {}
        """The array that a view was taken of, and how."""
        self.seen: dict[Slot, ProgramNode] = {}
        """The version of that array which the view's node shows."""
        self.guards: list[Node] = []
        for given in self.program.inputs:
            node = self.nodes[given.slot] = self.made(given.slot, given.label, None, ())
            node.captured = given.captured
        self.first = dict(self.nodes)

    def ends(self) -> Ends:
        run: list[Node] = []  # the nodes of a line of the user's
        line, since = Line("", 0), 0
        for step in self.program.steps:
            if step.line != line:
                self.frame(line, since, run)
                run, line, since = [], step.line, next_serial()
            run += self.guard(step) if isinstance(step, Guard) else self.step(step)
        self.frame(line, since, run)
        return Ends(self.results(), self.guards)

    def frame(self, line: Line, since: float, nodes: list[Node]) -> None:
        """Draw the nodes of a line in a box."""
        if not line.text:
            return
        text = line.text if len(line.text) <= LONGEST else f"{line.text[: LONGEST - 1]}…"
        given = [node.serial for node in self.first.values()]
        read = {arg for node in nodes for arg in node.inputs if isinstance(arg, Node)}
        for node in nodes:
            if node not in read:
                remember(node, Group(text, int(since), given))

    def made(
        self, slot: Slot, name: str | None, op: Op | None, inputs: Sequence[Any], **params: Any
    ) -> ProgramNode:
        """Return a node with the present value of a slot."""
        data: Any = self.program.kinds[slot]
        if self.values is not None:
            data = self.values[slot]
            data = copy(data) if slot in self.program.written else data
        return ProgramNode(data, name, op, inputs, params)

    # Steps

    def guard(self, guard: Guard) -> list[Node]:
        held = guard.held
        words = {bool: "is {}", int: "is {}", tuple: "has shape {}", str: "is {}"}[type(held)]
        decision = Decision("guard", words.format(held))
        node = self.made(guard.slot, None, decision, [self.read(guard.slot)])
        self.guards.append(node)
        return [node]

    def step(self, step: Step) -> list[Node]:
        """Make the nodes of a step's results, and of the arrays that it changes."""
        op, inputs, params = self.operation(step)
        if self.values is not None:
            run_step(step, self.values)
        names = self.program.names
        if isinstance(step.out, tuple | list):
            slots = slots_in(step.out)
            data = tuple(self.made(slot, None, None, ())._data for slot in slots)
            whole = ProgramNode(data, None, op, inputs, params)
            for k, slot in enumerate(slots):
                self.nodes[slot] = self.made(slot, names.get(slot), item, (whole,), index=k)
            return [whole, *(self.nodes[slot] for slot in slots)]
        if step.writes:
            return [
                node
                for slot in step.writes
                for node in self.write(slot, self.made(slot, names.get(slot), op, inputs, **params))
            ]
        out = step.out
        self.nodes[out] = self.made(out, names.get(out), op, inputs, **params)
        memory = self.program.written
        for slot in slots_in(step.args[:1]) if out in memory else []:
            if memory.get(slot) == memory[out]:
                self.views[out], self.seen[out] = (slot, step), self.nodes[slot]
        return [self.nodes[out]]

    def operation(self, step: Step) -> tuple[Op, list[Any], dict[str, Any]]:
        """Return the operation of a step, its inputs and its parameters."""
        op = _operation(step)
        args, params = step.args, {key: x for key, x in step.kwargs.items() if key != "out"}
        if step.function is operator.setitem:
            args, params = (args[0], args[2]), {"index": args[1]}
        elif not isinstance(op, Named):
            try:
                bound, given = op.bind(args, params)
                args, params = tuple(bound), dict(given)
            except TypeError:  # called in another way than the row is
                op = Named(op.name, op.symbol)
        if isinstance(op, Named):
            shown = slots_in(args)
            args = tuple(shown if len(shown) > len(args) else filter(_is_operand, args))
        inputs = [self.read(x) if type(x) is Slot else x for x in args]
        inputs += [self.read(slot) for slot in slots_in(params)]
        named = {key: mapped(self.label, x) for key, x in params.items()}
        return op, inputs, named

    def label(self, x: Any) -> Any:
        return (self.nodes[x].name or "…") if type(x) is Slot else x

    # Versions

    def read(self, slot: Slot) -> ProgramNode:
        """Return the node of a slot's present version; a view follows the array it is of."""
        path = [slot]
        while path[-1] in self.views:
            path.append(self.views[path[-1]][0])
        for view, base in zip(path[-2::-1], path[:0:-1], strict=True):
            now = self.nodes[base]
            if self.seen[view] is not now:
                op, _, params = self.operation_of_view(view)
                name = self.program.names.get(view)
                self.nodes[view] = self.made(view, name, op, [now], **params)
                self.seen[view] = now
        return self.nodes[slot]

    def operation_of_view(self, view: Slot) -> tuple[Op, list[Any], dict[str, Any]]:
        return self.operation(self.views[view][1])

    def write(self, slot: Slot, node: ProgramNode) -> list[Node]:
        """Enter a new version of an array, and of those that it is a view of."""
        made: list[Node] = [node]
        self.nodes[slot] = node
        while slot in self.views:
            base, step = self.views[slot]
            part, before = self.nodes[slot], self.read(base)
            params = {}
            op: Op = Named("write", "↦")
            if step.function is operator.getitem:
                op, params = TABLE["setitem"], {"index": mapped(self.label, step.args[1])}
            name = self.program.names.get(base)
            self.nodes[base] = self.made(base, name, op, [before, part], **params)
            self.seen[slot] = self.nodes[base]
            made.append(self.nodes[base])
            slot = base
        return made

    # Results

    def results(self) -> dict[str, Node]:
        """Return the node of each result by its place, and those of changed arguments."""
        program = self.program
        outputs, values = program.outputs if program.changes else (program.outputs, [])
        labels = ["", *(change.label for change in program.changes)]
        found: dict[str, Node] = {}
        for label, tree in zip(labels, [outputs, *values], strict=True):
            for place, leaf in zip(trees.paths(tree, label), trees.leaves(tree), strict=True):
                found[place] = self.read(leaf) if type(leaf) is Slot else Constant(leaf)
        for x in program.inputs:
            if self.read(x.slot) is not self.first[x.slot]:
                found.setdefault(x.label, self.read(x.slot))
        return found


def _operation(step: Step) -> Op:
    """Return the row of a step's function, or an operation that has its name."""
    function = step.function
    if function is operator.getitem:
        return TABLE["getitem"]
    if function is operator.setitem:
        return TABLE["setitem"]
    if isinstance(function, Method):
        function = getattr(np, function.__name__, function)
    row = BY_FUNCTION.get(function)
    if isinstance(row, Op):
        return row
    name = function.__name__
    if isinstance(owner := getattr(function, "__self__", None), np.ufunc):
        name = f"{owner.__name__}.{name}"
    if function in BINARY:
        return Named(name, BINARY[function][0])
    words = [x for x in step.args if type(x) is str]  # the subscripts of einsum
    return Named(name, " ".join([name, *words]))


def _is_operand(x: Any) -> bool:
    """Return whether a formula shows an argument: not a shape, a dtype or a name."""
    return type(x) is Slot or isinstance(x, int | float | complex | np.ndarray | np.generic)
