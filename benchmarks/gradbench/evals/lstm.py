"""Lstm: ADBench's recurrent network with diagonal weights, l layers over a sequence; gradient.

The inputs are bits of characters. The loss is the mean of −gold · (y − log(2 + Σ exp y)).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload


def sigmoid(xp: Any, x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


def cell(xp: Any, weights: Any, bias: Any, hidden: Any, memory: Any, x: Any) -> Any:
    """Return the new hidden state and memory of one layer."""
    gates = xp.concatenate([x, hidden, x, hidden]) * weights + bias
    n = len(x)
    forget, take = sigmoid(xp, gates[:n]), sigmoid(xp, gates[n : 2 * n])
    show, change = sigmoid(xp, gates[2 * n : 3 * n]), xp.tanh(gates[3 * n :])
    memory = memory * forget + take * change
    return show * xp.tanh(memory), memory


def loss(xp: Any, fold: Function, main: Any, extra: Any, state: Any, pairs: Any) -> Any:
    """Return the loss; `pairs` has each character with the next, the one to be predicted."""
    layers = len(state) // 2

    def step(carry: Any, pair: Any) -> Any:
        states, total = carry
        x, new = pair[0] * extra[0], []
        for k in range(layers):
            x, memory = cell(xp, main[2 * k], main[2 * k + 1], states[2 * k], states[2 * k + 1], x)
            new += [x, memory]
        y = x * extra[1] + extra[2]
        y = y - xp.log(xp.sum(xp.exp(y)) + 2)
        return tuple(new), total + xp.sum(pair[1] * y)

    start = tuple(state[k] for k in range(2 * layers)), 0.0 * state[0, 0]
    _, total = fold(step, start, pairs)
    return -total / (pairs.shape[0] * pairs.shape[2])


def workload(bits: int, steps: int, layers: int) -> Workload:
    random = np.random.default_rng(0)
    characters = random.integers(0, 2, (steps + 1, bits)).astype(float)
    args = (
        random.random((2 * layers, 4 * bits)),
        random.random((3, bits)),
        random.random((2 * layers, bits)),
        np.stack([characters[:-1], characters[1:]], axis=1),
    )

    def make(tool: Tool) -> Function:
        return tool.grad(partial(loss, tool.xp, tool.fold), (0, 1))

    return Workload(make, args, loops=True)
