"""Make a cantilever truss of fixed volume stiff: derivatives through `np.linalg.solve`.

The compliance C = f·u, where K(a) u = f, is reduced by optimality-criteria steps
aᵢ ← aᵢ √(−∂C/∂aᵢ / lᵢ), scaled to the volume V (M. P. Bendsøe, O. Sigmund, Topology Optimization,
2003). By duality, C² / (V · max −∂C/∂aᵢ / lᵢ) is a lower bound for all areas of this volume.
Young's modulus, the force and the grid spacing are 1.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import value_and_grad
from demos.show import compare, folder, options, plot

Array = NDArray[np.float64]
NODES = np.array([(x, y) for x in range(5) for y in range(3)], float)
BARS = [(i, j) for i, j in combinations(range(len(NODES)), 2)
        if NODES[j, 0] > 0 and np.hypot(*(NODES[j] - NODES[i])) < 1.5]  # fmt: skip
"""Neighbours on the grid, including diagonal ones; the left side is a wall."""
LENGTHS = np.array([np.hypot(*(NODES[j] - NODES[i])) for i, j in BARS])
VOLUME = 10.0
THINNEST = 1e-5
STEPS = 40
OPTIMUM = 25.6
"""16² / VOLUME; 16 is the minimum of Σ lᵢ·|Nᵢ| over bar forces Nᵢ in equilibrium with the load."""


def stretches() -> Array:
    """Return the matrix from displacements of the free nodes to elongations of the bars."""
    made = np.zeros((len(BARS), len(NODES), 2))
    for bar, (i, j), length in zip(made, BARS, LENGTHS, strict=True):
        bar[j] = (NODES[j] - NODES[i]) / length
        bar[i] = -bar[j]
    return made[:, NODES[:, 0] > 0].reshape(len(BARS), -1)


STRETCHES = stretches()
FORCE = np.zeros(STRETCHES.shape[1])
FORCE[-3] = -1  # down, at the middle of the right side


def displacements(areas: Any) -> Any:
    """Return the displacements of the free nodes under the force."""
    stiffness = STRETCHES.T @ ((areas / LENGTHS)[:, np.newaxis] * STRETCHES)
    return np.linalg.solve(stiffness, FORCE)


def compliance(areas: Any) -> Any:
    """Return the compliance: the work of the force, twice the energy in the bars."""
    return FORCE @ displacements(areas)


def adjoint(areas: Array) -> Any:
    """Return ∂C/∂aᵢ = −uᵀ kᵢ u by the adjoint formula; kᵢ is the stiffness of bar i per area."""
    stretch = STRETCHES @ displacements(areas)
    return -(stretch**2) / LENGTHS


def draw(axes: Any, areas: Array, title: str) -> None:
    """Draw the truss with bars as wide as their areas."""
    for (i, j), area in zip(BARS, areas, strict=True):
        axes.plot(*NODES[[i, j]].T, color="#0072b2", linewidth=12 * area, solid_capstyle="round")
    axes.plot(*NODES.T, "o", color="0.4", markersize=3)
    axes.axvline(0, color="0.4", linewidth=3)
    axes.annotate(
        "", (4, 0.35), (4, 1), arrowprops={"arrowstyle": "->", "color": "#d55e00", "lw": 2}
    )
    axes.set(title=title, aspect="equal", xlim=(-0.2, 4.3))
    axes.axis("off")


def main(argv: list[str] | None = None) -> None:
    """Compare derivatives with the adjoint formula, optimise the areas, plot before and after."""
    out = folder(options("truss", __doc__).parse_args(argv).out)
    even = areas = np.full(len(BARS), VOLUME / LENGTHS.sum())
    first, slope = value_and_grad(compliance)(areas)
    expected = adjoint(areas)
    print("derivatives of the compliance by areas at the wall; expected: the adjoint formula")
    names = ["bar ({:g}, {:g}) to ({:g}, {:g})".format(*NODES[i], *NODES[j]) for i, j in BARS]
    compare(
        [
            *zip(names[:7], slope[:7], expected[:7], strict=True),  # bars at the wall come first
            (f"largest difference of all {len(BARS)}", np.max(abs(slope - expected)), 0),
        ],
        decimals=9,
    )

    print("\nstep   compliance   lower bound for this volume")
    for step in range(STEPS + 1):
        work, slope = value_and_grad(compliance)(areas)
        gain = abs(slope) / LENGTHS  # per volume; at the optimum, equal in all bars that are used
        bound = work**2 / (VOLUME * np.max(gain))
        if step % 5 == 0:
            print(f"{step:4}   {work:10.5f}   {bound:10.5f}")
        if step < STEPS:
            areas = np.maximum(areas * np.sqrt(gain), THINNEST)
            areas = areas * VOLUME / (areas @ LENGTHS)
    print()
    compare([("compliance", work, OPTIMUM), ("lower bound", bound, OPTIMUM)], decimals=2)

    with plot(out / "truss.png", rows=2) as (before, after):
        draw(before, even, f"before: compliance {first:.1f}")
        draw(after, areas, f"after, with the same volume: compliance {work:.1f}")


if __name__ == "__main__":
    main()
