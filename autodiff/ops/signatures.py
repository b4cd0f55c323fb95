"""Signatures of rows, for `inspect.signature`, `help` and editors."""

from __future__ import annotations

import inspect
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from autodiff.ops.table import Elementwise, Row


_DEFAULTS = {"keepdims": False, "where": True}
"""Defaults of NumPy's functions whose signatures show a placeholder."""


class OfRow:
    """The attribute `__signature__` of a row."""

    def __get__(self, op: Row | None, owner: type) -> Signature | None:
        return None if op is None else op.described()


def of_operands(op: Elementwise) -> Signature:
    """Return the signature of an elementwise row: positional operands and a ufunc's options."""
    codes = [rule.__code__ for rule in op.partials if inspect.isfunction(rule)]
    names = [code.co_varnames[1 : code.co_argcount] for code in codes]
    ours = ("x",) if op.arity == 1 else tuple(f"x{k + 1}" for k in range(op.arity))
    named = next((each for each in names if len(each) == op.arity), ours)
    operands = [
        Parameter(name, Parameter.POSITIONAL_ONLY) for name in (ours if op.spreads else named)
    ]
    options = {"out": None, "where": True, "dtype": None} if op.spreads else {}
    return Signature(
        [*operands, *(Parameter(k, Parameter.KEYWORD_ONLY, default=v) for k, v in options.items())]
    )


def of_function(op: Row) -> Signature:
    """Return the signature of any other row: its function's, without unsupported parameters."""
    leading = 1 if op.arity < 0 else op.arity
    try:
        given: dict[str, Any] = dict(inspect.signature(op.function).parameters)
    except ValueError:  # a builtin
        given = {}
    known, by_position = [], True
    for i, name in enumerate(dict.fromkeys([*op.signature, *op.parameters])):
        if i >= leading and name not in op.parameters and name != "out":
            by_position = False  # parameters after one left out are keyword-only
            continue
        kind = Parameter.POSITIONAL_OR_KEYWORD if by_position else Parameter.KEYWORD_ONLY
        default = Parameter.empty if i < leading else op.defaults.get(name, _DEFAULTS.get(name))
        if name in given:
            if given[name].default is not np._NoValue:
                default = given[name].default
            if given[name].kind is Parameter.KEYWORD_ONLY:
                kind = Parameter.KEYWORD_ONLY
        known.append(Parameter(name, kind, default=default))
    return Signature(sorted(known, key=lambda parameter: parameter.kind))
