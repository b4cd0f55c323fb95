"""Test cases of functions for shapes and indexing."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases.case import SHAPES, Case, axis_of, elementwise, listed, preferring, sequence

ARRAYS = preferring((2, 3), hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=3))
MATRICES = preferring((2, 3), hnp.array_shapes(min_dims=2, max_dims=3, min_side=0, max_side=3))


def spread(function: Any, arrays: Any, params: Any) -> Any:
    """A `call` that passes the parameters by position."""
    return function(*arrays, *params.values())


@st.composite
def reshaped(draw: Any) -> Case:
    shape = draw(SHAPES)
    target = draw(st.permutations([*shape, 1]))
    if draw(st.booleans()):
        target[draw(st.integers(0, len(target) - 1))] = -1
    params = {"shape": tuple(target), "order": draw(st.sampled_from("FC"))}
    # by position: the name differs in NumPy 2.0
    return Case([shape], params, call=spread, complex=True)


@st.composite
def transposed(draw: Any) -> Case:
    shape = draw(ARRAYS)
    axes = [axis - draw(st.sampled_from([0, len(shape)])) for axis in range(len(shape))]
    given = draw(st.sampled_from([True, False]))
    params = {"axes": tuple(draw(st.permutations(axes)))} if given else {}
    return Case([shape], params, complex=True)


@st.composite
def with_axes(draw: Any, *names: str) -> Case:
    shape = draw(ARRAYS)
    return Case([shape], {name: draw(axis_of(shape)) for name in names}, complex=True)


@st.composite
def moved_axes(draw: Any) -> Case:
    shape = draw(MATRICES)
    source, destination = [draw(st.permutations(range(len(shape))))[:2] for _ in range(2)]
    return Case([shape], {"source": source, "destination": destination}, complex=True)


@st.composite
def expanded(draw: Any) -> Case:
    shape = draw(SHAPES)
    return Case([shape], {"axis": draw(axis_of(shape, extra=1))}, complex=True)


@st.composite
def squeezed(draw: Any) -> Case:
    shape = list(draw(SHAPES))
    i = draw(st.integers(0, len(shape)))
    shape.insert(i, 1)
    return Case(
        [shape], {"axis": draw(st.sampled_from([i, (i,), i - len(shape), None]))}, complex=True
    )


@st.composite
def broadcast(draw: Any) -> Case:
    shapes = draw(
        hnp.mutually_broadcastable_shapes(
            num_shapes=1, min_dims=0, max_dims=3, min_side=0, max_side=3
        )
    )
    lead = draw(st.sampled_from([(), (2,), (0,)]))
    return Case(shapes.input_shapes, {"shape": lead + shapes.result_shape}, complex=True)


@st.composite
def several(draw: Any) -> Case:
    shapes = draw(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, min_side=0))
    return Case(shapes.input_shapes)


INDICES = st.deferred(lambda: hnp.array_shapes(max_dims=3, max_side=4)).flatmap(
    lambda shape: st.tuples(
        st.just(shape),
        st.one_of(
            hnp.basic_indices(shape, allow_newaxis=True),
            hnp.integer_array_indices(shape),
            hnp.arrays(bool, shape),
            hnp.arrays(bool, shape[:1]),
            st.tuples(
                st.just(Ellipsis), hnp.arrays(int, (2, 1), elements=st.integers(0, shape[-1] - 1))
            ),
        ),
    )
)


@st.composite
def indexed(draw: Any) -> Case:
    shape, index = draw(INDICES)
    return Case([shape], {"index": index}, complex=True)


@st.composite
def scattered(draw: Any) -> Case:
    shape, index = draw(INDICES)
    return Case([np.empty(shape)[index].shape], {"index": index, "shape": shape}, complex=True)


@st.composite
def assigned(draw: Any) -> Case:
    shape, index = draw(INDICES)
    place = np.empty(shape)[index].shape
    value = [n if draw(st.booleans()) else 1 for n in place]
    value = draw(st.sampled_from([value, value[1:], [1, *value], [1, 1, *value]]))
    try:
        np.empty(shape)[index] = np.empty(value)
    except (TypeError, ValueError):  # NumPy refuses this index
        value = place
    return Case([shape, value], {"index": index}, complex=True)


@st.composite
def joined(draw: Any) -> Case:
    shape = draw(ARRAYS)
    axis = draw(axis_of(shape))
    shapes = []
    for n in draw(st.lists(st.integers(0, 3), min_size=1, max_size=3)):
        shapes.append([*shape])
        shapes[-1][axis] = n
    axis = draw(st.sampled_from([axis, None]))
    return Case(shapes, {"axis": axis}, call=sequence, complex=True)


@st.composite
def stacked(draw: Any) -> Case:
    shape = draw(SHAPES)
    n = draw(st.integers(1, 3))
    return Case([shape] * n, {"axis": draw(axis_of(shape, extra=1))}, call=sequence, complex=True)


plain = SHAPES.map(lambda shape: Case([shape], complex=True))
CASES = {
    "reshape": reshaped(),
    "transpose": transposed(),
    "matrix_transpose": MATRICES.map(lambda shape: Case([shape], complex=True)),
    "swapaxes": with_axes("axis1", "axis2"),
    "moveaxis": moved_axes(),
    "rollaxis": with_axes("axis", "start"),
    "expand_dims": expanded() | listed(Case([(2,)], {"axis": (0, 2)})),
    "squeeze": squeezed(),
    "ravel": st.builds(
        lambda shape, order: Case([shape], {"order": order}, complex=True),
        SHAPES,
        st.sampled_from("FC"),
    ),
    "broadcast_to": broadcast(),
    "broadcast_arrays": several(),
    "atleast_1d": plain | several(),
    "atleast_2d": plain | several(),
    "atleast_3d": plain | several(),
    "astype": listed(
        Case([(2, 3)], {"dtype": complex}, call=spread, complex=True),
        Case([(2, 3)], {"dtype": np.float64}, call=spread),
    ),
    "copy": plain,
    "full_like": listed(
        Case([(2, 3), ()]), Case([(2, 3), (3,)]), Case([(), (2, 1)], {"shape": (2, 3)})
    ),
    "getitem": indexed(),
    "scatter": scattered(),
    "setitem": assigned(),
    "tensor": elementwise(1),
    "concatenate": joined(),
    "stack": stacked(),
}
