"""Test cases of order statistics and averages."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff import where
from cases.case import Case, listed, reduction
from cases.reductions import mask

METHODS = [
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf",
    "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased", "lower", "higher",
    "midpoint", "nearest",
]  # fmt: skip


@st.composite
def quantiles(draw, whole=1, nans=False):
    """A reduction at one q or several, by any method, on arrays that may contain NaN."""
    case = draw(reduction())
    parts = st.sampled_from([5, *range(17)]).map(lambda k: whole * k / 16)
    # half precision goes with any other
    several = st.lists(parts, min_size=1, max_size=3).map(lambda q: np.array(q, np.float16))
    q = draw(st.one_of(parts, several, several.map(lambda q: q[:, None])))
    params = case.params | {"q": q, "method": draw(st.sampled_from(METHODS))}
    if params["method"] == "inverted_cdf" and case.params["axis"] is None and draw(st.booleans()):
        params["weights"] = np.arange(1.0, 1 + np.prod(case.shapes[0])).reshape(case.shapes[0])
    case = replace(case, params=params)
    return with_nans(draw, case) if nans else case


def with_nans(draw, case):
    numbers = draw(mask(case.shapes[0], case.params["axis"]))
    return replace(case, make=lambda x: [where(numbers, x, np.nan)])


def within(numbers, whole):
    """Map numbers from (-2, 2) to quantiles, none at an element or at a step."""
    return whole * (numbers / 4.37 + 0.4993)


@st.composite
def parts(draw, whole=1, nans=False):
    """A quantile with q as a variable."""
    case = draw(quantiles(whole, nans))
    params = {name: value for name, value in case.params.items() if name != "q"}

    def call(function, arrays, params):
        a, q = arrays
        return function(a, q, **params) if by_position else function(a, q=q, **params)

    by_position = draw(st.booleans())
    misplaced = nans and isinstance(params["axis"], tuple) and len(params["axis"]) != 1
    shape = draw(st.sampled_from([(), (2,)] if misplaced else [(), (2,), (1, 3)]))
    return Case(
        [case.shapes[0], shape],
        params,
        make=lambda x, q: [*case.make(x), within(q, whole)],
        call=call,
    )


def either(**options):
    return st.one_of(quantiles(**options), parts(**options))


@st.composite
def nanmedians(draw):
    return with_nans(draw, draw(reduction(complex=True)))


@st.composite
def averages(draw):
    """Averages, also with weights as variables, of the array's shape or of its axes'."""
    if draw(st.booleans()):
        return replace(draw(reduction()), complex=True)
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=2, max_side=3))
    some = hnp.valid_tuple_axes(len(shape), min_size=1)
    axis = draw(st.one_of(st.none(), st.integers(-len(shape), len(shape) - 1), some))
    axes = axis if isinstance(axis, tuple) else (axis,)
    short = shape if axis is None else tuple(shape[i] for i in axes)
    params = {"axis": axis, "keepdims": draw(st.booleans())}

    def call(function, arrays, params):
        a, weights = arrays
        return function(a, weights=weights, **params)

    return Case([shape, draw(st.sampled_from([shape, short]))], params, (0.3, 2.0), call=call)


def in_its_precision(function, arrays, params):
    """A call that keeps float32, where NumPy would return float64."""
    dtype = np.float32 if arrays[0].dtype == np.float32 else None
    return function(*arrays, dtype=dtype, **params)


def covariances():
    return [
        Case([(2, 4)], call=in_its_precision, slack=100),
        Case([(4, 2)], {"rowvar": False}, call=in_its_precision, slack=100),
        Case([(4,), (4,)], call=in_its_precision, complex=True, slack=100),
        Case([(3, 4), (4,)], call=in_its_precision, slack=100),
        Case([(4, 1), (4, 2)], {"rowvar": False}, call=in_its_precision, slack=100),
    ]


CASES = {
    "average": averages(),
    "median": reduction(complex=True),
    "quantile": either(),
    "percentile": either(whole=100),
    "nanmedian": nanmedians(),
    "nanquantile": either(nans=True),
    "nanpercentile": either(whole=100, nans=True),
    "cov": listed(
        *covariances(),
        Case([(5,)], {"bias": True}, call=in_its_precision, slack=100),
        Case([(2, 3)], {"ddof": 0}, call=in_its_precision, slack=100),
    ),
    "corrcoef": listed(*covariances()),
}
