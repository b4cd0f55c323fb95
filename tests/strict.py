"""An array that is as strict as CuPy's: nothing turns into NumPy's arrays, or mixes with them.

It holds its numbers on a "device" of its own, speaks NumPy's protocols, and has the functions, the
parameters and the methods that CuPy has (`cupy_names`), no others.
"""

from __future__ import annotations

import inspect
from typing import Any

import cupy_names
import numpy as np

UFUNCS = {*cupy_names.UFUNCS.split()}
AT = {"add", "subtract", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"}
SCALARS = (bool, int, float, complex, np.generic)
METHODS = """
    all(axis, out, keepdims) any(axis, out, keepdims) argmax(axis, out, dtype, keepdims)
    argmin(axis, out, dtype, keepdims) argpartition(kth, axis) argsort(axis)
    choose(choices, out, mode) clip(min, max, out) compress(condition, axis, out) conj() conjugate()
    copy(order) cumprod(axis, dtype, out) cumsum(axis, dtype, out) diagonal(offset, axis1, axis2)
    dot(b, out) flatten(order) max(axis, out, keepdims) mean(axis, dtype, out, keepdims)
    min(axis, out, keepdims) nonzero() prod(axis, dtype, out, keepdims) ravel(order)
    repeat(repeats, axis) reshape(*shape, order) round(decimals, out)
    searchsorted(v, side, sorter) squeeze(axis) std(axis, dtype, out, ddof, keepdims)
    sum(axis, dtype, out, keepdims) swapaxes(axis1, axis2) take(indices, axis, out)
    trace(offset, axis1, axis2, dtype, out) transpose(*axes) var(axis, dtype, out, ddof, keepdims)
    view(dtype)
"""


def _signatures(calls: str) -> dict[str, inspect.Signature]:
    """The signatures in a text of calls, all of whose parameters may be left out."""
    found = {}
    for call in calls.replace(")", ")\n").splitlines():
        name, _, parameters = call.strip().rstrip(")").partition("(")
        if not name:
            continue
        kinds, known = inspect.Parameter, []
        for parameter in filter(None, parameters.split(", ")):
            kind: Any = kinds.VAR_POSITIONAL if parameter[0] == "*" else kinds.POSITIONAL_OR_KEYWORD
            kind = kinds.VAR_KEYWORD if parameter.startswith("**") else kind
            after = any(each.kind is kinds.VAR_POSITIONAL for each in known)
            if after and kind is kinds.POSITIONAL_OR_KEYWORD:
                kind = kinds.KEYWORD_ONLY
            optional = {} if "*" in parameter else {"default": None}
            known.append(inspect.Parameter(parameter.strip("*"), kind, **optional))
        found[name] = inspect.Signature(known)
    return found


FUNCTIONS = _signatures(cupy_names.FUNCTIONS)
OF_ARRAYS = _signatures(METHODS)


class Missing(TypeError):
    """CuPy has no such function, or none with that parameter."""


def bare(x: Any, host: bool = False) -> Any:
    """What NumPy computes with in place of these arguments; with `host`, its own arrays too."""
    if isinstance(x, Strict):
        return x.numbers
    if isinstance(x, list | tuple):
        return type(x)([bare(part, host) for part in x])
    if isinstance(x, dict):
        return {key: bare(part, host) for key, part in x.items()}
    if isinstance(x, np.ndarray) and not host:
        raise TypeError(f"Unsupported type {type(x)}: numpy.ndarray of shape {x.shape}")
    return x


def device(x: Any) -> Any:
    """What CuPy returns in the place of NumPy's results: arrays throughout, plain tuples."""
    if isinstance(x, np.ndarray | np.generic):
        return Strict(x)
    if isinstance(x, list):
        return [device(part) for part in x]
    return tuple(map(device, x)) if isinstance(x, tuple) else x


def get(x: Any) -> Any:
    """The numbers of an array, or of the arrays in a container, on purpose."""
    return bare(x, host=True)


def _fits(name: str, known: inspect.Signature | None, args: Any, kwargs: Any) -> None:
    if known is None:
        raise Missing(f"CuPy has no {name}")
    try:
        known.bind(*args, **kwargs)
    except TypeError as error:
        raise Missing(f"CuPy's {name}: {error}") from error


class Strict(np.lib.mixins.NDArrayOperatorsMixin):
    def __init__(self, numbers: Any) -> None:
        self.numbers = np.asarray(numbers)

    shape = property(lambda self: self.numbers.shape)
    dtype = property(lambda self: self.numbers.dtype)
    ndim = property(lambda self: self.numbers.ndim)
    size = property(lambda self: self.numbers.size)
    itemsize = property(lambda self: self.numbers.itemsize)
    nbytes = property(lambda self: self.numbers.nbytes)
    flags = property(lambda self: self.numbers.flags)
    T = property(lambda self: Strict(self.numbers.T))
    real = property(lambda self: Strict(self.numbers.real))
    imag = property(lambda self: Strict(self.numbers.imag))

    def __getattr__(self, name: str) -> Any:
        known = OF_ARRAYS.get(name)
        if known is None:
            raise AttributeError(f"CuPy's arrays have no {name}")

        def method(*args: Any, **kwargs: Any) -> Any:
            _fits(f"ndarray.{name}", known, args, kwargs)
            host = name in ("take", "repeat")
            args, kwargs = bare(args, host), bare(kwargs, host)
            return device(getattr(self.numbers, name)(*args, **kwargs))

        return method

    def astype(self, dtype: Any, order: Any = "K", casting: Any = None, copy: Any = True) -> Strict:
        return Strict(self.numbers.astype(dtype, copy=copy))

    def sort(self, axis: int = -1) -> None:
        self.numbers.sort(axis=axis, kind="stable")

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Use .get()")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        has = name in UFUNCS or getattr(ufunc, "__module__", "") == "scipy.special"
        if method != "__call__":
            has &= method == "outer" or name in (AT if method == "at" else {"add", "multiply"})
        if not has:
            return NotImplemented
        if not all(isinstance(x, (*SCALARS, Strict, np.ndarray)) for x in inputs[: ufunc.nin]):
            return NotImplemented
        if not kwargs.keys() <= {"out", "dtype", "casting"} and method == "__call__":
            raise Missing(f"CuPy's {name}: wrong arguments {kwargs}")
        out = kwargs.pop("out", None)
        given = bare(kwargs)
        if out is not None:
            given["out"] = bare(out)
        if method == "at":
            target, index, *rest = inputs
            return ufunc.at(target.numbers, get(index), *bare(rest))
        result = getattr(ufunc, method)(*bare(inputs), **given)
        return device(result) if out is None else out[0]

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        module = function.__module__.removeprefix("numpy").lstrip(".")
        name = f"{module}.{function.__name__}".lstrip(".")
        if not all(issubclass(kind, Strict | np.ndarray) for kind in types):
            return NotImplemented
        _fits(name, FUNCTIONS.get(name), args, kwargs)
        host = name in ("take", "asarray")
        return device(function(*bare(args, host), **bare(kwargs, host)))

    def __getitem__(self, index: Any) -> Strict:
        return Strict(self.numbers[get(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, np.ndarray) and value.ndim:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        self.numbers[get(index)] = get(value)

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Any:
        return map(Strict, self.numbers)

    def __bool__(self) -> bool:
        return bool(self.numbers)

    def __int__(self) -> int:
        return int(self.numbers)

    def __float__(self) -> float:
        return float(self.numbers)

    def __complex__(self) -> complex:
        return complex(self.numbers)

    def __index__(self) -> int:
        return self.numbers.__index__()

    def item(self) -> Any:
        return self.numbers.item()

    def tolist(self) -> Any:
        return self.numbers.tolist()

    def tobytes(self) -> bytes:
        return self.numbers.tobytes()

    def __repr__(self) -> str:
        return f"Strict({self.numbers!r})"
