"""A step of descent of the network 784-50-10, batch of 100, float32, on parameters in place.

The peers are those of `benchmarks.training_step`. Ours is the step as a plain function.
"""

from __future__ import annotations

from typing import Any

import autodiff as ad
from benchmarks import training_step
from benchmarks.derivatives import AUTOGRAD, TORCH
from benchmarks.gradbench.tools import JAX, TORCH_COMPILED, Tool
from benchmarks.gradbench.workload import Candidate, Workload
from benchmarks.training_step import RATE, Contestant, Problem

PEERS = {
    JAX: training_step.jax_jit,
    TORCH: training_step.torch_eager,
    AUTOGRAD: training_step.hips_autograd,
}


def loss(parameters: Any, x: Any, labels: Any) -> Any:
    W1, b1, W2, b2 = parameters
    return ad.cross_entropy(ad.relu(x @ W1 + b1) @ W2 + b2, labels=labels)


def step(parameters: Any, x: Any, labels: Any) -> Any:
    value, slopes = ad.value_and_grad(loss)(parameters, x, labels)
    for parameter, slope in zip(parameters, slopes, strict=True):
        parameter -= RATE * slope
    return value


class TrainingStep(Workload):
    """A workload that changes its arguments: the results compared are the first step's slopes."""

    def candidate(self, tool: Tool) -> Candidate:
        problem = Problem(*self.args)
        if tool.name in PEERS:
            return _compared(PEERS[tool.name](problem), problem)
        run = tool.compiled(step)
        parameters = [array.copy() for array in problem.start]
        ours = Contestant(lambda: run(parameters, problem.x, problem.labels), lambda: parameters)
        return _compared(ours, problem)

    def floor(self) -> Candidate:
        problem = Problem(*self.args)
        return _compared(training_step.by_hand(problem), problem)


def _compared(contestant: Contestant, problem: Problem) -> Candidate:
    def slopes(_: Any) -> Any:
        changes = zip(problem.start, contestant.parameters(), strict=True)
        return [(old - new) / RATE for old, new in changes]

    return Candidate(contestant.step, slopes)


def workload() -> Workload:
    return TrainingStep(
        lambda tool: step,
        tuple(training_step.problem()),
        skipped={TORCH_COMPILED: "not written for this workload"},
        rtol=1e-4,
    )
