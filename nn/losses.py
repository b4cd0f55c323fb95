"""Losses."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import autodiff as ad
from nn.layers import as_array


def class_indices(labels: Any, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """Check labels against the shape of scores, and return them as integers of shape (n,).

    Parameters
    ----------
    labels : integers of shape (n,), or one-hot rows of shape (n, classes)
    shape : (n, classes), or (classes,) for one sample and its one label

    Raises
    ------
    ValueError
        If there are no samples, shapes do not match, a label is out of range (the message has its
        position), or a row is not one-hot.

    Examples
    --------
    >>> import numpy as np
    >>> class_indices(np.eye(3)[[2, 0]], (2, 3))
    array([2, 0])
    """
    if not hasattr(labels, "__array_function__"):  # as traced ones have
        labels = np.asarray(labels)
    if len(shape) == 1:
        labels, shape = labels[None] if labels.shape in ((), shape) else labels, (1, *shape)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"scores of shape {shape}: expected (n, classes), with n and classes at least 1"
        )
    samples, classes = shape
    if labels.shape == shape:
        hot: NDArray[np.intp] = labels.argmax(axis=1)
        wrong = (labels != (hot[:, None] == np.arange(classes))).any(axis=1)
        if wrong.any():
            row = int(wrong.argmax())
            raise ValueError(f"labels[{row}] = {labels[row]} is not one-hot: write one 1, else 0")
        return hot
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"for scores of shape {shape}, labels must be integers of shape ({samples},) or "
            f"one-hot rows of shape {shape}, not {labels.dtype} of shape {labels.shape}: "
            f"{_remedy(labels, samples, classes)}"
        )
    indices: NDArray[np.intp] = labels.astype(np.intp, copy=False)
    if (indices.astype(np.uintp) >= classes).any():  # as unsigned, negative labels are huge
        at = int(((indices < 0) | (indices >= classes)).argmax())
        raise ValueError(
            f"labels[{at}] = {labels[at]} is out of range: the {classes} classes are "
            f"0 … {classes - 1}"
        )
    return indices


def _remedy(labels: NDArray[Any], samples: int, classes: int) -> str:
    """Return the remedy for labels of a wrong shape or dtype."""
    if labels.shape == (samples,):
        return "convert them with labels.astype(int)"
    if labels.shape == (samples, 1):
        return "flatten them with labels.ravel()"
    if labels.ndim == 2 and len(labels) == samples:
        return f"use {classes} columns, or a last layer with {labels.shape[1]} outputs"
    return f"pass the {samples} labels of these samples"


def softmax_cross_entropy(logits: Any, labels: Any) -> Any:
    """Return the mean over a batch of -log softmax(logits)[label].

    It is stable for any logits: log-probabilities are computed directly, without underflow.

    Parameters
    ----------
    logits : array or Tensor of shape (n, classes), or (classes,) for one sample
    labels : integers of shape (n,), or one-hot rows of the logits' shape

    Returns
    -------
    number or Tensor of shape ()

    Raises
    ------
    ValueError
        If the batch is empty, shapes do not match, a label is out of range, or a row is not
        one-hot.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import softmax_cross_entropy
    >>> float(softmax_cross_entropy(np.array([[1000.0, 0.0]]), np.array([1])))
    1000.0
    """
    logits = as_array(logits)
    labels = class_indices(labels, logits.shape)
    if len(logits.shape) == 1:
        logits = ad.reshape(logits, (1, -1))
    return ad.cross_entropy(logits, labels=labels)
