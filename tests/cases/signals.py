"""What convolution and interpolation are tried with."""

import numpy as np
from hypothesis import strategies as st

from cases.case import Case


@st.composite
def sliding(draw, *, scalars=False):
    length = st.integers(1, 5).map(lambda n: (n,))
    if scalars:
        length = length | st.just(())
    mode = draw(st.sampled_from(["full", "same", "valid"]))
    return Case([draw(length), draw(length)], {"mode": mode}, complex=True, slack=20)


def increasing(x, xp, fp):
    """Knots some distance apart, whatever the numbers are."""
    return x, np.arange(len(xp)) + 0.2 * xp - len(xp) / 2, fp


@st.composite
def interpolation(draw):
    """Points on all pieces and beyond; with a period the knots may come in any order."""
    knots = draw(st.integers(1, 4))
    shape = draw(st.sampled_from([(), (3,), (2, 2)]))
    ends = st.none() | st.floats(-1, 1)
    params = {"left": draw(ends), "right": draw(ends)}
    if draw(st.booleans()):
        params = {"period": draw(st.sampled_from([5.0, -7.5]))}
    return Case([shape, (knots,), (knots,)], params, domain=(-2.3, 2.3), make=increasing)


CASES = {
    "convolve": sliding(scalars=True),
    "correlate": sliding(),
    "interp": interpolation(),
}
