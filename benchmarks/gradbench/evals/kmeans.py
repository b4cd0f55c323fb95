"""Kmeans: the gradient of Σᵢ minⱼ |pᵢ − cⱼ|² by the centroids, and the direction of Newton's step.

The Hessian is diagonal, so that its product with ones is all of it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload


def cost(xp: Any, points: Any, centroids: Any) -> Any:
    squares = xp.sum(centroids * centroids, axis=1)[:, None] + xp.sum(points * points, axis=1)
    return xp.sum(xp.amin(squares - 2 * (centroids @ points.T), axis=0))


def newton(xp: Any, grad_and_hvp: Function, centroids: Any, points: Any, ones: Any) -> Any:
    gradient, curvature = grad_and_hvp(partial(cost, xp, points), centroids, ones)
    return gradient, gradient / curvature


def by_hand(centroids: Any, points: Any, ones: Any) -> Any:
    squares = (centroids * centroids).sum(axis=1)[:, None] - 2 * (centroids @ points.T)
    members = np.zeros_like(squares)
    members[squares.argmin(axis=0), np.arange(len(points))] = 2
    counts = members.sum(axis=1)[:, None]
    gradient = counts * centroids - members @ points
    return gradient, gradient / counts


def workload(k: int, n: int, d: int) -> Workload:
    def make(tool: Tool) -> Function:
        return tool.compiled(partial(newton, tool.xp, tool.grad_and_hvp))

    points = np.random.default_rng(0).random((n, d))
    return Workload(make, (points[-k:], points, np.ones((k, d))), by_hand)
