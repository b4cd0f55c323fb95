"""The names of K. Saitoh, Deep Learning from Scratch, chapters 4 and 5.

The book's code runs once its imports name this module. Layers have `forward(...)`, which records
the expression, and `backward(dout)`, which differentiates it with autodiff.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import autodiff as ad
from nn import layers
from nn.data import mnist, to_one_hot
from nn.differences import central_differences
from nn.losses import class_indices, softmax_cross_entropy
from nn.networks import TwoLayerNet

__all__ = [
    "AddLayer",
    "Affine",
    "MulLayer",
    "ReLU",
    "Relu",
    "Sigmoid",
    "SoftmaxWithLoss",
    "TwoLayerNet",
    "cross_entropy_error",
    "load_mnist",
    "numerical_gradient",
    "softmax",
    "to_one_hot",
]


class _Layer:
    """A layer that records `function(*inputs)` in forward and differentiates it in backward."""

    def __init__(self) -> None:
        self._output: Any = None
        self._inputs: list[Any] = []

    def _record(self, function: Callable[..., Any], *inputs: Any) -> Any:
        self._inputs = [_variable(x) for x in inputs]
        self._output = function(*self._inputs)
        return _plain(self._output)

    def _differentiate(self, dout: Any) -> list[Any]:
        if self._output is None:
            raise RuntimeError(
                f"{type(self).__name__}.backward() needs forward() first: call forward()"
            )
        seed = np.broadcast_to(dout, np.shape(self._output.data))[()]
        return ad.gradients(self._output, self._inputs, seed)


def _variable(x: Any) -> Any:
    return ad.Value(x) if np.ndim(x) == 0 else ad.Tensor(x)


def _plain(node: Any) -> Any:
    return node.data if isinstance(node, ad.Value) else np.array(node.data)


class MulLayer(_Layer):
    """x * y.

    Examples
    --------
    >>> layer = MulLayer()
    >>> layer.forward(100, 2), layer.backward(1.1)
    (200.0, (2.2, 110.00000000000001))
    """

    def forward(self, x: Any, y: Any) -> Any:
        return self._record(ad.multiply, x, y)

    def backward(self, dout: Any) -> tuple[Any, Any]:
        dx, dy = self._differentiate(dout)
        return dx, dy


class AddLayer(_Layer):
    """x + y.

    Examples
    --------
    >>> layer = AddLayer()
    >>> layer.forward(200, 450), layer.backward(1.1)
    (650.0, (1.1, 1.1))
    """

    def forward(self, x: Any, y: Any) -> Any:
        return self._record(ad.add, x, y)

    def backward(self, dout: Any) -> tuple[Any, Any]:
        dx, dy = self._differentiate(dout)
        return dx, dy


class Relu(_Layer):
    """max(x, 0), elementwise.

    Examples
    --------
    >>> layer = Relu()
    >>> layer.forward(np.array([-1.0, 2.0])), layer.backward(np.ones(2))
    (array([0., 2.]), array([0., 1.]))
    """

    def forward(self, x: Any) -> Any:
        return self._record(ad.relu, x)

    def backward(self, dout: Any) -> Any:
        return self._differentiate(dout)[0]


ReLU = Relu


class Sigmoid(_Layer):
    """1 / (1 + exp(-x)), elementwise; `out` is the last result.

    Examples
    --------
    >>> layer = Sigmoid()
    >>> layer.forward(0.0), layer.backward(1.0)
    (0.5, 0.25)
    """

    def forward(self, x: Any) -> Any:
        self.out = self._record(ad.sigmoid, x)
        return self.out

    def backward(self, dout: Any) -> Any:
        return self._differentiate(dout)[0]


class Affine(_Layer):
    """x @ W + b; `backward` returns dx, of the shape of x, and sets `dW` and `db`.

    Parameters
    ----------
    W : array of shape (inputs, outputs)
    b : array of shape (outputs,)
        Both are kept by reference: the next `forward` uses changes made in place.

    Examples
    --------
    >>> layer = Affine(np.array([[1.0], [10.0]]), np.array([0.5]))
    >>> layer.forward(np.array([[2.0, 3.0]]))
    array([[32.5]])
    >>> layer.backward(np.array([[1.0]]))
    array([[ 1., 10.]])
    >>> layer.dW
    array([[2.],
           [3.]])
    """

    def __init__(self, W: NDArray[Any], b: NDArray[Any]) -> None:
        super().__init__()
        self.W, self.b = W, b
        self.dW: NDArray[Any] | None = None
        self.db: NDArray[Any] | None = None

    def forward(self, x: Any) -> Any:
        return self._record(lambda x, W, b: layers.Affine(W, b)(x), x, self.W, self.b)

    def backward(self, dout: Any) -> Any:
        dx, self.dW, self.db = self._differentiate(dout)
        return dx


class SoftmaxWithLoss(_Layer):
    """The mean softmax cross-entropy of scores x and labels t (integers or one-hot).

    After `forward`, `y` is the array of probabilities and `loss` the loss.

    Examples
    --------
    >>> layer = SoftmaxWithLoss()
    >>> round(layer.forward(np.log([[1.0, 3.0]]), np.array([1])), 6)
    0.287682
    >>> layer.backward()
    array([[ 0.25, -0.25]])
    """

    loss: float
    y: NDArray[Any]
    t: Any

    def forward(self, x: Any, t: Any) -> float:
        self.t, self.y = t, softmax(x)
        self.loss = float(self._record(lambda scores: softmax_cross_entropy(scores, t), x))
        return self.loss

    def backward(self, dout: Any = 1) -> Any:
        return self._differentiate(dout)[0]


def softmax(x: Any) -> Any:
    """Return exp(x) / sum(exp(x)) along the last axis, without overflow.

    Examples
    --------
    >>> softmax([1000.0, 1000.0])
    array([0.5, 0.5])
    """
    return ad.softmax(x, axis=-1)


def cross_entropy_error(y: Any, t: Any) -> Any:
    """Return the mean of -log(probability of the label), for probabilities y and labels t.

    As in the book, 1e-7 is added to each probability, so that the logarithm of 0 is finite.
    `SoftmaxWithLoss` computes from the scores instead and is exact.

    Parameters
    ----------
    y : array of shape (n, classes), or (classes,) for one sample
    t : integers of shape (n,), or one-hot rows of the shape of y

    Examples
    --------
    >>> bool(np.isclose(cross_entropy_error([0.25, 0.75], [0, 1]), -np.log(0.75)))
    True
    """
    y = np.asarray(y)
    labels = class_indices(t, y.shape)
    picked = y.reshape(len(labels), -1)[np.arange(len(labels)), labels]
    return -np.mean(np.log(picked + 1e-7))


def numerical_gradient(f: Callable[[NDArray[Any]], Any], x: NDArray[Any]) -> NDArray[Any]:
    """Return the central differences of f at x, with h = 1e-4, elementwise.

    `x` is changed in place, element by element, and restored: the book's functions, such as
    `lambda W: network.loss(x, t)`, ignore their argument. In float32, about three digits are right.

    Raises
    ------
    TypeError
        If `x` is not an array of floats.

    Examples
    --------
    >>> numerical_gradient(lambda x: np.sum(x**2), np.array([3.0, 4.0])).round(6)
    array([6., 8.])
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        found = getattr(x, "dtype", type(x).__name__)
        raise TypeError(f"x must be an array of floats, not {found}: convert it with astype(float)")
    return central_differences(lambda: f(x), x)


def load_mnist(
    normalize: bool = True, flatten: bool = True, one_hot_label: bool = False
) -> tuple[tuple[NDArray[Any], NDArray[Any]], tuple[NDArray[Any], NDArray[Any]]]:
    """Return MNIST as (x_train, t_train), (x_test, t_test); `nn.mnist` names its sources.

    Parameters
    ----------
    normalize : bool
        float32 images in 0 … 1; else uint8 in 0 … 255.
    flatten : bool
        Images of shape (n, 784); else (n, 1, 28, 28).
    one_hot_label : bool
        Labels as one-hot rows, float32; else as integers, uint8.

    Raises
    ------
    DataError
        If MNIST_DIR names a folder whose files are missing or wrong.
    """
    data = mnist()

    def images(x: NDArray[Any]) -> NDArray[Any]:
        x = x.astype(np.float32) / 255 if normalize else x
        return x.reshape(len(x), -1) if flatten else x.reshape(len(x), 1, 28, 28)

    def labels(t: NDArray[Any]) -> NDArray[Any]:
        return to_one_hot(t) if one_hot_label else t

    return (images(data.train_images), labels(data.train_labels)), (
        images(data.test_images),
        labels(data.test_labels),
    )
