"""NumPy's two protocols, which dispatch its functions on nodes to the table."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from autodiff.core.graph import current
from autodiff.core.missing import advice
from autodiff.core.modes import compared, modes
from autodiff.nodes.ufuncs import call_method
from autodiff.ops.plain import MAKERS, PLAIN, REFUSED
from autodiff.ops.table import BY_FUNCTION

COMPARISONS = {np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal}


def dispatch_ufunc(ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """Implement `__array_ufunc__` (NEP 13) for both kinds of node."""
    op = BY_FUNCTION.get(ufunc)
    if op is None:
        return _outside(ufunc, getattr(ufunc, method), inputs, kwargs)
    if method != "__call__":
        return call_method(ufunc, op, method, inputs, kwargs)
    return op(*inputs, **kwargs)


def dispatch_function(function: Any, args: Any, kwargs: Any) -> Any:
    """Implement `__array_function__` (NEP 18) for both kinds of node."""
    op = BY_FUNCTION.get(function)
    if op is None:
        return _outside(function, function, args, kwargs)
    return op(*args, **kwargs)


def _outside(function: Any, compute: Any, args: Any, kwargs: Any) -> Any:
    """Call a function without a row on plain data if that loses no derivative; else raise."""
    if function in PLAIN:
        out = compute(*_plain(args), **_plain(kwargs))
        return compared(out, *args) if modes and function in COMPARISONS and len(args) == 2 else out
    name = full_name(function)
    if function in REFUSED:
        raise TypeError(f"{name} {REFUSED[function]}")
    if function in MAKERS:
        raise TypeError(
            f"{name}(like=...) would make a plain array, not a node: leave like= out (nodes are "
            "joined by autodiff.array), and wrap the array in a Tensor if it is a variable"
        )
    short = function.__name__
    if getattr(sys.modules.get("scipy.special"), short, None) is function:
        raise TypeError(
            f"scipy.special.{short} has no derivative here yet: {advice(short)}, or take x.data "
            "to compute outside the graph"
        )
    from difflib import get_close_matches  # needed for this message only

    names = {known.__name__: full_name(known) for known in BY_FUNCTION}
    near = get_close_matches(function.__name__, names, n=1)
    raise TypeError(
        f"{name} has no derivative here: write it with the functions of autodiff, or take x.data "
        "to compute outside the graph" + "".join(f" ({names[one]} has one)" for one in near)
    )


def _plain(x: Any) -> Any:
    """Return nested arguments with nodes replaced by their data."""
    if isinstance(x, list | tuple):
        return type(x)(map(_plain, x))
    if isinstance(x, dict):
        return {name: _plain(value) for name, value in x.items()}
    return current(x)


def full_name(function: Any) -> str:
    """Return a function's name with its module, as in `numpy.linalg.norm`."""
    name = function.__name__
    if isinstance(function, np.ufunc):  # does not state its module before NumPy 2.2
        return f"numpy.{name}" if getattr(np, name, None) is function else f"the ufunc {name}"
    return f"{function.__module__}.{name}"
