"""The training loop."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nn.checkpoints import Checkpoint, fingerprint, random_state
from nn.history import DivergenceError, History, Row
from nn.losses import class_indices
from nn.networks import Classifier, not_finite
from nn.optimisers import SGD
from nn.threads import threads_for

Data = tuple[Any, Any]
"""Samples of shape (n, ...) and their labels."""


def _fitting(batch_size: int | None, x: Any) -> int:
    """Return the size of a batch of the samples `x`: 100, or all, unless it is given."""
    batch_size = batch_size or min(100, len(x))
    if batch_size > len(x):
        raise ValueError(
            f"batch_size is {batch_size}, but the training data of shape {x.shape} have "
            f"{len(x)} samples: choose at most {len(x)}, or leave batch_size out"
        )
    return batch_size


def _checked(name: str, data: Data, network: Classifier) -> Data:
    """Return samples and labels as integers; raise before the first step if they are wrong."""
    samples, labels = map(np.asarray, data)
    try:
        if samples.size == 0:
            raise ValueError("there are no samples: pass at least one")
        if found := not_finite(samples):
            raise ValueError(f"samples{found}: clean the data")
        classes = network.predict(samples[:1]).shape[1:]
        return samples, class_indices(labels, (len(samples), *classes))
    except ValueError as error:
        raise ValueError(f"the {name} data are wrong: {error}") from error


def train(
    network: Classifier,
    train_data: Data,
    test_data: Data,
    *,
    iterations: int = 10_000,
    batch_size: int | None = None,
    optimiser: SGD | None = None,
    rng: np.random.Generator | int | None = None,
    every: int | None = None,
    progress: Callable[[range], Iterator[int]] = iter,
    report: Callable[[Row], None] = lambda row: None,
    checkpoint: str | os.PathLike[str] | None = None,
) -> History:
    """Train on random batches, and evaluate on all data once an epoch.

    If matrices are small and threadpoolctl is installed, BLAS uses one thread, unless you set the
    number: by OPENBLAS_NUM_THREADS, OMP_NUM_THREADS, MKL_NUM_THREADS or an enclosing
    `threadpool_limits`.

    Parameters
    ----------
    network : Classifier
        Its parameters are updated in place.
    train_data, test_data : (samples, labels)
        Arrays of shapes (n, ...) and (n,) or (n, classes).
    iterations : int
        The number of batches, drawn at random from the training data.
    batch_size : int, optional
        The number of samples in a batch. Default: 100, or all if there are fewer.
    optimiser : SGD
        Default: `SGD(0.1)`.
    rng : numpy Generator or seed, optional
        The generator of the batches.
    every : int, optional
        The number of iterations between evaluations. Default: one epoch.
    progress : callable
        Wraps the range of iterations: `tqdm` shows a bar.
    report : callable
        Called with each row of the history.
    checkpoint : path, optional
        A file for the state of the run, written atomically at each evaluation and at the end. If
        it exists, training resumes from its parameters, learning rate, random numbers and history,
        with the same result, bit for bit, as without a stop. Data, settings, types of layers and
        `rng` (if given) must be those of the run that wrote it.

    Returns
    -------
    History
        Ctrl-C ends training early and still returns it, with `interrupted` set.

    Raises
    ------
    ValueError
        Before the first step, if the data are empty or not finite, shapes do not match, a label is
        out of range, or a batch is larger than the training data; the message names the place and
        the remedy.
    DataError
        If the checkpoint is damaged or of another run; the message names the difference.
    TypeError
        If a checkpoint is given with an optimiser other than `SGD`.
    DivergenceError
        If the loss or a score is not finite: a FloatingPointError whose `history` has the
        iterations before. The parameters keep their last values.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import TwoLayerNet, train
    >>> x = np.array([[0.0, 1.0], [1.0, 0.0]])
    >>> data = x, x.argmax(axis=1)
    >>> history = train(TwoLayerNet(2, 8, 2, rng=0), data, data, iterations=200, every=199, rng=0)
    >>> history.rows[-1].test_accuracy
    1.0

    If killed, these lines resume when run again:

    >>> network = TwoLayerNet(2, 8, 2, rng=0)
    >>> train(network, data, data, rng=0, checkpoint="run.npz")  # doctest: +SKIP
    """
    for name, count in {"batch_size": batch_size, "every": every}.items():
        if count is not None and count < 1:
            raise ValueError(f"{name} must be at least 1, not {count}")
    x, t = train_data = _checked("training", train_data, network)
    test_data = _checked("test", test_data, network)
    batch_size = _fitting(batch_size, x)
    optimiser = optimiser or SGD()
    seeded, rng = rng is not None, np.random.default_rng(rng)
    epoch = len(x) // batch_size
    every = every or epoch
    history, kept = History(), None
    if checkpoint is not None:
        settings = {
            "training data": fingerprint(*train_data),
            "test data": fingerprint(*test_data),
            "iterations": iterations,
            "batch_size": batch_size,
            "every": every,
            "rng": random_state(rng) if seeded else None,
        }
        kept = Checkpoint(checkpoint, network, optimiser, rng, settings)
        history = kept.restore()
    largest = max((np.size(value) for value in network.params.values()), default=0)
    try:
        with threads_for(batch_size * largest):
            for iteration in progress(range(len(history.losses), iterations)):
                batch = rng.choice(len(x), batch_size)
                loss, slopes = network.loss_and_gradient(x[batch], t[batch])
                optimiser.update(network.params, slopes)
                history.losses.append(loss)
                if iteration % every == 0:
                    accuracies = network.accuracy(*train_data), network.accuracy(*test_data)
                    history.rows.append(Row(iteration, iteration / epoch, loss, *accuracies))
                    report(history.rows[-1])
                    if kept:
                        kept.save(history)
            if kept:
                kept.save(history)
    except KeyboardInterrupt:
        history.interrupted = True
    except FloatingPointError as error:
        raise DivergenceError(str(error), history) from error
    return history
