"""A dense Jacobian, R^100 → R^100, and a dense Hessian, R^50 → R, float64.

The Jacobian is of tanh(A tanh(B x)), the Hessian of Σ log(1 + exp(A x)) and Rosenbrock's valley.
The floor is handwritten NumPy.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.derivatives import AUTOGRAD, Array, everyone, race
from benchmarks.timing import against, report, target

SIZE, ARGUMENTS = 100, 50
draw = np.random.default_rng(0).standard_normal
A, B = draw((2, SIZE, SIZE)) / SIZE**0.5
ROWS = draw((SIZE, ARGUMENTS)) / ARGUMENTS**0.5


def layers(xp: Any, x: Any) -> Any:
    return xp.tanh(xp.asarray(A) @ xp.tanh(xp.asarray(B) @ x))


def layers_by_hand(x: Array) -> Any:
    inner = np.tanh(B @ x)
    outer = np.tanh(A @ inner)
    return ((1 - outer * outer)[:, None] * A * (1 - inner * inner)) @ B


def valley(xp: Any, x: Any) -> Any:
    here, there = x[:-1], x[1:]
    steep = xp.sum(100 * (there - here * here) ** 2 + (1 - here) ** 2)
    return xp.sum(xp.log(1 + xp.exp(xp.asarray(ROWS) @ x))) + steep


def valley_by_hand(x: Array) -> Any:
    odds = np.exp(-(ROWS @ x))
    second = (ROWS.T * (odds / (1 + odds) ** 2)) @ ROWS
    here, there = x[:-1], x[1:]
    i = np.arange(len(here))
    second[i, i] += 1200 * here * here - 400 * there + 2
    second[i + 1, i + 1] += 200
    second[i, i + 1] -= 400 * here
    second[i + 1, i] -= 400 * here
    return second


PROBLEMS = {
    "jacobian": (layers, layers_by_hand, SIZE),
    "hessian": (valley, valley_by_hand, ARGUMENTS),
}


def main() -> None:
    for kind, (f, by_hand, size) in PROBLEMS.items():
        x = draw(size)
        times = race(everyone(kind, f, x, lambda f=by_hand, x=x: f(x)), 2, 20)
        print(f"  {kind}:")
        report(times, "ms", 1e6)
        if AUTOGRAD in times:
            target(f"ours / {AUTOGRAD}", against(times, AUTOGRAD), 1.0)


if __name__ == "__main__":
    main()
