"""Backpropagation against numerical differentiation: the two-layer network on three images."""

from __future__ import annotations

from typing import Any

import numpy as np

from autodiff import check_grads
from demos.show import folder, load_digits, options, save_graph
from nn import TwoLayerNet, softmax_cross_entropy
from nn.threads import threads_for

ALLOWED = {"W1": 1e-11, "b1": 1e-11, "W2": 1e-11, "b2": 1e-9}
"""Largest mean |numerical − backpropagated| for central differences with h = 1e-4."""


def main(argv: list[str] | None = None) -> None:
    """Compare all 39,760 derivatives, and check random directions with error bounds."""
    parser = options("gradient_check", __doc__)
    parser.add_argument("--data", metavar="DIR", help="a folder with the four MNIST files")
    arguments = parser.parse_args(argv)
    out = folder(arguments.out)
    digits = load_digits(arguments.data)
    x, t = digits.train_images[:3].reshape(3, 784) / 255, digits.train_labels[:3]
    network = TwoLayerNet(784, 50, 10, rng=0)

    backpropagated = network.gradient(x, t)
    with threads_for(x.size * 50):
        numerical = network.numerical_gradient(x, t)
    print("      mean |numerical − backpropagated|      library's own check, along 2 directions")
    print("      h = 1e-4        at most              largest difference    largest error bound")
    for name, allowed in ALLOWED.items():
        difference = float(np.mean(np.abs(numerical[name] - backpropagated[name])))
        checks = check_grads(lambda value, name=name: _loss(network, name, value, x, t),
                             network.params[name])  # fmt: skip
        worst = max(abs(check.reverse - check.numerical) for check in checks)
        bound = max(check.error for check in checks)
        print(f"{name:>4}  {difference:.2e}        {allowed:.0e}"
              f"                {worst:.2e}              {bound:.2e}")  # fmt: skip
        if difference > allowed:
            raise AssertionError(f"{name}: {difference:.2e} exceeds {allowed:.0e}")
    loss, _ = network.record(x, t)
    loss.name = "loss"
    loss.backward()
    save_graph(loss, out / "gradient_check.svg")


def _loss(network: TwoLayerNet, name: str, value: Any, x: Any, t: Any) -> Any:
    return softmax_cross_entropy(network(x, {**network.params, name: value}), t)


if __name__ == "__main__":
    main()
