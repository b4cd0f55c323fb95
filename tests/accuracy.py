"""Accuracy of every elementwise row and its first two derivatives against mpmath, in ulp.

`python -m tests.accuracy > docs/accuracy.md` tries a dense grid and makes the page (minutes); the
tests try a coarse one.

Errors are in units of the last place (ulp) of the exact result. No formula in floating point can
keep that bound where terms cancel, or where a rounded argument (a difference, say) is magnified:
there `EXEMPTIONS` gives another unit. For a subnormal result the unit is the ulp of the smallest
normal number. A result that overflows must be infinite.

This is one file, since it is mostly the tables `REFERENCES` and `EXEMPTIONS`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np

from autodiff import Tensor, Value, gradients
from autodiff.core.graph import Node
from autodiff.ops.registry import TABLE
from autodiff.ops.table import Elementwise

BOUND = 4.0
FLOAT = np.finfo(float)
MAX, TINY, LEAST = float(FLOAT.max), float(FLOAT.tiny), float(FLOAT.smallest_subnormal)


class Interval(NamedTuple):
    """Numbers from `low` to `high`, except nonzero ones smaller than `least`."""

    low: float
    high: float
    least: float = LEAST

    def __contains__(self, x: Any) -> bool:
        return self.low <= x <= self.high and (x == 0 or abs(x) >= self.least)

    def __str__(self) -> str:
        if self == ALL:
            return "all"
        if self == UNIT:
            return "(−1, 1)"
        if self.high == MAX:
            return f"> {self.low:.3g}"
        aside = f", 0 or at least {self.least:g} in size" if self.least > LEAST > self.low else ""
        return f"[{self.low:g}, {self.high:g}]{aside}"


ALL = Interval(-MAX, MAX)
POSITIVE = Interval(LEAST, MAX)
UNIT = Interval(math.nextafter(-1, 0), math.nextafter(1, 0))
MODERATE = Interval(-1e75, 1e75, 1e-75)  # the fourth power neither overflows nor underflows
MODERATE_POSITIVE = Interval(1e-75, 1e75)
DIVIDEND, DIVISOR = Interval(-1e6, 1e6), Interval(1e-3, 1e6)

Exact = Callable[..., Any]


@dataclass(frozen=True)
class Reference:
    """The exact function, its first derivatives, and its second derivatives by each pair."""

    domain: tuple[Interval, ...]
    value: Exact
    first: tuple[Exact, ...]
    second: tuple[Exact, ...]

    def parts(self) -> Iterator[tuple[tuple[int, ...], Exact]]:
        """Yield the function and its first and second derivatives, keyed by argument numbers."""
        arguments = range(len(self.domain))
        yield (), self.value
        yield from zip(((k,) for k in arguments), self.first, strict=True)
        pairs = combinations_with_replacement(arguments, 2)
        yield from zip(pairs, self.second, strict=True)


def zero(*_: Any) -> Any:
    return mp.mpf(0)


def one(*_: Any) -> Any:
    return mp.mpf(1)


def unary(value: Exact, first: Exact, second: Exact, domain: Interval = ALL) -> Reference:
    return Reference((domain,), value, (first,), (second,))


def step(value: Exact, *domain: Interval) -> Reference:
    """A function that is constant between its jumps."""
    domain = domain or (ALL,)
    n = len(domain)
    return Reference(domain, value, (zero,) * n, (zero,) * (n * (n + 1) // 2))


def straight(value: Exact, *first: Exact, domain: tuple[Interval, ...] = ()) -> Reference:
    """A function that is linear between its kinks."""
    n = len(first)
    return Reference(domain or (ALL,) * n, value, first, (zero,) * (n * (n + 1) // 2))


def choice(value: Exact, sign: int) -> Reference:
    """The larger (sign 1) or smaller of two arguments, with equal shares at a tie."""
    return straight(
        value,
        lambda x, y: (1 + sign * mp.sign(x - y)) / 2,
        lambda x, y: (1 - sign * mp.sign(x - y)) / 2,
    )


def sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def bump(x: Any) -> Any:
    """Return the derivative of the sigmoid."""
    return 1 / ((1 + mp.exp(x)) * (1 + mp.exp(-x)))


def bump2(x: Any) -> Any:
    """Return `bump` with powers of 2 instead of e, times log(2)."""
    return mp.ln2 / ((1 + mp.mpf(2) ** x) * (1 + mp.mpf(2) ** -x))


def sinc(x: Any, n: int) -> Any:
    if not x:
        return mp.mpf((1, 0, -(mp.pi**2) / 3)[n])
    with mp.workdps(mp.mp.dps + 3 * max(0, -int(mp.log10(abs(x))))):  # the terms cancel near 0
        u = mp.pi * x
        s = [mp.sin(u) / u]
        s.append((mp.cos(u) - s[0]) / u)
        s.append(-s[0] - 2 * s[1] / u)
        return +(mp.pi**n * s[n])


def radius(x: Any, y: Any) -> Any:
    return mp.sqrt(x * x + y * y)


def over(x: Any, r: Any) -> Any:
    return x / r if r else mp.mpf(0)


def truncated(x: Any) -> Any:
    return mp.sign(x) * mp.floor(abs(x))


POWER = Reference(
    (Interval(1e-15, 1e15), Interval(-18, 18)),  # the result neither overflows nor underflows
    lambda x, y: x**y,
    (lambda x, y: y * x ** (y - 1), lambda x, y: x**y * mp.log(x)),
    (
        lambda x, y: y * (y - 1) * x ** (y - 2),
        lambda x, y: x ** (y - 1) * (1 + y * mp.log(x)),
        lambda x, y: x**y * mp.log(x) ** 2,
    ),
)
PRODUCT = Reference(
    (MODERATE, MODERATE),
    lambda x, y: x * y,
    (lambda x, y: y, lambda x, y: x),
    (zero, one, zero),
)

REFERENCES: dict[str, Reference] = {
    "absolute": straight(abs, mp.sign),
    "add": straight(lambda x, y: x + y, one, one),
    "arccos": unary(
        mp.acos, lambda x: -1 / mp.sqrt(1 - x * x), lambda x: -x / mp.sqrt(1 - x * x) ** 3, UNIT
    ),
    "arccosh": unary(
        mp.acosh,
        lambda x: 1 / mp.sqrt(x * x - 1),
        lambda x: -x / mp.sqrt(x * x - 1) ** 3,
        Interval(math.nextafter(1, 2), MAX),
    ),
    "arcsin": unary(
        mp.asin, lambda x: 1 / mp.sqrt(1 - x * x), lambda x: x / mp.sqrt(1 - x * x) ** 3, UNIT
    ),
    "arcsinh": unary(
        lambda x: mp.sign(x) * mp.log1p(abs(x) + x * x / (1 + mp.sqrt(1 + x * x))),
        lambda x: 1 / mp.sqrt(1 + x * x),
        lambda x: -x / mp.sqrt(1 + x * x) ** 3,
    ),
    "arctan": unary(mp.atan, lambda x: 1 / (1 + x * x), lambda x: -2 * x / (1 + x * x) ** 2),
    "arctan2": Reference(
        (MODERATE, MODERATE),
        lambda y, x: mp.atan2(y, x),
        (lambda y, x: over(x, x * x + y * y), lambda y, x: over(-y, x * x + y * y)),
        (
            lambda y, x: over(-2 * x * y, (x * x + y * y) ** 2),
            lambda y, x: over(y * y - x * x, (x * x + y * y) ** 2),
            lambda y, x: over(2 * x * y, (x * x + y * y) ** 2),
        ),
    ),
    "arctanh": unary(
        lambda x: (mp.log1p(x) - mp.log1p(-x)) / 2,
        lambda x: 1 / (1 - x * x),
        lambda x: 2 * x / (1 - x * x) ** 2,
        UNIT,
    ),
    "cbrt": unary(
        mp.cbrt,
        lambda x: 1 / (3 * mp.cbrt(x) ** 2),
        lambda x: -2 / (9 * mp.cbrt(x) ** 5),
        POSITIVE,
    ),
    "ceil": step(mp.ceil),
    "chain": PRODUCT,
    "conjugate": straight(mp.mpf, one),
    "copysign": straight(
        lambda x, y: abs(x) if y >= 0 else -abs(x),
        lambda x, y: mp.sign(x) if y >= 0 else -mp.sign(x),
        zero,
    ),
    "cos": unary(mp.cos, lambda x: -mp.sin(x), lambda x: -mp.cos(x)),
    "cosh": unary(mp.cosh, mp.sinh, mp.cosh),
    "degrees": straight(lambda x: x * 180 / mp.pi, lambda x: 180 / mp.pi),
    "divide": Reference(
        (MODERATE, MODERATE_POSITIVE),
        lambda x, y: x / y,
        (lambda x, y: 1 / y, lambda x, y: -x / y**2),
        (zero, lambda x, y: -1 / y**2, lambda x, y: 2 * x / y**3),
    ),
    "exp": unary(mp.exp, mp.exp, mp.exp),
    "exp2": unary(
        lambda x: mp.mpf(2) ** x,
        lambda x: mp.ln2 * mp.mpf(2) ** x,
        lambda x: mp.ln2**2 * mp.mpf(2) ** x,
    ),
    "expm1": unary(mp.expm1, mp.exp, mp.exp),
    "fabs": straight(abs, mp.sign),
    "float_power": POWER,
    "floor": step(mp.floor),
    "floor_divide": step(lambda x, y: mp.floor(x / y), DIVIDEND, DIVISOR),
    "fmax": choice(max, 1),
    "fmin": choice(min, -1),
    "fmod": straight(
        lambda x, y: x - y * truncated(x / y),
        one,
        lambda x, y: -truncated(x / y),
        domain=(DIVIDEND, DIVISOR),
    ),
    "heaviside": straight(
        lambda x, y: mp.mpf(x > 0) if x else y, zero, lambda x, y: mp.mpf(x == 0)
    ),
    "hypot": Reference(
        (MODERATE, MODERATE),
        radius,
        (lambda x, y: over(x, radius(x, y)), lambda x, y: over(y, radius(x, y))),
        (
            lambda x, y: over(y * y, radius(x, y) ** 3),
            lambda x, y: over(-x * y, radius(x, y) ** 3),
            lambda x, y: over(x * x, radius(x, y) ** 3),
        ),
    ),
    "i0": unary(
        lambda x: mp.besseli(0, x),
        lambda x: mp.besseli(1, x),
        lambda x: (mp.besseli(0, x) + mp.besseli(2, x)) / 2,
        Interval(-700, 700),
    ),
    "imag": step(zero),
    "log": unary(mp.log, lambda x: 1 / x, lambda x: -1 / x**2, POSITIVE),
    "log10": unary(
        mp.log10, lambda x: 1 / (x * mp.ln10), lambda x: -1 / (x**2 * mp.ln10), POSITIVE
    ),
    "log1p": unary(
        mp.log1p, lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2, Interval(UNIT.low, MAX)
    ),
    "log2": unary(
        lambda x: mp.log(x) / mp.ln2,
        lambda x: 1 / (x * mp.ln2),
        lambda x: -1 / (x**2 * mp.ln2),
        POSITIVE,
    ),
    "log_sigmoid": unary(
        lambda x: -mp.log1p(mp.exp(-x)), lambda x: sigmoid(-x), lambda x: -bump(x)
    ),
    "logaddexp": Reference(
        (ALL, ALL),
        lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
        (lambda x, y: sigmoid(x - y), lambda x, y: sigmoid(y - x)),
        (lambda x, y: bump(x - y), lambda x, y: -bump(x - y), lambda x, y: bump(x - y)),
    ),
    "logaddexp2": Reference(
        (ALL, ALL),
        lambda x, y: max(x, y) + mp.log1p(mp.mpf(2) ** -abs(x - y)) / mp.ln2,
        (
            lambda x, y: 1 / (1 + mp.mpf(2) ** (y - x)),
            lambda x, y: 1 / (1 + mp.mpf(2) ** (x - y)),
        ),
        (lambda x, y: bump2(x - y), lambda x, y: -bump2(x - y), lambda x, y: bump2(x - y)),
    ),
    "maximum": choice(max, 1),
    "minimum": choice(min, -1),
    "multiply": PRODUCT,
    "negative": straight(lambda x: -x, lambda x: -one()),
    "positive": straight(mp.mpf, one),
    "power": POWER,
    "radians": straight(lambda x: x * mp.pi / 180, lambda x: mp.pi / 180),
    "real": straight(mp.mpf, one),
    "reciprocal": unary(lambda x: 1 / x, lambda x: -1 / x**2, lambda x: 2 / x**3, POSITIVE),
    "relu": straight(lambda x: max(x, mp.mpf(0)), lambda x: mp.mpf(x > 0)),
    "remainder": straight(
        lambda x, y: x - y * mp.floor(x / y),
        one,
        lambda x, y: -mp.floor(x / y),
        domain=(DIVIDEND, DIVISOR),
    ),
    "rint": step(mp.nint),
    "sigmoid": unary(sigmoid, bump, lambda x: -bump(x) * mp.tanh(x / 2)),
    "sign": step(mp.sign),
    "sin": unary(mp.sin, mp.cos, lambda x: -mp.sin(x)),
    "sinc": unary(
        lambda x: sinc(x, 0), lambda x: sinc(x, 1), lambda x: sinc(x, 2), Interval(-1e6, 1e6)
    ),
    "sinh": unary(mp.sinh, mp.cosh, mp.sinh),
    "softplus": unary(lambda x: mp.log1p(mp.exp(x)), sigmoid, bump),
    "sqrt": unary(
        mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x)), lambda x: -1 / (4 * mp.sqrt(x) ** 3), POSITIVE
    ),
    "square": unary(lambda x: x * x, lambda x: 2 * x, lambda x: mp.mpf(2)),
    "subtract": straight(lambda x, y: x - y, one, lambda x, y: -one()),
    "tan": unary(mp.tan, lambda x: mp.sec(x) ** 2, lambda x: 2 * mp.tan(x) * mp.sec(x) ** 2),
    "tanh": unary(mp.tanh, lambda x: mp.sech(x) ** 2, lambda x: -2 * mp.tanh(x) * mp.sech(x) ** 2),
    "trunc": step(truncated),
    "where": Reference(
        (Interval(0, 1), ALL, ALL),
        lambda condition, x, y: x if condition else y,
        (
            zero,
            lambda condition, x, y: mp.mpf(condition != 0),
            lambda condition, x, y: mp.mpf(condition == 0),
        ),
        (zero,) * 6,
    ),
}

WITHOUT_REFERENCE = {
    "nextafter": "defined on floating point numbers, not on real numbers",
    "spacing": "defined on floating point numbers, not on real numbers",
}


@dataclass(frozen=True)
class Exemption:
    """An exemption: a bound, its reason, the unit of the error and the domain."""

    bound: float
    reason: str
    size: Exact = lambda exact, *args: exact
    domain: tuple[Interval, ...] = ()


def by_difference(exact: Any, x: Any, y: Any) -> Any:
    return exact * (1 + abs(x - y))


def by_exponent(exact: Any, x: Any, y: Any) -> Any:
    return exact * (1 + (1 + abs(y)) * abs(mp.log(x)))


def by_terms(exact: Any, x: Any, y: Any) -> Any:
    terms = x ** (y - 1) * (1 + abs(y * mp.log(x)))
    return max(abs(by_exponent(exact, x, y)), terms)


def largest(exact: Any, x: Any, y: Any) -> Any:
    return max(abs(x), abs(y), abs(exact))


def envelope(n: int) -> Exact:
    return lambda exact, x: mp.pi**n / max(1, mp.pi * abs(x))


CBRT = "NumPy's cbrt is off by up to 3 ulp, which its powers multiply"
SERIES = "the rounding of the terms of a series adds up"
ZERO = "the terms cancel where it is 0: in units of the larger argument"
DIFFERENCE = "x − y is rounded: in units of 1 + |x − y| times the result"
EXPONENT = "y − 1 is rounded: in units of 1 + (1 + |y|) |log x| times the result"
MIXED = "; mixed: 1 + y log x cancels, in units of its terms"

EXEMPTIONS: dict[tuple[str, int], Exemption] = {
    ("arccos", 2): Exemption(6, "the cube of a root"),
    ("arccosh", 2): Exemption(8, "two terms with two roots each"),
    ("arcsin", 2): Exemption(6, "the cube of a root"),
    ("arctan", 1): Exemption(4, "x² overflows beyond", domain=(Interval(-1e154, 1e154),)),
    ("arctan", 2): Exemption(4, "x⁴ overflows beyond", domain=(MODERATE,)),
    ("arctan2", 2): Exemption(
        10, "y² − x² cancels: in units of 1 / r²", lambda exact, y, x: over(1, x * x + y * y)
    ),
    ("cbrt", 1): Exemption(10, CBRT),
    ("cbrt", 2): Exemption(24, CBRT),
    ("float_power", 1): Exemption(4, EXPONENT, by_exponent),
    ("float_power", 2): Exemption(4, EXPONENT + MIXED, by_terms),
    ("hypot", 2): Exemption(
        4, "1 / r − x² / r³ cancels: in units of 1 / r", lambda exact, x, y: over(1, radius(x, y))
    ),
    ("i0", 1): Exemption(16, SERIES),
    ("i0", 2): Exemption(16, SERIES),
    ("logaddexp", 0): Exemption(4, ZERO, largest),
    ("logaddexp", 1): Exemption(4, DIFFERENCE, by_difference),
    ("logaddexp", 2): Exemption(4, DIFFERENCE, by_difference),
    ("logaddexp2", 0): Exemption(4, ZERO, largest),
    ("logaddexp2", 1): Exemption(4, DIFFERENCE, by_difference),
    ("logaddexp2", 2): Exemption(
        4, f"{DIFFERENCE}; a factor underflows beyond", by_difference, (Interval(-250, 250),) * 2
    ),
    ("power", 1): Exemption(4, EXPONENT, by_exponent),
    ("power", 2): Exemption(4, EXPONENT + MIXED, by_terms),
    ("sigmoid", 2): Exemption(
        6, "σ(−x) − σ(x) cancels at 0: in units of σ'(x)", lambda exact, x: bump(x)
    ),
    ("sinc", 0): Exemption(4, "NumPy's sinc rounds πx: in units of 1", lambda exact, x: 1),
    ("sinc", 1): Exemption(4, "crosses 0: in units of its envelope", envelope(1)),
    ("sinc", 2): Exemption(4, "crosses 0: in units of its envelope", envelope(2)),
    ("sqrt", 2): Exemption(5, "a root, its derivative, and three more roundings"),
    ("tanh", 1): Exemption(6, "the square of NumPy's cosh"),
    ("tanh", 2): Exemption(
        10, "the cube of NumPy's cosh; a factor underflows beyond", domain=(Interval(-200, 200),)
    ),
}


def units(found: float, exact: Any, size: Any = None) -> float:
    """Return the error in ulp of the exact number, or of `size`."""
    if math.isinf(found) and exact * mp.sign(found) > MAX * (1 - BOUND * FLOAT.eps):
        return 0.0
    if not math.isfinite(found):
        return math.inf
    size = min(abs(exact if size is None else size), mp.mpf(MAX))
    return float(abs(mp.mpf(found) - exact) / math.ulp(max(float(size), TINY)))


def points(interval: Interval, density: int) -> np.ndarray:
    """Return numbers of usual size, of all sizes, near 1, and near the ends."""
    low, high, _ = interval
    random = np.random.default_rng(density)
    ordinary = min(high, 30.0)
    near_1 = 2.0 ** -np.linspace(1, 53, density).round()
    positive = np.concatenate(
        [
            np.linspace(0, ordinary, density + 1),
            random.uniform(0, ordinary, 4 * density),
            10 ** random.uniform(-3, 4, 2 * density),
            10 ** random.uniform(math.log10(interval.least), math.log10(high), 4 * density),
            1 - near_1,
            1 + near_1,
            [LEAST, TINY, interval.least, FLOAT.eps, 0.5, 1, 2, MAX],
        ]
    )
    every = np.unique(np.concatenate([positive, -positive, [low, high]])) + 0.0  # removes -0.0
    return every[[x in interval for x in every.tolist()]]


def grid(domain: Sequence[Interval], density: int) -> list[np.ndarray]:
    """Return points of the domain, a column for each argument."""
    per_axis = density if len(domain) == 1 else max(1, math.isqrt(density) // len(domain))
    rows = list(product(*[points(interval, per_axis).tolist() for interval in domain]))
    chosen = np.random.default_rng(density).permutation(len(rows))[: 60 * density]
    return [np.array(column) for column in zip(*[rows[i] for i in chosen], strict=True)]


def derivatives(op: Elementwise, args: Sequence[Any]) -> dict[tuple[int, ...], Any]:
    """Return value, first and second derivatives, keyed by argument numbers."""
    out = op(*args)
    ones = np.ones_like(out.data)
    found: dict[tuple[int, ...], Any] = {(): out.data}
    for k, slope in enumerate(gradients(out, args, ones, record=True)):
        varies = isinstance(slope, Node)
        found[k,] = slope.data if varies else slope
        seconds = gradients(slope, args, ones) if varies else [0 * ones for _ in args]
        found |= {(k, j): second for j, second in enumerate(seconds)}
    return found


@dataclass
class Worst:
    """The largest error: in ulp, of which derivative, and where."""

    units: float = -1.0
    part: tuple[int, ...] = ()
    where: tuple[float, ...] = ()


def measure(name: str, columns: Sequence[np.ndarray]) -> list[Worst]:
    """Return the largest errors of value, first and second derivatives, on arrays and numbers."""
    reference, op = REFERENCES[name], TABLE[name]
    assert isinstance(op, Elementwise)
    rows = list(zip(*(column.tolist() for column in columns), strict=True))
    with np.errstate(all="ignore"):
        on_arrays = derivatives(op, [Tensor(column) for column in columns])
        on_numbers = [derivatives(op, [Value(x) for x in row]) for row in rows]
    worst = [Worst(), Worst(), Worst()]
    with mp.workdps(60):
        for part, exactly in reference.parts():
            order = len(part)
            exemption = EXEMPTIONS.get((name, order))
            domain = (exemption and exemption.domain) or reference.domain
            for i, row in enumerate(rows):
                if not all(x in interval for x, interval in zip(row, domain, strict=True)):
                    continue
                args = [mp.mpf(x) for x in row]
                exact = mp.mpf(exactly(*args))
                size = exemption.size(exact, *args) if exemption else exact
                for way in {part, part[::-1]}:
                    for found in (on_arrays[way][i], on_numbers[i][way]):
                        error = units(float(found), exact, size)
                        if not error <= worst[order].units:
                            worst[order] = Worst(error, part, row)
    return worst


def bound(name: str, order: int) -> float:
    exemption = EXEMPTIONS.get((name, order))
    return exemption.bound if exemption else BOUND


INTRODUCTION = """\
# How accurate the derivatives are

This page lists the largest error found of each elementwise row and of its first two derivatives (by
every argument, mixed ones included), and its place. Errors are in units of the last place (ulp) of
the exact result, computed by mpmath with 60 digits. The points are ordinary numbers, numbers of all
magnitudes of float64, and numbers next to 1 and to the ends of the domain, as arrays and scalars.
The bound is {bound:g} ulp, except as listed below; the tests apply it on a coarser grid.
`python -m tests.accuracy > docs/accuracy.md` makes this page, here with NumPy {version}, whose own
errors vary with the processor.

| function | domain | value | first derivative | second derivative |
| --- | --- | --- | --- | --- |
"""
NAMES = ("value", "first derivative", "second derivative")


def cell(worst: Worst) -> str:
    where = ", ".join(f"{x:.6g}" for x in worst.where)
    return f"{worst.units:.2f} at {where}" if worst.units else "0"


def within(domain: Sequence[Interval]) -> str:
    return "; ".join(map(str, domain)) if len({*domain}) > 1 else "".join(map(str, {*domain}))


def page(density: int = 100) -> str:
    """Return the page: the table of all rows, and the exemptions, in Markdown."""
    version = np.__version__.rpartition(".")[0]
    text = INTRODUCTION.format(bound=BOUND, version=version)
    count, worst = 0, {False: (0.0, ""), True: (0.0, "")}  # keyed by whether it is exempt
    for name in sorted(REFERENCES):
        domain = REFERENCES[name].domain
        columns = grid(domain, density)
        found = measure(name, columns)
        text += f"| `{name}` | {within(domain)} | {' | '.join(map(cell, found))} |\n"
        count += len(columns[0])
        for order, one in enumerate(found):
            assert one.units <= bound(name, order), f"{NAMES[order]} of {name}: {one}"
            exempt = (name, order) in EXEMPTIONS
            worst[exempt] = max(worst[exempt], (one.units, f"{NAMES[order]} of `{name}`"))
    text += "\n## Exemptions\n\n| function | of | bound | within | why |\n"
    text += "| --- | --- | --- | --- | --- |\n"
    for (name, order), exemption in sorted(EXEMPTIONS.items()):
        text += f"| `{name}` | {NAMES[order]} | {exemption.bound:g} | {within(exemption.domain)} | "
        text += exemption.reason.replace("|", "\\|") + " |\n"
    text += "\n## Without a reference\n\n| function | why |\n| --- | --- |\n"
    text += "".join(f"| `{name}` | {why} |\n" for name, why in WITHOUT_REFERENCE.items())
    (units, of), (exempt, whose) = worst[False], worst[True]
    return text + (
        f"\nIn all, {len(REFERENCES)} functions and two derivatives of each at {count:,} points: "
        f"at most {units:.2f} ulp ({of}); {exempt:.2f} ({whose}) among the exemptions.\n"
    )


if __name__ == "__main__":
    print(page(), end="")
