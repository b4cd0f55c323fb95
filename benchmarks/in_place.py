"""The cost of safety when recorded arrays are changed in place.

A training step of the network 784-50-10 with ordinary arrays: each recording copies the writable
batch, and compares the weights, updated by `.data`, with their values at the last reading. The same
step with read-only arrays needs neither. Beside them MyGrad's step, with and without its memory
guard, and PyTorch's, which counts versions.
"""

from __future__ import annotations

from collections.abc import Callable

from autodiff import Tensor, cross_entropy, relu
from benchmarks.timing import OURS, interleaved, report, rounds, steps
from benchmarks.training_step import (
    RATE,
    TORCH,
    Array,
    Problem,
    mygrad,
    problem,
    torch_eager,
)

FIXED = "read-only arrays"


def loss_of(x: Array, labels: Array, weights: list[Tensor]) -> Tensor:
    W1, b1, W2, b2 = weights
    loss: Tensor = cross_entropy(relu(x @ W1 + b1) @ W2 + b2, labels)
    return loss


def changing(p: Problem) -> Callable[[], Tensor]:
    weights = [Tensor(array) for array in p.start]

    def step() -> Tensor:
        loss = loss_of(p.x, p.labels, weights)
        loss.backward()
        for weight in weights:
            weight.data -= RATE * weight.grad
        return loss

    return step


def fixed(p: Problem) -> Callable[[], Tensor]:
    x, labels, arrays = p.x.copy(), p.labels.copy(), p.start
    for array in (x, labels):
        array.setflags(write=False)

    def step() -> Tensor:
        nonlocal arrays
        weights = [Tensor(array, copy=False) for array in arrays]
        loss = loss_of(x, labels, weights)
        loss.backward()
        arrays = [array - RATE * w.grad for array, w in zip(arrays, weights, strict=True)]
        return loss

    return step


def mygrads(p: Problem) -> dict[str, Callable[[], object]]:
    import mygrad as mg

    step = mygrad(p).step
    return {
        "MyGrad, memory guarded": mg.mem_guard_on(step),
        "MyGrad, memory not guarded": mg.mem_guard_off(step),
    }


def peers(p: Problem) -> dict[str, Callable[[], object]]:
    found: dict[str, Callable[[], object]] = {}
    for make in (lambda p: {TORCH: torch_eager(p).step}, mygrads):
        try:
            found |= make(p)
        except ModuleNotFoundError as missing:
            print(f"  {missing.name} not installed, skipped")
    return found


def main() -> None:
    p = problem()
    turns = {OURS: changing(p), FIXED: fixed(p)}
    first, second = ([float(step().data) for _ in range(5)] for step in turns.values())
    assert first == second, "the two steps give different losses"
    every = turns | peers(p)
    times = interleaved({name: steps(step, 10) for name, step in every.items()}, rounds(200))
    report(times, "us", 1e3)


if __name__ == "__main__":
    main()
