"""Gmm: log posterior of a Gaussian mixture with a Wishart prior; gradient by α, μ and the factors.

The precision matrix of component k is QᵀQ. Its factor Q is lower triangular: `icf` holds the
logarithms of the d diagonal elements, then the others, column by column. Terms without parameters
are left out, as the gradient does not have them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload

GAMMA, M = 1.0, 0
"""Precision and additional degrees of freedom of the prior."""


def logsumexp(xp: Any, x: Any) -> Any:
    """Return log Σ exp along the first axis."""
    largest = xp.amax(x, axis=0)
    return xp.log(xp.sum(xp.exp(x - largest), axis=0)) + largest


def log_posterior(
    xp: Any, places: Any, alphas: Any, means: Any, icf: Any, x: Any, zero: Any
) -> Any:
    """Return the log posterior.

    Parameters
    ----------
    places : array of int (d, d)
        Where in (diagonal, icf, 0) each element of a factor is.
    alphas, means, icf : arrays (k,), (k, d) and (k, d (d + 1) / 2)
    x : array (d, n)
    zero : array (k, 1)
    """
    d, n = x.shape
    logs, below = icf[:, :d], icf[:, d:]
    diagonal, sum_logs = xp.exp(logs), xp.sum(logs, axis=1)
    factors = xp.concatenate([diagonal, below, zero], axis=1)[:, places]
    scaled = factors @ (x - means[:, :, None])
    inner = (alphas + sum_logs)[:, None] - 0.5 * xp.sum(scaled * scaled, axis=1)
    likelihood = xp.sum(logsumexp(xp, inner)) - n * logsumexp(xp, alphas)
    squares = xp.sum(diagonal * diagonal) + xp.sum(below * below)
    return likelihood - 0.5 * GAMMA * GAMMA * squares + M * xp.sum(sum_logs)


def by_hand(places: Any, alphas: Any, means: Any, icf: Any, x: Any, zero: Any) -> Any:
    d, n = x.shape
    logs, below = icf[:, :d], icf[:, d:]
    diagonal = np.exp(logs)
    factors = np.concatenate([diagonal, below, zero], axis=1)[:, places]
    centred = x - means[:, :, None]
    scaled = factors @ centred
    inner = np.einsum("kin,kin->kn", scaled, scaled)
    inner *= -0.5
    inner += (alphas + logs.sum(axis=1))[:, None]
    inner -= inner.max(axis=0)
    weights = np.exp(inner, out=inner)
    weights /= weights.sum(axis=0)

    totals = weights.sum(axis=1)
    shares = np.exp(alphas - alphas.max())
    scaled *= -weights[:, None, :]
    by_factor = scaled @ np.swapaxes(centred, 1, 2)
    by_mean = -np.einsum("kin,kij->kj", scaled, factors)
    rows, columns = _below(d)
    by_diagonal = by_factor[:, range(d), range(d)] * diagonal
    by_diagonal += totals[:, None] + M - GAMMA * GAMMA * diagonal * diagonal
    by_below = by_factor[:, rows, columns] - GAMMA * GAMMA * below
    by_alpha = totals - n * shares / shares.sum()
    return by_alpha, by_mean, np.concatenate([by_diagonal, by_below], axis=1)


def _below(d: int) -> tuple[Any, Any]:
    """Return the rows and columns below the diagonal, column by column."""
    columns, rows = np.triu_indices(d, 1)
    return rows, columns


def workload(d: int, k: int, n: int) -> Workload:
    random = np.random.default_rng(0)
    rows, columns = _below(d)
    places = np.full((d, d), d + len(rows))
    places[range(d), range(d)] = range(d)
    places[rows, columns] = d + np.arange(len(rows))
    args = (
        random.standard_normal(k),
        random.random((k, d)),
        random.standard_normal((k, d + len(rows))),
        random.standard_normal((d, n)),
        np.zeros((k, 1)),
    )

    def make(tool: Tool) -> Function:
        own = tool.argument(places)
        return tool.grad(partial(log_posterior, tool.xp, own), (0, 1, 2))

    return Workload(make, args, partial(by_hand, places))
