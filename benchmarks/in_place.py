"""What it costs that arrays may be changed in place after they were recorded.

A step of the network 784-50-10 by hand, once with arrays as everyone has them (a batch that can be
written to, of which each recording keeps a copy; weights whose `.data` is changed in place, which
each reading compares with what it has read before), once with arrays that nobody can change.
Beside them MyGrad's step, with its own guarding of memory and without, and PyTorch's, which counts
the versions of every array.
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

FIXED = "arrays that nobody can change"


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
    assert first == second, "the two do not compute the same"
    every = turns | peers(p)
    times = interleaved({name: steps(step, 10) for name, step in every.items()}, rounds(200))
    report(times, "us", 1e3)


if __name__ == "__main__":
    main()
