"""Arrays of other libraries that implement NumPy's protocols (CuPy, Dask).

A library may refuse to mix its arrays with NumPy's. A rule that needs an array of zeros, places or
a mask therefore makes it in the library of its operands.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff.core.graph import data_of


def foreign(x: Any) -> bool:
    """Return whether `x` is an array of another library, or a node with one."""
    data = data_of(x)
    return type(data) is not np.ndarray and (
        hasattr(data, "__array_function__") and not isinstance(data, np.ndarray)
    )


def alike(array: Any, x: Any) -> Any:
    """Return a NumPy array as an array of the library of `x`."""
    return np.asarray(array, like=data_of(x)) if foreign(x) else array


def copied(x: Any) -> Any:
    """Return a copy of a number or an array, as an array."""
    return x.copy() if foreign(x) else np.array(x)


def own(x: Any) -> Any:
    """Return an array of any library as it is; a number or list as a NumPy array."""
    return x if foreign(x) else np.asarray(x)
