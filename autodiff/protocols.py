"""NumPy's two protocols: what NumPy's functions do when they are called on nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.graph import data_of
from autodiff.ops.table import BY_FUNCTION
from autodiff.ufuncs import call_method


def dispatch_ufunc(ufunc: Any, method: str, inputs: Any, kwargs: Any) -> Any:
    """NumPy's ufunc protocol (NEP 13), for both kinds of node."""
    if ufunc in _PLAIN_UFUNCS and method == "__call__":
        return ufunc(*map(data_of, inputs), **kwargs)
    op = BY_FUNCTION.get(ufunc)
    if op is None:
        raise _unknown(f"numpy.{ufunc.__name__}")
    if method != "__call__":
        return call_method(ufunc, op, method, inputs, kwargs)
    return op(*inputs, **kwargs)


def dispatch_function(function: Any, args: Any, kwargs: Any) -> Any:
    """NumPy's function protocol (NEP 18), for both kinds of node."""
    if function in _PLAIN_FUNCTIONS:
        return function(*map(data_of, args), **kwargs)
    op = BY_FUNCTION.get(function)
    if op is None:
        raise _unknown(f"numpy.{function.__name__}")
    return op(*args, **kwargs)


def _unknown(name: str) -> TypeError:
    return TypeError(
        f"{name} has no derivative here: write it with the functions of autodiff, or take x.data "
        "to compute outside the graph"
    )


# Functions whose results are no functions to differentiate: truth values, shapes, places.
_PLAIN_UFUNCS = {
    np.equal, np.not_equal, np.less, np.less_equal, np.greater, np.greater_equal,
    np.isfinite, np.isnan, np.isinf,
}  # fmt: skip
_PLAIN_FUNCTIONS = {
    np.shape, np.ndim, np.size, np.argmax, np.argmin, np.argsort,
    np.allclose, np.isclose, np.array_equal,
}  # fmt: skip
