"""The gradient of Σ tanh(x) exp(−x²) by many numbers: passes over memory."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.gradbench.workload import Workload
from benchmarks.large_expression import by_hand, f


def workload(n: int) -> Workload:
    x = np.random.default_rng(0).standard_normal(n)
    return Workload(lambda tool: tool.grad(partial(f, tool.xp)), (x,), by_hand)
