"""How many threads BLAS uses: one where matrices are small."""

from __future__ import annotations

import gc
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

SMALL = 200_000_000
"""Multiplications in a matrix product that takes one core about 10 ms."""
SETTINGS = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"


def threads_for(multiplications: int) -> AbstractContextManager[Any]:
    """Limit BLAS to one thread while small matrix products are computed.

    More threads would mostly wait for each other: on busy cores that takes many times as long.

    Parameters
    ----------
    multiplications : int
        In the largest product: rows · columns · inner axis.

    Returns
    -------
    context manager
        Leaves the number as it is where products are large, where threadpoolctl is not installed,
        and where the user has set it: by a variable of `SETTINGS`, or by a `threadpool_limits` in
        force. Gives back the number that it found.

    Examples
    --------
    >>> with threads_for(100 * 784 * 50):
    ...     pass  # train
    """
    if multiplications > SMALL or any(os.environ.get(name) for name in SETTINGS):
        return nullcontext()
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    limiter = threadpool_limits.__mro__[1]  # controllers and decorators have others
    kinds = [limiter, *limiter.__subclasses__()]
    # the number of threads does not tell whether a user set it, the limiter's existence does
    if any(isinstance(found, limiter) for found in gc.get_referrers(*kinds)):
        return nullcontext()
    limit: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limit
