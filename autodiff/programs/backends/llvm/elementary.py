"""Elementary functions as straight-line LLVM IR, which LLVM's vectorizer turns into SIMD code.

A function reduces its argument to a small interval, approximates itself there by a polynomial, and
undoes the reduction. It has no branches, no calls and no tables in memory, so that it computes
numbers in loops and vectors of any length alike. `tests/elementary_tables.py` makes the
coefficients from the functions themselves.

Errors are below 1 ulp; below 1.1 for exp2 and expm1, 1.3 for sinh, cosh and tanh, 1.5 for tan.
Special values are NumPy's. The processor's flags *invalid*, *divide by zero* and *overflow* are
raised where NumPy warns, and not by lanes that a select drops. One more case raises *invalid* and
gives NaN: sin, cos and tan beyond `LARGEST_ANGLE`. So a caller that computes with NumPy again
wherever a flag is raised gets right results everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, pi, sqrt

from autodiff.programs.backends.llvm.registers import (
    BIAS,
    INFINITE,
    MANTISSA,
    ROUNDER,
    Register,
    Write,
    absolute,
    below_0,
    bits_of,
    fast_two_sum,
    finite,
    flipped,
    horner,
    power_of_2,
    rounded,
    sign,
    size,
)

Build = Callable[[Write, str, str], str]
"""Adds the instructions of a function: `build(write, kind, x)` returns the name of the result.

`kind` is the type of x and of the result: `double`, `float`, or a vector of them, as in
`<4 x double>`. Functions of `float` are computed in double precision and rounded.
"""

LARGEST_ANGLE = 2.0**20
"""The largest argument of sin, cos and tan; larger ones raise *invalid*."""

# Polynomials in the square of the argument, lowest power first
SINH = (
    0.16666666666666669, 0.008333333333330063, 0.00019841269863050506, 2.7557268464831627e-06,
    2.510038319586702e-08,
)  # fmt: skip
COSH = (
    0.041666666666666664, 0.0013888888888886552, 2.4801587317142276e-05, 2.7557282973002415e-07,
    2.091123498804083e-09,
)  # fmt: skip
ARTANH = (
    0.666666666666667, 0.39999999999899455, 0.2857142862599856, 0.2222221113102852,
    0.1818288939967772, 0.15331712479381301, 0.14616562422104645,
)  # fmt: skip
SIN = (
    -0.16666666666666666, 0.008333333333330948, -0.0001984126983675849, 2.7557316102508736e-06,
    -2.5051131835894976e-08, 1.5918128638625855e-10,
)  # fmt: skip
COS = (
    0.041666666666666664, -0.0013888888888887398, 2.4801587298765635e-05, -2.755731727170245e-07,
    2.0876146262704946e-09, -1.1382632014983239e-11,
)  # fmt: skip
ARCTAN = (
    -0.33333333333333326, 0.19999999999987716, -0.14285714283139067, 0.11111110899870873,
    -0.09090900170460428, 0.07692086826404283, -0.06663232707208805, 0.05847673416895346,
    -0.050337022399687285, 0.037818992549736224, -0.017540403246307516,
)  # fmt: skip

# Constants in parts: all but the last are short enough for exact products with the other factor
LN2 = (0.6931471805598903, 5.497923018708371e-14)
LOG2_E = (1.4426950407214463, 1.6751713164886512e-10)
LOG10_E = (0.4342944818781689, 2.5082946711645275e-11)
LOG10_2 = (0.30102999566395283, 2.8363394551044964e-14)
HALF_PI = (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32)
ARCTAN_HALF = (0.4636476090008061, 2.2698777452961687e-17)
ARCTAN_1 = (0.7853981633974483, 3.061616997868383e-17)
ARCTAN_3_HALVES = (0.982793723247329, 1.3903311031230998e-17)
ARCTAN_INFINITY = (1.5707963267948966, 6.123233995736766e-17)

TINY = bits_of(2.0**-60)
"""Below this, sinh x, exp(x) − 1 and log(1 + x) are x."""


def ordinary(x: Register) -> Register:
    """Return whether x is finite and not tiny."""
    return (size(x) > TINY) & finite(x)


# exp and its relatives: e^x = 2^n e^r with |r| ≤ log(2) / 2, and e^r = cosh(r) + sinh(r)


def clamped(x: Register, largest: float) -> Register:
    """Return x between ±largest; 0 for infinities and NaN."""
    edge = flipped(x.constant(largest), sign(x))
    return (size(x) < bits_of(largest)).choose(x, finite(x).choose(edge, 0.0))


def reduced_by_ln2(x: Register) -> tuple[Register, Register, Register]:
    """Return r, its rounding error, and the integer n."""
    n, bits = rounded(x * (1 / log(2)))
    high = x - n * LN2[0]
    low = n * LN2[1]
    r = high - low
    return r, (high - r) - low, bits - bits_of(ROUNDER)


def cosh_and_sinh(r: Register) -> tuple[Register, Register]:
    """Return cosh(r) − 1 and sinh(r) − r."""
    z = r * r
    return z * 0.5 + z * z * horner(z, COSH), r * z * horner(z, SINH)


def scaled_exp(n: Register, r: Register) -> Register:
    """Return 2^n e^r; a subnormal result is rounded only once."""
    even, odd = cosh_and_sinh(r)
    n = n + 2 * BIAS
    half = n >> 1
    return (r + (even + odd) + 1.0) * power_of_2(half) * power_of_2(n - half)


def with_limits(x: Register, result: Register) -> Register:
    """Return a result; 0 at −∞, and x at ∞ and NaN."""
    return finite(x).choose(result, below_0(x).choose(0.0, x))


def exp(x: Register) -> Register:
    r, _, n = reduced_by_ln2(clamped(x, 746.0))
    return with_limits(x, scaled_exp(n, r))


def exp2(x: Register) -> Register:
    inside = clamped(x, 1077.0)
    n, bits = rounded(inside)
    return with_limits(x, scaled_exp(bits - bits_of(ROUNDER), (inside - n) * log(2)))


def expm1_terms(x: Register, halvings: int) -> tuple[Register, Register]:
    """Return e^x − 1, halved some times, as the sum of a larger and a smaller number.

    It holds from −60 on; halved once, it does not overflow up to 710.
    """
    r, error, n = reduced_by_ln2(x)
    even, odd = cosh_and_sinh(r)
    unit = 2.0**-halvings
    power = power_of_2(n + (BIAS - halvings))
    difference = power - unit
    total, rest = fast_two_sum(difference, power * r)
    return total, rest + (power - (difference + unit)) + power * (even + (odd + error))


def expm1(x: Register) -> Register:
    least = -40.0  # the result is −1 there
    below = below_0(x) & (size(x) > bits_of(-least))
    high, low = expm1_terms(below.choose(least, clamped(x, 710.0)), 1)
    return (below | ordinary(x)).choose((high + low) * 2.0, x)


def tanh(x: Register) -> Register:
    # tanh|x| = −t / (2 + t) for t = e^(−2|x|) − 1
    inside = (size(x) < bits_of(30.0)).choose(absolute(x), 30.0)
    high, low = fast_two_sum(*expm1_terms(inside * -2.0, 0))
    divisor, rest = fast_two_sum(x.constant(2.0), high)
    quotient = high / divisor
    result = quotient + (low - quotient * (rest + low)) / divisor
    return (size(x) < INFINITE + 1).choose((size(result) | sign(x)).number(), x)


def powers_and_parts(x: Register) -> tuple[Register, ...]:
    """Return 2^(n − 2), 2^(−n − 2), r, cosh(r) − 1, and sinh(r) − r corrected for r's error.

    They are those of |x|, clamped to where sinh and cosh overflow, but not 2^(n − 2).
    """
    r, error, n = reduced_by_ln2(clamped(absolute(x), 710.6))
    even, odd = cosh_and_sinh(r)
    up = power_of_2(n + (BIAS - 2))
    n = (n < 64).choose(n, n.constant(64))  # beyond, e^(−|x|) does not count
    return up, power_of_2(n.constant(BIAS - 2) - n), r, even, odd + error


def cosh(x: Register) -> Register:
    up, down, r, even, odd = powers_and_parts(x)
    total, difference = up + down, up - down
    rest = down - (total - up)
    half = total + (rest + (difference * (r + odd) + total * even))
    return finite(x).choose(half * 2.0, absolute(x))


def sinh(x: Register) -> Register:
    up, down, r, even, odd = powers_and_parts(x)
    total, difference = up + down, up - down
    high, low = fast_two_sum(difference, total * r)
    half = high + (low + (difference * even + total * odd))
    return ordinary(x).choose(flipped(half * 2.0, sign(x)), x)


# Logarithms: x = 2^k (1 + f) with 1 + f from √½ to √2, and log(1 + f) = 2 artanh(s) with
# s = f / (2 + f), which equals f − h + s (h + R) with h = f² / 2 and R = 2 artanh(s) / s − 2

ROOT = bits_of(sqrt(0.5))
SHIFT = 1024
"""Added to k, so that it is positive."""


def reduced_by_2(x: Register) -> tuple[Register, Register, Register]:
    """Return the integer k + SHIFT, k and f of a positive normal number; else any numbers."""
    bits = x.bits() + ((SHIFT << MANTISSA) - ROOT)
    shifted = bits >> MANTISSA
    k = (shifted | bits_of(2.0**MANTISSA)).number() - (2.0**MANTISSA + SHIFT)
    return shifted, k, ((bits & (1 << MANTISSA) - 1) + ROOT).number() - 1.0


def log_terms(x: Register, f: Register) -> tuple[Register, Register]:
    """Return h and t with log(1 + f) = f − h + t.

    Where x is 0, t is −∞ and raises *divide by zero*; where x is negative, t is NaN and raises
    *invalid*.
    """
    zero, below = size(x).equals(0), below_0(x)
    dividend = zero.choose(-1.0, below.choose(0.0, f))
    s = dividend / (zero | below).choose(0.0, f + 2.0)
    z = s * s
    h = f * f * 0.5
    return h, s * (h + z * horner(z, ARTANH))


def unless_limit(x: Register, result: Register) -> Register:
    """Return a result; x at ∞ and NaN."""
    return (finite(x) | below_0(x)).choose(result, x)


def log_parts(x: Register) -> tuple[Register, Register, Register, Register]:
    """Return k, f, h and t."""
    subnormal = size(x) < bits_of(2.0**-1022)
    _, k, f = reduced_by_2(x * subnormal.choose(2.0**54, 1.0))
    return k - subnormal.choose(54.0, 0.0), f, *log_terms(x, f)


def natural_log(x: Register) -> Register:
    k, f, h, t = log_parts(x)
    return unless_limit(x, k * LN2[0] - ((h - (t + k * LN2[1])) - f))


def log_to_base(
    of_e: tuple[float, float], of_2: tuple[float, float]
) -> Callable[[Register], Register]:
    """Return the logarithm to a base, given the logarithms of e and 2 to this base in two parts."""

    def logarithm(x: Register) -> Register:
        k, f, h, t = log_parts(x)
        high = ((f - h).bits() & -(1 << 32)).number()  # short, so that a product is exact
        low = (f - high) - h + t
        total, rest = fast_two_sum(k * of_2[0], high * of_e[0])
        rest = rest + (k * of_2[1] + ((low + high) * of_e[1] + low * of_e[0]))
        return unless_limit(x, total + rest)

    return logarithm


def log1p(x: Register) -> Register:
    inside = (x.bits() > INFINITE - 1).choose(1.0, x)
    u = inside + 1.0
    back = u - 1.0
    error = (1.0 - (u - back)) + (inside - back)
    shifted, k, f = reduced_by_2(u)
    # for k = 0, f is x; else log(u + error) = log(u) + 2^(−k) error / (1 + f), where a quotient
    # to a few bits will do, and error does not count for large k
    near = shifted.equals(SHIFT)
    shifted = (shifted < SHIFT + 64).choose(shifted, shifted.constant(SHIFT + 64))
    scale = power_of_2(shifted.constant(SHIFT + BIAS) - shifted)
    error = near.choose(0.0, error * scale * (1.0 - f * (1.0 - f * (1.0 - f))))
    f = near.choose(inside, f)
    h, t = log_terms(u, f)
    result = k * LN2[0] - ((h - (t + (k * LN2[1] + error))) - f)
    return (size(x) < TINY).choose(x, unless_limit(x, result))


# sin, cos and tan: |x| = n π/2 + r with |r| ≤ π/4


def reduced_by_half_pi(x: Register) -> tuple[Register, Register, Register]:
    """Return r, its rounding error, and an integer whose two lowest bits are those of n.

    Infinities and too large angles give NaN and raise *invalid*.
    """
    angle = absolute(x)
    angle = (size(x) > bits_of(LARGEST_ANGLE)).choose(angle + inf, angle)
    n, bits = rounded(angle * (2 / pi))
    r, first = fast_two_sum(angle - n * HALF_PI[0], -(n * HALF_PI[1]))
    r, second = fast_two_sum(r, -(n * HALF_PI[2]))
    r, error = fast_two_sum(r, first + second - n * HALF_PI[3])
    return r, error, bits


def sin_and_cos(r: Register, error: Register) -> tuple[tuple[Register, Register], ...]:
    """Return sin(r + error) and cos(r + error), each as a larger and a smaller term."""
    z = r * r
    half = z * 0.5
    high = 1.0 - half
    low = ((1.0 - high) - half) + (z * z * horner(z, COS) - r * error)
    return (r, r * z * horner(z, SIN) + error * high), (high, low)


def wave(x: Register, quarter_turns: int) -> Register:
    """Return sin(|x| + quarter_turns · π/2)."""
    r, error, n = reduced_by_half_pi(x)
    sine, cosine = sin_and_cos(r, error)
    n = n + quarter_turns
    result = (n & 1).equals(0).choose(sine[0] + sine[1], cosine[0] + cosine[1])
    return flipped(result, (n & 2) << 62)


def sin(x: Register) -> Register:
    return flipped(wave(x, 0), sign(x))


def cos(x: Register) -> Register:
    return wave(x, 1)


def tan(x: Register) -> Register:
    r, error, n = reduced_by_half_pi(x)
    sine, cosine = (fast_two_sum(*terms) for terms in sin_and_cos(r, error))
    odd = (n & 1).equals(1)  # tan(r + π/2) = −cos(r) / sin(r)
    dividend, dividend_error = (odd.choose(c, s) for s, c in zip(sine, cosine, strict=True))
    divisor, divisor_error = (odd.choose(s, c) for s, c in zip(sine, cosine, strict=True))
    quotient = dividend / divisor
    result = quotient + (dividend_error - quotient * divisor_error) / divisor
    return flipped(result, sign(x) ^ (n << 63))


def arctan(x: Register) -> Register:
    # arctan|x| = arctan(b) + arctan(t) with t = (|x| − b) / (1 + b |x|), and t = −1 / |x| for b = ∞
    a = absolute(x)
    b = angle = rest = x.constant(0.0)
    for limit, factor, parts in (
        (7 / 16, 0.5, ARCTAN_HALF),
        (11 / 16, 1.0, ARCTAN_1),
        (19 / 16, 1.5, ARCTAN_3_HALVES),
        (39 / 16, 1.0, ARCTAN_INFINITY),
    ):
        above = size(x) > bits_of(limit)
        b = above.choose(factor, b)
        angle, rest = above.choose(parts[0], angle), above.choose(parts[1], rest)
    # the divisor is |x| for b = ∞; a select between it and 1 + b |x| would let that overflow
    t = above.choose(-1.0, a - b) / (b * a + above.choose(0.0, 1.0))
    z = t * t
    return flipped(angle + (t + (rest + t * z * horner(z, ARCTAN))), sign(x))


def in_double(function: Callable[[Register], Register]) -> Build:
    """Return a builder of a function that computes in double precision."""

    def build(write: Write, kind: str, x: str) -> str:
        count, lane = kind[1:-1].split(" x ") if kind.startswith("<") else ("1", kind)
        given = Register(write, lane, int(count), x)
        if lane == "double":
            return function(given).name
        return function(given.converted("fpext", "double")).converted("fptrunc", lane).name

    return build


FUNCTIONS: dict[str, Build] = {
    "arctan": in_double(arctan),
    "cos": in_double(cos),
    "cosh": in_double(cosh),
    "exp": in_double(exp),
    "exp2": in_double(exp2),
    "expm1": in_double(expm1),
    "log": in_double(natural_log),
    "log10": in_double(log_to_base(LOG10_E, LOG10_2)),
    "log1p": in_double(log1p),
    "log2": in_double(log_to_base(LOG2_E, (1.0, 0.0))),
    "sin": in_double(sin),
    "sinh": in_double(sinh),
    "tan": in_double(tan),
    "tanh": in_double(tanh),
}
"""Builders by the names of NumPy's functions."""
