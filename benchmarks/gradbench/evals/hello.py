"""Hello: the square of a number, and its derivative."""

from __future__ import annotations

from typing import Any

from benchmarks.gradbench.workload import Workload


def square(x: Any) -> Any:
    return x * x


def workload(x: float) -> Workload:
    return Workload(lambda tool: tool.value_and_grad(square), (x,), lambda x: (x * x, 2 * x))
