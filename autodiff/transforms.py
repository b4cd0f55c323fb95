"""Functions that turn a function into its derivative.

Each call makes fresh variables for the arguments it differentiates by, runs the function once, and
walks the graph it left. If the result depends on other nodes too (an outer derivative is being
taken, or the function uses variables of its own), the walk is recorded and the answer is a node
again; otherwise it is a plain number or array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple

import numpy as np

from autodiff.graph import Node, ancestors, pull, recorded
from autodiff.ops.elementwise import positive
from autodiff.ops.shapes import reshape, stack
from autodiff.ops.table import Elementwise
from autodiff.tensor import Tensor
from autodiff.value import Value, pull_floats

ArgNums = int | Sequence[int]


def gradients(
    output: Node, inputs: Sequence[Node], seed: Any = None, *, record: bool = False
) -> list[Any]:
    """The derivatives of `output` by each of `inputs`; no node's `.grad` is touched.

    Parameters
    ----------
    output : Value or Tensor
        What to differentiate; of one element unless a seed is given.
    inputs : sequence of Value and Tensor
        Variables or intermediate results; one that `output` does not depend on gets zeros.
    seed : number or array of output's shape, optional
        The cotangent of `output`; 1 if left out.
    record : bool
        Whether the derivatives are nodes that can be differentiated again.

    Returns
    -------
    list
        A float for a Value, an array of the same shape and dtype for a Tensor; nodes if recorded.

    Examples
    --------
    >>> from autodiff import Value, gradients
    >>> x = Value(3.0)
    >>> gradients(x**3, [x])
    [27.0]
    >>> (slope,) = gradients(x**3, [x], record=True)
    >>> gradients(slope, [x])
    [18.0]
    """
    if isinstance(inputs, Node):
        raise TypeError("gradients: the inputs are a list of nodes, [x] if there is one")
    for node in (output, *inputs):
        if not isinstance(node, Node):
            role = "output" if node is output else "input"
            raise TypeError(
                f"gradients: the {role} {node!r:.40} is a {type(node).__name__}, a constant; only "
                "a Value or Tensor has derivatives (did it leave the graph by .data?)"
            )
    cotangent = output.seed(seed)
    record = record or isinstance(cotangent, Node)
    with np.errstate(all="ignore"):
        if isinstance(output, Value) and not record:
            found: dict[Any, Any] = pull_floats(output, cotangent)
            return [found[node] if node in found else node.zero() for node in inputs]
        found = pull(output, cotangent, inputs, record)
    return [found[node] for node in inputs] if record else _owned([found[n] for n in inputs])


def _owned(cotangents: list[Any]) -> list[Any]:
    """The same as arrays that the caller may change: cotangents can share memory."""
    seen: set[int] = set()
    owned = []
    for g in cotangents:
        if isinstance(g, (np.ndarray, np.generic)) and (
            g.base is not None or id(g) in seen or not g.flags.writeable
        ):
            g = np.array(g)
        seen.add(id(g))
        owned.append(g)
    return owned


def _variable(arg: Any) -> Node:
    """A fresh variable with the argument's value, linked to it if that is a node itself."""
    if isinstance(arg, Node):
        linked: Node = positive(arg)
        return linked
    if isinstance(arg, np.ndarray | list | tuple) or hasattr(arg, "__array_function__"):
        return Tensor(arg)
    return Value(arg)


def _plain(result: Any, variables: Sequence[Node]) -> Any:
    """The bare numbers of a result that depends on nothing but these fresh variables."""
    if isinstance(result, Node) and not _depends_beyond(result, variables):
        return result._data
    return result


def _depends_beyond(output: Node, variables: Sequence[Node]) -> bool:
    """Whether `output` depends on any variable that is not one of these fresh ones."""
    own = set(variables)  # a set compares nodes by identity, a list by their numbers
    return any(node.op is None and node not in own for node in ancestors(output))


class _Argument(Elementwise):
    """What a fresh variable becomes when its transform is done: a constant, for any outer one."""

    name = symbol = "argument"
    partials = ()

    def __reduce__(self) -> str:  # type: ignore[override]
        return "_ARGUMENT"


_ARGUMENT = _Argument()


@contextmanager
def run_on_variables(
    f: Callable[..., Any], argnums: ArgNums, args: Any, kwargs: Any
) -> Iterator[Run]:
    """Run a function on fresh variables, which stay open for as long as it is differentiated."""
    positions = [argnums] if isinstance(argnums, int) else list(argnums)
    for k in positions:
        if not -len(args) <= k < len(args):
            raise TypeError(f"argnums={argnums} but {len(args)} positional arguments were given")
    with recorded():
        values = list(args)
        for k in positions:
            values[k] = _variable(values[k])
        variables = [values[k] for k in positions]
        yield Run(f(*values, **kwargs), variables, isinstance(argnums, int))
        for variable in variables:
            if variable.op is None:
                variable.op = _ARGUMENT


class Run(NamedTuple):
    """One run of a function: its output, and the variables to differentiate it by."""

    output: Any
    variables: list[Any]
    single: bool

    def pull(self, seed: Any = None) -> Any:
        """The cotangents of the variables, as plain as they can be."""
        output, variables = self.output, self.variables
        if not isinstance(output, Node):
            found = [node.zero() for node in variables]
        else:
            record = _depends_beyond(output, variables)
            found = [
                _plain(g, variables) for g in gradients(output, variables, seed, record=record)
            ]
        return found[0] if self.single else tuple(found)


def value_and_grad(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., tuple[Any, Any]]:
    """Like `grad`, returning the function's value too: `(value, gradient)`.

    Examples
    --------
    >>> from autodiff import value_and_grad
    >>> value_and_grad(lambda x: x**2)(3.0)
    (9.0, 6.0)
    """

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        with run_on_variables(f, argnums, args, kwargs) as run:
            return _plain(run.output, run.variables), run.pull()

    return wrapped


def grad(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """The gradient of a function with one number as its result.

    Parameters
    ----------
    f : callable
        Takes numbers and arrays, returns one number (a float, Value, or Tensor of one element).
    argnums : int or sequence of int
        The positional argument(s) to differentiate by.

    Returns
    -------
    callable
        Takes what `f` takes. Returns a float for a number, an array of the same shape and dtype
        for an array; a tuple of them if `argnums` is a sequence. Nests to any order.

    Raises
    ------
    ValueError
        If the result has more than one element: use `jacobian`.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import grad
    >>> grad(lambda x: x**3)(2.0)
    12.0
    >>> grad(grad(lambda x: x**3))(2.0)
    12.0
    >>> grad(lambda x: np.sum(np.exp(x)))(np.array([0.0, 1.0]))
    array([1.        , 2.71828183])
    >>> grad(lambda x: x * grad(lambda y: x**2 * y)(5.0))(2.0)  # d/dx of x · ∂(x²y)/∂y
    12.0
    """

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with run_on_variables(f, argnums, args, kwargs) as run:
            return run.pull()

    return wrapped


def jacobian(f: Callable[..., Any], argnums: ArgNums = 0) -> Callable[..., Any]:
    """All partial derivatives of a function: shape of the result, then shape of the argument.

    The function is recorded once; each element of its result is pulled back over that one graph.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import jacobian
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    """

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with run_on_variables(f, argnums, args, kwargs) as run:
            shape = getattr(run.output, "shape", ())
            if shape == ():
                return run.pull()
            size = int(np.prod(shape))
            rows = [run.pull(row) for row in np.eye(size).reshape(size, *shape)]
        if run.single:
            return reshape(stack(rows), shape + np.shape(args[argnums]))  # type: ignore[index, operator]
        return tuple(
            reshape(stack(column), shape + variable.shape)
            for column, variable in zip(zip(*rows, strict=True), run.variables, strict=True)
        )

    return wrapped
