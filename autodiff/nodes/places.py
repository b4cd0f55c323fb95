"""Versions and views of Tensors, which make modifications in place differentiable.

A write moves the Tensor's old node into a new object and makes the Tensor itself the node of the
new version. Readers of an old version find it by their serial number. A view is a Tensor with
another one as its base: a write through the view writes to the base, and a read updates the view if
the base was written since. (A Tensor is its own node until it is written, so graphs without writes
cost nothing extra.)

All versions of an array share one buffer, which contains the newest one. Going back to an earlier
version undoes the later writes (H. Baker's persistent arrays). If anything else refers to the
buffer, a write copies it first.
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
"""Lock for writing a buffer, or reading an earlier version of it."""


class History:
    """A buffer that is written in place, with a log of the overwritten elements.

    Attributes
    ----------
    array : ndarray
        The newest version.
    """

    __slots__ = ("_at", "_log", "_older", "array")

    def __init__(self, array: Any) -> None:
        self.array = array
        self._log: list[list[Any]] = []  # of each write: the index and the overwritten elements
        self._older: Any = None  # a copy of the array after the first `_at` writes
        self._at = 0

    def alone(self) -> bool:
        """Return whether nothing else refers to the buffer."""
        # a local name for the array would count as a reference
        return (
            type(self.array) is np.ndarray and self.array.base is None and _holders(self) == _ALONE
        )

    def write(self, index: Any, value: Any, keep: bool) -> int:
        """Write to the buffer; return the number of the previous version.

        The previous version remains available if `keep`, or if an earlier one is.
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
        """Turn the copy into another version by undoing or redoing the writes between."""
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
    """The operation that makes a view from its base.

    Attributes
    ----------
    base : Tensor
        The Tensor behind the view, which may be a view itself.
    root : Tensor
        The last in the chain of bases: a Tensor that is not a view.
    op, params : Op, dict
        The operation, applied to the base.
    part : int, optional
        The index of the view among several results.
    strided : bool
        Whether the view is not contiguous in the memory of the root.
    """

    base: Any
    root: Any
    op: Op
    params: Params
    part: int | None
    strided: bool

    def of(self, array: Any) -> Any:
        """Return the same view of another array, which has the base's shape."""
        made = self.op.function(array, **self.params)
        return made if self.part is None else made[self.part]

    def index_in_base(self, index: Any) -> Any:
        """Return the index into the base for `index` into the view."""
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
    """Return the flat index of each element. The array is shared: do not change it."""
    return np.arange(int(np.prod(shape))).reshape(shape)


def is_whole(index: Any) -> bool:
    """Return whether an index is `...` or `:`."""
    return index is Ellipsis or (isinstance(index, slice) and index == slice(None))


class Place:
    """Extra state of a Tensor that was written, is a view, or has exposed its data.

    Attributes
    ----------
    exposed : array or None
        A variable's data as returned to the user, who may change it in place.
    view : View or None
        The link to the base of a view.
    history : History or None
        The buffer, after a first write.
    """

    __slots__ = ("_past", "exposed", "history", "view")

    def __init__(self, exposed: Any = None, view: View | None = None) -> None:
        self.exposed, self.view = exposed, view
        self.history: History | None = None
        self._past: list[tuple[float, Node | None]] = []

    def supersede(self, serial: float, version: Node | None) -> None:
        """Record an earlier version; None if its readers cannot be differentiated."""
        if version is not None or (self._past and self._past[-1][1] is not None):
            self._past.append((serial, version))

    def as_of(self, serial: float) -> Node | None:
        """Return the version that a reader with this serial number has read."""
        k = bisect_left(self._past, serial, key=lambda version: version[0])
        return self._past[k - 1][1] if k else None

    def earlier(self) -> set[Node]:
        """Return the earlier versions whose readers can be differentiated."""
        return {version for _, version in self._past if version is not None}

    def for_copy(self) -> Place | None:
        """Return the state of a copy, which has no base and no earlier versions."""
        return None if self.exposed is None else Place(self.exposed)

    def __reduce__(self) -> tuple[Any, ...]:
        return _for_pickle, (self.exposed,)


class Superseded:
    """State of an earlier version: its history, and its number there."""

    __slots__ = ("history", "number")

    def __init__(self, history: History | None = None, number: int = 0) -> None:
        self.history, self.number = history, number

    def for_copy(self) -> None:
        """Return None, since a copy has its own data."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _for_pickle, (None,)


def _for_pickle(exposed: Any) -> Place | None:
    return None if exposed is None else Place(exposed)


def view_of(
    out: Any, base: Any, array: Any, op: Op, params: Params, part: int | None = None
) -> Place | None:
    """Return a Place if the result `out` of `op` is a view of its input, else None.

    The input is the node `base` with data `array`.
    """
    if type(out) is not np.ndarray:
        return _view_elsewhere(base, array, op, params, part)
    owner = out if out.base is None else out.base
    if not isinstance(owner, np.ndarray):  # the base of as_strided's result wraps the array
        owner = getattr(owner, "base", None)
    if array is not owner and array.base is not owner:
        return None
    if not isinstance(base, Node) or base._place is False:  # type: ignore[attr-defined]
        return None  # NumPy's scalars have no views
    place = base._place  # type: ignore[attr-defined]
    view = place.view if type(place) is Place else None
    strided = not out.flags.c_contiguous or (view is not None and view.strided)
    if strided and op.name == "ravel":
        return None  # NumPy's ravel copies what is not contiguous
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
    """Return the data of a view, copied if it is small.

    A view that shares the buffer makes the next write copy the whole buffer.
    """
    if type(out) is not np.ndarray:
        return out
    small = out.nbytes * 4 <= base.nbytes and (out.ndim <= 1 or out.flags.c_contiguous)
    return np.array(out) if small else out
