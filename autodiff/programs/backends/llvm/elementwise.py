"""Instructions for NumPy's elementwise functions, on numbers and vectors alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autodiff.programs.backends.llvm.elementary import FUNCTIONS
from autodiff.programs.backends.llvm.text import Writer, lanes, spread, with_lane

Build = Callable[..., str]
"""Adds the instructions of an operation: `build(writer, kind, *operands)`."""


def _binary(opcode: str) -> Build:
    return lambda w, t, a, b: w(f"{opcode} {t} {a}, {b}")


def _intrinsic(name: str) -> Build:
    return lambda w, t, *operands: w.intrinsic(name, t, *operands)


def _external(name: str) -> Build:
    return lambda w, t, *operands: w.external(name, t, *operands)


def _function(name: str) -> Build:
    return lambda w, t, x: w.function(name, t, FUNCTIONS[name], x)


def select(w: Writer, t: str, condition: str, a: str, b: str) -> str:
    """Return a where a condition holds, else b."""
    return w(f"select {with_lane(t, 'i1')} {condition}, {t} {a}, {t} {b}")


def _or(w: Writer, t: str, a: str, b: str) -> str:
    return w(f"or {with_lane(t, 'i1')} {a}, {b}")


def _chain(w: Writer, t: str, g: str, partial: str) -> str:
    zero = spread(0.0, t)
    either = _or(w, t, w(f"fcmp oeq {t} {g}, {zero}"), w(f"fcmp oeq {t} {partial}, {zero}"))
    return select(w, t, either, zero, w(f"fmul {t} {g}, {partial}"))


def _extremum(comparison: str, spread_nan: bool) -> Build:
    def build(w: Writer, t: str, a: str, b: str) -> str:
        # NumPy's maximum and minimum return NaN if either is NaN, fmax and fmin the other number
        nan = a if spread_nan else b
        better = w(f"fcmp {comparison} {t} {a}, {b}")
        return select(w, t, _or(w, t, better, w(f"fcmp uno {t} {nan}, {nan}")), a, b)

    return build


def _whole_extremum(comparison: str) -> Build:
    return lambda w, t, a, b: select(w, t, w(f"icmp {comparison} {t} {a}, {b}"), a, b)


def _sign(w: Writer, t: str, x: str) -> str:
    zero = spread(0.0, t)
    negative = select(w, t, w(f"fcmp olt {t} {x}, {zero}"), spread(-1.0, t), x)
    found = select(w, t, w(f"fcmp ogt {t} {x}, {zero}"), spread(1.0, t), negative)
    return select(w, t, w(f"fcmp oeq {t} {x}, {zero}"), zero, found)


def _finiteness(comparison: str) -> Build:
    return lambda w, t, x: w(
        f"fcmp {comparison} {t} {w.intrinsic('fabs', t, x)}, {spread(np.inf, t)}"
    )


C_FUNCTIONS = {
    "arcsin": "asin", "arccos": "acos", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
    "arctanh": "atanh", "cbrt": "cbrt", "hypot": "hypot", "power": "pow",
}  # fmt: skip
"""Functions that the C library computes, with their names there."""

FLOATS: dict[str, Build] = {
    "add": _binary("fadd"),
    "subtract": _binary("fsub"),
    "multiply": _binary("fmul"),
    "divide": _binary("fdiv"),
    "negative": lambda w, t, x: w(f"fneg {t} {x}"),
    "square": lambda w, t, x: w(f"fmul {t} {x}, {x}"),
    "reciprocal": lambda w, t, x: w(f"fdiv {t} {spread(1.0, t)}, {x}"),
    "maximum": _extremum("oge", True),
    "minimum": _extremum("ole", True),
    "fmax": _extremum("oge", False),
    "fmin": _extremum("ole", False),
    "sign": _sign,
    "chain": _chain,
    "isnan": lambda w, t, x: w(f"fcmp uno {t} {x}, {x}"),
    "isinf": _finiteness("oeq"),
    "isfinite": _finiteness("olt"),
    "equal": _binary("fcmp oeq"),
    "not_equal": _binary("fcmp une"),
    "less": _binary("fcmp olt"),
    "less_equal": _binary("fcmp ole"),
    "greater": _binary("fcmp ogt"),
    "greater_equal": _binary("fcmp oge"),
    **{
        name: _intrinsic(intrinsic)
        for name, intrinsic in {
            "absolute": "fabs", "fabs": "fabs", "sqrt": "sqrt", "floor": "floor", "ceil": "ceil",
            "trunc": "trunc", "rint": "rint", "copysign": "copysign",
        }.items()
    },
    **{name: _external(function) for name, function in C_FUNCTIONS.items()},
    **{name: _function(name) for name in FUNCTIONS},
}  # fmt: skip
"""Builders for floating point, by the names of NumPy's functions."""

WHOLE: dict[str, Build] = {
    "add": _binary("add"),
    "subtract": _binary("sub"),
    "multiply": _binary("mul"),
    "negative": lambda w, t, x: w(f"sub {t} {spread(0, t)}, {x}"),
    "square": lambda w, t, x: w(f"mul {t} {x}, {x}"),
    "maximum": _whole_extremum("sge"),
    "minimum": _whole_extremum("sle"),
    "bitwise_and": _binary("and"),
    "bitwise_or": _binary("or"),
    "bitwise_xor": _binary("xor"),
    "invert": lambda w, t, x: w(f"xor {t} {x}, {spread(-1, t)}"),
    "equal": _binary("icmp eq"),
    "not_equal": _binary("icmp ne"),
    "less": _binary("icmp slt"),
    "less_equal": _binary("icmp sle"),
    "greater": _binary("icmp sgt"),
    "greater_equal": _binary("icmp sge"),
}
"""Builders for whole numbers, which wrap around as NumPy's do."""

BOOLS: dict[str, Build] = {
    "add": _binary("or"),
    "multiply": _binary("and"),
    "maximum": _binary("or"),
    "minimum": _binary("and"),
    "logical_and": _binary("and"),
    "logical_or": _binary("or"),
    "logical_xor": _binary("xor"),
    "logical_not": lambda w, t, x: w(f"xor {t} {x}, {spread(True, t)}"),
    "bitwise_and": _binary("and"),
    "bitwise_or": _binary("or"),
    "bitwise_xor": _binary("xor"),
    "invert": lambda w, t, x: w(f"xor {t} {x}, {spread(True, t)}"),
    "equal": _binary("icmp eq"),
    "not_equal": _binary("icmp ne"),
    "less": _binary("icmp ult"),
    "less_equal": _binary("icmp ule"),
    "greater": _binary("icmp ugt"),
    "greater_equal": _binary("icmp uge"),
}
"""Builders for truth values."""

BUILDERS = {"double": FLOATS, "float": FLOATS, "i64": WHOLE, "i1": BOOLS}
"""Builders by the type that an operation computes in."""

CASTS = {
    ("i1", "double"): "uitofp", ("i1", "float"): "uitofp", ("i1", "i64"): "zext",
    ("i64", "double"): "sitofp", ("i64", "float"): "sitofp", ("float", "double"): "fpext",
    ("double", "float"): "fptrunc",
}  # fmt: skip
"""Instructions that convert numbers; others, as from floats to whole numbers, stay with NumPy."""


def castable(source: str, target: str) -> bool:
    """Return whether numbers of one lane type are converted to another natively."""
    return source == target or target == "i1" or (source, target) in CASTS


def cast(w: Writer, kind: str, target: str, x: str) -> str:
    """Return numbers of a type as another lane type."""
    lane = lanes(kind)[0]
    if lane == target:
        return x
    if target == "i1":
        return w(f"{'icmp ne' if lane == 'i64' else 'fcmp une'} {kind} {x}, {spread(0, kind)}")
    return w(f"{CASTS[lane, target]} {kind} {x} to {with_lane(kind, target)}")
