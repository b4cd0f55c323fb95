"""Newton's method and gradient descent on Rosenbrock's banana-shaped valley.

f(x, y) = (1 − x)² + 100 (y − x²)², from (−1.2, 1) to the minimum at (1, 1) (H. H. Rosenbrock, The
Computer Journal 3, 1960).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autodiff import grad, hessian, hvp
from demos.show import compare, folder, options, plot

Array = NDArray[np.float64]
START = np.array([-1.2, 1.0])
NEWTON_STEPS, DESCENT_STEPS = 6, 5000
NEWTON_EXPECTED = (24.2, 4.731884, 1411.845179, 0.055966, 0.313189, 0, 0)
DESCENT_EXPECTED = 0.003761


def banana(point: Any) -> Any:
    """Return Rosenbrock's function at a point, or at a grid of points."""
    x, y = point
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def newton(point: Array, steps: int) -> Array:
    """Return the points of Newton's method, each the minimum of f's quadratic model at the last."""
    path = [point]
    for _ in range(steps):
        point = point - np.linalg.solve(hessian(banana)(point), grad(banana)(point))
        path.append(point)
    return np.array(path)


def descent(point: Array, steps: int, rate: float = 0.001) -> Array:
    """Return the points of gradient descent, which converges only at rates below 0.002."""
    path = [point]
    for _ in range(steps):
        point = point - rate * grad(banana)(point)
        path.append(point)
    return np.array(path)


def main(argv: list[str] | None = None) -> None:
    """Compare derivatives at the start and values along both paths, plot the paths."""
    out = folder(options("newton", __doc__).parse_args(argv).out)
    slope, curvature = grad(banana)(START), hessian(banana)(START)
    (product,) = hvp(banana, (START,), (np.array([1.0, -2.0]),))
    print("derivatives at (−1.2, 1), and the Hessian H times v = (1, −2) without H")
    compare(
        [
            ("∂f/∂x", slope[0], -215.6),
            ("∂f/∂y", slope[1], -88),
            ("∂²f/∂x²", curvature[0, 0], 1330),
            ("∂²f/∂x∂y", curvature[0, 1], 480),
            ("∂²f/∂y∂x", curvature[1, 0], 480),
            ("∂²f/∂y²", curvature[1, 1], 200),
            ("(H v)_x", product[0], 1 * 1330 - 2 * 480),
            ("(H v)_y", product[1], 1 * 480 - 2 * 200),
        ],
        decimals=9,
    )

    newton_path = newton(START, NEWTON_STEPS)
    descent_path = descent(START, DESCENT_STEPS)
    print("\nvalues of f along the paths")
    compare(
        [
            (f"Newton, step {k}", value, expected)
            for k, (value, expected) in enumerate(
                zip(banana(newton_path.T), NEWTON_EXPECTED, strict=True)
            )
        ]
        + [(f"descent, step {DESCENT_STEPS}", banana(descent_path[-1]), DESCENT_EXPECTED)],
        decimals=6,
    )
    distances = np.hypot(*(newton_path - 1).T)
    print("Newton's distance to (1, 1):", ", ".join(f"{d:.1e}" for d in distances))

    x, y = np.meshgrid(np.linspace(-1.6, 1.6, 400), np.linspace(-3.6, 2.4, 400))
    with plot(out / "newton.png") as axes:
        axes.contour(x, y, banana((x, y)), np.geomspace(0.1, 3000, 12), colors="0.8", linewidths=1)
        axes.plot(*newton_path.T, "o-", color="#0072b2", label=f"Newton, {NEWTON_STEPS} steps")
        axes.plot(
            *descent_path.T, color="#d55e00", label=f"gradient descent, {DESCENT_STEPS} steps"
        )
        axes.plot(1, 1, "k*", markersize=12, label="minimum")
        axes.set(xlabel="x", ylabel="y")
        axes.legend(frameon=False, loc="lower left")


if __name__ == "__main__":
    main()
