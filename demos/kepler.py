"""Kepler's equation by Newton's method, compiled: the program of its derivatives, and its speed.

E − e sin E = M gives the eccentric anomaly E of a planet from the eccentricity e of its orbit and
the mean anomaly M, which grows evenly with time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from statistics import median
from timeit import timeit
from typing import Any

import numpy as np

from autodiff import cos, jit, sin, value_and_grad
from autodiff.programs.backends import EXTRAS
from demos.show import compare, folder, options, save_graph

MEAN, ECCENTRICITY = 1.0, 0.2056  # of Mercury
TOLERANCE = 1e-9
ROUNDS, CALLS = 7, 200


def eccentric_anomaly(mean: Any, e: Any) -> Any:
    """Return the solution E of E − e sin E = mean."""
    place = mean + e * sin(mean)
    step = 1.0
    while abs(step) > TOLERANCE:
        step = (place - e * sin(place) - mean) / (1 - e * cos(place))
        place = place - step
    return place


def seconds(calls: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Return the median time of each call, measured in turns."""
    rounds = [{name: timeit(f, number=CALLS) for name, f in calls.items()} for _ in range(ROUNDS)]
    return {name: median(times[name] for times in rounds) / CALLS for name in calls}


def main(argv: list[str] | None = None) -> None:
    """Print the program of the derivatives, compare them with exact ones, time the back ends."""
    out = folder(options("kepler", __doc__).parse_args(argv).out)
    derivatives = value_and_grad(eccentric_anomaly, argnums=(0, 1))
    compiled = jit(derivatives)
    program = compiled.program(MEAN, ECCENTRICITY)
    cost = program.cost()
    print(f"{program}\n{program.stages}\n")
    print(f"{cost.operations} operations, at most {cost.peak} bytes alive\n")

    place, slopes = compiled(MEAN, ECCENTRICITY)
    turn = 1 - ECCENTRICITY * np.cos(place)
    print("derivatives; expected: of the solution itself")
    compare(
        [
            ("∂E/∂M", slopes[0], 1 / turn),
            ("∂E/∂e", slopes[1], np.sin(place) / turn),
        ]
    )
    for mean in np.linspace(0, np.pi, 100):
        compiled(float(mean), ECCENTRICITY)
    print(f"{compiled} after 100 places: one for each number of Newton's steps\n")

    calls: dict[str, Callable[[], Any]] = {"not compiled": partial(derivatives, MEAN, ECCENTRICITY)}
    for name in EXTRAS:
        try:
            faster = jit(derivatives, backend=name)
        except ImportError as missing:
            print(f"note: {missing}")
            continue
        assert np.allclose(faster(MEAN, ECCENTRICITY)[1], slopes, rtol=1e-12)
        calls[name] = partial(faster, MEAN, ECCENTRICITY)
    print("value and derivatives, in microseconds")
    for name, time in seconds(calls).items():
        print(f"{name:<14} {1e6 * time:8.1f}")
    solver = jit(eccentric_anomaly).program(MEAN, ECCENTRICITY)  # whose picture fits a page
    save_graph(solver.at(MEAN, ECCENTRICITY), out / "kepler.svg")


if __name__ == "__main__":
    main()
