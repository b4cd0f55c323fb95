"""What the machine can do: matrix products and memory, through NumPy."""

from __future__ import annotations

from statistics import median

import numpy as np

from benchmarks.timing import interleaved, steps

SIZE = 1024
"""Rows and columns of the matrices."""
LENGTH = 16_000_000
"""Numbers of the arrays, which do not fit into caches: 128 MB each."""
UNITS = {
    "gemm_float64": "GFLOP/s",
    "gemm_float32": "GFLOP/s",
    "copy": "GB/s",
    "add": "GB/s",
    "exp": "10⁶ numbers/s",
}


def limits(rounds: int = 5) -> dict[str, float]:
    """Return the machine's limits, in the units of `UNITS`.

    Bandwidths count the bytes that the operation names, not those that the cache fetches before
    it writes; `exp` is of an array in the cache.
    """
    random = np.random.default_rng(0)
    a = random.random((SIZE, SIZE))
    small, out = a.astype(np.float32), np.empty_like(a)
    small_out = np.empty_like(small)
    x, y, z = (np.full(LENGTH, float(k)) for k in range(3))
    few, few_out = a[0], np.empty(SIZE)
    turns = {
        "gemm_float64": steps(lambda: np.matmul(a, a, out=out), 1),
        "gemm_float32": steps(lambda: np.matmul(small, small, out=small_out), 1),
        "copy": steps(lambda: np.copyto(z, x), 1),
        "add": steps(lambda: np.add(x, y, out=z), 1),
        "exp": steps(lambda: np.exp(few, out=few_out), 1000),
    }
    work = {
        "gemm_float64": 2 * SIZE**3,
        "gemm_float32": 2 * SIZE**3,
        "copy": 2 * x.nbytes,
        "add": 3 * x.nbytes,
        "exp": 1000 * SIZE,
    }
    times = interleaved(turns, rounds)
    return {name: work[name] / median(times[name]) for name in turns}
