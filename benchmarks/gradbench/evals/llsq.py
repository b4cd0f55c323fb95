"""Llsq: ½ Σᵢ (sᵢ − Σⱼ xⱼ tᵢʲ)², a polynomial fitted to the sign function, and its gradient.

The matrix of powers is an argument, as it does not depend on x.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradbench.workload import Workload


def objective(xp: Any, x: Any, powers: Any, s: Any) -> Any:
    residual = s - powers @ x
    return xp.sum(residual * residual) / 2


def by_hand(x: Any, powers: Any, s: Any) -> Any:
    return (powers @ x - s) @ powers


def workload(n: int, m: int) -> Workload:
    t = np.linspace(-1, 1, n)
    x = np.random.default_rng(0).random(m)
    args = x, np.vander(t, m, increasing=True), np.sign(t)
    return Workload(lambda tool: tool.grad(partial(objective, tool.xp)), args, by_hand)
