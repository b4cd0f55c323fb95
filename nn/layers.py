"""Layers: small functions with parameters, assembled from autodiff's primitives.

A layer's parameters are plain arrays, yours to change in place or to replace. Called with them, a
layer just computes; called with Tensors in their place (`Sequential` and `Classifier` do so), it
records, and autodiff knows the derivatives. No layer states one.
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
    """`x` itself if it has a shape (an array, a Tensor); a list becomes an array."""
    return x if hasattr(x, "shape") else np.asarray(x)


class Layer:
    """A function of an array with parameters of its own: `layer(x)` or `layer(x, params)`.

    What it computes stands in a box of its own in pictures.
    """

    params: Params

    def __init_subclass__(cls) -> None:
        if "__call__" in vars(cls):
            cls.__call__ = ad.grouped()(cls.__call__)  # type: ignore[method-assign]

    def __init__(self) -> None:
        self.params = {}

    def __call__(self, x: Any, params: Mapping[str, Any] | None = None) -> Any:
        """The output for a batch `x`; `params` stand in for the layer's own if given."""
        raise NotImplementedError

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {array.shape}" for name, array in self.params.items())
        return f"{type(self).__name__}({shapes})"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the parameters to an .npz file, an entry for each, whole or not at all.

        Parameters
        ----------
        path : path
            Exactly this name; what is there already is replaced once all is written.

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
        """Set the parameters, in place, to what `save` wrote.

        Nothing in the file is executed: it may come from anyone.

        Raises
        ------
        DataError
            If the file is damaged, or its entries are not the parameters by name, shape and type;
            the message names the file and the entry, and the parameters are as they were.
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
        When called, if the shapes of x, W and b do not fit; the message says what to give.

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
        """Weights drawn from scale · N(0, 1), biases 0."""
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
            raise ValueError(_misfit(shape, x.shape, W.shape, b.shape) or str(error)) from error


def _misfit(given: Shape, x: Shape, W: Shape, b: Shape) -> str:
    """Return what is wrong with the shapes of x (as given, and flattened), W and b, if anything."""
    if len(W) != 2 or b != W[1:]:
        return (
            f"Affine with W of shape {W} and b of shape {b}: give it W of shape (inputs, outputs) "
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
    """max(x, 0), element by element.

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
    """1 / (1 + exp(-x)), element by element.

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
    """`W` of layer 2 is `W2`, its `W1` is `W2.1`: no two names become the same."""
    letters = name.rstrip("0123456789.")
    inner = name[len(letters) :]
    return f"{letters}{number}.{inner}" if inner else f"{letters}{number}"


class Sequential(Layer):
    """Layers one after the other.

    Their parameters are gathered in one dictionary, numbered by the layers that have any: `W1`,
    `b1`, `W2`, …; those of a `Sequential` in second place are `W2.1`, `b2.1`, `W2.2`, … What is
    assigned there (in place or anew) holds from the next call on.

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
        self._names: list[dict[str, str]] = []  # of each layer's parameters, in ours
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
                if type(error) is not ValueError:  # a kind of its own, which callers may catch
                    raise
                raise ValueError(f"layer {number} of {type(self).__name__}: {error}") from error
        return x

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"
