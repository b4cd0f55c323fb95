"""Ht: hand tracking, the Jacobian of the distances of points from a posed hand by its 26 angles.

ADBench's formulas in the variant without triangles, for its skeleton of 22 bones. The bones' rest
positions, the mesh, the weights of its vertices and the measured points are generated.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload

FINGERS, ANGLES = 5, 26
BONES = 4 * FINGERS + 2
PARENTS = (-1, *(0 if k % 4 == 0 else k for k in range(4 * FINGERS)), 0)
"""The wrist, the fingers' chains of four, the forearm."""


def _places() -> Any:
    """Return where in (θ, 0) the angles about x, z and y of each bone are."""
    places = np.full((BONES, 3), ANGLES)
    for finger in range(FINGERS):
        bone, first = 2 + 4 * finger, 6 + 4 * finger
        places[bone, :2] = first, first + 1
        places[bone + 1, 0], places[bone + 2, 0] = first + 2, first + 3
    return places


def turns(xp: Any, angles: Any) -> Any:
    """Return the homogeneous matrices Rz Ry Rx for rows of angles about x, z and y."""
    cx, cz, cy = (xp.cos(angles[:, k]) for k in range(3))
    sx, sz, sy = (xp.sin(angles[:, k]) for k in range(3))
    zero = 0 * cx
    rows = [
        [cz * cy, cz * sy * sx - sz * cx, sz * sx + cz * sy * cx, zero],
        [sz * cy, cz * cx + sz * sy * sx, sz * sy * cx - cz * sx, zero],
        [-sy, cy * sx, cy * cx, zero],
        [zero, zero, zero, zero + 1],
    ]
    return xp.stack([xp.stack(row, axis=1) for row in rows], axis=1)


def rotation(xp: Any, vector: Any) -> Any:
    """Return the matrix of the rotation by the length of a vector about its direction."""
    angle = xp.sqrt(xp.sum(vector * vector))
    x, y, z = (vector[k] / angle for k in range(3))
    s, c = xp.sin(angle), xp.cos(angle)
    rows = [
        [x * x + (1 - x * x) * c, x * y * (1 - c) - z * s, x * z * (1 - c) + y * s],
        [x * y * (1 - c) + z * s, y * y + (1 - y * y) * c, y * z * (1 - c) - x * s],
        [x * z * (1 - c) - y * s, y * z * (1 - c) + x * s, z * z + (1 - z * z) * c],
    ]
    return xp.stack([xp.stack(row) for row in rows])


def errors(
    xp: Any, places: Any, nearest: Any, theta: Any, rest: Any, inverses: Any, mesh: Any,
    weights: Any, points: Any, zero: Any,
) -> Any:  # fmt: skip
    """Return the points minus the vertices that correspond to them.

    Parameters
    ----------
    places : array of int (22, 3)
        Where in (θ, 0) the bones' angles are.
    nearest : array of int (n,)
        The vertex that corresponds to each point.
    theta : array (26,)
        Rotation and translation of the hand, and four angles for each finger.
    rest, inverses : array (22, 4, 4)
        Positions of the bones relative to their parents, at rest, and inverse absolute ones.
    mesh : array (4, m)
        Vertices in homogeneous coordinates.
    weights : array (22, m)
        How much each bone moves each vertex.
    points : array (n, 3)
    zero : array (1,)
    """
    relative = rest @ turns(xp, xp.concatenate([theta, zero])[places])
    absolute: list[Any] = []
    for bone, parent in enumerate(PARENTS):
        here = relative[bone]
        absolute.append(here if parent < 0 else absolute[parent] @ here)
    posed = (xp.stack(absolute) @ inverses) @ mesh
    skin = xp.sum(posed[:, :3] * weights[:, None, :], axis=0)
    return points - (rotation(xp, theta[:3]) @ skin).T[nearest] - theta[3:6]


def workload(vertices: int, count: int) -> Workload:
    random = np.random.default_rng(0)
    rest = turns(np, random.standard_normal((BONES, 3)))
    rest[:, :3, 3] = random.standard_normal((BONES, 3))
    absolute: list[Any] = []
    for bone, parent in enumerate(PARENTS):
        absolute.append(rest[bone] if parent < 0 else absolute[parent] @ rest[bone])
    weights = random.random((BONES, vertices))
    args = (
        random.standard_normal(ANGLES),
        rest,
        np.linalg.inv(np.stack(absolute)),
        np.concatenate([random.standard_normal((3, vertices)), np.ones((1, vertices))]),
        weights / weights.sum(axis=0),
        random.standard_normal((count, 3)),
        np.zeros(1),
    )
    places, nearest = _places(), random.integers(0, vertices, count)

    def make(tool: Tool) -> Function:
        own = tool.argument(places), tool.argument(nearest)
        return tool.jacobian(partial(errors, tool.xp, *own))

    return Workload(make, args)
