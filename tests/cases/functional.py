"""Test cases of functions that take functions."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff import sin, stack
from cases.case import Case

SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)

ALONG = {
    "number": lambda v, factor=1: np.sum(v * v) * factor,
    "vector": lambda v, factor=1: v * v[0] * factor,
    "matrix": lambda v, factor=1: stack([v, v * factor]),
    "part": lambda v, factor=1: v[:1] * factor,
}
OVER = {
    "kept": lambda a, axis: np.sum(a * a, axis=axis, keepdims=True),
    "dropped": lambda a, axis: np.sum(a * a, axis=axis),
}
PIECES = [lambda x: x * x, lambda x: sin(x), 0.5, lambda x: -x]


@st.composite
def along_axis(draw) -> Case:
    shape = draw(SHAPES)
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    function, factor = draw(st.sampled_from(sorted(ALONG))), draw(st.sampled_from([1, 2.5]))

    def call(f, arrays, params):
        return f(ALONG[function], axis, *arrays, **params)

    return Case([shape], {} if factor == 1 else {"factor": factor}, call=call)


@st.composite
def over_axes(draw) -> Case:
    shape = draw(SHAPES)
    axes = draw(
        st.one_of(st.integers(-len(shape), len(shape) - 1), hnp.valid_tuple_axes(len(shape)))
    )
    function = draw(st.sampled_from(sorted(OVER)))
    return Case([shape], call=lambda f, arrays, params: f(OVER[function], *arrays, axes))


@st.composite
def pieces(draw) -> Case:
    shape = draw(st.one_of(st.just(()), SHAPES))
    conditions = draw(st.lists(hnp.arrays(bool, shape), min_size=1, max_size=3))
    count = len(conditions) + draw(st.booleans())
    functions = draw(st.lists(st.sampled_from(PIECES), min_size=count, max_size=count))
    return Case([shape], call=lambda f, arrays, params: f(*arrays, conditions, functions))


CASES = {
    "apply_along_axis": along_axis(),
    "apply_over_axes": over_axes(),
    "piecewise": pieces(),
}
