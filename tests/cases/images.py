"""Test cases of convolution and pooling of images."""

import numpy as np
from hypothesis import strategies as st

import autodiff as ad
from cases.case import Case

SMALL = st.sampled_from([2, 1])
PAIRS = SMALL | st.tuples(SMALL, SMALL)


def both(value):
    return value if isinstance(value, tuple) else (value, value)


@st.composite
def sliding(draw, *, dilated=True, stride=PAIRS):
    """Sizes of window and image, the number of places, stride, padding and dilation."""
    size, places = draw(st.tuples(SMALL, SMALL)), draw(st.tuples(SMALL, SMALL))
    padding = tuple(draw(st.integers(0, n - 1)) for n in size)
    if padding[0] == padding[1]:
        padding = draw(st.sampled_from([padding, padding[0]]))
    options = {"stride": draw(stride), "padding": padding}
    if dilated:
        options["dilation"] = draw(PAIRS)
    image = tuple(
        # sometimes with pixels at the end outside all windows
        max((n - 1) * s + d * (k - 1) + 1 - 2 * p, 1) + draw(st.integers(0, s - 1))
        for n, s, d, k, p in zip(
            places,
            both(options["stride"] or size),
            both(options.get("dilation", 1)),
            size,
            both(padding),
            strict=True,
        )
    )
    return size, image, options


@st.composite
def convolution(draw, shapes):
    """Arrays for conv2d and its transposes: images x, kernels w and a result y."""
    size, image, options = draw(sliding())
    n, groups, c, o = draw(st.tuples(SMALL, SMALL, SMALL, SMALL))
    x, w = (n, groups * c, *image), (groups * o, c, *size)
    options["groups"] = groups
    y = np.shape(ad.conv2d(np.zeros(x), np.zeros(w), **options))
    if "x" not in shapes:
        options["size"] = image
    if "w" not in shapes:
        options["size"] = size
    arrays = {"x": x, "w": w, "y": y}
    return Case([arrays[name] for name in shapes], options, complex=True, slack=40)


@st.composite
def windows(draw, *, folded=False):
    size, image, options = draw(sliding())
    options["size"] = size
    x = (draw(SMALL), draw(SMALL), *image)
    if folded:
        x = ad.unfold2d(np.zeros(x), **options).shape
        options["image"] = image
    return Case([x], options, complex=True)


@st.composite
def pooling(draw, *, dilated=True, **more):
    size, image, options = draw(sliding(dilated=dilated, stride=st.none() | PAIRS))
    return Case([(draw(SMALL), draw(SMALL), *image)], options | {"size": size}, **more)


CASES = {
    "avg_pool2d": pooling(dilated=False, complex=True),
    "conv2d": convolution("xw"),
    "conv2d_kernel": convolution("xy"),
    "conv_transpose2d": convolution("yw"),
    "fold2d": windows(folded=True),
    # a dilated window can lie in the padding with all its pixels
    "max_pool2d": pooling().filter(
        lambda case: np.isfinite(ad.max_pool2d(np.zeros(*case.shapes), **case.params)).all()
    ),
    "unfold2d": windows(),
}
