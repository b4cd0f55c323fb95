"""The graph: operations and nodes.

A node is its data, the op that made it, the op's inputs (nodes, or constants) and the op's
parameters, plus a serial number that grows with every node made. Inputs are therefore older than
the node that reads them, and sorting by serial number *is* the topological order: nothing here
recurses. An input that is younger than its reader was written after it was read: the reader then
goes on with the version that it has read (`Node.as_of`).

This module knows no NumPy. What arithmetic a node's data needs is told by its class (`Value` for
one float, `Tensor` for an array); what the derivative of an op is, by the op's row in `ops/`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from itertools import count
from operator import attrgetter
from types import MethodType
from typing import Any, ClassVar, Self, TypeVar

next_serial: Callable[[], int] = count(1).__next__
by_serial = attrgetter("serial")


def reassigned() -> float:
    """The serial number, no whole one, of a node that is changed where it stands.

    It is younger than what has read it before, so such a reader is found out when a derivative is
    asked for; and a walk sees that nodes older than the number may have read this one.
    """
    return next_serial() + 0.5


Args = Sequence[Any]
Params = Mapping[str, Any]


class Op:
    """One row of the table: a function and its derivative.

    Attributes
    ----------
    name : str
        The name under which the function is known in `autodiff` (and in NumPy, if it has it).
    symbol : str
        What a drawing writes into the operation's circle.
    function : callable
        Computes the result from plain data: `function(*inputs, **params)`.
    arity : int
        How many leading arguments are inputs (differentiable); -1 for a sequence of them.
    parameters : tuple of str
        Names of the further arguments that it takes.
    weak : bool
        Whether a Python number among the inputs adapts to the dtype of the others.
    """

    name: str
    symbol: str
    function: Callable[..., Any]
    arity: int
    parameters: tuple[str, ...]
    weak: bool = False
    access: str = ""
    """"read" or "write" of an op that accesses elements of its first input: walks then change in
    place what they carry (`pull_elements`, `push_written`)."""

    @property
    def signature(self) -> tuple[str, ...]:
        """Names of all arguments in the order in which a call may give them."""
        raise NotImplementedError

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        """Cotangent of input `k`, given the output's cotangent `g`; None means zero."""
        raise NotImplementedError

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        """What the tangent `t` of input `k` adds to the output's tangent; None means zero."""
        raise NotImplementedError

    def refuse(self, inputs: Args, given: Any, share: Any) -> None:
        """Raise if a rule made NaN of `given` because there is no derivative."""

    def pull_elements(self, total: Any, g: Any, spare: bool, node: Node) -> Any:
        """Add the cotangent of the first input to `total`, in place; None means zero.

        `spare` says that `g`, the cotangent of `node`, may be changed in place as well.
        """
        raise NotImplementedError

    def push_written(self, t: Any, value: Any, spare: bool, node: Node) -> Any:
        """Return the tangent of `node`, a write, from those of the array and the value.

        None means zero. `spare` says that `t` may be changed in place.
        """
        raise NotImplementedError

    def plain(self, args: Args, params: Params) -> Any:
        """What a call on plain numbers and arrays returns."""
        return self.function(*args, **params)

    def with_options(self, args: Args, params: Params) -> Any:
        """A call of a weak op with further arguments."""
        raise NotImplementedError

    def written_to(self, args: Args, params: Params) -> Any:
        """A call whose parameter `out` says where to write the result."""
        raise NotImplementedError

    def bind(self, args: Args, params: Params) -> tuple[Args, Params]:
        """Split a call into inputs and named parameters."""
        names = self.signature
        leading = 1 if self.arity < 0 else self.arity
        given = dict(zip(names, args, strict=False))
        twice = given.keys() & params.keys()
        given.update(params)
        if len(args) > len(names) or twice or not given.keys() >= {*names[:leading]}:
            raise TypeError(
                f"{self.name} takes ({', '.join(names)}); got {len(args)} arguments"
                + (f" and {', '.join(params)}" if params else "")
            )
        inputs: Args = [given.pop(name) for name in names[:leading]]
        return tuple(inputs[0]) if self.arity < 0 else inputs, given

    def __call__(self, *args: Any, **params: Any) -> Any:
        inputs, named = (args, params) if len(args) == self.arity else self.bind(args, params)
        if "out" in named:
            return self.written_to(inputs, named)
        if named and self.weak:
            return self.with_options(inputs, named)
        for name, value in named.items():
            if isinstance(value, Node):  # NumPy would ask it for this very function
                raise TypeError(
                    f"{self.name} has no derivative by its parameter {name!r}: pass {name}=x.data"
                )
        for arg in inputs:
            if isinstance(arg, Node):
                return arg.apply(self, inputs, named)
        return self.plain(inputs, named)

    def __get__(self, node: Any, owner: type | None = None) -> Any:
        """A row named in a class body is a method of that class."""
        return self if node is None else MethodType(self, node)

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self  # what computes is no part of a graph

    def __repr__(self) -> str:
        return f"<autodiff.{self.name}>"


class Parts(tuple[Any, ...]):
    """Cotangents, or tangents, of the parts of a result; None means zero."""

    __slots__ = ()

    def __add__(self, other: Any) -> Parts:
        return Parts(
            one if two is None else two if one is None else one + two
            for one, two in zip(self, other, strict=True)
        )


_COPIED = ("_data", "grad", "name", "op")


class Node:
    """A variable or a recorded result; `Value` and `Tensor` are its two kinds."""

    __slots__ = ("__weakref__", "inputs", "serial", *_COPIED)

    _data: Any
    grad: Any
    name: str | None
    op: Op | None
    inputs: Args
    serial: float
    params: Params
    superseded = False
    """Whether this is an earlier version of an array, for which no name stands any more."""

    tensor: ClassVar[type[Any]]  # the kind that holds an array, which ties itself here

    __hash__ = object.__hash__

    @classmethod
    def apply(cls, op: Op, args: Args, params: Params) -> Any:
        """Compute `op` on arguments among which is a node of this class, and record it."""
        raise NotImplementedError

    def seed(self, seed: Any = None) -> Any:
        """The cotangent to start `backward` from, checked: 1 if left out."""
        raise NotImplementedError

    def backward(self, seed: Any = None) -> None:
        """Set `.grad` of every node that this one was computed from."""
        raise NotImplementedError

    def fit(self, cotangent: Any) -> Any:
        """Bring a cotangent of this node to the node's own shape and dtype."""
        raise NotImplementedError

    def spread(self, tangent: Any) -> Any:
        """Bring a tangent of this node to the node's own shape and dtype."""
        raise NotImplementedError

    def zero(self) -> Any:
        """The cotangent of a node on which nothing depends."""
        raise NotImplementedError

    def fresh(self, carried: Any) -> Any:
        """Return a copy of a cotangent or tangent of this node, to be changed in place."""
        raise NotImplementedError

    def undefined(self, carried: Any) -> bool:
        """Whether there is a NaN in this plain cotangent or tangent of the node."""
        raise NotImplementedError

    def receive(self, name: str, made: Any, exact: bool, fresh: bool) -> None:
        """Take over a result, as the `out` of the function with this name.

        `exact` says that the shape must be the same, `fresh` that nobody else holds the result.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Take over what the user has done to the data since the graph last read it."""

    def current(self) -> Any:
        """The data as the user last left it, for what only looks at it."""
        return self._data

    # Deep copies and pickles are made in `copies`.

    def follow(self) -> None:
        """Take over what was written to the array that this node is a view of."""

    def as_of(self, serial: float) -> Node | None:
        """Return the version of this node that a reader with this serial number has read."""
        return self if self.serial < serial else None

    def as_read(self) -> Args:
        """Return the inputs, each in the version that this node has read.

        Raises
        ------
        RuntimeError
            If there is no such version: a variable's data was assigned since.
        """
        for arg in self.inputs:
            if isinstance(arg, Node) and arg.serial > self.serial:
                self.inputs = tuple([self._version_read(arg) for arg in self.inputs])
                break
        return self.inputs

    def _version_read(self, arg: Any) -> Any:
        version = arg.as_of(self.serial) if isinstance(arg, Node) else arg
        if version is None:
            raise stale(arg, self)
        return version

    @classmethod
    def copied(cls) -> tuple[str, ...]:
        """Names of what a copy takes over besides the inputs."""
        return *_COPIED, *cls.__slots__

    @staticmethod
    def packed(column: list[Any]) -> Any:
        """What is written for the values of one attribute of many nodes, if not their list."""
        return column

    @staticmethod
    def unpacked(column: Any) -> Sequence[Any]:
        """What `packed` was given."""
        values: Sequence[Any] = column
        return values

    def state(self) -> dict[str, Any]:
        """What a copy takes over."""
        return {"inputs": self.as_read(), **{name: getattr(self, name) for name in self.copied()}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        if any(isinstance(arg, Node) and arg.serial > self.serial for arg in self.inputs):
            # a pickler of longer standing knew the inputs, so that they were rebuilt after this
            self.serial = next_serial()

    def __copy__(self) -> Self:
        copied = blank(type(self))
        copied.__setstate__(self.state())
        return copied


_Kind = TypeVar("_Kind", bound=Node)


def blank(kind: type[_Kind]) -> _Kind:
    """A node to be filled: the newest there is."""
    node = kind.__new__(kind)
    node.serial = next_serial()
    return node


def stale(node: Node, reader: Node) -> RuntimeError:
    """The error for an input that was changed after `reader` had read it."""
    what = f"{type(node).__name__} {node.name!r}" if node.name else f"a {type(node).__name__}"
    op = reader.op.name if reader.op else "a node"
    return RuntimeError(
        f"{what} was assigned after {op} had read it, so the derivative of the old expression "
        "can no longer be computed: compute the expression again, then differentiate, or assign "
        "to elements (x[...] = new), which leaves earlier readers what they have read"
    )


def ancestors(*outputs: Node, since: float = 0, known: Container[float] = ()) -> list[Node]:
    """The nodes that the outputs are computed from, they themselves included, newest first.

    Nodes older than serial number `since` are left out, as are those whose number is known.
    """
    for node in outputs:
        node.follow()
    seen = set(outputs)
    found = list(seen)
    for node in found:
        for arg in node.inputs:
            if isinstance(arg, Node):
                if arg.serial > node.serial:
                    arg = node._version_read(arg)
                    node.as_read()
                if arg.serial >= since and arg not in seen and not (known and arg.serial in known):
                    seen.add(arg)
                    found.append(arg)
    found.sort(key=by_serial, reverse=True)
    return found


def data_of(x: Any) -> Any:
    """A node's data; anything else is its own."""
    return x._data if isinstance(x, Node) else x


def current(x: Any) -> Any:
    """A node's data as the user last left it; anything else is its own."""
    return x.current() if isinstance(x, Node) else x


def plain_data(inputs: Args) -> list[Any]:
    """What a rule is given to compute with; to record, it is given the inputs themselves."""
    return [arg._data if isinstance(arg, Node) else arg for arg in inputs]
