"""Test cases of Fourier transforms."""

from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cases.case import Case, axis_of, preferring

SHAPES = preferring((4, 3), hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
NORMS = st.sampled_from([None, "backward", "ortho", "forward"])


@st.composite
def along_one_axis(draw, *, halved=False, **options):
    """Lengths that pad and that crop; `halved`: of the output, since an input of 1 has none."""
    shape = draw(SHAPES)
    axis = draw(axis_of(shape))
    params = {"axis": axis, "norm": draw(NORMS)}
    given = draw(st.none() | st.integers(1, 7))
    if given is not None or (halved and shape[axis] == 1):
        params["n"] = given or 3
    return Case([shape], params, slack=2, **options)


@st.composite
def along_several(draw, *, two=False, **options):
    """Any axes in any order, also repeated ones."""
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=3, min_side=2, max_side=3))
    params = {"norm": draw(NORMS)}
    if draw(st.booleans()):
        axis = st.integers(-len(shape), len(shape) - 1)
        size = 2 if two else draw(st.integers(1, 3))
        params["axes"] = draw(st.lists(axis, min_size=size, max_size=size))
        if draw(st.booleans()):
            length = st.integers(1, 4) | st.just(-1)
            # one for each axis: NumPy 2.0 uses another order of axes than NumPy 2.4
            lengths = draw(st.lists(length, min_size=len(shape), max_size=len(shape)))
            params["s"] = [lengths[axis] for axis in params["axes"]]
    return Case([shape], params, slack=8, **options)


@st.composite
def shift(draw):
    shape = draw(SHAPES)
    axis = st.integers(-len(shape), len(shape) - 1)
    axes = draw(st.none() | axis | st.lists(axis, min_size=1, max_size=2).map(tuple))
    return Case([shape], {"axes": axes}, complex=True)


CASES = {
    "fft.fft": along_one_axis(complex=True),
    "fft.ifft": along_one_axis(complex=True),
    "fft.rfft": along_one_axis(),
    "fft.irfft": along_one_axis(halved=True, complex=True),
    "fft.hfft": along_one_axis(halved=True, complex=True),
    "fft.ihfft": along_one_axis(),
    "fft.fftn": along_several(complex=True),
    "fft.ifftn": along_several(complex=True),
    "fft.rfftn": along_several(),
    "fft.irfftn": along_several(complex=True),
    "fft.fft2": along_several(two=True, complex=True),
    "fft.ifft2": along_several(two=True, complex=True),
    "fft.rfft2": along_several(two=True),
    "fft.irfft2": along_several(two=True, complex=True),
    "fft.fftshift": shift(),
    "fft.ifftshift": shift(),
}
