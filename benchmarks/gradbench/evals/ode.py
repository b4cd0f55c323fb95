"""Ode: y₀' = x₀, yᵢ' = xᵢ yᵢ₋₁ from 0, by s steps of RK4 to t = 2; the gradient of the last yᵢ.

With 4 s < n that gradient is zero: the cost is the same.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload

END = 2.0


def last(xp: Any, fold: Function, s: int, x: Any, start: Any) -> Any:
    h = END / s

    def velocity(y: Any) -> Any:
        return xp.concatenate([x[:1], x[1:] * y[:-1]])

    def step(y: Any, _: Any) -> Any:
        k1 = velocity(y)
        k2 = velocity(y + h / 2 * k1)
        k3 = velocity(y + h / 2 * k2)
        k4 = velocity(y + h * k3)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    return fold(step, start, range(s))[-1]


def workload(n: int, s: int) -> Workload:
    def make(tool: Tool) -> Function:
        return tool.grad(partial(last, tool.xp, tool.fold, s))

    return Workload(make, (np.random.default_rng(0).random(n), np.zeros(n)), loops=True)
