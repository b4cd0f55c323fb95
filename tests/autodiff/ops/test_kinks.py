"""Derivatives at the points of `tests/kinks.py`, where they are a convention."""

from pathlib import Path

import kinks
import numpy as np
import pytest
from kink_measures import OURS, forward, measure, reverse
from kinks import every
from peers import Peer, ours

import autodiff as ad
from autodiff import Value, gradients
from autodiff.core.graph import Node

CONVENTIONS = [kink for kink in every() if not isinstance(kink.ours, str)]
at_every_kink = pytest.mark.parametrize("kink", CONVENTIONS, ids=lambda k: f"{k.text} at {k.point}")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's values warn


@at_every_kink
def test_reverse_mode(kink):
    for found, expected in zip(reverse(kink), kink.ours, strict=True):
        np.testing.assert_allclose(found, expected, rtol=OURS)


@at_every_kink
def test_forward_mode(kink):
    for found, expected in zip(forward(kink), kink.ours, strict=True):
        np.testing.assert_allclose(found, np.real(expected), rtol=OURS)


@pytest.mark.parametrize(
    "kink",
    [kink for kink in CONVENTIONS if all(isinstance(x, float) for x in kink.point)],
    ids=lambda k: f"{k.text} at {k.point}",
)
def test_scalars(kink):
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
    assert reverse(kink) == forward(kink) == kink.ours


def test_only_deviations_of_peers_are_recorded():
    for kink in CONVENTIONS:
        for recorded in (kink.pytorch, kink.jax):
            if isinstance(recorded, tuple):
                same = zip(recorded, kink.ours, strict=True)
                assert not all(
                    np.allclose(x, y, rtol=1e-12, atol=0, equal_nan=True) for x, y in same
                ), kink


def test_measures_are_of_the_current_code(monkeypatch, capsys):
    kink = next(kink for kink in every() if kink.text == "relu(x)")
    assert measure([], [kink]) == (0, "1 points measured in both modes, 0 differ from the record")
    assert capsys.readouterr().out == "relu(x) at 0: 0\n"
    monkeypatch.setattr(ad.relu, "partials", (lambda out, x: 0.25,))
    assert measure([], [kink]) == (1, "1 points measured in both modes, 1 differ from the record")
    assert capsys.readouterr().out == "relu(x) at 0: 0.25 (forward 0.25; RECORDED 0)\n"


def test_peers_are_measured(capsys):
    class Stubborn(Peer):
        module = "numpy"
        version = "0"

        def __init__(self):
            self.refusals = ()

        def function(self, name):
            if name == "fabs":
                raise LookupError
            return ours(name)

        def gradients(self, f, arrays, weights):
            f(arrays)
            return [np.ones_like(x) for x in arrays]

    kinks = [kink for kink in every() if kink.text in ("relu(x)", "fabs(x)")]
    surprises, counts = measure([Stubborn], kinks)
    assert surprises == 0
    assert counts.endswith(f"numpy {np.__version__} deviates at 1")
    assert "relu(x) at 0: 0, numpy 1\n" in capsys.readouterr().out


def test_the_page_is_of_these_points():
    page = Path(__file__).parents[3] / "docs" / "kinks.md"
    assert page.read_text() == kinks.page()
