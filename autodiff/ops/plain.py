"""NumPy's functions that have no derivative: what each does on nodes, or what to write instead.

Those that have one are rows and composites (`table.BY_FUNCTION`); between them, these tables and
`tests.numpy_coverage` account for every public function. Names are NumPy's, without `numpy.`; one
that the installed NumPy does not have is passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import numpy as np


def found(names: str) -> list[Callable[..., Any]]:
    """Those of NumPy's functions that the installed version has."""
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
"""They look at the numbers only, and return what is no function to differentiate: truth values,
places, shapes, dtypes, text. On nodes they compute with the data."""

REFUSED_NAMES = {
    "takes integers, and a node holds none: call it on x.astype(int)": """
        bitwise_and bitwise_count bitwise_or bitwise_xor gcd invert lcm left_shift packbits
        ravel_multi_index right_shift unpackbits unravel_index
    """,
    "takes dates, and a node holds none": """
        busday_count busday_offset datetime_as_string is_busday isnat
    """,
    "makes indices of integers or truth values, and a node is neither: call it on "
    "x.astype(int), or on a comparison (x > 0)": "ix_",
    "counts, and no count has a derivative; nor do we follow the weights or the edges of the bins: "
    "call it on x.data to compute outside the graph": """
        histogram histogram2d histogram_bin_edges histogramdd
    """,
    "counts: call it on integers (x.astype(int)). Weights that are nodes are added up by "
    "autodiff.scatter(weights, index=x, shape=(x.max() + 1,))": "bincount",
    "returns elements of its argument, which have a derivative, but not as many as one can tell "
    "beforehand: find their places in x.data, then x[places]; "
    "places = np.unique(x.data, return_index=True)[1]": """
        unique_all unique_counts unique_inverse unique_values
    """,
    "returns elements of its arguments, which have a derivative, but not as many as one can tell "
    "beforehand: join the arguments, find the places in the joined data (np.isin, np.unique), "
    "then joined[places]": "intersect1d setdiff1d setxor1d union1d",
    "writes numbers only, not the graph behind them: pass x.data (pickle keeps the graph)": """
        save savetxt savez savez_compressed
    """,
}
REFUSED = {function: why for why, names in REFUSED_NAMES.items() for function in found(names)}
"""What cannot be differentiated: the reason, and what to write instead."""

MAKER_NAMES = {
    "makes an array of what is no node": """
        arange eye frombuffer fromfile fromfunction fromiter fromstring genfromtxt identity
        loadtxt tri
    """,
    "makes a plain array, which a node does not turn into by itself": """
        array asanyarray asarray ascontiguousarray asfortranarray require
    """,
}
MAKERS = {function for names in MAKER_NAMES.values() for function in found(names)}
"""They have a parameter `like`, by which alone they can ask what a node makes of them."""
