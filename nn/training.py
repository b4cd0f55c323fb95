"""Optimisers and the training loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn.losses import class_indices
from nn.networks import Classifier, not_finite

Data = tuple[Any, Any]
"""Samples of shape (n, ...) and their labels."""


class SGD:
    """Stochastic gradient descent: every parameter takes a step against its slope, in place.

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
        self._steps: dict[str, NDArray[Any]] = {}  # kept, so that no update allocates

    def update(self, params: dict[str, Any], slopes: dict[str, NDArray[Any]]) -> None:
        """Change `params` in place."""
        for name, slope in slopes.items():
            step = self._steps.get(name)
            if step is None or step.shape != slope.shape or step.dtype != slope.dtype:
                step = self._steps[name] = np.empty_like(slope)
            params[name] -= np.multiply(slope, self.learning_rate, out=step)


class Row(NamedTuple):
    """How far training had come after an iteration."""

    iteration: int
    epoch: float
    loss: float
    train_accuracy: float
    test_accuracy: float


@dataclass
class History:
    """What training leaves behind, whole even if it was interrupted."""

    rows: list[Row] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    """The batch's loss at every iteration."""
    interrupted: bool = False


def _checked(name: str, data: Data, network: Classifier) -> Data:
    """Samples, and labels as integers: what is wrong in them is told before the first step."""
    samples, labels = map(np.asarray, data)
    try:
        if samples.size == 0:
            raise ValueError("there are no samples")
        if found := not_finite(samples):
            raise ValueError(f"samples{found}: clean the data")
        classes = network.predict(samples[:1]).shape[1:]
        return samples, class_indices(labels, (len(samples), *classes))
    except ValueError as error:
        raise ValueError(f"the {name} data cannot be used: {error}") from error


def train(
    network: Classifier,
    train_data: Data,
    test_data: Data,
    *,
    iterations: int = 10_000,
    batch_size: int = 100,
    optimiser: SGD | None = None,
    rng: np.random.Generator | int | None = None,
    every: int | None = None,
    progress: Callable[[range], Iterator[int]] = iter,
    report: Callable[[Row], None] = lambda row: None,
) -> History:
    """Train by random batches; evaluate on all data once an epoch.

    Parameters
    ----------
    network : Classifier
        Its parameters are changed in place.
    train_data, test_data : (samples, labels)
        Arrays of shapes (n, ...) and (n,) or (n, classes).
    iterations, batch_size : int
        How many batches, drawn at random from the training data, of how many samples.
    optimiser : SGD
        `SGD(0.1)` if left out.
    rng : numpy Generator or seed, optional
        Where the batches are drawn from.
    every : int, optional
        Iterations from one evaluation to the next; an epoch's if left out.
    progress : callable
        Wraps the range of iterations: `tqdm` shows a bar.
    report : callable
        Is given each row as it is made.

    Returns
    -------
    History
        Ctrl-C ends training early and still returns it, with `interrupted` set.

    Raises
    ------
    ValueError
        Before the first step, if the data are empty or not finite, shapes do not fit, or a label
        is out of range; the message names the place in the data.
    FloatingPointError
        If the loss or a score is no longer finite; the parameters stay as they were at that point.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import TwoLayerNet, train
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> data = x, x.argmax(axis=1)
    >>> history = train(TwoLayerNet(2, 8, 2, rng=0), data, data, iterations=200, every=199, rng=0)
    >>> history.rows[-1].test_accuracy
    1.0
    """
    if batch_size < 1 or (every is not None and every < 1):
        raise ValueError(f"batch_size and every must be at least 1, not {batch_size} and {every}")
    x, t = train_data = _checked("training", train_data, network)
    test_data = _checked("test", test_data, network)
    optimiser = optimiser or SGD()
    rng = np.random.default_rng(rng)
    epoch = max(len(x) // batch_size, 1)
    every = every or epoch
    history = History()
    try:
        for iteration in progress(range(iterations)):
            batch = rng.choice(len(x), batch_size)
            loss, slopes = network.loss_and_gradient(x[batch], t[batch])
            optimiser.update(network.params, slopes)
            history.losses.append(loss)
            if iteration % every == 0:
                accuracies = network.accuracy(*train_data), network.accuracy(*test_data)
                history.rows.append(Row(iteration, iteration / epoch, loss, *accuracies))
                report(history.rows[-1])
    except KeyboardInterrupt:
        history.interrupted = True
    return history
