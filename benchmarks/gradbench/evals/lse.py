"""Lse: log Σ exp xᵢ with the largest element taken out, and its gradient, the softmax."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradbench.workload import Workload


def logsumexp(xp: Any, x: Any) -> Any:
    largest = xp.amax(x)
    return largest + xp.log(xp.sum(xp.exp(x - largest)))


def by_hand(x: Any) -> Any:
    weights = np.exp(x - x.max())
    weights /= weights.sum()
    return weights


def workload(n: int) -> Workload:
    x = np.random.default_rng(0).random(n)
    return Workload(lambda tool: tool.grad(partial(logsumexp, tool.xp)), (x,), by_hand)
