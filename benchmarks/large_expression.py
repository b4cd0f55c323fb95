"""The gradient of sum(tanh(x) * exp(-x * x)) by a million numbers, float64.

The cost is in passes over memory. The floor is handwritten NumPy, with tanh' = 1 - tanh². Ours is
1 / cosh², which costs one more function but does not cancel.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.derivatives import (
    AUTOGRAD,
    JAX_EAGER,
    MYGRAD,
    Array,
    everyone,
    race,
)
from benchmarks.timing import against, report, target

SIZE = 1_000_000


def f(xp: Any, x: Any) -> Any:
    return xp.sum(xp.tanh(x) * xp.exp(-x * x))


def by_hand(x: Array) -> Any:
    step, bell = np.tanh(x), np.exp(-x * x)
    return bell * (1 - step * step - 2 * x * step)


def main() -> None:
    x = np.random.default_rng(0).standard_normal(SIZE)
    makers = everyone("grad", f, x, lambda: by_hand(x), **JAX_EAGER, **MYGRAD)
    times = race(makers, repeat=1, default_rounds=30)
    report(times, "ms", 1e6)
    if AUTOGRAD in times:
        target(f"ours / {AUTOGRAD}", against(times, AUTOGRAD), 1.0)


if __name__ == "__main__":
    main()
