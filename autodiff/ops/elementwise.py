"""Rows that act element by element: ∂out/∂argument for each argument."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from autodiff.ops.table import conj, elementwise, linear

__all__ = [
    "absolute",
    "add",
    "arctan",
    "conjugate",
    "cos",
    "cosh",
    "divide",
    "exp",
    "expm1",
    "imag",
    "log",
    "log1p",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "positive",
    "power",
    "real",
    "relu",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "where",
]

add = elementwise(np.add, 1, 1, scalar=operator.add, symbol="+")
subtract = elementwise(np.subtract, 1, -1, scalar=operator.sub, symbol="−")
multiply = elementwise(
    np.multiply,
    lambda out, x, y: y,
    lambda out, x, y: x,
    scalar=operator.mul,
    symbol="×",
)
divide = elementwise(
    np.divide,
    lambda out, x, y: 1 / y,
    lambda out, x, y: -out / y,
    scalar=operator.truediv,
    symbol="÷",
)
negative = elementwise(np.negative, -1, scalar=operator.neg, symbol="−")
positive = elementwise(np.positive, 1, scalar=operator.pos, symbol="+")


def _at_origin(x: Any, y: Any) -> Any:
    return (x == 0) & (y == 0)


power = elementwise(
    np.power,
    # x**0 is flat in x, also at x = 0, where y * x**(y - 1) would be 0 * inf
    lambda out, x, y: y * power(x, y - where(_at_origin(x, y), 0, 1)),
    # 0**y is flat in y for y > 0, where out * log(x) would be 0 * -inf
    lambda out, x, y: out * log(where((x == 0) & (y > 0), 1, x)),
    scalar=math.pow,
    symbol="^",
)
where = elementwise(
    np.where,
    0,
    lambda out, condition, x, y: condition != 0,
    lambda out, condition, x, y: condition == 0,
    scalar=lambda condition, x, y: x if condition else y,
)

square = elementwise(np.square, lambda out, x: 2 * x, scalar=lambda x: x * x)
sqrt = elementwise(np.sqrt, lambda out, x: 0.5 / out)
exp = elementwise(np.exp, lambda out, x: out)
expm1 = elementwise(np.expm1, lambda out, x: exp(x))
log = elementwise(np.log, lambda out, x: 1 / x)
log1p = elementwise(np.log1p, lambda out, x: 1 / (1 + x))

sin = elementwise(np.sin, lambda out, x: cos(x))
cos = elementwise(np.cos, lambda out, x: -sin(x))
tan = elementwise(np.tan, lambda out, x: 1 + square(out))
arctan = elementwise(np.arctan, lambda out, x: 1 / (1 + square(x)), scalar=math.atan)
sinh = elementwise(np.sinh, lambda out, x: cosh(x))
cosh = elementwise(np.cosh, lambda out, x: sinh(x))
# not 1 - out**2, which cancels where tanh saturates
tanh = elementwise(np.tanh, lambda out, x: 1 / square(cosh(x)))

sign = elementwise(np.sign, 0, scalar=lambda x: math.copysign(1.0, x) if x < 0 or x > 0 else x)
absolute = elementwise(np.absolute, lambda out, x: conj(sign(x)), scalar=abs, symbol="|·|")


def _share(ahead: Any, tied: Any) -> Any:
    return where(tied, 0.5, ahead)


maximum = elementwise(
    np.maximum,
    lambda out, x, y: _share(x > y, x == y),
    lambda out, x, y: _share(y > x, x == y),
    scalar=lambda x, y: x if x >= y or math.isnan(x) else y,
    symbol="max",
)
minimum = elementwise(
    np.minimum,
    lambda out, x, y: _share(x < y, x == y),
    lambda out, x, y: _share(y < x, x == y),
    scalar=lambda x, y: x if x <= y or math.isnan(x) else y,
    symbol="min",
)


def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


def _sigmoid(x: Any) -> Any:
    # exp of a negative number only: no overflow at either end
    decay = np.exp(-np.abs(x))
    return np.where(np.less(x, 0), decay, 1) / (1 + decay)


def _sigmoid_scalar(x: float) -> float:
    decay = math.exp(-abs(x))
    return (decay if x < 0 else 1.0) / (1.0 + decay)


relu = elementwise(
    _relu,
    lambda out, x: x > 0,
    scalar=lambda x: x if x > 0 or math.isnan(x) else 0.0,
    name="relu",
    doc="max(x, 0), element by element; its derivative at 0 is 0.",
)
sigmoid = elementwise(
    _sigmoid,
    # not out * (1 - out), which cancels where the sigmoid saturates
    lambda out, x: out * sigmoid(-x),
    scalar=_sigmoid_scalar,
    name="sigmoid",
    symbol="σ",
    doc="1 / (1 + exp(-x)), element by element, without overflow for any x.",
)

conjugate = linear(np.conjugate, lambda g, x: conj(g), symbol="x̄")
real = linear(np.real, lambda g, x: g, symbol="Re")
imag = linear(np.imag, lambda g, x: g * 1j, symbol="Im")
