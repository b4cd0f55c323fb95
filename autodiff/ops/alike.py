"""Arrays of other libraries that speak NumPy's protocols (CuPy, Dask): what stands beside them.

Such a library may refuse to mix its arrays with NumPy's. So a rule that makes an array of its own
(of zeros, places, or a mask) has it made in the library of the array that it goes with.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.core.graph import data_of


def foreign(x: Any) -> bool:
    """Whether this is an array, or a node with one, of another library than NumPy."""
    data = data_of(x)
    return type(data) is not np.ndarray and (
        hasattr(data, "__array_function__") and not isinstance(data, np.ndarray)
    )


def alike(array: Any, x: Any) -> Any:
    """Return an array of NumPy's as an array of the library that x is of."""
    return np.asarray(array, like=data_of(x)) if foreign(x) else array


def copied(x: Any) -> Any:
    """Return a copy of numbers or an array, as an array."""
    return x.copy() if foreign(x) else np.array(x)


def own(x: Any) -> Any:
    """Return an array of any library as it is, numbers and lists as an array of NumPy's."""
    return x if foreign(x) else np.asarray(x)
