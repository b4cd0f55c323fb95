"""Small arrays as arrays of element numbers.

Each number of a kernel has an element number: constants, elements of inputs, lanes of computed
vectors. An array is an integer array of these numbers. Indexing, reshaping, joining and writing in
place cost nothing: NumPy does them on the element numbers, views and aliases included. Only
arithmetic adds an operation, one for a whole array.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Any, NamedTuple

import numpy as np

TYPES = {
    np.dtype(np.float64): "double",
    np.dtype(np.float32): "float",
    np.dtype(np.int64): "i64",
    np.dtype(np.bool_): "i1",
}
"""LLVM's types of the dtypes that kernels compute with."""


class Unsupported(Exception):
    """A step that native code does not compute."""


class Array(NamedTuple):
    """Element numbers of an array, and its dtype."""

    elements: np.ndarray[Any, Any]
    dtype: np.dtype[Any]


class Operation(NamedTuple):
    """An elementwise operation on vectors, or a source of numbers.

    `name` is "input", "constant" or "memory" for a source, whose `detail` says which one, and
    "loops" for a nest of loops.
    """

    name: str
    operands: tuple[np.ndarray[Any, Any], ...]
    detail: Any
    dtype: np.dtype[Any]
    size: int


class Tape:
    """The operations of a kernel in their order, each with a range of element numbers."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.starts: list[int] = []
        self.total = 0
        self.known: dict[Any, np.ndarray[Any, Any]] = {}

    def source(self, element: int) -> int:
        """Return the number of the operation that computes an element."""
        return bisect_right(self.starts, element) - 1

    def apply(
        self, name: str, operands: tuple[Array, ...], dtype: np.dtype[Any], detail: Any = None
    ) -> Array:
        """Return the result of an elementwise operation; equal ones are computed once."""
        arrays = np.broadcast_arrays(*[x.elements for x in operands])
        shape = arrays[0].shape
        flat = tuple(x.flatten() for x in arrays)  # copies, since arrays are written in place
        if not flat[0].size:
            return Array(np.zeros(shape, np.int64), dtype)
        key = (name, dtype, detail, *[x.tobytes() for x in flat])
        made = self.known.get(key)
        if made is None:
            made = self.known[key] = self._new(name, flat, detail, dtype, flat[0].size)
        return Array(made.reshape(shape).copy(), dtype)

    def input(self, number: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
        """Return the elements of an input."""
        size = int(np.prod(shape))
        return Array(self._new("input", (), number, dtype, size).reshape(shape), dtype)

    def memory(self, buffer: Any, size: int, dtype: np.dtype[Any]) -> int:
        """Return the number of the first element of memory that loops write."""
        if buffer not in self.known:
            self.known[buffer] = self._new("memory", (), buffer, dtype, size)[:1]
        return int(self.known[buffer][0])

    def loops(self, nest: Any) -> None:
        """Add a nest of loops."""
        self._new("loops", (), nest, np.dtype(float), 0)

    def constant(self, value: Any, dtype: np.dtype[Any]) -> Array:
        """Return the elements of a constant number or array."""
        array = np.asarray(value)
        if array.dtype != dtype:
            with np.errstate(all="ignore"):
                array = array.astype(dtype)
        elements = np.empty(array.shape, np.int64)
        for index, number in np.ndenumerate(array):
            key = "constant", dtype, number.tobytes()
            if key not in self.known:
                self.known[key] = self._new("constant", (), number, dtype, 1)
            elements[index] = self.known[key][0]
        return Array(elements, dtype)

    def number(self, element: int) -> Any:
        """Return the value of a constant element; None for others."""
        found = self.operations[self.source(element)]
        return found.detail if found.name == "constant" else None

    def _new(
        self,
        name: str,
        operands: tuple[np.ndarray[Any, Any], ...],
        detail: Any,
        dtype: np.dtype[Any],
        count: int,
    ) -> np.ndarray[Any, Any]:
        first = self.total
        self.operations.append(Operation(name, operands, detail, dtype, count))
        self.starts.append(first)
        self.total += count
        return np.arange(first, first + count)

    def live(self, wanted: list[np.ndarray[Any, Any]]) -> list[int]:
        """Return the operations that results and loops depend on, in order."""
        starts = np.array(self.starts)

        def sources(elements: np.ndarray[Any, Any]) -> list[int]:
            found = np.searchsorted(starts, np.unique(elements), "right") - 1
            return [int(x) for x in np.unique(found)]

        marked: set[int] = set()
        nests = [k for k, x in enumerate(self.operations) if x.name == "loops"]
        wanted = [*wanted, *(x for k in nests for x in self.operations[k].detail.elements)]
        pending = [*nests, *(x for elements in wanted for x in sources(elements))]
        while pending:
            number = pending.pop()
            if number not in marked:
                marked.add(number)
                for operand in self.operations[number].operands:
                    pending += [x for x in sources(operand) if x not in marked]
        return sorted(marked)
