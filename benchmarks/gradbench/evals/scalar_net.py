"""A network 2-16-16-1 on scalars, and its gradient by all weights."""

from __future__ import annotations

import random
from functools import partial
from itertools import pairwise
from typing import Any

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload
from benchmarks.scalar_mlp import SAMPLE


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


def workload(*sizes: int) -> Workload:
    def make(tool: Tool) -> Function:
        return tool.grad(partial(output, tool.scalars, tool.relu, sizes))

    draw = random.Random(0).uniform
    weights = tuple(draw(-1, 1) for a, b in pairwise(sizes) for _ in range((a + 1) * b))
    products = sum(a * b for a, b in pairwise(sizes))
    return Workload(make, (weights,), nodes=2 * products + sum(sizes[1:-1]))
