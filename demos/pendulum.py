"""Fit a pendulum's length and damping to noisy angles: derivatives through an ODE solver.

θ″ = −(g/L) sin θ − c θ′, solved by the classic Runge-Kutta method and fitted by Gauss-Newton.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autodiff import jacobian
from demos.show import compare, folder, options, plot

GRAVITY = 9.81
TIMES = np.linspace(0, 6, 121)
TRUTH = np.array([1.0, 0.25])  # length L in m, damping c in 1/s
START = np.array([0.8, 0.0])
STEPS = 5
FIRST_ANGLE = 1.2
NOISE = 0.02


def runge_kutta(slope: Callable[[Any], Any], state: Any, times: Any) -> Any:
    """Return the states at all times; `state` is the first."""
    states = [state]
    for step in np.diff(times):
        k1 = slope(state)
        k2 = slope(state + step / 2 * k1)
        k3 = slope(state + step / 2 * k2)
        k4 = slope(state + step * k3)
        state = state + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        states.append(state)
    return np.stack(states)


def angles(first: Any, length: Any, damping: Any) -> Any:
    """Return the angles at all times of a pendulum released at the first angle."""

    def slope(state: Any) -> Any:
        angle, speed = state
        return np.stack([speed, -GRAVITY / length * np.sin(angle) - damping * speed])

    return runge_kutta(slope, np.stack([first, 0.0]), TIMES)[:, 0]


def angles_and_sensitivities(first: float, length: float, damping: float) -> Any:
    """Return the angles and their derivatives by each argument, from the variational equations."""

    def slope(state: Any) -> Any:
        angle, speed = state[:, 0]
        pull = GRAVITY / length
        change = np.array([[0, 1], [-pull * np.cos(angle), -damping]]) @ state
        change[1, 0] = -pull * np.sin(angle) - damping * speed
        change[1, 2] += pull / length * np.sin(angle)
        change[1, 3] -= speed
        return change

    return runge_kutta(slope, np.array([[first, 1, 0, 0], [0.0, 0, 0, 0]]), TIMES)[:, 0]


def main(argv: list[str] | None = None) -> None:
    """Compare the sensitivities of the last angle, fit, compare with the truth, plot."""
    out = folder(options("pendulum", __doc__).parse_args(argv).out)
    exact, *by_hand = angles_and_sensitivities(FIRST_ANGLE, *TRUTH).T
    slopes = jacobian(angles, (0, 1, 2), mode="forward")(FIRST_ANGLE, *TRUTH)
    print("derivatives of the last angle; expected: from the variational equations")
    compare(
        (f"∂θ/∂{name}", found[-1], expected[-1])
        for name, found, expected in zip(("θ₀", "L", "c"), slopes, by_hand, strict=True)
    )

    observed = exact + NOISE * np.random.default_rng(0).standard_normal(len(TIMES))

    def residuals(parameters: Any) -> Any:
        return angles(FIRST_ANGLE, *parameters) - observed

    print("\nGauss-Newton     L         c         sum of squares")
    parameters = START
    for step in range(STEPS + 1):
        left = residuals(parameters)
        print(f"step {step}       {parameters[0]:8.5f}  {parameters[1]:8.5f}  {left @ left:12.6f}")
        slope = jacobian(residuals, mode="forward")(parameters)
        parameters = parameters - np.linalg.lstsq(slope, left)[0]
    spread = np.sqrt(left @ left / (len(left) - 2) * np.diag(np.linalg.inv(slope.T @ slope)))
    print("standard errors:", ", ".join(f"{error:.4f}" for error in spread))
    print("\nthe fit and the truth")
    compare(zip(("L", "c"), parameters, TRUTH, strict=True), decimals=2)

    with plot(out / "pendulum.png") as axes:
        axes.plot(TIMES, observed, ".", color="0.4", label="observed")
        start, fit = angles(FIRST_ANGLE, *START), angles(FIRST_ANGLE, *parameters)
        length, damping = START
        axes.plot(TIMES, start, "--", color="#d55e00", label=f"start: L = {length}, c = {damping}")
        length, damping = parameters
        axes.plot(TIMES, fit, color="#0072b2", label=f"fit: L = {length:.3f}, c = {damping:.3f}")
        axes.set(xlabel="time in s", ylabel="angle θ in rad", ylim=(-1.3, 1.9))
        axes.legend(frameon=False, ncols=2, loc="upper right")


if __name__ == "__main__":
    main()
