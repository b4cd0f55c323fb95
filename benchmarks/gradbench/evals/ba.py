"""Ba: bundle adjustment, the Jacobian of the reprojection error of each of many observations.

Two residuals w · (projection − feature) by 15 parameters: of the camera 11 (rotation vector,
centre, focal length, principal point, two radial distortions), the point 3, the weight 1.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload

CAMERA = (0.02, -0.05, 0.03, 0.1, -0.2, 0.3, 500.0, 3.0, -4.0, 0.02, 0.003)
POINT, WEIGHT = (0.7, 0.4, 6.0), 0.8


def cross(xp: Any, a: Any, b: Any) -> Any:
    return xp.stack(
        [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ]
    )


def rotated(xp: Any, rotation: Any, x: Any) -> Any:
    """Return a point after a rotation by the length of a vector about its direction."""
    angle = xp.sqrt(xp.sum(rotation * rotation))
    axis = rotation / angle
    cosine = xp.cos(angle)
    along = xp.sum(axis * x) * (1 - cosine)
    return x * cosine + cross(xp, axis, x) * xp.sin(angle) + axis * along


def residuals(xp: Any, parameters: Any, feature: Any) -> Any:
    camera, point, weight = parameters[:11], parameters[11:14], parameters[14]
    seen = rotated(xp, camera[:3], point - camera[3:6])
    flat = seen[:2] / seen[2]
    square = xp.sum(flat * flat)
    distorted = flat * (1 + camera[9] * square + camera[10] * square * square)
    return weight * (distorted * camera[6] + camera[7:9] - feature)


def workload(count: int) -> Workload:
    random = np.random.default_rng(0)
    parameters = np.array([*CAMERA, *POINT, WEIGHT])
    batch = parameters * (1 + 0.1 * random.standard_normal((count, 15)))

    def make(tool: Tool) -> Function:
        return tool.jacobians(partial(residuals, tool.xp))

    return Workload(make, (batch, 50 * random.standard_normal((count, 2))))
