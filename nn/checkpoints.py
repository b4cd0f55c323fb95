"""Checkpoints: the state that a training run needs to resume exactly."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.files import DataError, Kind, kinds, overwrite, read_arrays, write_arrays, wrong_file
from nn.history import History, Row
from nn.layers import Layer, Sequential
from nn.optimisers import SGD

_REMEDY = "Remove the file to start anew, or name another."
_KINDS: dict[str, Kind] = {
    "settings": (np.uint8, (None,)),  # JSON, as bytes
    "random": (np.uint8, (None,)),  # JSON, as bytes
    "learning_rate": (np.float64, ()),
    "losses": (np.float64, (None,)),
    "rows": (np.float64, (None, len(Row._fields))),
}


class Checkpoint:
    """A file with the state of one run: parameters, optimiser, random numbers and history.

    Parameters
    ----------
    path : path
        An .npz file, as `Layer.save` writes it.
    network, optimiser, rng
        The objects to save, and to restore in place.
    settings : dict
        The other settings that determine the result, as JSON values under readable names.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        network: Layer,
        optimiser: SGD,
        rng: np.random.Generator,
        settings: dict[str, Any],
    ) -> None:
        if type(optimiser) is not SGD:
            kind = type(optimiser).__name__
            raise TypeError(f"checkpoints support SGD, not {kind}: leave checkpoint out")
        self.path = path
        self.network = network
        self.optimiser = optimiser
        self.rng = rng
        self.settings = {
            "layers": outline(network),
            "learning_rate": float(optimiser.learning_rate),
            **settings,
        }

    def save(self, history: History) -> None:
        """Write the current state, replacing the file."""
        state = {
            "settings": _to_text(self.settings),
            "random": _to_text(self.rng.bit_generator.state),
            "learning_rate": np.array(self.optimiser.learning_rate, float),
            "losses": np.array(history.losses, float),
            "rows": np.array(history.rows, float).reshape(-1, len(Row._fields)),
        }
        write_arrays(self.path, state | self._parameters())

    def restore(self) -> History:
        """Restore the state in the file, and return its history; an empty one without a file.

        Raises
        ------
        DataError
            If the file is damaged or of another run; the message names the difference. Network,
            optimiser and random numbers are then unchanged.
        """
        parameters = self._parameters()
        try:
            arrays = read_arrays(self.path, _KINDS | kinds(parameters), _REMEDY)
        except FileNotFoundError:
            return History()
        self._compare(self._from_text("settings", arrays))
        random = self._from_text("random", arrays)
        try:
            self.rng.bit_generator.state = random
        except Exception as error:  # the type of error depends on the generator
            raise self._damaged("random", error) from error
        overwrite(parameters, arrays)
        self.optimiser.learning_rate = float(arrays["learning_rate"])
        rows = [Row(int(iteration), *row) for iteration, *row in arrays["rows"].tolist()]
        return History(rows, arrays["losses"].tolist())

    def _parameters(self) -> dict[str, Any]:
        return {f"parameters/{name}": array for name, array in self.network.params.items()}

    def _compare(self, found: Any) -> None:
        found = found if isinstance(found, dict) else {}
        names = [name for name, here in self.settings.items() if found.get(name) != here]
        if names:
            there = ", ".join(f"{name} {found.get(name)}" for name in names)
            here = ", ".join(f"{name} {self.settings[name]}" for name in names)
            raise wrong_file(self.path, f"a run with {there}", here, _REMEDY)

    def _from_text(self, name: str, arrays: dict[str, NDArray[Any]]) -> Any:
        try:
            return json.loads(arrays[name].tobytes())
        except (ValueError, RecursionError) as error:
            raise self._damaged(name, error) from error

    def _damaged(self, name: str, error: Exception) -> DataError:
        return wrong_file(
            self.path, f"the entry {name} damaged ({error})", "as it was saved", _REMEDY
        )


def outline(layer: Layer) -> str:
    """Return the types of a layer and its inner layers.

    Examples
    --------
    >>> from nn import TwoLayerNet
    >>> outline(TwoLayerNet(4, 3, 2))
    'TwoLayerNet(Affine, ReLU, Affine)'
    """
    kind = type(layer).__name__
    if isinstance(layer, Sequential):
        return f"{kind}({', '.join(map(outline, layer.layers))})"
    return kind


def fingerprint(*arrays: NDArray[Any]) -> str:
    """Return dtypes, shapes and a digest, which identify the arrays.

    Examples
    --------
    >>> fingerprint(np.zeros((2, 3)))
    'float64 (2, 3) SHA-256 17b0761f87b0…'
    """
    shapes = ", ".join(f"{array.dtype} {array.shape}" for array in arrays)
    return f"{shapes} {_digest(*arrays)}"


def random_state(rng: np.random.Generator) -> str:
    """Return the type of a random number generator and a digest of its state."""
    bits = rng.bit_generator
    return f"{type(bits).__name__} {_digest(_to_text(bits.state))}"


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return f"SHA-256 {digest.hexdigest()[:12]}…"


def _to_text(value: Any) -> NDArray[np.uint8]:
    # the state of some generators has arrays; they accept lists too
    text = json.dumps(value, default=lambda array: array.tolist())
    return np.frombuffer(text.encode(), np.uint8)
