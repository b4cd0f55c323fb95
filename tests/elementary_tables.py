"""Makes the tables of `autodiff/programs/backends/llvm/elementary.py` with mpmath.

`python -m tests.elementary_tables` prints them; a test compares them with the module's.
"""

import warnings
from collections.abc import Callable
from typing import Any

import mpmath as mp

FITTED: dict[str, tuple[Callable[[Any], Any], int, float]] = {
    "SINH": (lambda r: (mp.sinh(r) - r) / r**3, 5, 0.3466),
    "COSH": (lambda r: (mp.cosh(r) - 1 - r**2 / 2) / r**4, 5, 0.3466),
    "ARTANH": (lambda s: 2 * (mp.atanh(s) - s) / s**3, 7, 0.17158),
    "SIN": (lambda r: (mp.sin(r) - r) / r**3, 6, 0.7854),
    "COS": (lambda r: (mp.cos(r) - 1 + r**2 / 2) / r**4, 6, 0.7854),
    "ARCTAN": (lambda t: (mp.atan(t) - t) / t**3, 11, 0.4376),
}
"""Functions that are fitted by polynomials in the square: number of terms and largest argument."""


def fit(name: str) -> tuple[float, ...]:
    """Return the coefficients of a Chebyshev fit, which begin with the lowest power."""
    function, terms, end = FITTED[name]
    with mp.workdps(60), warnings.catch_warnings():
        # mpmath 1.4 asks for the order of coefficients, which 1.3 does not know of
        warnings.simplefilter("ignore", DeprecationWarning)
        found = mp.chebyfit(lambda z: function(mp.sqrt(z)), [0, end**2], terms)
        return tuple(float(c) for c in reversed(found))


def split(constant: Any, *bits: int) -> tuple[float, ...]:
    """Return a positive constant in parts: the first ones cut off after some bits each."""
    parts = []
    for count in bits:
        unit = mp.mpf(2) ** (mp.floor(mp.log(constant, 2)) + 1 - count)
        parts.append(mp.floor(constant / unit) * unit)
        constant -= parts[-1]
    return tuple(map(float, [*parts, constant]))


def tables() -> dict[str, tuple[float, ...]]:
    """Return coefficients, and constants in parts, by their names in the module."""
    with mp.workdps(60):
        constants = {
            "LN2": split(mp.ln2, 42),
            "LOG2_E": split(1 / mp.ln2, 32),
            "LOG10_E": split(1 / mp.ln10, 32),
            "LOG10_2": split(mp.ln2 / mp.ln10, 42),
            "HALF_PI": split(mp.pi / 2, 33, 33, 33),
            "ARCTAN_HALF": split(mp.atan(0.5), 53),
            "ARCTAN_1": split(mp.pi / 4, 53),
            "ARCTAN_3_HALVES": split(mp.atan(1.5), 53),
            "ARCTAN_INFINITY": split(mp.pi / 2, 53),
        }
    return {name: fit(name) for name in FITTED} | constants


if __name__ == "__main__":
    for name, numbers in tables().items():
        print(name, "=", numbers)
