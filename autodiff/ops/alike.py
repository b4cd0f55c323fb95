"""Arrays of other libraries: those that speak NumPy's protocols (CuPy, Dask), and pandas' own.

A library may refuse to mix its arrays with NumPy's. So a rule that makes an array (of zeros,
places, or a mask) has it made in the library of the array that it goes with. What has labels is
taken as an array of its numbers, since a Tensor has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.core.graph import Node, data_of


def foreign(x: Any) -> bool:
    """Whether this is an array, or a node with one, of another library than NumPy."""
    data = data_of(x)
    return type(data) is not np.ndarray and (
        hasattr(data, "__array_function__") and not isinstance(data, np.ndarray)
    )


def alike(array: Any, x: Any) -> Any:
    """Return an array of NumPy's as an array of the library that x is of."""
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
    """Return a copy of numbers or an array, as an array."""
    return x.copy() if foreign(x) else np.array(x)


def own(x: Any) -> Any:
    """Return an array of any library as it is, numbers and lists as an array of NumPy's."""
    return x if foreign(x) else np.asarray(x)
