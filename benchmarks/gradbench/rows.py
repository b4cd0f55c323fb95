"""The rows of the table: a workload at one size each, and a tiny size for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.gradbench.evals import (
    ba,
    det,
    expression,
    gmm,
    hello,
    ht,
    kmeans,
    llsq,
    lse,
    lstm,
    ode,
    particle,
    saddle,
    scalar_net,
    training,
)
from benchmarks.gradbench.workload import Workload

SCALARS, SMALL, LARGE = "scalars", "small arrays", "large arrays"


class Row(NamedTuple):
    kind: str
    what: str
    workload: Callable[..., Workload]
    sizes: tuple[float, ...]
    tiny: tuple[float, ...]


ROWS = {
    "hello": Row(SCALARS, "x² and its derivative, one number", hello.workload, (3.0,), (3.0,)),
    "gmm-2x5x1000": Row(
        LARGE,
        "Gaussian mixture, 1000 points in 2 dimensions, 5 components: gradient",
        gmm.workload,
        (2, 5, 1000),
        (2, 3, 4),
    ),
    "gmm-10x25x1000": Row(
        LARGE, "… 10 dimensions, 25 components", gmm.workload, (10, 25, 1000), (3, 2, 4)
    ),
    "ba": Row(SMALL, "bundle adjustment: 100 Jacobians of 2 × 15", ba.workload, (100,), (2,)),
    "ht": Row(
        SMALL,
        "hand tracking: Jacobian of 300 distances by 26 angles, 544 vertices",
        ht.workload,
        (544, 100),
        (8, 4),
    ),
    "kmeans": Row(
        LARGE,
        "k-means, 1000 points in 16 dimensions, 10 centroids: gradient and Newton's direction",
        kmeans.workload,
        (10, 1000, 16),
        (2, 6, 3),
    ),
    "lstm-10": Row(
        SMALL,
        "LSTM, 14 inputs, 2 layers, 10 steps: gradient",
        lstm.workload,
        (14, 10, 2),
        (3, 4, 2),
    ),
    "lstm-49": Row(SMALL, "… 49 steps", lstm.workload, (14, 49, 2), (2, 3, 1)),
    "llsq": Row(
        LARGE, "linear least squares, 2048 × 128: gradient", llsq.workload, (2048, 128), (6, 3)
    ),
    "lse": Row(LARGE, "log-sum-exp of 160,000 numbers: gradient", lse.workload, (160_000,), (5,)),
    "ode-10": Row(SMALL, "10 equations, 10 steps of RK4: gradient", ode.workload, (10, 10), (5, 2)),
    "ode-1000": Row(
        SMALL, "1000 equations, 10 steps of RK4: gradient", ode.workload, (1000, 10), (4, 3)
    ),
    "det": Row(
        SCALARS, "determinant 6 × 6 by minors, on scalars: gradient", det.workload, (6,), (3,)
    ),
    "saddle": Row(
        SCALARS,
        "maximum by 100 steps of gradient ascent: value and gradient",
        saddle.workload,
        (100,),
        (3,),
    ),
    "particle": Row(
        SCALARS,
        "charged particle until it crosses an axis: value and slope",
        particle.workload,
        (0.0, 0.1),
        (0.0, 4.0),
    ),
    "training-step": Row(
        LARGE,
        "step of the network 784-50-10, batch of 100, float32, in place",
        training.workload,
        (),
        (),
    ),
    "scalar-net": Row(
        SCALARS,
        "network 2-16-16-1 on scalars: gradient",
        scalar_net.workload,
        (2, 16, 16, 1),
        (2, 3, 1),
    ),
    "expression": Row(
        LARGE,
        "Σ tanh(x) exp(−x²) of 10⁶ numbers: gradient",
        expression.workload,
        (1_000_000,),
        (5,),
    ),
}


def chosen(names: list[str]) -> dict[str, Row]:
    """Return the rows with these names or beginnings of names, such as "gmm"; all for none.

    Raises
    ------
    ValueError
        If a name fits no row.
    """
    for name in names:
        if not any(row.startswith(name) for row in ROWS):
            raise ValueError(f"there is no row {name!r}: choose among {', '.join(ROWS)}")
    return {row: ROWS[row] for row in ROWS if not names or row.startswith(tuple(names))}
