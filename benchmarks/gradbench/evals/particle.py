"""Particle: how far from the origin a charged particle crosses the x-axis, and its slope by w.

Two charges at (10, 0) and (10, 10 − w) push a particle that starts at (0, 8). Its force is the
gradient of their potential, inside of Euler's steps, as many as it takes to y ≤ 0. One slope is one
step of the descent that finds w; the steps and their number depend on data.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload

POSITION, VELOCITY = (0.0, 8.0), (0.75, 0.0)


def potential(x: Any, y: Any, w: Any) -> Any:
    right, up = x - 10.0, y - (10.0 - w)
    return (right * right + up * up) ** -0.5 + (right * right + y * y) ** -0.5


def miss(loop_while: Function, inner_grad: Function, dt: float, w: Any) -> Any:
    """Return the squared distance from the origin at which the particle crosses the x-axis."""
    force = inner_grad(potential, (0, 1))

    def above(state: Any) -> Any:
        _, y, _, vy = state
        return y + dt * vy > 0

    def step(state: Any) -> Any:
        x, y, vx, vy = state
        ax, ay = force(x, y, w)
        return x + dt * vx, y + dt * vy, vx - dt * ax, vy - dt * ay

    # zero times w makes numbers of the tool's own kind
    start = tuple(number + 0 * w for number in (*POSITION, *VELOCITY))
    x, y, vx, vy = loop_while(above, step, start)
    x, y = x + dt * vx, y + dt * vy
    crossing = x - y / vy * vx
    return crossing * crossing


def workload(w: float, dt: float) -> Workload:
    def make(tool: Tool) -> Function:
        return tool.value_and_slope(partial(miss, tool.loop_while, tool.inner_grad, dt))

    return Workload(make, (w,))
