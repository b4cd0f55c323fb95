"""Det: a determinant by recursive expansion by minors along the first row, on scalars; gradient.

Nothing is shared between minors: about e·n! multiplications for n × n.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import factorial
from typing import Any

import numpy as np

from benchmarks.gradbench.tools import Function, Tool
from benchmarks.gradbench.workload import Workload


def minor(entries: Sequence[Any], n: int, columns: tuple[int, ...]) -> Any:
    """Return the determinant of the last rows, as many as there are columns."""
    row = n - len(columns)
    if len(columns) == 1:
        return entries[row * n + columns[0]]
    total: Any = None
    for k, column in enumerate(columns):
        term = entries[row * n + column] * minor(entries, n, columns[:k] + columns[k + 1 :])
        total = term if total is None else total - term if k % 2 else total + term
    return total


def determinant(scalars: Function, n: int, entries: Any) -> Any:
    return minor(scalars(entries), n, tuple(range(n)))


def by_hand(entries: tuple[float, ...]) -> Any:
    """By inversion: not by minors, so a check rather than a floor."""
    matrix = np.reshape(entries, (round(len(entries) ** 0.5), -1))
    return np.linalg.det(matrix) * np.linalg.inv(matrix).T


def workload(n: int) -> Workload:
    def make(tool: Tool) -> Function:
        return tool.grad(partial(determinant, tool.scalars, n))

    entries = tuple(np.random.default_rng(0).random(n * n).tolist())
    products = sum(factorial(n) // factorial(k) for k in range(1, n))
    return Workload(make, (entries,), by_hand, nodes=n * n + 2 * products)
