"""Test cases of functions that join and split arrays."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from cases.case import Case, axis_of, listed, sequence
from cases.shapes import ARRAYS


def joined(*shapes: Any, **params: Any) -> Case:
    return Case(shapes, params, call=sequence, complex=True)


def nested(function: Any, arrays: Any, params: Any) -> Any:
    a, b, c = arrays
    return function([[a, b], [c]])


def inserted(function: Any, arrays: Any, params: Any) -> Any:
    """A `call` in NumPy's order: the inserted values come last."""
    return function(arrays[0], params["obj"], arrays[1], params.get("axis"))


def insertion(shape: Any, obj: Any, values: Any, axis: int | None) -> Case:
    return Case([shape, values], {"obj": obj, "axis": axis}, call=inserted, complex=True)


@st.composite
def deleted(draw: Any) -> Case:
    shape = draw(ARRAYS.filter(all))
    axis = draw(st.sampled_from([None, *range(-len(shape), len(shape))]))
    n = int(np.prod(shape)) if axis is None else shape[axis]
    some = st.integers(-n, n - 1)
    obj = draw(st.one_of(some, st.lists(some), st.just(slice(None, None, 2))))
    return Case([shape], {"obj": obj, "axis": axis}, complex=True)


@st.composite
def split(draw: Any, even: bool) -> Case:
    shape = draw(ARRAYS)
    axis = draw(axis_of(shape))
    n = shape[axis]
    sections = [k for k in range(1, n + 2) if not (even and n % k)]
    cuts = st.lists(st.integers(-n, n + 1), max_size=3)  # in any order: pieces may overlap
    pieces = draw(st.one_of(st.sampled_from(sections), cuts))
    return Case([shape], {"indices_or_sections": pieces, "axis": axis}, complex=True)


@st.composite
def split_along(draw: Any, axis: int) -> Case:
    shape = draw(ARRAYS.filter(lambda shape: len(shape) > axis))
    return Case([shape], {"indices_or_sections": draw(st.sampled_from([1, [1], [2, 1], [1, 2]]))})


@st.composite
def grid(draw: Any) -> Case:
    shapes = draw(st.lists(st.sampled_from([(), (0,), (1,), (2,), (3,)]), min_size=1, max_size=3))
    params = {"sparse": draw(st.booleans()), "indexing": draw(st.sampled_from(["xy", "ij"]))}
    return Case(shapes, params)


CASES: dict[str, st.SearchStrategy[Case]] = {
    "vstack": listed(joined((3,), (2, 3)), joined((), ()), joined((2, 1, 2), (1, 1, 2))),
    "hstack": listed(joined((3,), (), (0,)), joined((2, 3), (2, 1)), joined((2, 1, 2), (2, 2, 2))),
    "dstack": listed(joined((3,), (1, 3)), joined((), ()), joined((2, 1, 2), (2, 1, 1))),
    "column_stack": listed(joined((3,), (3, 2)), joined((), (1, 2)), joined((2,), (2,))),
    "append": listed(
        Case([(2, 3), ()], complex=True),
        Case([(), (2,)], complex=True),
        Case([(2, 3), (2, 1)], {"axis": 1}, complex=True),
    ),
    "block": listed(
        Case([(2, 2), (2, 1), (1, 3)], call=nested, complex=True),
        Case([(), (2,), (3,)], call=nested),
        Case([(2, 1, 1), (2, 1, 2), (2, 2, 3)], call=nested),
    ),
    "insert": listed(
        insertion((3,), 1, (), None),
        insertion((2, 3), [0, 4, 4], (3,), None),
        insertion((2, 3), [0, 4], (), None),
        insertion((2, 3), 1, (2,), 1),
        insertion((2, 3), [1, 1], (2, 1), -1),
        insertion((2, 3), slice(0, 2), (3,), 0),
        insertion((0,), 0, (2,), None),
    ),
    "delete": deleted(),
    "split": split(even=True),
    "array_split": split(even=False),
    "hsplit": split_along(0),
    "vsplit": split_along(1),
    "dsplit": split_along(2),
    "meshgrid": grid(),
}
if hasattr(np, "unstack"):
    CASES["unstack"] = listed(
        Case([(2, 3)]), Case([(2, 3, 1)], {"axis": 1}), Case([(2, 3)], {"axis": -1})
    )
