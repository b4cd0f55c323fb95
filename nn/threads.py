"""Limit BLAS to one thread where matrices are small."""

from __future__ import annotations

import gc
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

SMALL = 200_000_000
"""Multiplications of a matrix product that takes one core about 10 ms."""
SETTINGS = "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"


def threads_for(multiplications: int) -> AbstractContextManager[Any]:
    """Return a context that limits BLAS to one thread if matrix products are small.

    More threads would mostly wait for each other; on busy cores, many times as long.

    Parameters
    ----------
    multiplications : int
        Those of the largest product: rows · columns · inner axis.

    Returns
    -------
    context manager
        It restores the number of threads at its end. It does nothing if products are large,
        threadpoolctl is not installed, or the user has set the number: by a variable of
        `SETTINGS`, or by an enclosing `threadpool_limits`.

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
    # the base class, since controllers and decorators use other subclasses of it
    limiter = threadpool_limits.__mro__[1]
    kinds = [limiter, *limiter.__subclasses__()]
    # only a limiter that exists shows that a user set the number
    if any(isinstance(found, limiter) for found in gc.get_referrers(*kinds)):
        return nullcontext()
    limit: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limit
