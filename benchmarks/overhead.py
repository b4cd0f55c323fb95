"""The cost of one operation on ten elements, in a chain of 51, forward and gradient.

At that size the time is the overhead of the library. The floor is handwritten NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.derivatives import (
    AUTOGRAD,
    FLOOR,
    JAX_EAGER,
    MYGRAD,
    TORCH,
    Array,
    everyone,
    race,
)
from benchmarks.timing import against, report, target

LINKS = 5
OPERATIONS = 10 * LINKS + 1


def f(xp: Any, x: Any) -> Any:
    y = x
    for _ in range(LINKS):
        y = xp.sin(y) * y
        y = xp.exp(-y)
        y = y / (1 + y)
        y = y - xp.sum(y)
        y = xp.tanh(y) + x
    return xp.sum(y)


def by_hand(x: Array) -> Any:
    y = x
    links = []
    for _ in range(LINKS):
        wave = np.sin(y)
        decay = np.exp(-(wave * y))
        whole = 1 + decay
        share = decay / whole
        bend = np.tanh(share - share.sum())
        links.append((y, wave, decay, whole, bend))
        y = bend + x
    y.sum()

    total = np.zeros_like(x)
    g = np.ones_like(x)
    for y, wave, decay, whole, bend in reversed(links):
        total += g
        g = g * (1 - bend * bend)
        g = g - g.sum()
        g = g / (whole * whole)
        g = -g * decay
        g = g * wave + g * y * np.cos(y)
    return total + g


def main() -> None:
    x = np.linspace(0.1, 1, 10)
    makers = everyone("grad", f, x, lambda: by_hand(x), **JAX_EAGER, **MYGRAD)
    times = race(makers, repeat=10, default_rounds=100)
    report(times, "us per operation", 1e3 * OPERATIONS)
    spent = {
        name: [t - floor for t, floor in zip(samples, times[FLOOR], strict=True)]
        for name, samples in times.items()
        if name != FLOOR
    }
    for name, bound in ((AUTOGRAD, 0.5), ("MyGrad", 1.0), (TORCH, 1.0)):
        if name in times:
            target(f"beyond the floor, ours / {name}", against(spent, name), bound)


if __name__ == "__main__":
    main()
