"""What a Tensor's name stands for: an array with earlier versions, or a view of another Tensor.

A Tensor is its node until it is written. A write gives the old node to a new object, which readers
of the old version find by their serial number, and turns the Tensor into the node of the new
version. A view is a Tensor whose base is another one: a write through it writes to the base, and
reading it reads the base anew if that has been written since. (A name and the versions behind it
are one object for as long as nothing is written, so that graphs without writes cost what they did.)

All versions of an array share one buffer, in which the newest stands; going back to an earlier one
undoes the writes since (H. Baker's persistent arrays). Where somebody else holds the buffer, a
write copies it first.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from functools import lru_cache
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from autodiff.core.graph import Node, Op, Params
from autodiff.ops.shapes import getitem, write

WRITING = RLock()
"""Held while a buffer is written, or an earlier version of it read."""


class History:
    """A buffer that is written in place, and what each write has overwritten.

    Attributes
    ----------
    array : ndarray
        The newest version.
    """

    __slots__ = ("_at", "_log", "_older", "array")

    def __init__(self, array: Any) -> None:
        self.array = array
        self._log: list[list[Any]] = []  # of each write: the index, and what it has replaced there
        self._older: Any = None  # a copy of the array as it was after the first `_at` writes
        self._at = 0

    def alone(self) -> bool:
        """Whether nobody else holds the buffer."""
        # no name for the array here, which would be one holder more
        return (
            type(self.array) is np.ndarray and self.array.base is None and _holders(self) == _ALONE
        )

    def write(self, index: Any, value: Any, keep: bool) -> int:
        """Write to the buffer; return the number of the version that was there before.

        That version can be had again if `keep` is true, or if an earlier one can.
        """
        self._go_to(len(self._log))
        self._older = None
        replaced = np.array(self.array[index])
        self.array.setflags(write=True)
        try:
            write(self.array, index, value)
        finally:
            self.array.setflags(write=False)
        if keep or self._log:
            self._log.append([index, replaced])
        return len(self._log) - 1

    def version(self, number: int) -> Any:
        """Return a copy of an earlier version."""
        if self._older is None:
            self._older, self._at = np.array(self.array), len(self._log)
        self._go_to(number)
        return np.array(self._older)

    def _go_to(self, number: int) -> None:
        """Turn the copy into another version: each write on the way is undone or redone."""
        if self._older is None:
            return
        step = 1 if number > self._at else -1
        for k in range(self._at, number, step):
            entry = self._log[min(k, k + step)]
            index, replaced = entry
            entry[1] = np.array(self._older[index])
            self._older[index] = replaced
        self._at = number


def _holders(history: History) -> int:
    return sys.getrefcount(history.array)


_ALONE = _holders(History(np.empty(0)))


class View(NamedTuple):
    """How a view follows from its base.

    Attributes
    ----------
    base : Tensor
        May be a view itself.
    root : Tensor
        The base of the base, and so on: a Tensor that is no view.
    op, params : Op, dict
        The operation that makes the view of the base.
    part : int, optional
        Which of the operation's results it is.
    strided : bool
        Whether its elements do not lie next to one another in the memory of the root.
    """

    base: Any
    root: Any
    op: Op
    params: Params
    part: int | None
    strided: bool

    def of(self, array: Any) -> Any:
        """Return the view of an array that is like the base."""
        made = self.op.function(array, **self.params)
        return made if self.part is None else made[self.part]

    def index_in_base(self, index: Any) -> Any:
        """Return the index into the base of the elements at `index` in the view."""
        if is_whole(index) and self.op is getitem:
            return self.params["index"]
        base = self.base
        if base.dtype.kind == "c" and self.op.name in ("real", "imag"):
            raise TypeError(
                f"the {self.op.name} part of a complex Tensor cannot be written alone: assign both "
                "parts (z[...] = real + 1j * imag)"
            )
        places = self.of(positions(base.shape))
        if not places.flags.writeable:
            raise ValueError(
                f"{self.op.name} gives a read-only view, as NumPy's does: write to the array "
                "itself, or to a copy"
            )
        return np.unravel_index(places[index], base.shape) if base.shape else ...


@lru_cache(maxsize=4)
def positions(shape: tuple[int, ...]) -> Any:
    """Return consecutive whole numbers in this shape, not to be changed."""
    return np.arange(int(np.prod(shape))).reshape(shape)


def is_whole(index: Any) -> bool:
    """Whether an index stands for the whole array by its form."""
    return index is Ellipsis or (isinstance(index, slice) and index == slice(None))


class Place:
    """What a Tensor that is written, a view, or shared with the user knows besides its node.

    Attributes
    ----------
    exposed : array or None
        A variable's numbers, as handed out to the user, who may change them.
    view : View or None
        What it is a view of.
    history : History or None
        The buffer that it was written to in.
    """

    __slots__ = ("_past", "exposed", "history", "view")

    def __init__(self, exposed: Any = None, view: View | None = None) -> None:
        self.exposed, self.view = exposed, view
        self.history: History | None = None
        self._past: list[tuple[float, Node | None]] = []

    def supersede(self, serial: float, version: Node | None) -> None:
        """Remember the version that a node was; None if its readers cannot be differentiated."""
        if version is not None or (self._past and self._past[-1][1] is not None):
            self._past.append((serial, version))

    def as_of(self, serial: float) -> Node | None:
        """Return the version that a reader with this serial number has read."""
        k = bisect_left(self._past, serial, key=lambda version: version[0])
        return self._past[k - 1][1] if k else None

    def for_copy(self) -> Place | None:
        """Return what a copy of the node knows: it has no base and no past."""
        return None if self.exposed is None else Place(self.exposed)

    def __reduce__(self) -> tuple[Any, ...]:
        return _for_pickle, (self.exposed,)


class Superseded:
    """What an earlier version of a Tensor knows: where to find its data."""

    __slots__ = ("history", "number")

    def __init__(self, history: History | None = None, number: int = 0) -> None:
        self.history, self.number = history, number

    def for_copy(self) -> None:
        """Return what a copy of the node knows, which has its own data."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _for_pickle, (None,)


def _for_pickle(exposed: Any) -> Place | None:
    return None if exposed is None else Place(exposed)


def view_of(
    out: Any, base: Any, array: Any, op: Op, params: Params, part: int | None = None
) -> Place | None:
    """Return where the result `out` of `op` is a view, if it shares memory with its input.

    The input is the node `base`, whose data is `array`.
    """
    if type(out) is not np.ndarray:
        return _view_elsewhere(base, array, op, params, part)
    owner = out if out.base is None else out.base
    if array is not owner and array.base is not owner:
        return None
    if not isinstance(base, Node) or base._place is False:  # type: ignore[attr-defined]
        return None  # NumPy's scalars have no views
    place = base._place  # type: ignore[attr-defined]
    view = place.view if type(place) is Place else None
    strided = not out.flags.c_contiguous or (view is not None and view.strided)
    if strided and op.name == "ravel":
        return None  # NumPy would have copied it
    root = base if view is None else view.root
    return Place(view=View(base, root, op, params, part, strided))


VIEWING = {
    "getitem", "reshape", "ravel", "transpose", "swapaxes", "expand_dims", "squeeze", "diagonal",
    "linalg.diagonal", "broadcast_to", "real", "imag", "flip", "fliplr", "flipud", "rot90", "diag",
    "split", "array_split", "hsplit", "vsplit", "dsplit",
}  # fmt: skip
"""Operations that give views of arrays of other libraries, where they do of NumPy's."""


def _view_elsewhere(
    base: Any, array: Any, op: Op, params: Params, part: int | None
) -> Place | None:
    """Return where a result is a view of an array of another library, as it would be of NumPy's."""
    if not isinstance(base, Node) or op.name not in VIEWING:
        return None
    index = params.get("index", ())
    if any(hasattr(each, "dtype") for each in (index if isinstance(index, tuple) else (index,))):
        return None
    stand_in = np.empty(array.shape, bool if array.dtype.kind != "c" else complex)
    made = op.function(stand_in, **params)
    made = made if part is None else made[part]
    if isinstance(made, np.generic):  # a view in a library that has no scalars
        made = stand_in.reshape(-1)[:1].reshape(())
    return view_of(made, base, stand_in, op, params, part)


def compact(out: Any, base: Any) -> Any:
    """Return the data of a view, copied if that is cheap beside a copy of its base.

    A view that shares the buffer would have the next write copy all of it.
    """
    if type(out) is not np.ndarray:
        return out
    small = out.nbytes * 4 <= base.nbytes and (out.ndim <= 1 or out.flags.c_contiguous)
    return np.array(out) if small else out
