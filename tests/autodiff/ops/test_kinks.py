"""What we say where a derivative is a convention: the points are in `tests/kinks.py`."""

from pathlib import Path

import kinks
import numpy as np
import pytest
from kinks import every, weights
from peers import floating, ours

from autodiff import Value, gradients, jvp, vjp
from autodiff.core.graph import Node

CONVENTIONS = [kink for kink in every() if not isinstance(kink.ours, str)]
at_every_kink = pytest.mark.parametrize("kink", CONVENTIONS, ids=lambda k: f"{k.text} at {k.point}")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # the values', NumPy's own


def f(kink):
    return lambda *arguments: floating(kink.of(ours, arguments))[0]


@at_every_kink
def test_reverse_mode_says_so(kink):
    out, pullback = vjp(f(kink), *kink.arrays())
    for found, expected in zip(pullback(weights(out)), kink.ours, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-15)


@at_every_kink
def test_forward_mode_says_so(kink):
    arrays = kink.arrays()
    for k, expected in enumerate(kink.ours):
        for index in np.ndindex(arrays[k].shape):
            directions = [np.zeros_like(x) for x in arrays]
            directions[k][index] = 1
            out, pushed = jvp(f(kink), tuple(arrays), tuple(directions))
            found = np.sum(weights(out) * pushed, where=pushed != 0)
            np.testing.assert_allclose(found, np.real(np.asarray(expected)[index]), rtol=1e-15)


@pytest.mark.parametrize(
    "kink",
    [kink for kink in CONVENTIONS if all(isinstance(x, float) for x in kink.point)],
    ids=lambda k: f"{k.text} at {k.point}",
)
def test_scalars_say_so(kink):
    values = [Value(x) for x in kink.point]
    out = kink.of(ours, values)
    assert isinstance(out, Node)
    np.testing.assert_allclose(gradients(out, values), kink.ours, rtol=1e-15)


@pytest.mark.parametrize(
    "kink",
    [kink for kink in every() if isinstance(kink.ours, str)],
    ids=lambda k: f"{k.text} at {k.point}",
)
def test_where_there_is_no_derivative_both_modes_raise(kink):
    arrays = kink.arrays()
    out, pullback = vjp(f(kink), *arrays)
    with pytest.raises(getattr(np.linalg, kink.ours)):
        pullback(weights(out))
    with pytest.raises(getattr(np.linalg, kink.ours)):
        jvp(f(kink), tuple(arrays), tuple(map(np.ones_like, arrays)))


def test_what_is_recorded_of_peers_is_not_what_we_say():
    for kink in CONVENTIONS:
        for recorded in (kink.pytorch, kink.jax):
            if isinstance(recorded, tuple):
                same = zip(recorded, kink.ours, strict=True)
                assert not all(
                    np.allclose(x, y, rtol=1e-12, atol=0, equal_nan=True) for x, y in same
                ), kink


def test_the_page_is_of_these_points():
    page = Path(__file__).parents[3] / "docs" / "kinks.md"
    assert page.read_text() == kinks.page()
