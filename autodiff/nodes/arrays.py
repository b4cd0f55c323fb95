"""Conversion of users' data to arrays that the graph can store."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autodiff.core.graph import Node, Op, Params
from autodiff.ops.alike import labelled, unlabelled
from autodiff.ops.kinks import Mask
from autodiff.ops.shapes import as_array


def checked(array: ArrayLike, copy: bool = True) -> Any:
    """Return a user's data as an array of floats: a private copy, or a view if not `copy`."""
    if type(array) is np.ndarray and array.dtype.kind in "fc" and array.dtype.isnative:
        return array.copy("K") if copy else array.view()
    if isinstance(array, Node):
        raise TypeError(
            f"this is a {type(array).__name__} already; Tensor(x.data) copies its numbers"
        )
    array = unlabelled(array)
    if isinstance(array, np.ndarray):
        array = ordinary(array)
    elif not hasattr(array, "__array_function__"):
        array = ordinary(np.array(array, subok=True))
    kind = array.dtype.kind  # type: ignore[union-attr]
    if kind in "iub":
        return array.astype(float)  # type: ignore[union-attr]
    if kind not in "fc":
        raise TypeError(
            f"Tensor holds numbers, not dtype {array.dtype}"  # type: ignore[union-attr]
            + (": join nodes with autodiff.stack([...])" if kind == "O" else "")
        )
    if not array.dtype.isnative:  # type: ignore[union-attr]
        return array.astype(array.dtype.newbyteorder())  # type: ignore[union-attr]
    return fresh(array) if copy else array.view()  # type: ignore[union-attr]


def fresh(array: Any) -> Any:
    """Return a writable copy with the same memory layout."""
    return np.array(array) if isinstance(array, np.ndarray | np.generic) else array.copy()


def ordinary(array: Any) -> Any:
    """Return an ndarray for an instance of a subclass; raise a TypeError if that loses meaning."""
    if type(array) is np.ndarray or isinstance(array, np.memmap | Mask):
        return np.asarray(array)
    ma = sys.modules.get("numpy.ma")  # slow to import, and no array is masked without it
    if ma is not None and isinstance(array, ma.MaskedArray):
        raise TypeError("a masked array would lose its mask: fill it first (array.filled(value))")
    raise TypeError(
        f"a {type(array).__name__} computes by rules of its own, which would be lost silently: "
        "pass np.asarray(array)"
    )


def frozen(data: Any) -> Any:
    """Return `data` as a read-only array, so that recorded data cannot change."""
    if type(data) is not np.ndarray and isinstance(data, np.ndarray | np.generic):
        data = np.asarray(data)
    if isinstance(data, np.ndarray):
        data.setflags(write=False)
    return data


def is_fixed(array: Any) -> bool:
    """Return whether an array and all its bases are read-only, and so trusted not to change."""
    while isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.base
    return array is None or isinstance(array, bytes)


def private(value: Any) -> Any:
    """Return a constant or parameter as a read-only copy, unless it is fixed already."""
    if isinstance(value, np.ndarray):
        return value if is_fixed(value) else frozen(value.copy())
    if isinstance(value, list):
        return [private(part) for part in value]
    if type(value) is tuple:
        return tuple(map(private, value))
    if hasattr(value, "__array_ufunc__") and labelled(value):
        return frozen(np.array(unlabelled(value)))
    return value


_NUMBERS = (Node, float, int, complex, np.generic)


def operand(op: Op, arg: Any) -> Any:
    """Return an operand that is neither Tensor nor ndarray as `op` takes it; `arg` if it does."""
    if type(arg) in (list, tuple):
        return as_array(arg)
    if labelled(arg):
        return unlabelled(arg)
    if not op.weak and op.arity > 0 and (isinstance(arg, Node) or not hasattr(arg, "shape")):
        return as_array(arg)  # only elementwise rules take plain numbers
    if isinstance(arg, np.ndarray):
        return ordinary(arg)
    if isinstance(arg, _NUMBERS) or hasattr(arg, "__array_ufunc__"):
        return arg
    array = np.asarray(arg)  # a buffer, for example
    return array if array.dtype.kind in "fciub" else arg


def _describe(arg: Any) -> str:
    dtype = getattr(arg, "dtype", None)
    if dtype is None:
        return f"{type(arg).__name__} {arg!r}"[:60]
    return f"{dtype} of shape {arg.shape}"


def refusal(op: Op, data: list[Any], params: Params, error: Exception) -> Exception:
    """Return NumPy's error with the operation and its arguments added."""
    kinds = (TypeError, np.linalg.LinAlgError, ValueError, IndexError)
    kind = next(kind for kind in kinds if isinstance(error, kind))
    said = str(error).partition("\n")[0]
    given = ", ".join([_describe(arg) for arg in data] + [f"{k}={v!r}" for k, v in params.items()])
    return kind(f"{op.name} cannot take {given}: {said}")
