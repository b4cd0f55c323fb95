"""What convolution and pooling of images are tried with."""

from hypothesis import strategies as st

from cases.case import Case

SMALL = st.integers(1, 2)
PAIRS = SMALL | st.tuples(SMALL, SMALL)


def both(value):
    return value if isinstance(value, tuple) else (value, value)


@st.composite
def sliding(draw, *, dilated=True, stride=PAIRS):
    """Sizes of window and image, the places of the window, and how it slides."""
    k, l = size = draw(st.tuples(SMALL, SMALL))
    options = {"stride": draw(stride), "padding": draw(st.integers(0, 1))}
    if dilated:
        options["dilation"] = draw(PAIRS)
    (d, e), p = both(options.get("dilation", 1)), options["padding"]
    s, t = both(options["stride"] or size)
    places = draw(st.tuples(SMALL, SMALL))
    # one pixel more than a stride of 2 has a use for, now and then
    h = (places[0] - 1) * s + d * (k - 1) + 1 - 2 * p + draw(st.integers(0, s - 1))
    w = (places[1] - 1) * t + e * (l - 1) + 1 - 2 * p + draw(st.integers(0, t - 1))
    return (
        draw(sliding(dilated=dilated, stride=stride))
        if min(h, w) < 1
        else (size, (h, w), places, options)
    )


@st.composite
def convolution(draw, shapes, **more):
    size, image, places, options = draw(sliding())
    n, groups, c, o = draw(st.tuples(SMALL, SMALL, SMALL, SMALL))
    arrays = {
        "x": (n, groups * c, *image),
        "w": (groups * o, c, *size),
        "g": (n, groups * o, *places),
    }
    options |= {"groups": groups}
    options |= {"size": {"image": image, "window": size}[which] for which in more.values()}
    return Case([arrays[name] for name in shapes], options, complex=True, slack=40)


@st.composite
def windows(draw, folded=False):
    size, image, places, options = draw(sliding())
    n, c = draw(st.tuples(SMALL, SMALL))
    if folded:
        options |= {"image": image}
    shape = (n, c, *size, *places) if folded else (n, c, *image)
    return Case([shape], options | {"size": size}, complex=True)


@st.composite
def pooling(draw, *, dilated=True, **options):
    size, image, _, params = draw(sliding(dilated=dilated, stride=st.none() | PAIRS))
    return Case([(draw(SMALL), draw(SMALL), *image)], params | {"size": size}, **options)


CASES = {
    "avg_pool2d": pooling(dilated=False, complex=True),
    "conv2d": convolution("xw"),
    "conv2d_kernel": convolution("xg", size="window"),
    "conv_transpose2d": convolution("gw", size="image"),
    "fold2d": windows(folded=True),
    "max_pool2d": pooling(),
    "unfold2d": windows(),
}
