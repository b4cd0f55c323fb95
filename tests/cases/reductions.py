"""Test cases of reductions."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff import where
from cases.case import reduction


def first_of_each(shape, axis):
    """Return the index of one element for each result."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    reduced = {i % len(shape) for i in axes} if shape else ()
    return tuple(0 if i in reduced else slice(None) for i in range(len(shape)))


def kept(shape, axis):
    return np.sum(np.zeros(shape), axis=axis, keepdims=True).shape


@st.composite
def mask(draw, shape, axis):
    """A boolean mask, true for at least one element of each result."""
    chosen = draw(hnp.arrays(bool, shape))
    chosen[first_of_each(shape, axis)] = True
    return chosen


@st.composite
def reducing(draw, *, initial=(), masked=True, ddof=False, nans=False, **options):
    """A reduction with any of NumPy's parameters, on arrays that may contain NaN."""
    case = draw(reduction(**options))
    (shape,), params = case.shapes, dict(case.params)
    axis = params["axis"]
    if masked and draw(st.booleans()):
        params["where"] = draw(mask(shape, axis))
    # a function without identity takes where= only with an initial element
    if initial and (draw(st.booleans()) or (initial is EXTREMES and "where" in params)):
        params["initial"] = draw(st.sampled_from(initial))
    if ddof:
        params |= draw(st.sampled_from([{}, {"ddof": 0.5}, {"ddof": -1}, {"correction": 0.25}]))
        if draw(st.booleans()):  # half precision goes with any other
            params["mean"] = np.full(kept(shape, axis), 0.25, np.float16)
    if not nans:
        return replace(case, params=params)
    numbers = draw(mask(shape, axis))
    if "where" in params:
        numbers[...] |= params["where"]
    return replace(case, params=params, make=lambda x: [where(numbers, x, np.nan)])


EXTREMES = (-3.0, 0.1, 3.0)

CASES = {
    "sum": reducing(complex=True, initial=(0.5, -2)),
    "prod": reducing(complex=True, initial=(0.5, 0, -2)),
    "mean": reducing(complex=True),
    "var": reducing(complex=True, ddof=True),
    "std": reducing(complex=True, ddof=True),
    "max": reducing(complex=True, initial=EXTREMES),
    "min": reducing(complex=True, initial=EXTREMES),
    "amax": reducing(complex=True, initial=EXTREMES),
    "amin": reducing(complex=True, initial=EXTREMES),
    "ptp": reduction(complex=True),
    "nansum": reducing(complex=True, initial=(0.5, -2), nans=True),
    "nanprod": reducing(complex=True, initial=(0.5, 0, -2), nans=True),
    "nanmean": reducing(complex=True, nans=True),
    "nanvar": reducing(complex=True, ddof=True, nans=True),
    "nanstd": reducing(complex=True, ddof=True, nans=True),
    "nanmax": reducing(complex=True, initial=EXTREMES, nans=True),
    "nanmin": reducing(complex=True, initial=EXTREMES, nans=True),
}
