"""One run of a function on fresh variables, which every transform differentiates."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import inf, nextafter
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Node, ancestors, next_serial
from autodiff.core.modes import recorded
from autodiff.core.walks import pull, push
from autodiff.nodes.tensor import Tensor
from autodiff.nodes.value import Value, pull_floats
from autodiff.nodes.writing import view_behind
from autodiff.ops.alike import copied, labelled, own
from autodiff.ops.elementwise import positive
from autodiff.ops.table import Elementwise, is_object
from autodiff.transforms.results import differentiable, name_of, with_tensors

ArgNums = int | str | Sequence[int | str]


def pulled(
    cotangents: dict[Node, Any],
    inputs: Sequence[Node],
    record: bool,
    order: list[Node] | None = None,
) -> list[Any]:
    """Return the cotangents of `inputs`, as arrays that the caller may change, or as nodes."""
    with np.errstate(all="ignore"):
        if len(cotangents) == 1 and not record:
            ((output, cotangent),) = cotangents.items()
            if isinstance(output, Value):
                _, floats = pull_floats(output, cotangent)
                return [floats[x.serial] if x.serial in floats else x.zero() for x in inputs]
        start = next_serial()
        found = pull(cotangents, inputs, record, order)
    if record:
        return _separate([found[node] for node in inputs], start)
    return _owned([np.array(g) if isinstance(g, np.generic) else g for g in map(found.get, inputs)])


def _owned(carried: list[Any]) -> list[Any]:
    """Copy arrays that are read-only or share memory, so that the caller may change all."""
    seen: set[int] = set()
    owned = []
    for x in carried:
        if isinstance(x, np.ndarray) and (
            x.base is not None or id(x) in seen or not x.flags.writeable
        ):
            x = np.array(x)
        seen.add(id(x))
        owned.append(x)
    return owned


def _separate(carried: list[Any], start: float) -> list[Any]:
    """Return nodes that can each be modified in place without changing another.

    Nodes older than the serial number `start` are not the walk's own, so they are replaced.
    """
    seen: set[Node] = set()
    separate = []
    for x in carried:
        if isinstance(x, Tensor):
            if x.serial < start or x in seen or view_behind(x) is not None:
                x = positive(x)
            seen.add(x)
        separate.append(x)
    return separate


def _variable(leaf: Any) -> Node:
    """Return a fresh variable with the leaf's value; if the leaf is a node, computed from it."""
    if isinstance(leaf, Tensor):
        linked: Tensor = positive(leaf)
        linked.immutable = leaf.immutable
        return linked
    if isinstance(leaf, Node):
        return positive(leaf)  # type: ignore[no-any-return]
    if isinstance(leaf, np.ndarray) or hasattr(leaf, "__array_function__") or labelled(leaf):
        return Tensor(leaf)
    if isinstance(leaf, complex) or getattr(leaf, "dtype", float) in (np.float16, np.float32):
        number = Tensor(np.asarray(leaf))  # a Value is always float64
        number.immutable = True
        return number
    return Value(leaf)


def depends_on_others(outputs: Sequence[Node], variables: Sequence[Node]) -> bool:
    """Return whether the outputs depend on any variable other than the given ones."""
    return _any_other(ancestors(*outputs), variables)


def _any_other(nodes: Sequence[Node], variables: Sequence[Node]) -> bool:
    own = set(variables)  # a set compares nodes by identity, a list by value
    return not own.issuperset(node for node in nodes if node.op is None)


def _as_given(variable: Node, serial: float, f: Callable[..., Any]) -> Node:
    """Return the version of a variable that `f` was given; `f` may have modified it in place."""
    variable.settle()
    if variable.serial == serial:  # as almost always
        return variable
    given = variable.as_of(nextafter(serial, inf))
    if given is None:
        raise RuntimeError(
            f"{name_of(f)} assigned to the .data of its argument, so there is no derivative by its "
            "old value: assign to elements (x[...] = new), or let it work on x.copy()"
        )
    return given


class _Argument(Elementwise):
    """Replaces the missing op of a variable once its transform has finished.

    Outer transforms then treat the variable as a constant.
    """

    name = symbol = "argument"
    partials = ()

    def __reduce__(self) -> str:  # type: ignore[override]
        return "_ARGUMENT"


_ARGUMENT = _Argument()


@contextmanager
def run_on_variables(
    f: Callable[..., Any], argnums: ArgNums, args: Any, kwargs: Any, has_aux: bool = False
) -> Iterator[Run]:
    """Run a function on fresh variables, which stay variables until the block ends."""
    with recorded():
        run = Run(f, argnums, args, kwargs, has_aux)
        yield run
        run.order = None  # from now on, the user may assign to nodes that `f` has read
        for variable in run.variables:
            if variable.op is None:
                variable.op = _ARGUMENT


class Run:
    """One run of a function on fresh variables, to be differentiated by them.

    Attributes
    ----------
    output, aux : container
        The function's results.
    arguments : container
        The argument to differentiate by, or a tuple of them.
    variables : list of Node
        The variables in place of the leaves of `arguments`.
    record : bool
        Whether derivatives are recorded, since the output depends on other variables too.
    """

    def __init__(
        self, f: Callable[..., Any], argnums: ArgNums, args: Any, kwargs: Any, has_aux: bool
    ) -> None:
        values, named = list(args), dict(kwargs)
        chosen: list[tuple[Any, Any]] = [
            (named, k) if k in named else (values, _position(f, k, argnums, args, kwargs))
            for k in ([argnums] if isinstance(argnums, int | str) else argnums)
        ]
        arguments = tuple([with_tensors(place[key]) for place, key in chosen])
        self.variables = [_variable(leaf) for leaf in trees.leaves(arguments)]
        if not self.variables:
            raise TypeError(
                f"argument {argnums!r} contains no number or array to differentiate by "
                f"({type(arguments[0]).__name__} {arguments[0]!r:.40})"
                + (": pass its .to_numpy()" if labelled(arguments[0]) else "")
            )
        serials = [variable.serial for variable in self.variables]
        for (place, key), stand_in in zip(
            chosen, trees.rebuilt(arguments, self.variables), strict=True
        ):
            place[key] = stand_in
        returned = f(*values, **named)
        self.variables = [
            _as_given(x, serial, f) for x, serial in zip(self.variables, serials, strict=True)
        ]
        if has_aux and not (isinstance(returned, tuple) and len(returned) == 2):
            raise TypeError(f"has_aux: {name_of(f)} must return a pair (output, aux)")
        self.output: Any
        self.aux: Any
        output, self.aux = returned if has_aux else (returned, None)
        self.output = differentiable(output, f"{name_of(f)} returned")
        self.arguments = arguments[0] if isinstance(argnums, int | str) else arguments
        self.nodes = [leaf for leaf in trees.leaves(self.output) if isinstance(leaf, Node)]
        order = ancestors(*self.nodes)
        self.record = _any_other(order, self.variables)
        # if not recorded, all nodes depend on the variables, and all walks can share this order
        self.order: list[Node] | None = None if self.record else order

    def plain(self, result: Any) -> Any:
        """Return a container with plain numbers in place of nodes that depend on nothing else."""
        return trees.mapped(self._plain_leaf, result, self._plain_objects)

    def _plain_leaf(self, leaf: Any) -> Any:
        if isinstance(leaf, Node) and not depends_on_others([leaf], self.variables):
            # a copy that the caller may change; a scalar in place of shape ()
            return leaf._data.copy()[()] if isinstance(leaf, Tensor) else leaf._data
        return leaf

    def _plain_objects(self, part: Any) -> Any:
        """Return `part` with the elements of an object array made plain."""
        if not is_object(part):
            return part
        made = np.empty_like(part)
        made.flat = [self._plain_leaf(x) for x in part.flat]
        return made

    def pull_leaves(self, cotangents: dict[Node, Any]) -> list[Any]:
        """Return the cotangents of the variables; plain if they depend on nothing else."""
        if not cotangents:
            return [variable.zero() for variable in self.variables]
        record = self.record or any(isinstance(g, Node) for g in cotangents.values())
        found = pulled(cotangents, self.variables, record, self.order)
        return [self._plain_leaf(g) for g in found] if record else found

    def pull(self, seed: Any = None) -> Any:
        """Return the cotangents of the arguments for a seed; the default 1 needs one number."""
        if seed is None:
            if isinstance(self.output, Node):
                return self.like_arguments(self.pull_leaves({self.output: self.output.seed()}))
            if not trees.is_leaf(self.output) or np.size(self.output) != 1:
                raise TypeError(
                    f"a gradient is of one number, but the function returned "
                    f"{type(self.output).__name__} {self.output!r:.60}: use jacobian or vjp"
                )
            return self.like_arguments(self.pull_leaves({}))
        seeds = trees.checked(with_tensors(seed), self.output, "a cotangent")
        cotangents: dict[Node, Any] = {}
        for node, g in zip(trees.leaves(self.output), seeds, strict=True):
            if isinstance(node, Node):
                g = node.seed(g)
                cotangents[node] = cotangents[node] + g if node in cotangents else g
        return self.like_arguments(self.pull_leaves(cotangents))

    def push_leaves(self, tangents: list[Any]) -> list[Any]:
        """Return the tangents of the output's leaves; plain if they depend on nothing else."""
        record = self.record or any(isinstance(t, Node) for t in tangents)
        given = {
            x: x.spread(t if isinstance(t, Node) else copied(t))  # walks may change the copy
            for x, t in zip(self.variables, tangents, strict=True)
        }
        start = next_serial()
        with np.errstate(all="ignore"):
            found = push(given, self.nodes, record, self.order)
        outputs = trees.leaves(self.output)
        made = [found[x] if isinstance(x, Node) else _no_tangent(x) for x in outputs]
        if not record:
            return _owned(made)
        return [self._plain_leaf(t) for t in _separate(made, start)]

    def push(self, tangent: Any) -> Any:
        """Return the tangent of the output for a tangent of the arguments."""
        tangents = trees.checked(with_tensors(tangent), self.arguments, "a tangent")
        return trees.rebuilt(self.output, self.push_leaves(tangents))

    def like_arguments(self, found: list[Any]) -> Any:
        """Return the containers of the arguments with new leaves, one for each variable."""
        return trees.rebuilt(self.arguments, found)


def _no_tangent(constant: Any) -> Any:
    data = own(constant)
    return np.zeros_like(data, data.dtype if data.dtype.kind in "fc" else float)[()]


def _position(f: Callable[..., Any], k: int | str, argnums: Any, args: Any, kwargs: Any) -> int:
    """Return the position of the argument named `k`, or check the position `k`."""
    if isinstance(k, str):
        bound = list(inspect.signature(f).bind(*args, **kwargs).arguments)
        if k in bound and bound.index(k) < len(args):
            return bound.index(k)
        raise TypeError(f"argnums={argnums!r}, but {name_of(f)} was given no argument {k!r}")
    if not -len(args) <= k < len(args):
        raise TypeError(f"argnums={argnums} but {len(args)} positional arguments were given")
    return k
