"""Fit w2·relu(w1·x + b1) + b2 to a bent line by gradient descent: 70 points, 2000 steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autodiff import Tensor, Value, relu
from demos.show import compare, folder, options, plot, save_graph

Array = NDArray[np.float64]
Parameters = dict[str, Value]
STEPS = 2000
EXPECTED_LOSSES = {0: 21228.10, 500: 540.47, 1000: 316.11, 1500: 189.80}
EXPECTED_END = {"w1": 3.0598, "w2": 2.9161, "b1": -0.3720, "b2": 0.6286}


def curve(x: Array, p: Parameters) -> Tensor:
    """Return the model, a network of one hidden unit, at points x."""
    model: Tensor = p["w2"] * relu(p["w1"] * x + p["b1"]) + p["b2"]
    return model


def squared_error(x: Array, target: Array, p: Parameters) -> Tensor:
    """Return the sum of squared errors, which the fit minimises."""
    error: Tensor = ((curve(x, p) - target) ** 2).sum()
    return error


def main(argv: list[str] | None = None) -> None:
    """Fit, compare with the expected losses, plot target, start and fit."""
    out = folder(options("relu_fit", __doc__).parse_args(argv).out)
    x = np.arange(-20, 50) / 10
    target = 5 * np.maximum(2 * x - 1, 0) + 1
    parameters = {name: Value(1.0, name) for name in ("w1", "w2", "b1", "b2")}
    start = curve(x, parameters).data

    losses = {}
    for step in range(STEPS):
        loss = squared_error(x, target, parameters)
        loss.backward()
        if step in EXPECTED_LOSSES:
            losses[step] = float(loss.data)
        for parameter in parameters.values():
            parameter.data -= 0.0002 / len(x) * parameter.grad

    compare(
        ((f"loss at step {step}", losses[step], loss) for step, loss in EXPECTED_LOSSES.items()),
        decimals=2,
    )
    compare(
        ((name, parameters[name].data, value) for name, value in EXPECTED_END.items()), decimals=4
    )
    with plot(out / "relu_fit.png") as axes:
        axes.plot(x, target, ".", color="0.4", label="target: 5·relu(2x − 1) + 1")
        axes.plot(x, start, "--", color="#d55e00", label="start: all parameters 1")
        fit = curve(x, parameters).data
        axes.plot(x, fit, "-", color="#0072b2", label=f"fit after {STEPS} steps")
        axes.set(xlabel="x", ylabel="w2·relu(w1·x + b1) + b2")
        axes.legend(frameon=False)
    loss = squared_error(x, target, parameters)  # with the final parameters
    loss.name = "loss"
    loss.backward()
    save_graph(loss, out / "relu_fit_graph.svg")


if __name__ == "__main__":
    main()
