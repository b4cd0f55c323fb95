"""Test cases of linspace, logspace and geomspace."""

from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases.case import Case


@st.composite
def ranges(draw, arity=2, **options) -> Case:
    """Ends (and a base) that broadcast together, a number of points, and an axis."""
    drawn = draw(
        hnp.mutually_broadcastable_shapes(num_shapes=arity, min_dims=0, max_dims=2, max_side=3)
    )
    ndim = len(drawn.result_shape)
    params = {
        "num": draw(st.integers(0, 4)),
        "endpoint": draw(st.booleans()),
        "axis": draw(st.integers(-ndim - 1, ndim)),
    }
    return Case(drawn.input_shapes, params, **options)


def with_base(function, arrays, params):
    start, stop, base = arrays
    return function(start, stop, base=base, **params)


CASES = {
    "linspace": ranges(complex=True),
    "logspace": st.one_of(
        ranges(domain=(-1.0, 1.0), complex=True, slack=2),
        ranges(3, domain=(0.3, 2.0), call=with_base, slack=2),
    ),
    "geomspace": ranges(domain=(0.3, 2.0), slack=8),
}
