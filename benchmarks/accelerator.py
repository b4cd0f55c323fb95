"""Compiled derivatives through our JAX back end and `jax.jit` of hand-written code, float64.

A training step of the network 784-4096-10 on a batch of 1024, and the gradient of the
log-likelihood of a mixture of 25 Gaussians in 10 dimensions at 10^5 points. Without a GPU or TPU,
sizes are small.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import autodiff as ad
from benchmarks.timing import OURS, against, interleaved, report, rounds, steps, target

RATE = 0.1
JAX = "JAX jit"


class Problem(NamedTuple):
    """A derivative by both libraries, and its arguments."""

    ours: Callable[..., Any]
    jax: Callable[..., Any]
    args: tuple[Any, ...]


def training_step(hidden: int, batch: int) -> Problem:
    random = np.random.default_rng(0)
    shapes = [(784, hidden), (hidden,), (hidden, 10), (10,)]
    start = [0.05 * random.standard_normal(shape) for shape in shapes]
    x, labels = random.random((batch, 784)), random.integers(0, 10, batch)

    def loss_of(xp: Any, logsumexp: Any) -> Callable[..., Any]:
        def loss(W1: Any, b1: Any, W2: Any, b2: Any, x: Any, labels: Any) -> Any:
            scores = xp.maximum(x @ W1 + b1, 0) @ W2 + b2
            true = xp.take_along_axis(scores, labels[:, None], axis=1)[:, 0]
            return xp.mean(logsumexp(scores, axis=1) - true)

        return loss

    def descent(value_and_grad: Any, loss: Any) -> Callable[..., Any]:
        slopes_of = value_and_grad(loss, argnums=(0, 1, 2, 3))

        def step(*args: Any) -> Any:
            value, slopes = slopes_of(*args)
            return value, [p - RATE * g for p, g in zip(args, slopes, strict=False)]

        return step

    return Problem(
        descent(ad.value_and_grad, loss_of(np, ad.logsumexp)),
        descent(jax.value_and_grad, loss_of(jnp, jax.nn.logsumexp)),
        (*start, x, labels),
    )


def mixture(dimensions: int, components: int, points: int) -> Problem:
    """Return the gradient by weights, means, and triangular roots of the precisions.

    Off the diagonal, a root is the product of its numbers and `basis`, which puts them in place.
    """
    random = np.random.default_rng(0)
    rows, columns = np.tril_indices(dimensions, -1)
    basis = np.zeros((len(rows), dimensions, dimensions))
    basis[np.arange(len(rows)), rows, columns] = 1
    sizes = [(), (dimensions,), (dimensions,), (len(rows),)]
    weights, means, logs, below = (random.standard_normal((components, *size)) for size in sizes)
    x = random.standard_normal((points, dimensions))

    def likelihood_of(xp: Any, logsumexp: Any) -> Callable[..., Any]:
        def likelihood(weights: Any, means: Any, logs: Any, below: Any, x: Any, basis: Any) -> Any:
            apart = x[:, None] - means
            roots = xp.tensordot(below, basis, axes=1)
            scaled = xp.exp(logs) * apart + xp.einsum("kij,nkj->nki", roots, apart)
            inner = weights + xp.sum(logs, axis=1) - 0.5 * xp.sum(scaled**2, axis=2)
            prior = 0.5 * (xp.sum(xp.exp(2 * logs)) + xp.sum(below**2)) - xp.sum(logs)
            return xp.sum(logsumexp(inner, axis=1)) - len(x) * logsumexp(weights) - prior

        return likelihood

    return Problem(
        ad.grad(likelihood_of(np, ad.logsumexp), argnums=(0, 1, 2, 3)),
        jax.grad(likelihood_of(jnp, jax.nn.logsumexp), argnums=(0, 1, 2, 3)),
        (weights, means, logs, below, x, basis),
    )


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    start = perf_counter()
    found = call()
    return perf_counter() - start, found


def compare(name: str, p: Problem) -> None:
    """Print times of tracing, compiling, and running."""
    args = [jax.device_put(x) for x in p.args]
    compiled, theirs = ad.jit(p.ours, backend="jax"), jax.jit(p.jax)
    turns: dict[str, Callable[[], Any]] = {
        OURS: lambda: jax.block_until_ready(compiled(*args)),
        JAX: lambda: jax.block_until_ready(theirs(*args)),
    }
    tracing, _ = seconds(turns[OURS])
    firsts, found = {}, {}
    for label, turn in turns.items():
        firsts[label], found[label] = seconds(turn)
    pairs = zip(jax.tree.leaves(found[OURS]), jax.tree.leaves(found[JAX]), strict=True)
    for mine, other in pairs:
        assert mine.dtype == other.dtype == np.float64
        scale = float(jnp.max(jnp.abs(other)))
        np.testing.assert_allclose(
            np.asarray(mine), np.asarray(other), rtol=1e-9, atol=1e-12 * scale
        )
    print(f"  {name}: the same numbers; our tracing, with a first run by NumPy: {tracing:.2f} s")
    times = interleaved({label: steps(turn, 5) for label, turn in turns.items()}, rounds(20))
    compiling = {label: first - min(times[label]) / 1e9 for label, first in firsts.items()}
    print(f"  compiling: {OURS} {compiling[OURS]:.2f} s, {JAX} {compiling[JAX]:.2f} s")
    report(times, "us", 1e3)
    target("run time, ours / JAX jit", against(times, JAX), 1.0)
    target("compile time, ours / JAX jit", compiling[OURS] / compiling[JAX], 1.2)


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    device = jax.devices()[0]
    print(f"  on {device.device_kind} ({device.platform})")
    if device.platform == "cpu":
        print("  no GPU or TPU: small sizes")
        compare("training step 784-50-10, batch 100", training_step(50, 100))
        compare("mixture 10 x 25 x 1000", mixture(10, 25, 1000))
    else:
        compare("training step 784-4096-10, batch 1024", training_step(4096, 1024))
        compare("mixture 10 x 25 x 100000", mixture(10, 25, 100_000))


if __name__ == "__main__":
    main()
