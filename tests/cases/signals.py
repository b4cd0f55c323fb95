"""Test cases of convolution and interpolation."""

import numpy as np
from hypothesis import strategies as st

from autodiff import real
from cases.case import Case


@st.composite
def sliding(draw, *, scalars=False):
    length = st.sampled_from([(3,), (4,), (2,), (5,), (1,)])
    if scalars:
        length = length | st.just(())
    mode = draw(st.sampled_from(["same", "full", "valid"]))
    return Case([draw(length), draw(length)], {"mode": mode}, complex=True, slack=20)


def increasing(x, xp, fp):
    """Map x, xp, fp to increasing knots some distance apart; only fp may be complex."""
    if fp.dtype.kind == "c":
        x, xp = real(x), real(xp)
    return x, np.arange(len(xp)) + 0.2 * xp - len(xp) / 2, fp


@st.composite
def interpolation(draw):
    """Points on all pieces and outside; with a period the knots have any order."""
    knots = draw(st.sampled_from([3, 4, 2, 1]))
    shape = draw(st.sampled_from([(), (3,), (2, 2)]))
    ends = st.floats(-1, 1) | st.none()
    params = {"left": draw(ends), "right": draw(ends)}
    if draw(st.sampled_from([True, False])):
        params = {"period": draw(st.sampled_from([5.0, -7.5]))}
    return Case(
        [shape, (knots,), (knots,)], params, domain=(-2.3, 2.3), make=increasing, complex=True
    )


CASES = {
    "convolve": sliding(scalars=True),
    "correlate": sliding(),
    "interp": interpolation(),
}
