"""Values of a program's slots as arrays of JAX, which do not change.

An array that a step changes in place is kept in its newest version, and a view of it as the places
of its elements in that array.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
import numpy as np

from autodiff.programs.results import paired
from autodiff.programs.trace import Slot, Step, mapped, slots_in

if TYPE_CHECKING:
    from autodiff.programs.program import Program


class Unwritable(Exception):
    """JAX does not compute a call as NumPy does; the message says which."""


DTYPES = {
    np.dtype(name)
    for name in (
        "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "float16", "float32", "float64", "complex64", "complex128",
    )
}  # fmt: skip


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise an error if JAX has no such dtype."""
    if dtype not in DTYPES:
        raise Unwritable(f"JAX has no arrays of {dtype.str}")


class Arrays:
    """The present values of slots."""

    def __init__(self, program: Program) -> None:
        self.kinds, self.written = program.kinds, program.written
        self.values: dict[Slot, Any] = {}
        self.versions: dict[int, Any] = {}
        """The newest version of each array that is changed, by its number in `written`."""
        self.places: dict[Slot, Any] = {}
        """Of a view of such an array, the places of its elements there; None for the array."""
        self.checks: list[Any] = []
        """What must hold so that NumPy would compute the same and raise no error."""

    def read(self, slot: Slot) -> Any:
        """Return the present value of a slot."""
        if slot not in self.written:
            return self.values[slot]
        version, places = self.versions[self.written[slot]], self.places[slot]
        return version if places is None else version.reshape(-1)[places]

    def enter(self, slot: Slot, value: Any) -> None:
        """Store the value of a slot, which must be of the shape and dtype of NumPy's."""
        kind = self.kinds[slot]
        if value.shape != kind.shape or value.dtype != kind.dtype:
            raise Unwritable(
                f"JAX returns {value.dtype} of shape {value.shape} where NumPy returns "
                f"{kind.dtype} of shape {kind.shape}"
            )
        if slot not in self.written:
            self.values[slot] = value
            return
        owner = self.written[slot]
        if owner in self.versions:
            raise Unwritable("two results share memory, which is changed")
        self.versions[owner], self.places[slot] = value, None

    def view(self, step: Step) -> None:
        """Enter views of arrays that are changed.

        The same call, made on the places of the elements, returns the places of theirs.
        """

        def places(x: Any) -> Any:
            if type(x) is not Slot:
                if isinstance(x, str) and x in ("K", "A"):
                    raise Unwritable("a view in the order of memory is changed")
                return x
            if x not in self.written:
                raise Unwritable("a view whose place the data decide is changed")
            return self._places(x)

        if any(self.written.get(slot) not in self.versions for slot in slots_in(step.out)):
            raise Unwritable("a call returns views that are changed, and other arrays")
        found = step.function(*mapped(places, step.args), **mapped(places, step.kwargs))
        for slot, value in paired(step.out, found):
            base = self.versions[self.written[slot]]
            if value.shape != self.kinds[slot].shape or base.dtype != self.kinds[slot].dtype:
                raise Unwritable("a view of another dtype is changed")
            self.places[slot] = value

    def _places(self, slot: Slot) -> Any:
        version, places = self.versions[self.written[slot]], self.places[slot]
        return np.arange(version.size).reshape(version.shape) if places is None else places

    def set(self, slot: Slot, value: Any) -> None:
        """Make a new version of an array, in which a view of it has a new value."""
        kind, owner, places = self.kinds[slot], self.written[slot], self.places[slot]
        value = jnp.broadcast_to(self.cast(value, kind.dtype), kind.shape)
        if places is not None:
            version = self.versions[owner]
            value = version.reshape(-1).at[places].set(value, unique_indices=True)
            value = value.reshape(version.shape)
        self.versions[owner] = value

    def cast(self, value: Any, dtype: np.dtype[Any]) -> Any:
        """Return an array in another dtype, as an assignment casts it."""
        value = jnp.asarray(value)
        if np.dtype(value.dtype).kind == "c" and dtype.kind != "c":
            raise Unwritable("complex numbers become real ones")
        if np.dtype(value.dtype).kind == "f" and dtype.kind in "iu":
            low, high = float(np.iinfo(dtype).min) - 1, float(np.iinfo(dtype).max)
            self.checks.append(jnp.all((value > low) & (value < high)))
        return value.astype(dtype)
