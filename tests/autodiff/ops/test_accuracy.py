"""Every elementwise row and its derivatives against mpmath, in ulp.

The exact functions and the bounds are in `tests/accuracy.py`.
"""

import math
from pathlib import Path

import accuracy
import mpmath as mp
import numpy as np
import pytest
from accuracy import EXEMPTIONS, FLOAT, REFERENCES, WITHOUT_REFERENCE, measure, units
from hypothesis import given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import grad
from autodiff.ops.registry import TABLE
from autodiff.ops.table import Elementwise

few = settings(max_examples=25)
every = pytest.mark.parametrize("name", sorted(REFERENCES))


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(60):
        yield


def assert_accurate(name, columns):
    for order, worst in enumerate(measure(name, columns)):
        assert worst.units <= accuracy.bound(name, order), (order, worst)


def test_every_elementwise_row_has_a_reference_or_a_reason():
    rows = {name for name, op in TABLE.items() if isinstance(op, Elementwise)}
    assert REFERENCES.keys() | WITHOUT_REFERENCE.keys() == rows
    assert not REFERENCES.keys() & WITHOUT_REFERENCE.keys()
    assert {name for name, _ in EXEMPTIONS} <= rows


@every
def test_value_and_two_derivatives_on_a_grid(name):
    assert_accurate(name, accuracy.grid(REFERENCES[name].domain, 5))


@every
@given(st.data())
def test_value_and_two_derivatives_anywhere(name, draw):
    row = st.tuples(
        *[
            st.floats(interval.low, interval.high).filter(interval.__contains__)
            for interval in REFERENCES[name].domain
        ]
    )
    rows = draw.draw(st.lists(row, min_size=1, max_size=5))
    assert_accurate(name, [np.array(column) + 0.0 for column in zip(*rows, strict=True)])


@every
def test_the_references_are_derivatives_of_each_other(name):
    reference = REFERENCES[name]
    at = tuple(map(mp.mpf, ("0.3721", "0.6143", "0.9171")[: len(reference.domain)]))
    if name == "arccosh":
        at = (mp.mpf("1.3721"),)
    exact = dict(reference.parts())
    for part, derivative in exact.items():
        if part and not (name == "where" and 0 in part):  # the condition of where is a step
            lower = exact[part[:-1]]
            order = tuple(int(k == part[-1]) for k in range(len(at)))
            numerical = mp.diff(lower, at, order)
            assert abs(derivative(*at) - numerical) < 1e-15 * (1 + abs(numerical)), part


def test_the_page_has_every_row_and_exemption_within_its_bounds():
    page = (Path(__file__).parents[3] / "docs" / "accuracy.md").read_text()
    parts = []
    for part in page.split("\n## "):
        lines = [line for line in part.splitlines() if line.startswith("| `")]
        parts.append([(line.split("`")[1], line.split(" | ")[1:]) for line in lines])
    table, exempt, without = parts
    assert {name for name, _ in table} == REFERENCES.keys()
    assert [name for name, _ in exempt] == [name for name, _ in sorted(EXEMPTIONS)]
    assert [name for name, _ in without] == [*WITHOUT_REFERENCE]
    for name, (_, *cells) in table:
        for order, cell in enumerate(cells):
            assert float(cell.split()[0]) <= accuracy.bound(name, order), (name, order)


@few
@given(st.floats(-1e6, 1e6) | st.floats(-5.0, 5.0), st.integers(0, 6))
def test_sinc_of_every_order(x, n):
    """To rounding of the largest value of a sinc derivative near x."""
    exact = mp.diff(lambda t: mp.sincpi(t), mp.mpf(x), n) if n else mp.sincpi(mp.mpf(x))
    size = math.pi**n * min(1, 1 / abs(math.pi * x)) if x else math.pi**n
    assert abs(ad.sinc_derivative(x, n=n) - exact) <= 8 * FLOAT.eps * size


@given(st.floats(-1e-3, 1e-3).filter(lambda x: not 0 < abs(x) < 1e-300))  # subnormal
def test_slopes_of_sinc_keep_their_digits_near_0(x):
    slope = grad(np.sinc)
    third = grad(grad(slope))
    u = mp.pi * mp.mpf(x)
    series = -u / 3 + u**3 / 30 - u**5 / 840 + u**7 / 45360
    assert units(slope(x), mp.pi * series) <= 4
    series = u / 5 - u**3 / 42 + u**5 / 1080 - u**7 / 55440
    assert units(third(x), mp.pi**3 * series) <= 6


@few
@given(st.floats(-700, 700), st.integers(0, 5))
def test_bessel_functions(x, n):
    assert units(float(ad.bessel_i(x, n=n)), mp.besseli(n, mp.mpf(x))) <= 24
