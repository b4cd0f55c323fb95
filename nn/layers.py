"""Layers: functions with parameters, built from autodiff's primitives.

A layer's parameters are plain arrays, which you may change in place or replace. With them, a layer
computes arrays; with Tensors as `params` (as `Classifier.record` passes), it records a graph.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

import autodiff as ad
from nn.files import kinds, overwrite, read_arrays, write_arrays

Params = dict[str, Any]
Shape = tuple[int, ...]


def as_array(x: Any) -> Any:
    """Return `x` if it is an array or a Tensor, else as an array."""
    return x if hasattr(x, "shape") else np.asarray(x)


class Layer:
    """A function of an array with parameters: `layer(x)` or `layer(x, params)`.

    Pictures draw its operations in a box.
    """

    params: Params

    def __init_subclass__(cls) -> None:
        if "__call__" in vars(cls):
            cls.__call__ = ad.grouped()(cls.__call__)  # type: ignore[method-assign]

    def __init__(self) -> None:
        self.params = {}

    def __call__(self, x: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return the output for a batch `x`; `params`, if given, replace the layer's own."""
        raise NotImplementedError

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {array.shape}" for name, array in self.params.items())
        return f"{type(self).__name__}({shapes})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters to an .npz file, atomically.

        Parameters
        ----------
        path : path
            The exact name; an existing file is replaced.

        Raises
        ------
        OSError
            If the file cannot be written.

        Examples
        --------
        See `load`.
        """
        write_arrays(path, self.params)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Set the parameters in place from a file of `save`.

        Nothing in the file is executed, so it need not be trusted.

        Raises
        ------
        DataError
            If the file is damaged, or an entry differs from the parameters in name, shape or
            dtype; the message names the file and the entry. The parameters are then unchanged.
        OSError
            If the file cannot be read.

        Examples
        --------
        >>> import tempfile
        >>> from nn import Affine
        >>> trained, fresh = Affine([[1.5]], [3.0]), Affine([[0.0]], [0.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     trained.save(f"{folder}/weights.npz")
        ...     fresh.load(f"{folder}/weights.npz")
        >>> fresh.params
        {'W': array([[1.5]]), 'b': array([3.])}
        """
        overwrite(self.params, read_arrays(path, kinds(self.params)))


class Affine(Layer):
    """x @ W + b, for each row of a batch.

    Parameters
    ----------
    W : array of shape (inputs, outputs)
    b : array of shape (outputs,)

    A batch of any shape (n, ...) is flattened to (n, inputs); one sample has shape (inputs,).

    Raises
    ------
    ValueError
        On a call, if the shapes of x, W and b do not match; the message says what to pass.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import Affine
    >>> layer = Affine(np.eye(4)[:, :3], np.array([0.0, 0.0, 1.0]))
    >>> layer(np.arange(8.0).reshape(2, 2, 2))
    array([[0., 1., 3.],
           [4., 5., 7.]])
    """

    def __init__(self, W: Any, b: Any) -> None:
        self.params = {"W": as_array(W), "b": as_array(b)}

    @classmethod
    def initial(
        cls,
        inputs: int,
        outputs: int,
        *,
        scale: float = 0.01,
        rng: np.random.Generator | int | None = None,
        dtype: DTypeLike = float,
    ) -> Affine:
        """Return a layer with weights drawn from scale · N(0, 1) and biases 0."""
        weights = scale * np.random.default_rng(rng).standard_normal((inputs, outputs))
        return cls(weights.astype(dtype), np.zeros(outputs, dtype))

    def __repr__(self) -> str:
        return f"Affine({', '.join(map(str, self.params['W'].shape))})"

    def __call__(self, x: Any, params: Mapping[str, Any] | None = None) -> Any:
        params = self.params if params is None else params
        x, W, b = as_array(x), params["W"], params["b"]
        shape = x.shape
        if len(shape) > 2:
            x = ad.reshape(x, (shape[0], math.prod(shape[1:])))
        try:
            return ad.affine(x, W, b)
        except ValueError as error:
            raise ValueError(
                _shape_error(shape, x.shape, W.shape, b.shape) or str(error)
            ) from error


def _shape_error(given: Shape, x: Shape, W: Shape, b: Shape) -> str:
    """Return an error message for the shapes of x (given and flattened), W and b, or ""."""
    if len(W) != 2 or b != W[1:]:
        return (
            f"Affine has W of shape {W} and b of shape {b}: pass W of shape (inputs, outputs) "
            "and b of shape (outputs,)"
        )
    inputs, outputs = W
    if x[-1:] == (inputs,):
        return ""
    flat = f", which is {x} flattened" if x != given else ""
    remedy = f", or make the layer with Affine.initial({x[-1]}, {outputs})" if x else ""
    return (
        f"Affine({inputs}, {outputs}) needs x of shape (n, {inputs}) or ({inputs},), not "
        f"{given}{flat}: pass rows of {inputs} numbers{remedy}"
    )


class ReLU(Layer):
    """max(x, 0), elementwise.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import ReLU
    >>> ReLU()(np.array([-1.0, 2.0]))
    array([0., 2.])
    """

    def __call__(self, x: Any, params: Mapping[str, Any] | None = None) -> Any:
        return ad.relu(x)


class Sigmoid(Layer):
    """1 / (1 + exp(-x)), elementwise.

    Examples
    --------
    >>> import numpy as np
    >>> from nn import Sigmoid
    >>> Sigmoid()(np.array([0.0]))
    array([0.5])
    """

    def __call__(self, x: Any, params: Mapping[str, Any] | None = None) -> Any:
        return ad.sigmoid(x)


def _numbered(name: str, number: int) -> str:
    """Return a unique name in a Sequential: `W` of layer 2 becomes `W2`, its `W1` `W2.1`."""
    letters = name.rstrip("0123456789.")
    inner = name[len(letters) :]
    return f"{letters}{number}.{inner}" if inner else f"{letters}{number}"


class Sequential(Layer):
    """A composition of layers, applied in order.

    `params` has the parameters of all layers, numbered by the layers with parameters: `W1`, `b1`,
    `W2`, …; a `Sequential` in second place has `W2.1`, `b2.1`, `W2.2`, … The next call uses the
    values assigned there.

    Examples
    --------
    >>> from nn import Affine, ReLU, Sequential
    >>> network = Sequential(Affine.initial(4, 3), ReLU(), Affine.initial(3, 2))
    >>> list(network.params)
    ['W1', 'b1', 'W2', 'b2']
    >>> network
    Sequential(Affine(4, 3), ReLU(), Affine(3, 2))
    """

    def __init__(self, *layers: Layer) -> None:
        self.layers = layers
        self.params = {}
        self._names: list[dict[str, str]] = []  # of each layer: its name -> the name in params
        number = 0
        for layer in layers:
            number += bool(layer.params)
            names = {name: _numbered(name, number) for name in layer.params}
            self._names.append(names)
            self.params.update({names[name]: value for name, value in layer.params.items()})

    def __call__(self, x: Any, params: Mapping[str, Any] | None = None) -> Any:
        params = self.params if params is None else params
        for number, (layer, names) in enumerate(zip(self.layers, self._names, strict=True), 1):
            try:
                x = layer(x, {own: params[ours] for own, ours in names.items()})
            except ValueError as error:
                if type(error) is not ValueError:  # callers may catch the subclass
                    raise
                raise ValueError(f"layer {number} of {type(self).__name__}: {error}") from error
        return x

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"
