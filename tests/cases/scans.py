"""Test cases of scans."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff import where
from autodiff.ops.alike import alike
from cases.case import SHAPES, Case, axis_of, listed, preferring


@st.composite
def scan(draw, *, nans=False, none=True, include_initial=False, shapes=SHAPES, **options):
    """A shape and an axis or None, with some NaNs."""
    shape = draw(shapes)
    axes = axis_of(shape) if shape else st.none()
    axis = draw(st.one_of(axes, st.none()) if none or len(shape) < 2 else axes)
    params = {} if axis is None and not none else {"axis": axis}
    if include_initial:
        params["include_initial"] = draw(st.booleans())
    if nans:
        numbers = draw(hnp.arrays(bool, shape))
        options["make"] = lambda x: [where(numbers, x, np.nan)]
    return Case([shape], params, **options)


NOT_0D = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=3)


@st.composite
def along_an_axis(draw, **options):
    shape = draw(preferring((2, 3), hnp.array_shapes(min_dims=1, max_dims=3, max_side=3)))
    return Case([shape], {"axis": draw(axis_of(shape))}, **options)


def resized(shape, axis, size):
    return (*shape[:axis], size, *shape[axis + 1 :])


@st.composite
def diffs(draw):
    """Differences of an order, with arrays or numbers to prepend and append."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    axis = draw(st.integers(0, len(shape) - 1))
    ends = st.sampled_from([None, (), resized(shape, axis, 2)])
    shapes = {"a": shape, "prepend": draw(ends), "append": draw(ends)}
    names = [name for name, shape in shapes.items() if shape is not None]

    def call(function, arrays, params):
        return function(**dict(zip(names, arrays, strict=True)), **params)

    # differences of order 0 are the array, without its prepended and appended parts
    params = {"n": draw(st.integers(0 if names == ["a"] else 1, 3)), "axis": axis}
    return Case([shapes[name] for name in names], params, complex=True, call=call)


@st.composite
def gradients(draw):
    """Distances and coordinates, as constants or as variables."""
    edge_order = draw(st.sampled_from([1, 2]))
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=3, max_side=4))
    axes = draw(st.permutations(range(len(shape))))[: draw(st.integers(1, len(shape)))]
    params = {"axis": tuple(axes), "edge_order": edge_order}
    distance = st.sampled_from([0.5, 2])
    kind = draw(st.sampled_from(["none", "one", "given", "nodes"]))
    if kind == "nodes":
        along = [(shape[i],) for i in axes if len(axes) == 1]
        spacing = draw(st.sampled_from([(), *along]))
        return Case([shape, spacing], params, (0.2, 3.0), make=ascending, slack=400)
    given = {
        "none": (),
        "one": (draw(distance),),
        "given": [
            draw(st.sampled_from([0.5, np.arange(shape[i]) ** 2.0, np.arange(shape[i])]))
            for i in axes
        ],
    }[kind]

    def call(function, arrays, params):
        coordinates = [alike(each, arrays[0]) if np.ndim(each) else each for each in given]
        return function(*arrays, *coordinates, **params)

    return Case([shape], params, complex=True, call=call)


def ascending(f, *spacings):
    """Return coordinates as cumulative sums of distances."""
    return [f, *[s if not np.ndim(s) else np.cumsum(s) for s in spacings]]


def edges(function, arrays, params):
    ary, to_end, to_begin = arrays
    return function(ary, to_end=to_end, to_begin=to_begin, **params)


def integral(function, arrays, params):
    y, *x = arrays
    return function(y, *[np.cumsum(part, axis=-1) for part in x], **params)


@st.composite
def recurrences(draw):
    shapes = draw(
        hnp.mutually_broadcastable_shapes(
            num_shapes=2, min_dims=1, max_dims=3, min_side=draw(st.sampled_from([3, 1])), max_side=3
        )
    )
    return Case(shapes.input_shapes, complex=True)


CASES = {
    "cumsum": scan(complex=True),
    "cumprod": scan(complex=True),
    "nancumsum": scan(complex=True, nans=True),
    "nancumprod": scan(complex=True, nans=True),
    "cumulative_sum": scan(none=False, include_initial=True, complex=True),
    "cumulative_prod": scan(none=False, include_initial=True, complex=True),
    "accumulate": along_an_axis(),
    "cummax": along_an_axis(complex=True),
    "cummin": along_an_axis(complex=True),
    "recurrence": recurrences(),
    "diff": diffs(),
    "ediff1d": listed(
        Case([(2, 3)], complex=True),
        Case([(1,)]),
        Case([(3,), (2,), ()], complex=True, call=edges),
    ),
    "gradient": gradients(),
    "trapezoid": listed(
        Case([(3,)], {"dx": 0.5}, complex=True),
        Case([(3, 2)], {"axis": 0}),
        Case([(2, 4), (4,)], call=integral),
        Case([(2, 3), (2, 3)], call=integral),
    ),
    "unwrap": listed(
        Case([(5,)], domain=(-9.0, 9.0)),
        Case([(3, 4)], {"axis": 0, "period": 2, "discont": 1.5}, domain=(-5.0, 5.0)),
    ),
}
