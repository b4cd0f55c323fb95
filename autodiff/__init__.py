"""Backpropagation you can see, trust and use: scalars and NumPy arrays that know their derivatives.

>>> from autodiff import Value, log, sin
>>> x1, x2 = Value(2, name="x1"), Value(5, name="x2")
>>> y = log(x1) + x1 * x2 - sin(x2)
>>> y.backward()
>>> x1.grad, x2.grad
(5.5, 1.7163378145367738)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from autodiff.graph import Node, no_grad
from autodiff.numerical import numerical_gradient
from autodiff.ops.elementwise import (
    absolute,
    add,
    arctan,
    cos,
    cosh,
    divide,
    exp,
    expm1,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    positive,
    power,
    relu,
    sigmoid,
    sign,
    sin,
    sinh,
    sqrt,
    square,
    subtract,
    tan,
    tanh,
    where,
)
from autodiff.ops.products import affine, matmul
from autodiff.ops.reductions import max, mean, min, sum
from autodiff.ops.shapes import (
    astype,
    broadcast_to,
    concatenate,
    expand_dims,
    getitem,
    ravel,
    reshape,
    scatter,
    squeeze,
    stack,
    swapaxes,
    transpose,
)
from autodiff.ops.softmax import cross_entropy, log_softmax, logsumexp, softmax
from autodiff.tensor import Tensor
from autodiff.testing import Check, check_grads
from autodiff.transforms import grad, gradients, jacobian, value_and_grad
from autodiff.value import Value

if TYPE_CHECKING:
    from autodiff.views.draw import draw
    from autodiff.views.trace import trace

__all__ = [
    "Check",
    "Tensor",
    "Value",
    "absolute",
    "add",
    "affine",
    "arctan",
    "astype",
    "broadcast_to",
    "check_grads",
    "concatenate",
    "cos",
    "cosh",
    "cross_entropy",
    "divide",
    "draw",
    "exp",
    "expand_dims",
    "expm1",
    "getitem",
    "grad",
    "gradients",
    "jacobian",
    "log",
    "log1p",
    "log_softmax",
    "logsumexp",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "no_grad",
    "numerical_gradient",
    "positive",
    "power",
    "ravel",
    "relu",
    "reshape",
    "scatter",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "softmax",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "subtract",
    "sum",
    "swapaxes",
    "tan",
    "tanh",
    "trace",
    "transpose",
    "value_and_grad",
    "where",
]


def _mimebundle(node: Node, include: Any = None, exclude: Any = None) -> dict[str, str]:
    """What a notebook shows for a node."""
    from autodiff.views.draw import mimebundle

    return mimebundle(node, include, exclude)


# Tied here, so that nothing in the engine knows that it is drawn.
Node._repr_mimebundle_ = _mimebundle  # type: ignore[attr-defined]


def __getattr__(name: str) -> Any:
    # Views load when first used: they bring libraries that a derivative does not need.
    if name in ("draw", "trace"):
        return getattr(import_module(f"autodiff.views.{name}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
