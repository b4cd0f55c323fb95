"""Test cases of polynomials."""

import numpy as np
from hypothesis import strategies as st

import autodiff as ad
from cases.case import Case

LENGTHS = st.sampled_from([(3,), (4,), (2,), (1,)])


def led_by_zeros(a1, a2):
    return ad.concatenate([np.zeros(2, a1.dtype), a1]), a2


@st.composite
def pair(draw, **options):
    return Case([draw(LENGTHS | st.just(())), draw(LENGTHS | st.just(()))], complex=True, **options)


@st.composite
def product(draw):
    make = draw(st.sampled_from([Case.make, led_by_zeros]))
    return Case([draw(LENGTHS), draw(LENGTHS)], make=make, complex=True, slack=20)


def far_from_zero(u, v):
    """Move the first coefficient of the divisor away from 0."""
    return u, v + 3 * np.eye(1, len(v), dtype=v.dtype)[0]


@st.composite
def quotient(draw):
    size = draw(st.integers(1, 4))
    shapes = [(draw(st.integers(size, 5)),), (size,)]
    return Case(shapes, make=far_from_zero, complex=True)


@st.composite
def derivative(draw):
    return Case([draw(LENGTHS)], {"m": draw(st.integers(0, 3))}, complex=True)


@st.composite
def integral(draw):
    m = draw(st.integers(0, 3))
    if m == 0 or draw(st.booleans()):
        return Case([draw(LENGTHS)], {"m": m}, complex=True)
    constants = draw(st.sampled_from([(), (1,), (m,), (m + 1,)]))
    return Case(
        [draw(LENGTHS), constants],
        {"m": m},
        call=lambda function, arrays, params: function(arrays[0], k=arrays[1], **params),
        complex=True,
    )


@st.composite
def values(draw):
    return Case([draw(LENGTHS), draw(st.sampled_from([(), (3,), (2, 2)]))], complex=True)


@st.composite
def powers(draw):
    params = {"N": draw(st.none() | st.integers(0, 4)), "increasing": draw(st.booleans())}
    return Case([draw(LENGTHS)], params, complex=True)


def lone(length, **options):
    return length.map(lambda n: Case([(n,)], complex=True, **options))


def with_distinct_roots(x):
    return [ad.poly(x / 8 + np.arange(len(x), dtype=x.dtype)) * 2]


@st.composite
def fit(draw):
    shapes = [(5,), draw(st.sampled_from([(5,), (5, 2)]))]
    params = {
        "deg": draw(st.integers(0, 2)),
        "cov": draw(st.sampled_from([False, "unscaled", True])),
    }
    if draw(st.booleans()):
        return Case([*shapes, (5,)], params, make=positive_weights, call=weighted, slack=200)
    return Case(shapes, params, slack=200)


def positive_weights(x, y, w):
    return x, y, w * w + 1


def weighted(function, arrays, params):
    return function(*arrays[:2], w=arrays[2], **params)


CASES = {
    "poly": lone(st.integers(1, 4), slack=20),
    "polyadd": pair(),
    "polysub": pair(),
    "polymul": product(),
    "polydiv": quotient(),
    "polyder": derivative(),
    "polyint": integral(),
    "polyval": values(),
    "roots": lone(st.integers(1, 3), make=with_distinct_roots),
    "vander": powers(),
    "polyfit": fit(),
}
