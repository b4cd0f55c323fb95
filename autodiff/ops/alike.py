"""Arrays of other libraries: those that implement NumPy's protocols (CuPy, Dask), and pandas'.

A library may refuse to mix its arrays with NumPy's. A rule that needs an array of zeros, places or
a mask therefore makes it in the library of its operands. An array with labels counts as its
numbers, since a Tensor has no labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.core.graph import Node, data_of


def foreign(x: Any) -> bool:
    """Return whether `x` is an array of another library, or a node with one."""
    if type(x) is np.ndarray:
        return False  # fast path
    data = data_of(x)
    return hasattr(data, "__array_function__") and not isinstance(data, np.ndarray)


def alike(array: Any, x: Any) -> Any:
    """Return a NumPy array as an array of the library of `x`."""
    return np.asarray(array, like=data_of(x)) if foreign(x) else array


def labelled(x: Any) -> bool:
    """Whether this is a Series, a DataFrame or an Index, which would align itself by its labels."""
    return (
        not hasattr(x, "__array_function__")
        and getattr(x, "__array_ufunc__", None) is not None
        and hasattr(x, "__array__")
    )


def unlabelled(x: Any) -> Any:
    """Return what is labelled as an array of its numbers, in their order; anything else as it is.

    Raises
    ------
    TypeError
        If it holds anything but numbers: texts, dates.
    """
    if not labelled(x):
        return x
    array = np.asarray(x)
    if array.dtype.kind in "fciub" or (array.dtype == object and _of_nodes(array)):
        return array
    raise TypeError(
        f"a {type(x).__name__} of dtype {array.dtype} is no array of numbers: convert it first, "
        "as in series.to_numpy(float, na_value=np.nan)"
    )


def _of_nodes(array: Any) -> bool:
    return all(isinstance(x, Node | float | int) for x in array.flat)


def copied(x: Any) -> Any:
    """Return a copy of a number or an array, as an array."""
    return x.copy() if foreign(x) else np.array(x)


def own(x: Any) -> Any:
    """Return an array of any library as it is; a number or list as a NumPy array."""
    return x if foreign(x) else np.asarray(x)
