"""Calls with `out`: the result of a function is written to given arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff.core.graph import Node
from autodiff.ops.registry import row, shape_of


def gives_out(out: Any) -> bool:
    """Return whether an `out` argument contains an array."""
    return any(array is not None for array in (out if isinstance(out, tuple) else [out]))


def written(
    name: str,
    out: Any,
    compute: Callable[[], Any],
    where: Any = True,
    *,
    exact: bool = True,
    fresh: bool = False,
) -> Any:
    """Write the result of a call to its `out`: Tensors, arrays, None, or a tuple of these.

    Elements where `where` is False are left unchanged. With `exact`, `out` must have the shape of
    the result. With `fresh`, the result has no other reference.

    Raises
    ------
    TypeError
        If the result depends on nodes and `out` is a plain array, or its dtype cannot hold it.
    ValueError
        If the shapes do not fit.
    """
    everywhere = isinstance(where, bool | np.bool_) and bool(where)
    with np.errstate(all=None if everywhere else "ignore"):
        made = compute()
    results = made if isinstance(made, tuple) else (made,)
    outs = out if isinstance(out, tuple) else (out,)
    if len(outs) != len(results):
        raise TypeError(f"{name} has {len(results)} results, but got {len(outs)} arrays as out")
    found = []
    for array, result in zip(outs, results, strict=True):
        if not everywhere:
            result = row("where")(where, result, math.nan if array is None else array)
        if isinstance(array, Node):
            array.receive(name, result, exact, fresh)
        elif isinstance(result, Node) and array is not None:
            raise TypeError(
                f"{name}(out=...) cannot write a node to a plain array, which would lose its "
                "derivative: make the array with autodiff.zeros, ones, empty or full"
            )
        elif array is not None:
            if exact and shape_of(array) != shape_of(result):
                raise ValueError(misfit(name, result, array))
            np.copyto(array, result, casting="same_kind")
        found.append(result if array is None else array)
    return tuple(found) if isinstance(made, tuple) else found[0]


def misfit(name: str, made: Any, out: Any) -> str:
    """Return the error message for a result that does not fit its `out`."""
    return (
        f"{name}(out=...): a result of shape {shape_of(made)} and dtype {np.result_type(made)} "
        f"does not fit into an array of shape {shape_of(out)} and dtype {out.dtype}"
    )
