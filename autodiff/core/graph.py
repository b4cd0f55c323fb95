"""The graph: operations and nodes.

A node is its data, the op that made it, the op's inputs (nodes or constants) and parameters, and a
serial number. Serial numbers increase, so inputs are older than their reader and sorting by serial
number *is* the topological order: nothing here recurses. An input that is younger than its reader
was written after it was read; the reader then uses the version that it has read (`Node.as_of`).

This module knows no NumPy. The node's class (`Value` for a float, `Tensor` for an array) defines
the arithmetic on data, and the op's row in `ops/` its derivative.
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
    """Return a fractional serial number, which marks a node that was modified in place.

    It is younger than all earlier readers, so a walk raises when it meets one of them (`stale`);
    the fraction tells a walk that nodes older than the number may be readers.
    """
    return next_serial() + 0.5


Args = Sequence[Any]
Params = Mapping[str, Any]


class Op:
    """One row of the table: a function and its derivative.

    Attributes
    ----------
    name : str
        The function's name in `autodiff`, and in NumPy if NumPy has it.
    symbol : str
        The label of the operation's circle in a drawing.
    function : callable
        Computes the result from plain data: `function(*inputs, **params)`.
    arity : int
        The number of leading arguments that are differentiable inputs; -1 for one sequence of them.
    parameters : tuple of str
        Names of the other arguments.
    views : bool
        Whether a result may share memory with an input.
    weak : bool
        Whether a Python number among the inputs adapts to the dtype of the others.
    """

    name: str
    symbol: str
    function: Callable[..., Any]
    arity: int
    parameters: tuple[str, ...]
    weak: bool = False
    views: bool = True
    undetermined: str = ""
    """Results that may have no derivative, in words; the rules return NaN for them."""
    access: str = ""
    """"read" or "write" for an op on elements of its first input. Walks then accumulate cotangents
    and tangents in place (`pull_elements`, `push_written`)."""

    @property
    def signature(self) -> tuple[str, ...]:
        """The names of all arguments, in positional order."""
        raise NotImplementedError

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        """Return the cotangent of input `k` for the output's cotangent `g`; None means zero."""
        raise NotImplementedError

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        """Return the output's tangent for the tangent `t` of input `k`; None means zero."""
        raise NotImplementedError

    def lacks(self, reader: Node, given: Any, share: Any) -> bool:
        """Return whether a rule made the NaN of `share` from `given`, having no derivative."""
        return False

    def pull_elements(self, total: Any, g: Any, spare: bool, node: Node) -> Any:
        """Add the cotangent of the first input to `total`, in place; None means zero.

        If `spare`, `g`, the cotangent of `node`, may be changed in place as well.
        """
        raise NotImplementedError

    def push_written(self, t: Any, value: Any, spare: bool, node: Node) -> Any:
        """Return the tangent of a write `node`, from the array's tangent `t` and the value's.

        None means zero. If `spare`, `t` may be changed in place.
        """
        raise NotImplementedError

    def plain(self, args: Args, params: Params) -> Any:
        """Return the result for plain numbers and arrays."""
        return self.function(*args, **params)

    def with_options(self, args: Args, params: Params) -> Any:
        """Call a weak op with parameters."""
        raise NotImplementedError

    def written_to(self, args: Args, params: Params) -> Any:
        """Call the op and write the result to the parameter `out`."""
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
            if isinstance(value, Node):  # NumPy would call this op again, without end
                raise TypeError(
                    f"{self.name} has no derivative by its parameter {name!r}: pass {name}=x.data"
                )
        for arg in inputs:
            if isinstance(arg, Node):
                return arg.apply(self, inputs, named)
        return self.plain(inputs, named)

    def __get__(self, node: Any, owner: type | None = None) -> Any:
        """Bind as a method, so that a class body can use a row as one."""
        return self if node is None else MethodType(self, node)

    def __deepcopy__(self, memo: dict[int, Any]) -> Op:
        return self  # rows are shared by all graphs

    def __repr__(self) -> str:
        return f"<autodiff.{self.name}>"


class Parts(tuple[Any, ...]):
    """Cotangents or tangents of an op with several results; None means zero."""

    __slots__ = ()

    def __add__(self, other: Any) -> Parts:
        return Parts(
            one if two is None else two if one is None else one + two
            for one, two in zip(self, other, strict=True)
        )


_COPIED = ("_data", "grad", "name", "op")


class Node:
    """A variable or a recorded result: a `Value` or a `Tensor`."""

    __slots__ = ("__weakref__", "inputs", "serial", *_COPIED)

    _data: Any
    grad: Any
    name: str | None
    op: Op | None
    inputs: Args
    serial: float
    params: Params
    superseded = False
    """Whether this is an earlier version of an array, which users can no longer refer to."""

    tensor: ClassVar[type[Any]]  # set to `Tensor` by tensor.py

    __hash__ = object.__hash__

    @classmethod
    def apply(cls, op: Op, args: Args, params: Params) -> Any:
        """Compute `op` and record it; one of `args` is a node of this class."""
        raise NotImplementedError

    def seed(self, seed: Any = None) -> Any:
        """Return the checked cotangent to start `backward` from, 1 by default."""
        raise NotImplementedError

    def backward(self, seed: Any = None) -> None:
        """Set `.grad` of every node that this one was computed from."""
        raise NotImplementedError

    def fit(self, cotangent: Any) -> Any:
        """Reduce a cotangent to this node's shape and dtype, undoing broadcasting."""
        raise NotImplementedError

    def spread(self, tangent: Any) -> Any:
        """Broadcast a tangent to this node's shape and dtype."""
        raise NotImplementedError

    def zero(self) -> Any:
        """Return a zero cotangent or tangent."""
        raise NotImplementedError

    def fresh(self, carried: Any) -> Any:
        """Return a copy of a cotangent or tangent of this node that may be changed in place."""
        raise NotImplementedError

    def undefined(self, carried: Any) -> bool:
        """Return whether a plain cotangent or tangent of this node contains NaN."""
        raise NotImplementedError

    def receive(self, name: str, made: Any, exact: bool, fresh: bool) -> None:
        """Store the result `made` of the function `name`, whose `out` is this node.

        If `exact`, the shapes must be equal. If `fresh`, nothing else refers to the result.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Update the node after the user has changed its data in place, before it is read."""

    def current(self) -> Any:
        """Return the data including the user's changes in place."""
        return self._data

    def follow(self) -> None:
        """Update a view after its base was written."""

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
        """Return the names of the attributes that a copy takes over, except the inputs."""
        return *_COPIED, *cls.__slots__

    @staticmethod
    def packed(column: list[Any]) -> Any:
        """Return a compact form of one attribute of many nodes, for pickles."""
        return column

    @staticmethod
    def unpacked(column: Any) -> Sequence[Any]:
        """Undo `packed`."""
        values: Sequence[Any] = column
        return values

    def state(self) -> dict[str, Any]:
        """Return the attributes that a copy takes over."""
        return {"inputs": self.as_read(), **{name: getattr(self, name) for name in self.copied()}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)
        if any(isinstance(arg, Node) and arg.serial > self.serial for arg in self.inputs):
            # the inputs were unpickled after this node, so it must become younger than they are
            self.serial = next_serial()

    def __copy__(self) -> Self:
        copied = blank(type(self))
        copied.__setstate__(self.state())
        return copied


_Kind = TypeVar("_Kind", bound=Node)


def blank(kind: type[_Kind]) -> _Kind:
    """Return a new node without attributes, except its serial number."""
    node = kind.__new__(kind)
    node.serial = next_serial()
    return node


def stale(node: Node, reader: Node) -> RuntimeError:
    """Return the error for a variable that was assigned after `reader` had read it."""
    what = f"{type(node).__name__} {node.name!r}" if node.name else f"a {type(node).__name__}"
    op = reader.op.name if reader.op else "a node"
    return RuntimeError(
        f"{what} was assigned after {op} had read it, so the derivative of the old expression "
        "can no longer be computed: compute the expression again, then differentiate, or assign "
        "to elements (x[...] = new), which keeps the old version for earlier readers"
    )


def ancestors(*outputs: Node, since: float = 0, known: Container[float] = ()) -> list[Node]:
    """Return the outputs and all nodes they are computed from, newest first.

    Leave out nodes older than serial number `since`, and inputs whose number is in `known`.
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
    """Return a node's data; anything else unchanged."""
    return x._data if isinstance(x, Node) else x


def current(x: Any) -> Any:
    """Return a node's data including the user's changes in place; anything else unchanged."""
    return x.current() if isinstance(x, Node) else x


def plain_data(inputs: Args) -> list[Any]:
    """Return the inputs for a rule that is not recorded: data in place of nodes."""
    return [arg._data if isinstance(arg, Node) else arg for arg in inputs]
