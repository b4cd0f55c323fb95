"""Test cases of functions that select or move elements."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff import Tensor, Value
from cases.case import SHAPES, Case, axis_of, listed
from cases.shapes import ARRAYS, MATRICES

SOLID = ARRAYS.filter(all)


def last(function: Any, arrays: Any, params: Any) -> Any:
    """A `call` that passes the array after the parameters."""
    return function(*params.values(), *arrays)


def in_place(function: Any, arrays: Any, params: Any) -> Any:
    """A `call` that returns the first array after the change."""
    target, value = arrays
    target = target * 1
    if isinstance(value, Tensor | Value) and isinstance(target, np.ndarray):
        target = Tensor(target)
    between = [value if part is VALUE else part for part in params.values()]
    function(target, *between)
    return target


VALUE = object()


def change(shape: Any, value: Any, *params: Any) -> Case:
    return Case(
        [shape, value], {str(i): p for i, p in enumerate(params)}, call=in_place, complex=True
    )


@st.composite
def rolled(draw: Any) -> Case:
    shape = draw(ARRAYS)
    shift = draw(st.integers(-4, 4))
    axis = draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    if axis is not None and draw(st.booleans()):
        return Case([shape], {"shift": (shift, 1), "axis": (axis, 0)}, complex=True)
    return Case([shape], {"shift": shift, "axis": axis}, complex=True)


@st.composite
def along_axes(draw: Any) -> Case:
    shape = draw(SHAPES)
    return Case([shape], {"axis": draw(st.none() | hnp.valid_tuple_axes(len(shape)))}, complex=True)


@st.composite
def turned(draw: Any) -> Case:
    shape = draw(MATRICES)
    axes = draw(st.permutations(range(len(shape))))[:2]
    return Case([shape], {"k": draw(st.integers(-1, 4)), "axes": axes}, complex=True)


@st.composite
def triangle(draw: Any) -> Case:
    return Case([draw(MATRICES)], {"k": draw(st.integers(-2, 2))}, complex=True)


@st.composite
def diagonal(draw: Any) -> Case:
    shape = draw(MATRICES)
    axis1, axis2 = draw(st.permutations(range(len(shape))))[:2]
    params = {"offset": draw(st.integers(-2, 2)), "axis1": axis1, "axis2": axis2}
    return Case([shape], params, complex=True)


@st.composite
def taken(draw: Any) -> Case:
    shape = draw(SOLID)
    axis = draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    mode = draw(st.sampled_from(["raise", "wrap", "clip"]))
    reach = n if mode == "raise" else 2 * n
    indices = draw(
        hnp.arrays(
            int, draw(st.sampled_from([(), (3,), (2, 2), (0,)])),
            elements=st.integers(-reach, reach - 1),
        )
    )  # fmt: skip
    return Case([shape], {"indices": indices, "axis": axis, "mode": mode}, complex=True)


@st.composite
def taken_along(draw: Any) -> Case:
    shape = draw(SOLID)
    axis = draw(axis_of(shape))
    wanted = list(shape)
    wanted[axis] = draw(st.integers(0, 4))
    some = st.integers(-shape[axis], shape[axis] - 1)
    return Case([shape], {"indices": draw(hnp.arrays(int, wanted, elements=some)), "axis": axis})


@st.composite
def repeated(draw: Any) -> Case:
    shape = draw(SOLID)
    axis = draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    times = st.integers(0, 2)
    repeats = draw(st.one_of(times, st.lists(times, min_size=n, max_size=n)))
    return Case([shape], {"repeats": repeats, "axis": axis}, complex=True)


@st.composite
def ordered(draw: Any, complex: bool = True) -> Case:
    shape = draw(SOLID)
    axis = draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    return Case([shape], {"axis": axis}, complex=complex)


@st.composite
def partitioned(draw: Any) -> Case:
    case = draw(ordered())
    (shape,), axis = case.shapes, case.params["axis"]
    n = int(np.prod(shape)) if axis is None else shape[axis]
    kth = draw(st.permutations(range(n)))  # the other elements would have no defined order
    return Case([shape], {"kth": kth, "axis": axis})


@st.composite
def compressed(draw: Any) -> Case:
    shape = draw(SOLID)
    axis = draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    condition = draw(hnp.arrays(bool, draw(st.integers(0, n))))

    def call(function: Any, arrays: Any, params: Any) -> Any:
        return function(condition, *arrays, **params)

    return Case([shape], {"axis": axis}, call=call, complex=True)


@st.composite
def extracted(draw: Any) -> Case:
    shape = draw(SHAPES)
    return Case([shape], {"condition": draw(hnp.arrays(bool, shape))}, call=last)


def masked(*rows: Any) -> Case:
    """An array with zeros outside the mask."""
    mask = np.array(rows, bool)
    return Case([mask.shape], make=lambda x: [x * mask], complex=True)


@st.composite
def padded(draw: Any) -> Case:
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=2, min_side=2, max_side=3))
    pair = st.tuples(st.integers(0, 2), st.integers(0, 2))
    width = draw(
        st.one_of(st.integers(0, 2), pair, st.lists(pair, min_size=len(shape), max_size=len(shape)))
    )
    params = draw(
        st.sampled_from(
            [
                {},
                {"mode": "constant", "constant_values": 3},
                {"mode": "constant", "constant_values": (1.5, -2)},
                {"mode": "edge"},
                {"mode": "wrap"},
                {"mode": "reflect"},
                {"mode": "symmetric"},
                {"mode": "symmetric", "reflect_type": "odd"},
                {"mode": "mean"},
                {"mode": "mean", "stat_length": 2},
                {"mode": "linear_ramp"},
                {"mode": "linear_ramp", "end_values": (1, 2)},
                {"mode": "maximum", "stat_length": ((1, 2),)},
                {"mode": "minimum"},
                {"mode": "median"},
            ]
        )
    )
    complex = params.get("mode") not in ("maximum", "minimum", "median")
    return Case([shape], {"pad_width": width, **params}, complex=complex, slack=8)


@st.composite
def windows(draw: Any) -> Case:
    shape = draw(SOLID)
    axis = draw(axis_of(shape))
    params = {"window_shape": draw(st.integers(1, shape[axis])), "axis": axis}
    return Case([shape], params, complex=True)


def chosen(*shapes: Any, index: Any, mode: str = "raise") -> Case:
    def call(function: Any, arrays: Any, params: Any) -> Any:
        return function(index, list(arrays), **params)

    return Case(shapes, {"mode": mode}, call=call, complex=True)


def selected(*shapes: Any, conditions: Any) -> Case:
    def call(function: Any, arrays: Any, params: Any) -> Any:
        return function(conditions, list(arrays[:-1]), arrays[-1])

    return Case(shapes, call=call, complex=True)


MASK = np.array([[True, False, True], [False, False, True]])
CASES: dict[str, st.SearchStrategy[Case]] = {
    "roll": rolled(),
    "flip": along_axes(),
    "fliplr": MATRICES.map(lambda shape: Case([shape], complex=True)),
    "flipud": ARRAYS.map(lambda shape: Case([shape], complex=True)),
    "rot90": turned(),
    "tril": triangle(),
    "triu": triangle(),
    "diag": st.builds(
        lambda shape, k: Case([shape], {"k": k}, complex=True),
        st.sampled_from([(0,), (3,), (2, 3), (3, 1)]),
        st.integers(-2, 2),
    ),
    "diagflat": st.builds(
        lambda shape, k: Case([shape], {"k": k}, complex=True), SHAPES, st.integers(-2, 2)
    ),
    "diagonal": diagonal(),
    "take": taken(),
    "take_along_axis": taken_along(),
    "repeat": repeated(),
    "tile": st.builds(
        lambda shape, reps: Case([shape], {"reps": reps}, complex=True),
        ARRAYS,
        st.sampled_from([0, 2, (2, 1), (1, 2, 3), ()]),
    ),
    "resize": st.builds(
        lambda shape, new: Case([shape], {"new_shape": new}, complex=True),
        ARRAYS,
        st.sampled_from([0, 3, (2, 3), (4, 2)]),
    ),
    "sliding_window_view": windows(),
    "sort": ordered(),
    "sort_complex": listed(Case([(4,)]), Case([(2, 3)]), Case([(3,)], complex=True)),
    "partition": partitioned(),
    "unique": listed(Case([(2, 3)]), Case([()]), Case([(3, 2)], {"axis": 0})),
    "compress": compressed(),
    "extract": extracted(),
    "trim_zeros": listed(masked(0, 0, 1, 0, 1, 0), masked(1, 1), masked(0, 0)),
    "choose": listed(
        chosen((3,), (3,), index=[1, 0, 1]),
        chosen((2, 3), (3,), (), index=np.array([[0, 2, 1]])),
        chosen((2,), (2,), index=[5, -1], mode="wrap"),
        chosen((2,), (2,), index=[5, -1], mode="clip"),
    ),
    "select": listed(
        selected((2, 3), (3,), (), conditions=[MASK, ~MASK[0]]),
        selected((), (2, 1), (3,), conditions=[MASK[1], MASK[0]]),
        selected((), (), conditions=[np.array(True)]),
    ),
    "pad": padded(),
    "copyto": listed(change((2, 3), (3,), VALUE, "same_kind", MASK), change((2, 3), (2, 1), VALUE)),
    "fill_diagonal": listed(
        change((3, 3), (), VALUE), change((5, 2), (3,), VALUE, True), change((3, 3), (2,), VALUE)
    ),
    "place": listed(change((2, 3), (2,), MASK, VALUE), change((2, 3), (5,), MASK, VALUE)),
    "put": listed(
        change((2, 3), (4,), [1, -2, 1], VALUE),
        change((2, 3), (2,), [1, 7, 3], VALUE, "wrap"),
        change((2, 3), (), [0, 9], VALUE, "clip"),
    ),
    "put_along_axis": listed(
        change((2, 3), (2, 1), np.array([[2], [0]]), VALUE, 1),
        change((2, 3), (), np.array([[2], [0]]), VALUE, -1),
        change((2, 3), (2,), np.array([2, 4]), VALUE, None),
    ),
    "putmask": listed(change((2, 3), (2, 3), MASK, VALUE), change((2, 3), (2,), MASK, VALUE)),
}
