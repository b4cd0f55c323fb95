"""NumPy functions without a derivative: they compute on data, or raise an error with advice.

Functions with a derivative are rows and composites (`table.BY_FUNCTION`). Together with
`tests.numpy_coverage` the tables cover every public function. Names omit `numpy.`; names that the
installed NumPy does not have are skipped.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np


def found(names: str) -> list[Callable[..., Any]]:
    """Return the functions with these names, if the installed NumPy has them."""
    functions = []
    for name in names.split():
        try:
            functions.append(attrgetter(name)(np))
        except AttributeError:
            continue
    return functions


PLAIN_NAMES = """
    equal greater greater_equal isfinite isinf isnan less less_equal logical_and logical_not
    logical_or logical_xor not_equal signbit

    all allclose any array_equal array_equiv isclose iscomplex iscomplexobj isin isneginf isposinf
    isreal isrealobj may_share_memory shares_memory

    argmax argmin argpartition argsort argwhere count_nonzero diag_indices_from digitize
    flatnonzero lexsort nanargmax nanargmin nonzero searchsorted tril_indices_from
    triu_indices_from

    can_cast common_type einsum_path linalg.matrix_rank min_scalar_type ndim
    result_type shape size

    array2string array_repr array_str
"""
PLAIN = {*found(PLAIN_NAMES)}
"""Functions that compute with the data of nodes and return truth values, indices, shapes, dtypes or
text."""

REFUSED_NAMES = {
    "takes integers, but the data of a node are floats: call it on x.astype(int)": """
        bitwise_and bitwise_count bitwise_or bitwise_xor gcd invert lcm left_shift packbits
        ravel_multi_index right_shift unpackbits unravel_index
    """,
    "takes dates, but the data of a node are floats": """
        busday_count busday_offset datetime_as_string is_busday isnat
    """,
    "takes integers or truth values, but the data of a node are floats: call it on "
    "x.astype(int), or on a comparison (x > 0)": "ix_",
    "returns counts, which have no derivative; weights and bin edges that are nodes are not "
    "supported either: call it on x.data to compute outside the graph": """
        histogram histogram2d histogram_bin_edges histogramdd
    """,
    "takes integers, but the data of a node are floats: call it on x.astype(int), and for "
    "weights that are nodes autodiff.scatter(weights, index=x, shape=(x.max() + 1,))": "bincount",
    "returns a number of elements that depends on the data: take the indices from x.data, "
    "i = np.unique(x.data, return_index=True)[1], then write x[i]": """
        unique_all unique_counts unique_inverse unique_values
    """,
    "returns a number of elements that depends on the data: concatenate the arguments, take the "
    "indices i from the data (np.isin, np.unique), then write joined[i]": (
        "intersect1d setdiff1d setxor1d union1d"
    ),
    "writes the data without the graph: pass x.data, or keep the graph with pickle": """
        save savetxt savez savez_compressed
    """,
}
REFUSED = {function: why for why, names in REFUSED_NAMES.items() for function in found(names)}
"""Functions that raise an error on nodes, with the reason and what to write instead."""

MAKER_NAMES = {
    "makes an array from constants": """
        arange eye frombuffer fromfile fromfunction fromiter fromstring genfromtxt identity
        loadtxt tri
    """,
    "makes a plain array, which would lose the derivative": """
        array asanyarray asarray ascontiguousarray asfortranarray require
    """,
}
MAKERS = {function for names in MAKER_NAMES.values() for function in found(names)}
"""Functions that dispatch on their parameter `like` only."""
