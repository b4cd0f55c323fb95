"""Classifiers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

import autodiff as ad
from nn.differences import central_differences
from nn.layers import Affine, ReLU, Sequential
from nn.losses import class_indices, softmax_cross_entropy


def not_finite(values: Any) -> str:
    """Return where an array is not finite, as text to follow its name; "" if it is finite.

    Examples
    --------
    >>> "x" + not_finite([[1.0, float("nan")]])
    'x[0, 1] is nan (1 such value)'
    """
    values = np.asarray(values)
    finite = np.isfinite(values)
    if finite.all():
        return ""
    bad = np.argwhere(~finite)
    place = tuple(bad[0])
    number = f"{len(bad)} such value{'s' * (len(bad) > 1)}"
    return f"[{', '.join(map(str, place))}] is {values[place]} ({number})"


class Classifier(Sequential):
    """A Sequential whose output is class scores, with loss, gradient and accuracy.

    In all methods, `x` is a batch of shape (n, ...) and `t` its labels: integers of shape (n,) or
    one-hot rows of shape (n, classes).
    """

    def predict(self, x: Any) -> NDArray[Any]:
        """Return the class scores (logits), of shape (n, classes)."""
        scores: NDArray[Any] = self(np.asarray(x))
        return scores

    def loss(self, x: Any, t: Any) -> float:
        """Return the mean softmax cross-entropy."""
        return float(softmax_cross_entropy(self.predict(x), t))

    def accuracy(self, x: Any, t: Any) -> float:
        """Return the fraction of samples whose highest score is that of the label.

        Raises
        ------
        FloatingPointError
            If a score is not finite; the message names the cause.
        """
        with np.errstate(all="ignore"):  # non-finite scores raise below
            scores = self.predict(x)
        labels = class_indices(t, scores.shape)
        if found := not_finite(scores):
            raise FloatingPointError(self._diagnosis(f"scores{found}", x))
        return float(np.mean(scores.argmax(axis=-1) == labels))

    def record(
        self, x: Any, t: Any, *, copy: bool = True
    ) -> tuple[ad.Tensor, dict[str, ad.Tensor]]:
        """Return the loss as a graph, and its variables: the parameters by name.

        With `copy=False` the graph shares the memory of x and of the parameters: do not change
        them before the last derivative has been taken.
        """
        variables = {name: ad.Tensor(p, name, copy=copy) for name, p in self.params.items()}
        x = np.asarray(x)
        if not copy and x.dtype.kind == "f":
            x = ad.Tensor(x, copy=False)  # recording copies plain arrays
        return softmax_cross_entropy(self(x, variables), t), variables

    def loss_and_gradient(self, x: Any, t: Any) -> tuple[float, dict[str, NDArray[Any]]]:
        """Return the loss, and its gradient by each parameter: arrays of the parameters' shapes.

        Raises
        ------
        FloatingPointError
            If the loss is not finite; the message names the cause.
        """
        with np.errstate(all="ignore"):
            loss, variables = self.record(x, t, copy=False)
        value = float(loss.data)
        if not math.isfinite(value):
            raise FloatingPointError(self._diagnosis(f"the loss is {value}", x))
        slopes = ad.gradients(loss, list(variables.values()))
        return value, dict(zip(variables, slopes, strict=True))

    def gradient(self, x: Any, t: Any) -> dict[str, NDArray[Any]]:
        """Return the gradient of the loss by each parameter, by backpropagation."""
        return self.loss_and_gradient(x, t)[1]

    def numerical_gradient(self, x: Any, t: Any) -> dict[str, NDArray[Any]]:
        """Return the same by central differences, h = 1e-4, in float64: slow, for checking."""
        x, params = np.asarray(x), {name: p.astype(float) for name, p in self.params.items()}

        def loss() -> Any:
            return softmax_cross_entropy(self(x, params), t)

        return {name: central_differences(loss, p) for name, p in params.items()}

    def _diagnosis(self, symptom: str, x: Any) -> str:
        for name, values in {"x": x, **self.params}.items():
            if found := not_finite(values):
                advice = "clean the data" if name == "x" else "lower the learning rate"
                return f"{symptom}, because {name}{found}: {advice}"
        return f"{symptom}: the scores overflowed; lower the learning rate or scale x down"


class TwoLayerNet(Classifier):
    """The network of the book: Affine, ReLU, Affine, with parameters W1, b1, W2, b2.

    Parameters
    ----------
    input_size, hidden_size, output_size : int
        784, 50 and 10 for MNIST.
    weight_init_std : float
        The standard deviation of the initial weights; biases start at 0.
    rng : numpy Generator or seed, optional
        The generator of the weights.
    dtype : dtype
        The dtype of the parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import TwoLayerNet
    >>> network = TwoLayerNet(4, 5, 3, rng=0)
    >>> x, t = np.ones((2, 4)), np.array([0, 2])
    >>> for key, slope in network.gradient(x, t).items():
    ...     network.params[key] -= 0.1 * slope
    >>> network.predict(x).shape
    (2, 3)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        output_size: int,
        weight_init_std: float = 0.01,
        *,
        rng: np.random.Generator | int | None = None,
        dtype: DTypeLike = float,
    ) -> None:
        rng = np.random.default_rng(rng)
        super().__init__(
            Affine.initial(input_size, hidden_size, scale=weight_init_std, rng=rng, dtype=dtype),
            ReLU(),
            Affine.initial(hidden_size, output_size, scale=weight_init_std, rng=rng, dtype=dtype),
        )
