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
    """Return log Σ exp along the last axis."""
    largest = xp.amax(x, axis=-1, keepdims=True)
    return xp.log(xp.sum(xp.exp(x - largest), axis=-1)) + largest[..., 0]


def log_posterior(
    xp: Any, places: Any, alphas: Any, means: Any, icf: Any, x: Any, zero: Any
) -> Any:
    """Return the log posterior; `places` says where in (diagonal, icf, 0) each element of Q is."""
    n, d = x.shape
    logs, below = icf[:, :d], icf[:, d:]
    diagonal, sum_logs = xp.exp(logs), xp.sum(logs, axis=1)
    factors = xp.concatenate([diagonal, below, zero], axis=1)[:, places]
    centred = x[:, None, :] - means
    scaled = xp.einsum("kij,nkj->nki", factors, centred)
    inner = alphas + sum_logs - 0.5 * xp.sum(scaled * scaled, axis=2)
    likelihood = xp.sum(logsumexp(xp, inner)) - n * logsumexp(xp, alphas)
    squares = xp.sum(diagonal * diagonal) + xp.sum(below * below)
    return likelihood - 0.5 * GAMMA * GAMMA * squares + M * xp.sum(sum_logs)


def by_hand(places: Any, alphas: Any, means: Any, icf: Any, x: Any, zero: Any) -> Any:
    n, d = x.shape
    logs, below = icf[:, :d], icf[:, d:]
    diagonal = np.exp(logs)
    factors = np.concatenate([diagonal, below, zero], axis=1)[:, places]
    centred = np.swapaxes(x[:, None, :] - means, 0, 1)
    scaled = centred @ np.swapaxes(factors, 1, 2)
    inner = alphas[:, None] + logs.sum(axis=1)[:, None] - 0.5 * (scaled * scaled).sum(axis=2)
    inner -= inner.max(axis=0)
    weights = np.exp(inner, out=inner)
    weights /= weights.sum(axis=0)

    totals = weights.sum(axis=1)
    shares = np.exp(alphas - alphas.max())
    scaled *= -weights[:, :, None]
    by_factor = np.swapaxes(scaled, 1, 2) @ centred
    by_mean = -np.einsum("kni,kij->kj", scaled, factors)
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
        random.standard_normal((n, d)),
        np.zeros((k, 1)),
    )

    def make(tool: Tool) -> Function:
        own = tool.argument(places)
        return tool.grad(partial(log_posterior, tool.xp, own), (0, 1, 2))

    return Workload(make, args, partial(by_hand, places))
