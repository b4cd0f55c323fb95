"""A network 2-16-16-1 on scalars, and its gradient by all weights.

Our eager contestant differentiates by `Value` parameters that it keeps, as a training loop does:
`grad` would make them anew in each call, at about the cost of all the rest.
"""

from __future__ import annotations

import random
from functools import partial
from itertools import pairwise
from typing import Any

import autodiff as ad
from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Candidate, Workload
from benchmarks.scalar_mlp import SAMPLE
from benchmarks.timing import OURS


def output(scalars: Function, relu: Function, sizes: tuple[int, ...], weights: Any) -> Any:
    numbers = iter(scalars(weights))
    x: Any = SAMPLE
    for ins, outs in pairwise(sizes):
        layer = []
        for _ in range(outs):
            total = next(numbers)
            for k in range(ins):
                total = total + next(numbers) * x[k]
            layer.append(total)
        x = [relu(neuron) for neuron in layer] if outs > 1 else layer
    return x[0]


class ScalarNet(Workload):
    def candidate(self, tool: Tool) -> Candidate:
        if tool.name != OURS:
            return super().candidate(tool)
        f, weights = self.make(tool), tuple(map(ad.Value, *self.args))
        return Candidate(lambda: ad.gradients(f(weights), weights))


def workload(*sizes: int) -> Workload:
    def make(tool: Tool) -> Function:
        f = partial(output, tool.scalars, tool.relu, sizes)
        return f if tool.name == OURS else tool.grad(f)

    draw = random.Random(0).uniform
    weights = tuple(draw(-1, 1) for a, b in pairwise(sizes) for _ in range((a + 1) * b))
    products = sum(a * b for a, b in pairwise(sizes))
    return ScalarNet(make, (weights,), nodes=len(weights) + 2 * products + sum(sizes[1:-1]))
