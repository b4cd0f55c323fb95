"""Functions that turn a function into its derivative.

Each call makes fresh variables for the chosen arguments, runs the function once, and walks its
graph. If the result depends on other variables too (of an outer transform, or of the function
itself), the walk is recorded and the derivatives are nodes; otherwise they are numbers and arrays.

Arguments and results may be nested containers (see `trees`). The derivative by a container is a
container of the same structure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Node, ancestors, data_of
from autodiff.nodes.tensor import Tensor
from autodiff.nodes.writing import earlier_versions
from autodiff.transforms.results import Function, differentiable
from autodiff.transforms.runs import ArgNums, pulled, run_on_variables


def gradients(
    output: Node, inputs: Sequence[Node], seed: Any = None, *, record: bool = False
) -> list[Any]:
    """Return the gradients of `output` by each of `inputs`, without setting any `.grad`.

    Parameters
    ----------
    output : Value or Tensor
        The node to differentiate; of one element unless a seed is given.
    inputs : sequence of Value and Tensor
        Variables or intermediate results. The gradient is zero if `output` does not depend on one.
        Of a Tensor that was written in place, it is the gradient by its present version.
    seed : number or array of output's shape, optional
        The cotangent of `output`; 1 if left out.
    record : bool
        Whether the gradients are nodes, which can be differentiated again.

    Returns
    -------
    list
        A float for a Value, an array of the same shape and dtype for a Tensor; nodes if recorded.

    Raises
    ------
    RuntimeError
        If `output` depends only on versions of an input from before it was written in place.

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
        raise TypeError("gradients: inputs must be a list of nodes, [x] for one")
    for node in (output, *inputs):
        if not isinstance(node, Node):
            role = "output" if node is output else "input"
            raise TypeError(
                f"gradients: the {role} {node!r:.40} is a {type(node).__name__}, a constant: pass "
                "a Value or Tensor (did it leave the graph by .data?)"
            )
    for node in inputs:
        if type(node) is Tensor and node._place:
            _require_present(output, node)
    cotangent = output.seed(seed)
    return pulled({output: cotangent}, inputs, record or isinstance(cotangent, Node))


def _require_present(output: Node, x: Tensor) -> None:
    """Raise a RuntimeError if `output` depends on an earlier version of `x`, but not on `x`."""
    x.follow()
    earlier = earlier_versions(x)
    if not earlier:
        return
    nodes = {*ancestors(output)}
    if x not in nodes and not earlier.isdisjoint(nodes):
        what = f"input {x.name!r}" if x.name else f"input of shape {x.shape}"
        raise RuntimeError(
            f"gradients: the {what} was written in place after the output was computed from it, "
            "and the output does not depend on its present version: call gradients before the "
            "write, or write to a copy (z = x.copy())"
        )


def value_and_grad(
    f: Function, argnums: ArgNums = 0, *, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that computes `(value, gradient)`; parameters as for `grad`.

    With `has_aux` it computes `((value, aux), gradient)`.

    Examples
    --------
    >>> from autodiff import value_and_grad
    >>> value_and_grad(lambda x: x**2)(3.0)
    (9.0, 6.0)
    >>> value_and_grad(lambda x: (x**2, "seen"), has_aux=True)(3.0)
    ((9.0, 'seen'), 6.0)
    """

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        with run_on_variables(f, argnums, args, kwargs, has_aux) as run:
            slope, value = run.pull(), run.plain(run.output)
            return ((value, run.plain(run.aux)) if has_aux else value), slope

    return wrapped


def grad(f: Function, argnums: ArgNums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the gradient of `f`.

    Parameters
    ----------
    f : callable
        Takes numbers, arrays and nested containers of them; returns one real number (a float, a
        Value, or a Tensor of one element).
    argnums : int, str or sequence of them
        The argument(s) to differentiate by, by position or by name.
    has_aux : bool
        Whether `f` returns a pair `(output, aux)`. Only the output is differentiated.

    Returns
    -------
    callable
        Takes the arguments of `f`. Returns a float for a number, an array of the same shape and
        dtype for an array, a container of them for a container; a tuple if `argnums` is a sequence;
        with `has_aux` a pair `(gradient, aux)`. Nests to any order.

    Raises
    ------
    ValueError
        If the result has more than one element, or is complex: use `jacobian` or `vjp`.

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
    >>> grad(lambda line, x: line["slope"] * x + line["offset"])({"slope": 2.0, "offset": 1.0}, 3.0)
    {'slope': 3.0, 'offset': 1.0}
    >>> grad(lambda x: x * grad(lambda y: x**2 * y)(5.0))(2.0)  # d/dx of x · ∂(x²y)/∂y
    12.0
    """

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with run_on_variables(f, argnums, args, kwargs, has_aux) as run:
            return (run.pull(), run.plain(run.aux)) if has_aux else run.pull()

    return wrapped


def elementwise_grad(f: Function, argnums: ArgNums = 0) -> Callable[..., Any]:
    """Return a function that computes the derivative of an elementwise function `f`.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import elementwise_grad
    >>> elementwise_grad(np.sin)(np.array([0.0, np.pi]))
    array([ 1., -1.])
    >>> elementwise_grad(elementwise_grad(lambda x: x**3))(np.array([1.0, 2.0]))
    array([ 6., 12.])
    """

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with run_on_variables(f, argnums, args, kwargs) as run:
            if any(np.iscomplexobj(data_of(leaf)) for leaf in trees.leaves(run.output)):
                raise TypeError(
                    "elementwise_grad needs a real result, but this one is complex: use "
                    "jvp(f, (x,), (np.ones_like(x),))"
                )
            ones = trees.mapped(lambda leaf: np.ones_like(data_of(leaf)), run.output)
            return run.pull(ones)

    return wrapped


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> Any:
    """Compute `f(*primals)` and its pullback (reverse mode).

    Parameters
    ----------
    f : callable
        Takes and returns numbers, arrays and nested containers of them.
    *primals : numbers, arrays, containers
        The point.
    has_aux : bool
        Whether `f` returns a pair `(output, aux)`. Only the output is differentiated.

    Returns
    -------
    (output, pullback) or (output, pullback, aux)
        `pullback(cotangent)` takes a cotangent with the structure and shapes of the output. It
        returns a tuple of cotangents, one for each primal. It can be called again without running
        `f`.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import vjp
    >>> output, pullback = vjp(np.multiply, np.array([1.0, 2.0]), 3.0)
    >>> output
    array([3., 6.])
    >>> pullback(np.array([1.0, 0.0]))
    (array([3., 0.]), 1.0)
    """
    with run_on_variables(f, range(len(primals)), primals, {}, has_aux) as run:
        output, aux = run.plain(run.output), run.plain(run.aux)

    def pullback(cotangent: Any) -> Any:
        return run.pull(cotangent)

    return (output, pullback, aux) if has_aux else (output, pullback)


def jvp(
    f: Function, primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> Any:
    """Compute `f(*primals)` and its derivative along the tangents (forward mode).

    Parameters
    ----------
    f : callable
        Takes and returns numbers, arrays and nested containers of them.
    primals, tangents : tuple or list
        The arguments, and a tangent of the same structure and shapes for each.
    has_aux : bool
        Whether `f` returns a pair `(output, aux)`. Only the output is differentiated.

    Returns
    -------
    (output, tangent) or (output, tangent, aux)

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import jvp
    >>> jvp(np.sin, (0.0,), (1.0,))
    (0.0, 1.0)
    >>> jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 10.0))
    (6.0, 23.0)
    """
    _pair(primals, tangents, "jvp")
    with run_on_variables(f, range(len(primals)), primals, {}, has_aux) as run:
        output, tangent = run.plain(run.output), run.push(tuple(tangents))
        return (output, tangent, run.plain(run.aux)) if has_aux else (output, tangent)


def _pair(primals: Any, tangents: Any, name: str) -> None:
    if not (isinstance(primals, tuple | list) and isinstance(tangents, tuple | list)):
        raise TypeError(
            f"{name}: primals and tangents must be tuples, (x,) and (t,) for one argument"
        )
    if len(primals) != len(tangents):
        raise ValueError(f"{name}: {len(primals)} primals but {len(tangents)} tangents")


def hvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, ...]:
    """Compute the Hessian of `f` at the primals times the tangents, without forming the Hessian.

    Forward over reverse mode: about the cost of two gradients.

    Parameters
    ----------
    f : callable
        Returns one real number.
    primals, tangents : tuple or list
        The arguments, and a tangent of the same structure and shapes for each.

    Returns
    -------
    tuple
        For each primal, ∂/∂t of the gradient at `primals + t · tangents`, at t = 0.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import hvp
    >>> hvp(lambda x: np.sum(x**3), (np.array([1.0, 2.0]),), (np.array([1.0, 1.0]),))
    (array([ 6., 12.]),)
    """
    _pair(primals, tangents, "hvp")
    product: tuple[Any, ...] = jvp(grad(f, range(len(primals))), primals, tangents)[1]
    return product


def stop_gradient(x: Any) -> Any:
    """Return the data of `x` as constants, whose derivative is zero.

    Parameters
    ----------
    x : Value, Tensor, or container
        Numbers and arrays are returned unchanged.

    Examples
    --------
    >>> from autodiff import grad, stop_gradient
    >>> grad(lambda x: x * stop_gradient(x))(3.0)
    3.0
    """
    return trees.mapped(data_of, differentiable(x, "stop_gradient was given", bare=True))
