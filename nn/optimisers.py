"""Optimisers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class SGD:
    """Stochastic gradient descent: each parameter takes a step against its gradient, in place.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import SGD
    >>> params = {"w": np.array([1.0, 2.0])}
    >>> SGD(0.5).update(params, {"w": np.array([2.0, 0.0])})
    >>> params["w"]
    array([0., 2.])
    """

    def __init__(self, learning_rate: float = 0.1) -> None:
        self.learning_rate = learning_rate
        self._steps: dict[str, NDArray[Any]] = {}  # buffers, so that updates do not allocate

    def __repr__(self) -> str:
        return f"SGD({self.learning_rate})"

    def update(self, params: dict[str, Any], slopes: dict[str, NDArray[Any]]) -> None:
        """Update `params` in place."""
        rate = float(self.learning_rate)  # a NumPy scalar could raise the precision
        for name, slope in slopes.items():
            step = self._steps.get(name)
            if step is None or step.shape != slope.shape or step.dtype != slope.dtype:
                step = self._steps[name] = np.empty_like(slope)
            params[name] -= np.multiply(slope, rate, out=step)
