"""What users hand in, as arrays that the graph may keep."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autodiff.core.graph import Node, Op, Params
from autodiff.ops.alike import labelled, unlabelled
from autodiff.ops.ties import Mask


def checked(array: ArrayLike, copy: bool = True) -> Any:
    """What a user hands in as an array of floats, private unless told otherwise."""
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
    """Return a copy that may be changed in place, laid out as the array is."""
    return np.array(array) if isinstance(array, np.ndarray | np.generic) else array.copy()


def ordinary(array: Any) -> Any:
    """An array of a subclass as one of NumPy's own, where that changes nothing."""
    if type(array) is np.ndarray or isinstance(array, np.memmap | Mask):
        return np.asarray(array)
    ma = sys.modules.get("numpy.ma")  # slow to import, and no array is masked without it
    if ma is not None and isinstance(array, ma.MaskedArray):
        raise TypeError("a masked array would lose its mask: fill it first (array.filled(value))")
    raise TypeError(
        f"a {type(array).__name__} computes by rules of its own, which would be lost without a "
        "word: pass np.asarray(array)"
    )


def frozen(data: Any) -> Any:
    """What the graph has recorded must not change under it."""
    if type(data) is not np.ndarray and isinstance(data, np.ndarray | np.generic):
        data = np.asarray(data)
    if isinstance(data, np.ndarray):
        data.setflags(write=False)
    return data


def is_fixed(array: Any) -> bool:
    """Whether an array, and what it is a view of, is read-only: it is trusted to stay so."""
    while isinstance(array, np.ndarray) and not array.flags.writeable:
        array = array.base
    return array is None or isinstance(array, bytes)


def private(value: Any) -> Any:
    """A constant or parameter that nobody else can change."""
    if isinstance(value, np.ndarray):
        return value if is_fixed(value) else frozen(value.copy())
    if isinstance(value, list):
        return [private(part) for part in value]
    if type(value) is tuple:
        return tuple(map(private, value))
    if hasattr(value, "__array_ufunc__") and labelled(value):
        return frozen(np.array(unlabelled(value)))
    return value


def _describe(arg: Any) -> str:
    dtype = getattr(arg, "dtype", None)
    if dtype is None:
        return f"{type(arg).__name__} {arg!r}"[:60]
    return f"{dtype} of shape {arg.shape}"


def refusal(op: Op, data: list[Any], params: Params, error: Exception) -> Exception:
    """NumPy's complaint, with the operation and what it was given."""
    kinds = (TypeError, np.linalg.LinAlgError, ValueError, IndexError)
    kind = next(kind for kind in kinds if isinstance(error, kind))
    said = str(error).partition("\n")[0]
    given = ", ".join([_describe(arg) for arg in data] + [f"{k}={v!r}" for k, v in params.items()])
    return kind(f"{op.name} cannot take {given}: {said}")
