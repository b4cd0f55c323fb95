"""One training step of the network 784-50-10 on a batch of 100, float32.

Affine, ReLU, Affine, softmax cross-entropy, and descent at a rate of 0.1. The floor is handwritten
NumPy; the step's five matrix products alone are a row of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import OURS, against, interleaved, report, rounds, steps, target
from nn import SGD, TwoLayerNet

Array = NDArray[Any]

RATE = 0.1
FLOOR, PRODUCTS, TORCH = "NumPy by hand", "matrix products alone", "PyTorch eager"


class Contestant(NamedTuple):
    step: Callable[[], object]
    parameters: Callable[[], list[Array]]


class Problem(NamedTuple):
    """A batch and the initial parameters, which contestants copy."""

    x: Array
    labels: Array
    start: list[Array]


def problem() -> Problem:
    random = np.random.default_rng(0)
    shapes = [(784, 50), (50,), (50, 10), (10,)]
    return Problem(
        random.random((100, 784), dtype=np.float32),
        random.integers(0, 10, 100),
        [0.05 * random.standard_normal(shape, dtype=np.float32) for shape in shapes],
    )


def by_hand(p: Problem) -> Contestant:
    x, labels = p.x, p.labels
    parameters = W1, b1, W2, b2 = [array.copy() for array in p.start]
    samples = np.arange(len(x))

    def step() -> Any:
        hidden = x @ W1
        hidden += b1
        np.maximum(hidden, 0, out=hidden)
        scores = hidden @ W2
        scores += b2
        scores -= scores.max(axis=1, keepdims=True)
        true = scores[samples, labels]
        np.exp(scores, out=scores)
        total = scores.sum(axis=1, keepdims=True)
        loss = np.mean(np.log(total[:, 0]) - true)

        scores /= total
        scores[samples, labels] -= 1
        scores /= len(x)
        back = scores @ W2.T
        back *= hidden > 0
        slopes = x.T @ back, back.sum(axis=0), hidden.T @ scores, scores.sum(axis=0)
        for parameter, slope in zip(parameters, slopes, strict=True):
            slope *= RATE
            parameter -= slope
        return loss

    return Contestant(step, lambda: parameters)


def products(p: Problem) -> Contestant:
    x, (W1, _, W2, _) = p.x, p.start
    hidden, scores = x @ W1, x @ W1 @ W2

    def step() -> None:
        x @ W1
        hidden @ W2
        hidden.T @ scores
        scores @ W2.T
        x.T @ hidden

    return Contestant(step, list)


def ours(p: Problem) -> Contestant:
    network, optimiser = TwoLayerNet(784, 50, 10, dtype=np.float32), SGD(RATE)
    for name, array in zip(network.params, p.start, strict=True):
        network.params[name] = array.copy()

    def step() -> Any:
        loss, slopes = network.loss_and_gradient(p.x, p.labels)
        optimiser.update(network.params, slopes)
        return loss

    return Contestant(step, lambda: list(network.params.values()))


def torch_eager(p: Problem) -> Contestant:
    import torch
    from torch.nn.functional import cross_entropy

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    x, labels = torch.from_numpy(p.x), torch.from_numpy(p.labels)
    parameters = W1, b1, W2, b2 = [torch.tensor(a, requires_grad=True) for a in p.start]

    def step() -> Any:
        hidden = torch.relu(torch.addmm(b1, x, W1))
        loss = cross_entropy(torch.addmm(b2, hidden, W2), labels)
        slopes = torch.autograd.grad(loss, parameters)
        with torch.no_grad():
            for parameter, slope in zip(parameters, slopes, strict=True):
                parameter.sub_(slope, alpha=RATE)
        return loss

    return Contestant(step, lambda: [parameter.detach().numpy() for parameter in parameters])


def jax_jit(p: Problem) -> Contestant:
    import jax
    import jax.numpy as jnp

    x, labels = jnp.asarray(p.x), jnp.asarray(p.labels)
    parameters = [jnp.array(array) for array in p.start]

    def loss_of(parameters: Any) -> Any:
        W1, b1, W2, b2 = parameters
        scores = jax.nn.relu(x @ W1 + b1) @ W2 + b2
        true = jnp.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(scores, axis=1) - true)

    @partial(jax.jit, donate_argnums=0)
    def compiled(parameters: Any) -> Any:
        loss, slopes = jax.value_and_grad(loss_of)(parameters)
        return loss, [p - RATE * slope for p, slope in zip(parameters, slopes, strict=True)]

    def step() -> Any:
        nonlocal parameters
        loss, parameters = jax.block_until_ready(compiled(parameters))
        return loss

    return Contestant(step, lambda: [np.asarray(parameter) for parameter in parameters])


def hips_autograd(p: Problem) -> Contestant:
    import autograd.numpy as anp
    from autograd import value_and_grad
    from autograd.scipy.special import logsumexp

    x, labels = p.x, p.labels
    parameters = [array.copy() for array in p.start]
    samples = np.arange(len(x))

    def loss_of(parameters: Any) -> Any:
        W1, b1, W2, b2 = parameters
        scores = anp.dot(anp.maximum(anp.dot(x, W1) + b1, 0), W2) + b2
        return anp.mean(logsumexp(scores, axis=1) - scores[samples, labels])

    derivative = value_and_grad(loss_of)

    def step() -> Any:
        loss, slopes = derivative(parameters)
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter -= RATE * slope
        return loss

    return Contestant(step, lambda: parameters)


def mygrad(p: Problem) -> Contestant:
    import mygrad as mg
    from mygrad.nnet.activations import relu
    from mygrad.nnet.losses import softmax_crossentropy

    mg.turn_memory_guarding_off()  # recommended by its manual
    x, labels = p.x, p.labels
    parameters = W1, b1, W2, b2 = [mg.tensor(array.copy()) for array in p.start]

    def step() -> Any:
        hidden = relu(mg.matmul(x, W1) + b1)
        loss = softmax_crossentropy(mg.matmul(hidden, W2) + b2, labels)
        loss.backward()
        for parameter in parameters:
            parameter.data -= RATE * parameter.grad
            parameter.null_grad()
        return loss

    return Contestant(step, lambda: [parameter.data for parameter in parameters])


MAKERS = {
    PRODUCTS: products,
    FLOOR: by_hand,
    OURS: ours,
    TORCH: torch_eager,
    "JAX jit": jax_jit,
    "HIPS autograd": hips_autograd,
    "MyGrad": mygrad,
}


def slopes(contestant: Contestant, p: Problem) -> list[Array]:
    """Return the gradients of the first step, from the change of the parameters."""
    contestant.step()
    after = contestant.parameters()
    return [(old - new) / RATE for old, new in zip(p.start, after, strict=True)]


def main() -> None:
    p = problem()
    contestants = {}
    for name, make in MAKERS.items():
        try:
            contestants[name] = make(p)
        except ModuleNotFoundError as missing:
            print(f"  {name}: {missing.name} not installed, skipped")
    expected = slopes(contestants[FLOOR], p)
    for name, contestant in contestants.items():
        if name not in (FLOOR, PRODUCTS):
            for wanted, got in zip(expected, slopes(contestant, p), strict=True):
                np.testing.assert_allclose(got, wanted, rtol=1e-3, atol=1e-5, err_msg=name)
                assert got.dtype == np.float32, f"{name} left float32: {got.dtype}"

    times = interleaved(
        {name: steps(contestant.step, 10) for name, contestant in contestants.items()},
        rounds(200),
    )
    report(times, "us", 1e3)
    target(f"ours / {FLOOR}", against(times, FLOOR), 1.35)
    for name in (TORCH, "HIPS autograd", "MyGrad"):
        if name in times:
            target(f"ours / {name}", against(times, name), 1.0)


if __name__ == "__main__":
    main()
