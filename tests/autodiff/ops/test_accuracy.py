"""Derivatives of elementwise rows against mpmath, in units of the last place, over all floats.

Values are NumPy's, and NumPy's error is its own: only functions of our own are held to a value.
"""

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, grad, gradients

FLOAT = np.finfo(float)
ALL = (-FLOAT.max, FLOAT.max)
POSITIVE = (FLOAT.smallest_subnormal, FLOAT.max)
UNIT = (math.nextafter(-1, 0), math.nextafter(1, 0))

# name: domain, derivative, how many units it may be off by
SLOPES = {
    "arccos": (UNIT, lambda x: -1 / mp.sqrt(1 - x * x), 3),
    "arccosh": ((math.nextafter(1, 2), FLOAT.max), lambda x: 1 / mp.sqrt(x * x - 1), 3),
    "arcsin": (UNIT, lambda x: 1 / mp.sqrt(1 - x * x), 3),
    "arcsinh": (ALL, lambda x: 1 / mp.sqrt(1 + x * x), 3),
    "arctan": (ALL, lambda x: 1 / (1 + x * x), 2),
    "arctanh": (UNIT, lambda x: 1 / (1 - x * x), 2),
    "cbrt": (POSITIVE, lambda x: 1 / (3 * mp.cbrt(x) ** 2), 8),
    "cos": ((-1e5, 1e5), lambda x: -mp.sin(x), 2),
    "cosh": (ALL, mp.sinh, 3),
    "exp": (ALL, mp.exp, 2),
    "exp2": (ALL, lambda x: mp.log(2) * mp.mpf(2) ** x, 3),
    "expm1": (ALL, mp.exp, 2),
    "i0": ((-713, 713), lambda x: mp.besseli(1, x), 16),
    "log": (POSITIVE, lambda x: 1 / x, 1),
    "log10": (POSITIVE, lambda x: 1 / (x * mp.log(10)), 3),
    "log1p": ((UNIT[0], FLOAT.max), lambda x: 1 / (1 + x), 2),
    "log2": (POSITIVE, lambda x: 1 / (x * mp.log(2)), 3),
    "log_sigmoid": (ALL, lambda x: 1 / (1 + mp.exp(x)), 4),
    "reciprocal": (POSITIVE, lambda x: -1 / (x * x), 3),
    "sigmoid": (ALL, lambda x: 1 / ((1 + mp.exp(x)) * (1 + mp.exp(-x))), 5),
    "sin": ((-1e5, 1e5), mp.cos, 2),
    "sinh": (ALL, mp.cosh, 3),
    "softplus": (ALL, lambda x: 1 / (1 + mp.exp(-x)), 4),
    "sqrt": (POSITIVE, lambda x: 1 / (2 * mp.sqrt(x)), 2),
    "tan": ((-1e5, 1e5), lambda x: 1 / mp.cos(x) ** 2, 6),
    "tanh": (ALL, lambda x: 1 / mp.cosh(x) ** 2, 6),
}
SECOND_SLOPES = {
    "arcsinh": ((-1e90, 1e90), lambda x: -x / mp.sqrt(1 + x * x) ** 3, 8),
    "arctan": ((-1e60, 1e60), lambda x: -2 * x / (1 + x * x) ** 2, 8),
    "exp": ((-700, 700), mp.exp, 2),
    "i0": ((-700, 700), lambda x: (mp.besseli(0, x) + mp.besseli(2, x)) / 2, 16),
    "log1p": ((UNIT[0], 1e100), lambda x: -1 / (1 + x) ** 2, 4),
    "softplus": ((-700, 700), lambda x: 1 / ((1 + mp.exp(x)) * (1 + mp.exp(-x))), 5),
    "sqrt": ((1e-100, 1e100), lambda x: -1 / (4 * mp.sqrt(x) ** 3), 4),
    "tanh": ((-200, 200), lambda x: -2 * mp.tanh(x) / mp.cosh(x) ** 2, 10),
}
VALUES = {
    "log_sigmoid": (ALL, lambda x: -mp.log1p(mp.exp(-x)), 3),
    "sigmoid": (ALL, lambda x: 1 / (1 + mp.exp(-x)), 4),
    "softplus": (ALL, lambda x: mp.log1p(mp.exp(x)), 3),
}
PAIRS = {
    # exact differences, since the rounding of x - y is not the row's
    "logaddexp": (lambda x, y: 1 / (1 + mp.exp(y - x)), 4),
    "logaddexp2": (lambda x, y: 1 / (1 + mp.mpf(2) ** (y - x)), 4),
    "hypot": (lambda x, y: x / mp.sqrt(x * x + y * y), 3),
    "arctan2": (lambda x, y: y / (x * x + y * y), 5),
}

few = settings(max_examples=25)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's own, at overflow


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(60):
        yield


def units(found, exact):
    """The error in units of the last place of the exact number."""
    if found == 0 and abs(exact) < FLOAT.tiny:
        return 0.0  # what is too small for all digits may as well be 0
    if math.isinf(found):
        return 0.0 if exact * mp.sign(found) > FLOAT.max * (1 - 16 * FLOAT.eps) else math.inf
    return float(abs(mp.mpf(float(found)) - exact) / mp.mpf(float(np.spacing(abs(float(exact))))))


def drawn_from(low, high):
    """Floats of every size, and as many of the size of 1."""
    near = st.floats(max(low, -40.0), min(high, 40.0))
    return st.floats(low, high) | near


def on_array(f, x):
    tensor = Tensor([x, x])
    return gradients(f(tensor), [tensor], [1.0, 0.0])[0][0]


def check(table, name, draw, *functions):
    domain, exact, limit = table[name]
    x = draw.draw(drawn_from(*domain))
    for function in functions:
        assert units(function(x), exact(mp.mpf(x))) <= limit


@pytest.mark.parametrize("name", SLOPES)
@few
@given(st.data())
def test_slopes(name, draw):
    f = getattr(ad, name)
    check(SLOPES, name, draw, grad(f), lambda x: on_array(f, x))


@pytest.mark.parametrize("name", SECOND_SLOPES)
@few
@given(st.data())
def test_second_slopes(name, draw):
    check(SECOND_SLOPES, name, draw, grad(grad(getattr(ad, name))))


@pytest.mark.parametrize("name", VALUES)
@few
@given(st.data())
def test_values_of_our_own_functions(name, draw):
    f = getattr(ad, name)
    check(VALUES, name, draw, f, lambda x: f(np.array([x]))[0])


@pytest.mark.parametrize("name", PAIRS)
@few
@given(st.integers(-(2**19), 2**19), st.integers(-(2**19), 2**19))
def test_slopes_of_pairs(name, i, j):
    assume(i and j)
    exact, limit = PAIRS[name]
    x, y = i / 1024, j / 1024
    assert units(grad(getattr(ad, name))(x, y), exact(mp.mpf(x), mp.mpf(y))) <= limit


@few
@given(st.floats(-1e6, 1e6) | st.floats(-5.0, 5.0), st.integers(0, 6))
def test_sinc_of_every_order(x, n):
    """To rounding of the largest that a derivative of sinc is around there."""
    exact = mp.diff(lambda t: mp.sincpi(t), mp.mpf(x), n) if n else mp.sincpi(mp.mpf(x))
    size = math.pi**n * min(1, 1 / abs(math.pi * x)) if x else math.pi**n
    assert abs(ad.sinc_derivative(x, n=n) - exact) <= 8 * FLOAT.eps * size


@given(st.floats(-1e-3, 1e-3).filter(lambda x: not 0 < abs(x) < 1e-300))  # subnormal on the way
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
    assert units(ad.bessel_i(x, n=n), mp.besseli(n, mp.mpf(x))) <= 24
