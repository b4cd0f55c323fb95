"""Special functions, accurate over their whole range: logaddexp, sigmoid, sinc, i0."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from autodiff.ops.alike import own
from autodiff.ops.elementwise import exp2, where
from autodiff.ops.general import general
from autodiff.ops.kinks import Kink
from autodiff.ops.table import conj, elementwise

__all__ = [
    "bessel_i",
    "i0",
    "log_sigmoid",
    "logaddexp",
    "logaddexp2",
    "relu",
    "sigmoid",
    "sinc",
    "sinc_derivative",
    "softplus",
]


def _relu(x: Any) -> Any:
    return np.maximum(x, 0)


def _sigmoid(x: Any) -> Any:
    # exp of a negative number cannot overflow
    decay = np.exp(-np.abs(x))
    return np.where(np.less(x, 0), decay, 1) / (1 + decay)


def _sigmoid_scalar(x: float) -> float:
    decay = math.exp(-abs(x))
    return (decay if x < 0 else 1.0) / (1.0 + decay)


def _softplus(x: Any) -> Any:
    return np.logaddexp(x, 0)


def _log_sigmoid(x: Any) -> Any:
    return -np.logaddexp(np.negative(x), 0)


relu = elementwise(
    _relu,
    lambda out, x: x > 0,
    scalar=lambda x: x if x > 0 or math.isnan(x) else 0.0,
    kinks=Kink("x = 0", lambda out, x: x == 0),
    name="relu",
    doc="Return max(x, 0), element by element; the derivative at 0 is 0.",
)
sigmoid = elementwise(
    _sigmoid,
    # not out * (1 - out), which cancels where the sigmoid saturates
    lambda out, x: out * sigmoid(-x),
    scalar=_sigmoid_scalar,
    name="sigmoid",
    symbol="σ",
    doc="Return 1 / (1 + exp(-x)), element by element, without overflow for any x.",
)
softplus = elementwise(
    _softplus,
    lambda out, x: sigmoid(x),
    name="softplus",
    doc="Return log(1 + exp(x)), element by element, without overflow for any x.",
)
log_sigmoid = elementwise(
    _log_sigmoid,
    lambda out, x: sigmoid(-x),
    name="log_sigmoid",
    symbol="log σ",
    doc="Return log(sigmoid(x)), element by element, accurate for any x.",
)


def _gap(x: Any, y: Any) -> Any:
    """Return x - y, and 0 where both are the same infinity."""
    return where(np.isinf(x) & (x == y), 0, x - y)


logaddexp = elementwise(
    np.logaddexp,
    lambda out, x, y: sigmoid(_gap(x, y)),
    lambda out, x, y: sigmoid(_gap(y, x)),
)
logaddexp2 = elementwise(
    np.logaddexp2,
    # not sigmoid(log(2) * (x - y)): the rounding of the product grows with the exponent
    lambda out, x, y: 1 / (1 + exp2(_gap(y, x))),
    lambda out, x, y: 1 / (1 + exp2(_gap(x, y))),
)


def _sinc_derivative(x: Any, n: int = 0) -> Any:
    """Return the n-th derivative of sin(u)/u at u = πx, times π^n.

    The k-th derivatives S_k of sin(u)/u satisfy u S_k + k S_(k-1) = sin(u + kπ/2). Solving for S_k
    is stable where |u| > k, and solving for S_(k-1) where |u| < k. The downward recurrence starts
    at S = 0, far enough above n.
    """
    x = own(x)
    with np.errstate(invalid="ignore"):
        phase = math.pi * (x - 2 * np.rint(x.real / 2))  # πx modulo 2π, reduced exactly
        sine, cosine = np.sin(phase), np.cos(phase)
    cycle = (sine, cosine, -sine, -cosine)
    u = math.pi * x
    out = np.zeros_like(u)
    near = np.abs(u) <= n + 1
    small = u[near]
    total = np.zeros_like(small)
    for k in range(5 * n + 30, n, -1):
        total = (cycle[k % 4][near] - small * total) / k
    out[near] = total
    far = np.logical_not(near)
    large = u[far]
    total = sine[far] / large
    for k in range(1, n + 1):
        total = (cycle[k % 4][far] - k * total) / large
    out[far] = total
    return math.pi**n * out


sinc = elementwise(np.sinc, lambda out, x: sinc_derivative(x, n=1))
sinc_derivative = general(
    _sinc_derivative,
    vjp=lambda g, out, x, n=0: g * conj(sinc_derivative(x, n=n + 1)),
    jvp=lambda t, out, x, n=0: t * sinc_derivative(x, n=n + 1),
    name="sinc_derivative",
    symbol="sinc⁽ⁿ⁾",
    doc="Return the n-th derivative of numpy.sinc, element by element, accurate near 0 too.",
)


def _bessel_i(x: Any, n: int = 0) -> Any:
    """Compute I_n(x) by its power series for small |x| and its asymptotic series for large |x|.

    The terms of the power series have one sign, so nothing cancels. M. Abramowitz and I. Stegun,
    Handbook of Mathematical Functions, 9.6.10 and 9.7.1.
    """
    x = own(x)
    size = np.where(x < 0, -x, x)  # unlike abs, differentiable at 0 for an array of Values
    bound = max(40, n * n)  # above it the asymptotic series is accurate to rounding
    far = size > bound
    near = np.logical_not(far)
    out = np.empty_like(x)

    quarter = np.square(size[near] / 2)
    term = (size[near] / 2) ** n / math.factorial(n)
    total = term
    for k in range(1, bound + 40):
        term = term * quarter / (k * (n + k))
        total = total + term
    out[near] = total

    eighth = 8 * size[far]
    term = total = np.ones_like(eighth)
    for k in range(1, 60):
        term = term * ((2 * k - 1) ** 2 - 4 * n * n) / (k * eighth)
        total = total + term
    root = np.exp(size[far] / 2)  # e^x would overflow before the result does
    out[far] = root * (root / np.sqrt(2 * math.pi * size[far])) * total
    return np.where(x < 0, (-1) ** n * out, out)


i0 = elementwise(np.i0, lambda out, x: bessel_i(x, n=1), symbol="I₀")
bessel_i = general(
    _bessel_i,
    vjp=lambda g, out, x, n=0: g * _bessel_slope(x, n),
    jvp=lambda t, out, x, n=0: t * _bessel_slope(x, n),
    name="bessel_i",
    symbol="Iₙ",
    doc="Return the modified Bessel function of the first kind, of integer order n, per element.",
)


def _bessel_slope(x: Any, n: int) -> Any:
    if n == 0:
        return bessel_i(x, n=1)
    return (bessel_i(x, n=n - 1) + bessel_i(x, n=n + 1)) / 2
