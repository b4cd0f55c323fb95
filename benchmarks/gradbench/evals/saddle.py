"""Saddle: the gradient by x of max over y of |x|² − |y|², which is found by gradient ascent.

One outer step of the nested descent: inner gradients inside of a function that is differentiated.
The ascent has a fixed number of steps, on scalars. The value is asked for too: the gradient alone
does not depend on y, and a compiler would drop the ascent.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload

RATE = 0.1


def height(x1: Any, x2: Any, y1: Any, y2: Any) -> Any:
    return (x1 * x1 + x2 * x2) - (y1 * y1 + y2 * y2)


def highest(
    fold: Function, inner_grad: Function, steps: int, x1: Any, x2: Any, y1: Any, y2: Any
) -> Any:
    slopes = inner_grad(height, (2, 3))

    def step(y: Any, _: Any) -> Any:
        by_y1, by_y2 = slopes(x1, x2, *y)
        return y[0] + RATE * by_y1, y[1] + RATE * by_y2

    return height(x1, x2, *fold(step, (y1, y2), range(steps)))


def by_hand(steps: int, x1: float, x2: float, y1: float, y2: float) -> Any:
    for _ in range(steps):
        y1, y2 = y1 - RATE * 2 * y1, y2 - RATE * 2 * y2
    return height(x1, x2, y1, y2), (2 * x1, 2 * x2)


def workload(steps: int) -> Workload:
    def make(tool: Tool) -> Function:
        return tool.value_and_grad(partial(highest, tool.fold, tool.inner_grad, steps), (0, 1))

    return Workload(make, (1.0, 0.5, 1.0, -2.0), partial(by_hand, steps), loops=True)
