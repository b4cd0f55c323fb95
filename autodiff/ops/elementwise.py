"""Elementwise rows: NumPy's ufuncs and similar functions, with ∂out/∂argument for each argument."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.core.graph import current, data_of
from autodiff.core.modes import compared
from autodiff.ops.general import general
from autodiff.ops.kinks import Kink, ties_of
from autodiff.ops.registry import shape_of
from autodiff.ops.table import (
    OBJECT,
    Elementwise,
    alias,
    chain,
    composite,
    elementwise,
    ieee,
    is_complex,
    linear,
    over,
)

__all__ = [
    "abs",
    "absolute",
    "acos",
    "acosh",
    "add",
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "around",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "clip",
    "conj",
    "conjugate",
    "copysign",
    "cos",
    "cosh",
    "deg2rad",
    "degrees",
    "divide",
    "divmod",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "fix",
    "float_power",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "heaviside",
    "hypot",
    "imag",
    "ldexp",
    "log",
    "log1p",
    "log2",
    "log10",
    "maximum",
    "minimum",
    "mod",
    "modf",
    "multiply",
    "nan_to_num",
    "negative",
    "nextafter",
    "positive",
    "pow",
    "power",
    "rad2deg",
    "radians",
    "real",
    "real_if_close",
    "reciprocal",
    "remainder",
    "rint",
    "round",
    "sign",
    "sin",
    "sinh",
    "spacing",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "true_divide",
    "trunc",
    "where",
]

_AT_ZERO = Kink("x = 0", lambda out, x: x == 0)
_AT_ONES = Kink("x = 1 and x = -1", lambda out, x: np.abs(x) == 1)
_WHOLE = Kink("whole x", lambda out, x: x == np.rint(x))
_ZERO_POWERS = (
    Kink("x = 0 and 0 < y < 1", lambda out, x, y: (x == 0) & (np.real(y) > 0) & (np.real(y) < 1)),
    Kink("x = y = 0", lambda out, x, y: (x == 0) & (y == 0), by=(1,)),
)

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
    over(lambda out, x, y: y),
    lambda out, x, y: -out / y,
    scalar=operator.truediv,
    symbol="÷",
)
negative = elementwise(np.negative, -1, scalar=operator.neg, symbol="−")
positive = elementwise(np.positive, 1, scalar=operator.pos, symbol="+")
reciprocal = elementwise(np.reciprocal, lambda out, x: -square(out), scalar=lambda x: 1 / x)


power = elementwise(
    np.power,
    # x**0 is constant in x, also where x**-1 is infinite
    lambda out, x, y: chain(y, power(x, y - 1)),
    # 0**y is constant in y for y > 0, where out * log(x) would be 0 * -inf
    lambda out, x, y: out * log(where((x == 0) & (y > 0), 1, x)),
    scalar=math.pow,
    symbol="^",
    kinks=_ZERO_POWERS,
)
float_power = elementwise(
    np.float_power, *power.partials, scalar=math.pow, symbol="^", kinks=_ZERO_POWERS
)
where = elementwise(
    np.where,
    0,
    lambda out, condition, x, y: condition != 0,
    lambda out, condition, x, y: condition == 0,
    scalar=lambda condition, x, y: x if condition else y,
    kinks=Kink(
        "a tie in the comparison that makes the condition",
        lambda out, condition, x, y: ties_of(condition),
        by=(1, 2),
    ),
)

square = elementwise(np.square, lambda out, x: 2 * x, scalar=lambda x: x * x)
sqrt = elementwise(np.sqrt, lambda out, x: 0.5 / out, kinks=_AT_ZERO)
cbrt = elementwise(np.cbrt, lambda out, x: 1 / (3 * square(out)), kinks=_AT_ZERO)
exp = elementwise(np.exp, lambda out, x: out)
exp2 = elementwise(np.exp2, lambda out, x: math.log(2) * out)
expm1 = elementwise(np.expm1, lambda out, x: exp(x))
log = elementwise(np.log, over(lambda out, x: x))
log2 = elementwise(np.log2, lambda out, x: 1 / math.log(2) / x)
log10 = elementwise(np.log10, lambda out, x: 1 / math.log(10) / x)
log1p = elementwise(np.log1p, over(lambda out, x: 1 + x))

sin = elementwise(np.sin, lambda out, x: cos(x))
cos = elementwise(np.cos, lambda out, x: -sin(x))
tan = elementwise(np.tan, lambda out, x: 1 + square(out))


def _one_less_square(x: Any) -> Any:
    """Return 1 - x² without cancellation near ±1; its derivative does not cancel near 0."""
    return where(absolute(x) < 0.7, 1 - square(x), (1 - x) * (1 + x))


def _cosine(x: Any) -> Any:
    """Return √(1 - x²); for complex x as a product of two roots, on the branch of arcsin."""
    return sqrt(1 - x) * sqrt(1 + x) if is_complex(x) else sqrt(_one_less_square(x))


arcsin = elementwise(np.arcsin, over(lambda out, x: _cosine(x)), scalar=math.asin, kinks=_AT_ONES)
arccos = elementwise(np.arccos, lambda out, x: -1 / _cosine(x), scalar=math.acos, kinks=_AT_ONES)
arctan = elementwise(np.arctan, over(lambda out, x: 1 + square(x)), scalar=math.atan)
sinh = elementwise(np.sinh, lambda out, x: cosh(x))
cosh = elementwise(np.cosh, lambda out, x: sinh(x))
# not 1 - out**2, which cancels where tanh saturates
tanh = elementwise(np.tanh, over(lambda out, x: cosh(x), squared=True))
arcsinh = elementwise(
    np.arcsinh,
    lambda out, x: 1 / (sqrt(1 - 1j * x) * sqrt(1 + 1j * x) if is_complex(x) else hypot(x, 1)),
    scalar=math.asinh,
)
arccosh = elementwise(
    np.arccosh,
    lambda out, x: 1 / (sqrt(x - 1) * sqrt(x + 1)),
    scalar=math.acosh,
    kinks=Kink("x = 1", lambda out, x: x == 1),
)
arctanh = elementwise(np.arctanh, over(lambda out, x: _one_less_square(x)), scalar=math.atanh)
radians = alias(elementwise(np.radians, math.pi / 180), np.deg2rad)
degrees = alias(elementwise(np.degrees, 180 / math.pi), np.rad2deg)


def _over(x: Any, r: Any) -> Any:
    """Return x / r, and 0 where r is 0."""
    return where(r == 0, 0, x / r)


hypot = elementwise(
    np.hypot,
    lambda out, x, y: _over(x, out),
    lambda out, x, y: _over(y, out),
    kinks=Kink("x = y = 0", lambda out, x, y: out == 0, by=(0, 1)),
)
arctan2 = elementwise(
    np.arctan2,
    lambda out, y, x: _over(_over(x, hypot(x, y)), hypot(x, y)),
    lambda out, y, x: _over(_over(-y, hypot(x, y)), hypot(x, y)),
    scalar=math.atan2,
    kinks=Kink("y = 0 and x ≤ 0", lambda out, y, x: (y == 0) & (x <= 0), by=(0, 1)),
)


def _constant_between_jumps(
    function: Callable[..., Any], jumps: Kink, arity: int = 1
) -> Elementwise:
    return elementwise(
        function, *[0] * arity, scalar=lambda *args: ieee(function, *args), kinks=jumps
    )


def _halfway(x: Any) -> Any:
    return x - np.floor(x) == 0.5


floor = _constant_between_jumps(np.floor, _WHOLE)
ceil = _constant_between_jumps(np.ceil, _WHOLE)
trunc = fix = alias(
    _constant_between_jumps(
        np.trunc, Kink("whole x except 0", lambda out, x: (x == np.rint(x)) & (x != 0))
    ),
    np.fix,
)
rint = _constant_between_jumps(
    np.rint, Kink("x halfway between whole numbers", lambda out, x: _halfway(x))
)
spacing = _constant_between_jumps(
    np.spacing, Kink("x = 0 and powers of 2", lambda out, x: np.abs(np.frexp(x)[0]) % 0.5 == 0)
)
floor_divide = _constant_between_jumps(
    np.floor_divide,
    Kink("whole x / y", lambda out, x, y: np.remainder(x, y) == 0, by=(0, 1)),
    arity=2,
)
round = general(
    np.round,
    vjp=lambda g, out, a, decimals=0: None,
    jvp=lambda t, out, a, decimals=0: None,
    kinks=Kink(
        "a halfway between two rounded numbers",
        lambda out, a, decimals=0: _halfway(a * 10.0**decimals),
    ),
)
around = alias(round, np.around)


def _quotient(out: Any, x: Any, y: Any) -> Any:
    """Return the integer -k with out = x - k y."""
    return rint((data_of(out) - data_of(x)) / data_of(y))


fmod = elementwise(
    np.fmod,
    1,
    _quotient,
    kinks=Kink(
        "whole x / y except 0",
        lambda out, x, y: (out == 0) & (np.abs(x) >= np.abs(y)),
        by=(0, 1),
    ),
)
remainder = elementwise(
    np.remainder,
    1,
    _quotient,
    scalar=operator.mod,
    symbol="mod",
    kinks=Kink("whole x / y", lambda out, x, y: out == 0, by=(0, 1)),
)


@composite(np.divmod)
def divmod(x1: Any, x2: Any) -> Any:
    """numpy.divmod for numbers, arrays, Values and Tensors."""
    return floor_divide(x1, x2), remainder(x1, x2)


modf = general(
    np.modf,
    vjp=lambda g, out, x: g[0],
    jvp=lambda t, out, x: (t, None),
    kinks=Kink("whole x except 0", lambda out, x: (out[0] == 0) & (x != 0)),
)
ldexp = linear(
    np.ldexp,
    lambda g, x1, x2=0: ldexp(g, x2=x2),
    compute=lambda x1, x2=0: np.ldexp(x1, x2),  # np.ldexp takes the exponent by position only
)
frexp = general(
    np.frexp,
    vjp=lambda g, out, x: ldexp(g[0], x2=-data_of(out)[1]),
    jvp=lambda t, out, x: (ldexp(t, x2=-data_of(out)[1]), None),
    kinks=Kink("x = 0 and powers of 2", lambda out, x: np.abs(out[0]) % 0.5 == 0),
)

sign = elementwise(
    np.sign,
    # for complex x, sign is x / |x|, and 0 at 0
    lambda out, x: where(x == 0, 0, 0.5 / absolute(x)) if is_complex(x) else 0,
    conjugated=lambda out, x: where(x == 0, 0, -0.5 * square(out) / absolute(x)),
    scalar=lambda x: math.copysign(1.0, x) if x < 0 or x > 0 else x,
    kinks=_AT_ZERO,
)
absolute = elementwise(
    np.absolute,
    lambda out, x: conjugate(sign(x)) if is_complex(x) else sign(x),
    scalar=operator.abs,
    symbol="|·|",
    kinks=_AT_ZERO,
)
fabs = elementwise(np.fabs, lambda out, x: sign(x), symbol="|·|", kinks=_AT_ZERO)
copysign = elementwise(
    np.copysign,
    lambda out, x, y: sign(x) * copysign(1, y),
    0,
    kinks=(
        Kink("x = 0", lambda out, x, y: x == 0),
        Kink("y = 0", lambda out, x, y: y == 0, by=(1,)),
    ),
)
nextafter = elementwise(np.nextafter, 1, 0)
heaviside = elementwise(
    np.heaviside,
    0,
    lambda out, x, y: x == 0,
    kinks=Kink("x = 0", lambda out, x, y: x == 0),
)


def _choice(
    function: Callable[..., Any], first: Callable[[Any, Any], Any], symbol: str = ""
) -> Elementwise:
    """Make a row that returns x where `first(x, y)`, else y; the derivative is 0.5 at a tie."""
    return elementwise(
        function,
        lambda out, x, y: where(x == y, 0.5, first(x, y)),
        lambda out, x, y: where(x == y, 0.5, first(x, y) ^ True),  # `not`, for arrays too
        scalar=lambda x, y: x if first(x, y) else y,
        symbol=symbol,
        kinks=Kink("x = y", lambda out, x, y: x == y, by=(0, 1)),
    )


# x != x is true of NaN only
maximum = _choice(np.maximum, lambda x, y: (x >= y) | (x != x), symbol="max")
minimum = _choice(np.minimum, lambda x, y: (x <= y) | (x != x), symbol="min")
fmax = _choice(np.fmax, lambda x, y: (x >= y) | (y != y))
fmin = _choice(np.fmin, lambda x, y: (x <= y) | (y != y))


@composite(np.clip)
def clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    """numpy.clip for numbers, arrays, Values and Tensors; the derivative by `a` is 1 at a bound."""
    if (a_min is not None or a_max is not None) and (min is not None or max is not None):
        raise ValueError("clip takes either a_min and a_max, or min and max")
    low, high = (min if a_min is None else a_min), (max if a_max is None else a_max)
    if low is not None:
        below = np.less(a, low) | np.not_equal(low, low)
        a = where(compared(below, a, low, ours=True), low, a)
    if high is not None:
        above = np.greater(a, high) | np.not_equal(high, high)
        a = where(compared(above, a, high, ours=True), high, a)
    return a if shape_of(a) else positive(a)  # a scalar instead of a 0-d array


real = elementwise(np.real, 1, scalar=operator.pos, symbol="Re")
imag = elementwise(
    np.imag, lambda out, x: -1j if is_complex(x) else 0, scalar=lambda x: 0.0, symbol="Im"
)
real.views = imag.views = True
conjugate = elementwise(
    np.conjugate,
    lambda out, x: 0 if is_complex(x) else 1,
    conjugated=1,
    scalar=operator.pos,
    symbol="x̄",
)


@composite(np.angle)
def angle(z: Any, deg: bool = False) -> Any:
    """numpy.angle for numbers, arrays, Values and Tensors; its derivative at 0 is 0."""
    radians = arctan2(imag(z), real(z))
    return degrees(radians) if deg else radians


@composite(np.real_if_close)
def real_if_close(a: Any, tol: float = 100) -> Any:
    """numpy.real_if_close for numbers, arrays, Values and Tensors."""
    return real(a) if np.isrealobj(np.real_if_close(current(a), tol)) else a


@composite(np.nan_to_num)
def nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """numpy.nan_to_num for numbers, arrays, Values and Tensors; replaced elements are constant."""
    if not copy:
        raise TypeError("nan_to_num(copy=False) would overwrite its argument: leave copy out")
    options = {"nan": nan, "posinf": posinf, "neginf": neginf}
    if getattr(x, "dtype", None) is OBJECT:
        return np.frompyfunc(lambda value: nan_to_num(value, **options), 1, 1)(x)
    if is_complex(x):
        return nan_to_num(real(x), **options) + 1j * nan_to_num(imag(x), **options)
    out = where(np.isfinite(x), x, np.nan_to_num(current(x), **options))
    return out if shape_of(out) else positive(out)  # a scalar instead of a 0-d array


# NumPy's other names for the same functions.
abs, conj, pow, mod, true_divide = absolute, conjugate, power, remainder, divide
asin, acos, atan, atan2 = arcsin, arccos, arctan, arctan2
asinh, acosh, atanh = arcsinh, arccosh, arctanh
deg2rad, rad2deg = radians, degrees
