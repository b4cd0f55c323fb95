"""Build and backward of a scalar MLP 2-16-16-1 (ReLU) on one sample.

Every contestant runs the same loops on its own scalars. The garbage collector has Python's default
settings. A turn begins without garbage, and is long enough to include the collection of nodes in
cycles. For the second table the collector is off and a turn is short.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import autodiff as ad
from benchmarks.slotted import Slotted
from benchmarks.timing import OURS, against, interleaved, report, rounds, steps, target

SIZES = (2, 16, 16, 1)
SAMPLE = (0.3, -0.7)
STEPS, FEW_STEPS = 200, 20
FLOOR, PEER = "slotted, local gradients", "micrograd"


class Contestant(NamedTuple):
    step: Callable[[], object]
    gradients: Callable[[], list[float]]


def network(value: Callable[[float], Any]) -> list[list[tuple[list[Any], Any]]]:
    """Return layers of neurons, each with weights and a bias; the numbers are always the same."""
    draw = random.Random(0).uniform
    return [
        [([value(draw(-1, 1)) for _ in range(ins)], value(draw(-1, 1))) for _ in range(outs)]
        for ins, outs in pairwise(SIZES)
    ]


def forward(layers: list[list[tuple[list[Any], Any]]], x: Any) -> Any:
    for layer in layers:
        x = [sum((w * xi for w, xi in zip(ws, x, strict=True)), b) for ws, b in layer]
        if layer is not layers[-1]:
            x = [neuron.relu() for neuron in x]
    return x[0]


def contestant(value: Callable[[float], Any], accumulates: bool) -> Contestant:
    """Return a contestant whose step is that of a training loop without the update."""
    layers = network(value)
    parameters = [p for layer in layers for ws, b in layer for p in (*ws, b)]

    def step() -> None:
        if accumulates:
            for parameter in parameters:
                parameter.grad = 0.0
        forward(layers, SAMPLE).backward()

    return Contestant(step, lambda: [parameter.grad for parameter in parameters])


def micrograd() -> Contestant:
    from micrograd.engine import Value

    return contestant(Value, accumulates=True)


MAKERS: dict[str, Callable[[], Contestant]] = {
    FLOOR: partial(contestant, Slotted, accumulates=True),
    OURS: partial(contestant, ad.Value, accumulates=False),
    PEER: micrograd,
}


def turns(contestants: dict[str, Contestant], count: int) -> dict[str, Callable[[], float]]:
    """Return a turn of `count` steps for each contestant, after collecting earlier garbage."""

    def turn(step: Callable[[], object]) -> float:
        gc.collect()
        return steps(step, count)()

    return {name: partial(turn, it.step) for name, it in contestants.items()}


def main() -> None:
    contestants = {}
    for name, make in MAKERS.items():
        try:
            contestants[name] = make()
        except ModuleNotFoundError as missing:
            print(f"  {name}: {missing.name} not installed, skipped")
    contestants[FLOOR].step()
    expected = contestants[FLOOR].gradients()
    for name, it in contestants.items():
        it.step()
        for wanted, got in zip(expected, it.gradients(), strict=True):
            assert abs(got - wanted) <= 1e-12, f"{name} disagrees: {got} for {wanted}"

    times = interleaved(turns(contestants, STEPS), rounds(16))
    report(times, "ms", 1e6)
    if PEER in times:
        target(f"ours / {PEER}", against(times, PEER), 0.40)

    print("  with the garbage collector off:")
    gc.disable()
    report(interleaved(turns(contestants, FEW_STEPS), rounds(16)), "ms", 1e6)


if __name__ == "__main__":
    main()
