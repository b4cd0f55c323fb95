"""Steps that compute each element of their result from one element of each operand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autodiff.programs.backends.llvm.elements import Array, Unsupported
from autodiff.programs.backends.llvm.grids import Grid
from autodiff.programs.backends.llvm.large import shape_of
from autodiff.programs.backends.llvm.values import Values
from autodiff.programs.trace import Slot, Step


def _types(values: Values, function: np.ufunc, step: Step, args: Sequence[Any]) -> Any:
    """Return the dtypes that a ufunc computes in: of its operands, and of its result."""
    narrow = values.is_narrow(step.args)
    given = [values.loop_type(x, narrow) for x in args]
    options: dict[str, Any] = {}
    if (dtype := step.kwargs.get("dtype")) is not None:
        options["signature"] = (*[None] * function.nin, np.dtype(dtype))
    try:
        return function.resolve_dtypes((*given, None), **options)
    except TypeError as error:
        raise Unsupported from error


def ufunc(values: Values, step: Step) -> Array | Grid:
    function = step.function
    assert isinstance(function, np.ufunc)
    if function.nout != 1 or function.signature or step.kwargs.keys() - {"dtype", "out"}:
        raise Unsupported
    args = step.args[: function.nin]
    if len(step.args) != function.nin:
        raise Unsupported
    *types, out = _types(values, function, step, args)
    operands = [values.operand(x) for x in args]
    found = _elementwise(values, function.__name__, operands, types, out, args)
    return _into(values, step, found)


def _elementwise(
    values: Values,
    name: str,
    operands: list[Array | Grid],
    types: list[np.dtype[Any]],
    out: np.dtype[Any],
    args: Sequence[Any],
) -> Array | Grid:
    if len(set(types)) != 1:
        raise Unsupported
    dtype = types[0]
    if name in IDENTITIES:
        return values.cast(operands[0], out)
    if name == "power" and dtype.kind == "f":
        found = _power(values, operands, dtype, args[1])
        if found is not None:
            return found
    if name in LOGICAL:
        dtype = np.dtype(bool)
    return values.compute(name, operands, dtype, out)


IDENTITIES = {"positive", "conjugate"}
LOGICAL = {"logical_and", "logical_or", "logical_xor", "logical_not"}


def _power(
    values: Values, operands: list[Array | Grid], dtype: np.dtype[Any], exponent: Any
) -> Array | Grid | None:
    """Return a power with a small whole exponent as products; None for others."""
    if type(exponent) is Slot or np.ndim(exponent) or exponent not in (0, 1, 2, 3):
        return None
    x = values.cast(operands[0], dtype)
    if exponent == 0:
        return values.full(shape_of(x), 1, dtype)
    found = x
    for _ in range(int(exponent) - 1):
        found = values.compute("multiply", [found, x], dtype, dtype)
    return found


def _into(values: Values, step: Step, found: Array | Grid) -> Array | Grid:
    """Write a result to the array `out=` if there is one."""
    out = step.kwargs.get("out")
    if out is None:
        return found
    target = values.small(out[0] if isinstance(out, tuple) else out)
    write(values, target.elements, (), found, target.dtype)
    return target


def write(
    values: Values, target: Any, index: Any, value: Array | Grid, dtype: np.dtype[Any]
) -> None:
    value = values.cast(value, dtype)
    if isinstance(value, Grid):
        raise Unsupported
    target[index] = value.elements


def chain(values: Values, step: Step) -> Array | Grid:
    args = step.args
    narrow = values.is_narrow(args)
    types = np.multiply.resolve_dtypes((*[values.loop_type(x, narrow) for x in args], None))
    operands = [values.operand(x) for x in args]
    return values.compute("chain", operands, types[2], types[2])


def where(values: Values, step: Step) -> Array | Grid:
    if len(step.args) != 3 or step.kwargs:
        raise Unsupported
    narrow = values.is_narrow(step.args[1:])
    given = [values.loop_type(x, narrow) for x in step.args[1:]]
    *_, dtype = np.maximum.resolve_dtypes((*given, None))  # promotes as np.where does
    condition, a, b = (values.operand(x) for x in step.args)
    given = [values.cast(condition, np.dtype(bool)), *(values.cast(x, dtype) for x in (a, b))]
    return values.apply("where", given, dtype)
