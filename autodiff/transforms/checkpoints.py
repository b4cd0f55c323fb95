"""`checkpoint`: run a function again for a derivative instead of storing its graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Args, Node, Params, Parts, ancestors, data_of
from autodiff.core.modes import recorded, recording
from autodiff.core.walks import pull, push
from autodiff.nodes.arrays import private
from autodiff.nodes.bundle import Bundle
from autodiff.nodes.tensor import Tensor
from autodiff.ops.shapes import tensor
from autodiff.ops.table import TABLE, Row
from autodiff.transforms.results import Function, differentiable, name_of, with_tensors
from autodiff.transforms.runs import depends_on_others


def checkpoint(f: Function) -> Callable[..., Any]:
    """Return `f` as a function that stores its arguments only, not its intermediate results.

    Each derivative runs `f` again, which trades time for memory. A chain of n steps cut into √n
    checkpointed parts needs memory for 2√n steps, and one more forward run.

    Parameters
    ----------
    f : callable
        Takes and returns numbers, arrays, nodes, and nested containers of them. All nodes that it
        depends on must be arguments, and a second run must return the same. Values are passed and
        returned as Tensors of shape ().

    Raises
    ------
    TypeError
        If the result depends on a variable that is not an argument, or `f` modifies an argument in
        place.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import checkpoint, grad
    >>> @checkpoint
    ... def layer(x):
    ...     return np.tanh(np.sin(x) * np.exp(x))
    >>> slope = grad(lambda x: np.sum(layer(layer(x))))(np.array([0.1, 0.2]))
    """

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = with_tensors((args, kwargs))
        nodes = _nodes((args, kwargs))
        if not nodes or not recording():
            return f(*args, **kwargs)
        packed = Bundle.of([x if isinstance(x, Tensor) else tensor(x) for x in nodes])
        call = trees.mapped(lambda x: x if isinstance(x, Node) else private(x), (args, kwargs))
        params = {"f": f, "call": call}
        variables, output = _recomputed(packed._data, params)
        results = _nodes(output)
        if depends_on_others(results, variables):
            raise TypeError(
                f"checkpoint: {name_of(f)} uses a variable that is not among its arguments, so its "
                "derivative would be lost: pass it as an argument"
            )
        data = tuple(np.asarray(x._data) for x in results)
        parts = iter(Bundle(data, _checkpoint, (packed,), params).items())
        return trees.mapped(lambda x: next(parts) if isinstance(x, Node) else x, output)

    return wrapped


def _nodes(tree: Any) -> list[Node]:
    return [leaf for leaf in trees.leaves(tree) if isinstance(leaf, Node)]


def _recomputed(packed: Any, params: Params) -> tuple[list[Node], Any]:
    """Run the function again on new nodes; return these and the result."""
    record = isinstance(packed, Bundle)
    nodes = [part if record else Tensor(part, copy=False) for part in packed]
    following = iter(nodes)
    args, kwargs = trees.mapped(
        lambda x: next(following) if isinstance(x, Node) else x, params["call"]
    )
    serials = [node.serial for node in nodes]
    with recorded():
        returned = params["f"](*args, **kwargs)
    if serials != [node.serial for node in nodes]:
        raise TypeError(
            f"checkpoint: {name_of(params['f'])} writes to its argument, and each derivative would "
            "repeat that: let it work on x.copy()"
        )
    return nodes, differentiable(returned, f"{name_of(params['f'])} returned")


class Checkpoint(Row):
    """The row of checkpointed functions: `vjp` and `jvp` run them again."""

    name = symbol = "checkpoint"
    arity, parameters = 1, ("f", "call")

    def vjp(self, k: int, g: Any, out: Any, args: Args, params: Params) -> Any:
        nodes, output = _recomputed(args[0], params)
        cotangents: dict[Node, Any] = {}
        for node, cotangent in zip(_nodes(output), g, strict=True):
            if cotangent is not None:
                known = node in cotangents
                cotangents[node] = cotangents[node] + cotangent if known else cotangent
        with recorded():
            found = pull(cotangents, nodes, isinstance(out, Node))
        return Parts(found[node] for node in nodes)

    def jvp(self, k: int, t: Any, out: Any, args: Args, params: Params) -> Any:
        nodes, output = _recomputed(args[0], params)
        tangents = {node: part for node, part in zip(nodes, t, strict=True) if part is not None}
        with recorded():
            found = push(tangents, _nodes(output), isinstance(out, Node))
        return Parts(found[node] for node in _nodes(output))

    def inside(self, args: Args, params: Params) -> list[Node]:
        """Return the nodes of a run of the function, newest first."""
        _, output = _recomputed(data_of(args[0]), params)
        return ancestors(*_nodes(output))


_checkpoint = TABLE["checkpoint"] = Checkpoint()
