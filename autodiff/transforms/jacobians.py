"""Jacobians and Hessians, over one recorded graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Node, ancestors, data_of
from autodiff.ops.alike import alike, own
from autodiff.ops.elementwise import where
from autodiff.ops.shapes import reshape, stack
from autodiff.ops.table import Elementwise
from autodiff.transforms.gradients import grad
from autodiff.transforms.results import Function
from autodiff.transforms.runs import ArgNums, Run, run_on_variables


def jacobian(
    f: Function,
    argnums: ArgNums = 0,
    *,
    mode: str | None = None,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of `f`: all its partial derivatives.

    It runs `f` once, and pulls every row back over the recorded graph, or pushes every column
    forward. If the whole graph is elementwise, one pass gives the diagonal; the rest is zero.

    Parameters
    ----------
    f : callable
        Takes and returns numbers, arrays and nested containers of them.
    argnums : int, str or sequence of them
        The argument(s) to differentiate by, by position or by name.
    mode : {"reverse", "forward"}, optional
        By rows or by columns; by default, whichever are fewer.
    has_aux : bool
        Whether `f` returns a pair `(output, aux)`. Only the output is differentiated.

    Returns
    -------
    callable
        Takes the arguments of `f`. Returns an array of shape `output.shape + argument.shape`; for
        containers, a structure like the result with structures like the argument as leaves. A
        complex function of complex numbers must be holomorphic, and has complex derivatives.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import jacobian
    >>> jacobian(lambda x: x**2)(np.array([1.0, 2.0]))
    array([[2., 0.],
           [0., 4.]])
    >>> jacobian(lambda x, y: {"sum": x + y, "product": x * y}, (0, 1))(2.0, 3.0)
    {'sum': (1.0, 1.0), 'product': (3.0, 2.0)}
    """
    if mode not in (None, "reverse", "forward"):
        raise ValueError(f"mode must be 'reverse' or 'forward', not {mode!r}")

    @wraps(f)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with run_on_variables(f, argnums, args, kwargs, has_aux) as run:
            made = _jacobian(run, mode)
            return (made, run.plain(run.aux)) if has_aux else made

    return wrapped


def hessian(f: Function, argnums: ArgNums = 0, *, has_aux: bool = False) -> Callable[..., Any]:
    """Return a function that computes the Hessian of `f`, whose result is one real number.

    It records the gradient once, and computes the Jacobian over that graph.

    Returns
    -------
    callable
        Takes the arguments of `f`. Returns an array of shape `argument.shape + argument.shape`; for
        containers, a structure like the argument with such structures as leaves.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import hessian
    >>> hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacobian(grad(f, argnums, has_aux=has_aux), argnums, has_aux=has_aux)


def _jacobian(run: Run, mode: str | None) -> Any:
    """Return the derivatives of each leaf of the output by each variable, in nested containers."""
    outputs = trees.leaves(run.output)
    sizes = [[int(np.size(data_of(x))) for x in xs] for xs in (outputs, run.variables)]
    complex_in, complex_out = (
        any(np.iscomplexobj(data_of(x)) for x in xs) for xs in (run.variables, outputs)
    )
    if complex_out:
        if mode == "reverse":
            raise TypeError("the Jacobian of a complex result needs mode='forward'")
        mode = "forward"
    if mode is None:
        mode = "reverse" if sum(sizes[0]) <= sum(sizes[1]) else "forward"
    alone = len(outputs) == len(run.variables) == 1 and not complex_in
    if alone and sizes[0][0] > 1 and _is_diagonal(outputs[0], run.variables[0]):
        return _on_diagonal(run, outputs[0])
    if mode == "reverse":
        blocks = [_rows(run, output) for output in outputs]
    else:
        blocks = _columns(run, outputs)
        if complex_in:
            turned = _columns(run, outputs, 1j)
            blocks = [
                [
                    _by_complex(*each, output)
                    for each in zip(ones, others, run.variables, strict=True)
                ]
                for ones, others, output in zip(blocks, turned, outputs, strict=True)
            ]
    return trees.rebuilt(run.output, [run.like_arguments(block) for block in blocks])


def _units(x: Any, unit: complex = 1) -> Iterator[Any]:
    """Yield each unit vector of the space of `x`, times `unit` if complex."""
    data = own(data_of(x))
    zeros = np.zeros_like(data)
    for index in np.ndindex(data.shape):
        one = zeros.copy()
        one[index] = unit if data.dtype.kind == "c" else 1
        yield one


def _rows(run: Run, output: Any) -> list[Any]:
    """Compute the derivatives of one leaf of the output by each variable, row by row."""
    shape = np.shape(data_of(output))
    if not isinstance(output, Node):
        return [
            np.zeros_like(own(x._data), shape=shape + np.shape(x._data)) if shape else x.zero()
            for x in run.variables
        ]
    if not shape:
        return run.pull_leaves({output: output.seed(1.0)})
    rows = [run.pull_leaves({output: row}) for row in _units(output)]
    return [
        _stacked([row[k] for row in rows], shape, np.shape(data_of(x)), x)
        for k, x in enumerate(run.variables)
    ]


def _columns(run: Run, outputs: list[Any], unit: complex = 1) -> list[list[Any]]:
    """Compute the derivatives of each leaf of the output by each variable, column by column."""
    zeros = [np.zeros_like(x._data) for x in run.variables]
    blocks: list[list[Any]] = [[] for _ in outputs]
    for k, x in enumerate(run.variables):
        columns = [
            run.push_leaves([*zeros[:k], column, *zeros[k + 1 :]]) for column in _units(x, unit)
        ]
        for i, (block, output) in enumerate(zip(blocks, outputs, strict=True)):
            shape = np.shape(data_of(output))
            block.append(
                _stacked([column[i] for column in columns], np.shape(x._data), shape, output, -1)
            )
    return blocks


def _stacked(
    parts: list[Any], outer: tuple[int, ...], inner: tuple[int, ...], like: Any, axis: int = 0
) -> Any:
    """Stack parts of shape `inner`, one for each index of shape `outer`, to one array."""
    if not outer:
        return parts[0]
    shape = outer + inner if axis == 0 else inner + outer
    if not parts:
        return np.zeros_like(own(data_of(like)), shape=shape)
    return reshape(stack(parts, axis=axis), shape)


def _is_diagonal(output: Any, variable: Node) -> bool:
    """Return whether all ops between are elementwise and of one shape: the Jacobian is diagonal."""
    if not isinstance(output, Node):
        return False
    live, shape = {variable}, np.shape(variable._data)
    for node in reversed(ancestors(output, since=variable.serial)):
        if any(isinstance(arg, Node) and arg in live for arg in node.inputs):
            if not isinstance(node.op, Elementwise) or np.shape(node._data) != shape:
                return False
            live.add(node)
    return output in live


def _on_diagonal(run: Run, output: Node) -> Any:
    shape = output._data.shape
    # forward mode, since the cotangent of a real argument drops a complex result's imaginary part
    (diagonal,) = run.push_leaves([np.ones_like(run.variables[0]._data)])
    eye = alike(np.eye(int(np.prod(shape)), dtype=output._data.dtype), output)
    # `where`, since a product with the infinite derivatives would make NaN off the diagonal
    made = reshape(where(eye, reshape(diagonal, (-1,)), eye), shape + shape)
    return trees.rebuilt(run.output, [run.like_arguments([made])])


def _by_complex(along_one: Any, along_i: Any, variable: Node, output: Any) -> Any:
    """Return the derivatives by a complex variable, from those along 1 and along i."""
    if not np.iscomplexobj(data_of(variable)):
        return along_one
    if not np.iscomplexobj(data_of(output)):
        return along_one + 1j * along_i
    if not np.allclose(1j * data_of(along_one), data_of(along_i)):
        raise TypeError(
            "this function of complex numbers has no complex derivative (it is not holomorphic): "
            "differentiate its real and imaginary parts by those of its argument"
        )
    return along_one
