"""The test case of a function: one call; and strategies for common kinds of call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One call of a function.

    `shapes` are the shapes of its differentiable arguments. Their elements are drawn from `domain`,
    without repetition. `make` maps them to the function's domain (positive definite matrices, say).
    It must be smooth, and written in functions that take nodes. `call` passes arguments that do not
    come first.
    """

    shapes: Sequence[Shape]
    params: dict[str, Any] = field(default_factory=dict)
    domain: tuple[float, float] = (-2.0, 2.0)
    make: Callable[..., Sequence[Any]] = lambda *arrays: arrays
    call: Callable[..., Any] = lambda function, arrays, params: function(*arrays, **params)
    complex: bool = False
    """Whether it is tried on complex numbers."""
    order: int = 2
    """Highest derivative that is compared with numerical differentiation."""
    slack: float = 0.0
    """Tolerance against NumPy's result, in units of the dtype's precision."""

    def arrays(self, rng: np.random.Generator, dtype: Any = np.float64) -> list[Any]:
        """Return arrays of distinct numbers, some hundredths apart, to fill the shapes."""
        low, high = self.domain
        sizes = [int(np.prod(shape)) for shape in self.shapes]
        grid = np.linspace(low, high, max(2 * sum(sizes), 20))
        numbers = rng.permutation(grid[grid != 0] + 0.003)[: sum(sizes)].astype(dtype)
        parts = np.split(numbers, np.cumsum(sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def __call__(self, function: Callable[..., Any], arrays: Sequence[Any]) -> Any:
        return self.call(function, self.make(*arrays), self.params)


def sequence(function: Callable[..., Any], arrays: Sequence[Any], params: dict[str, Any]) -> Any:
    """A `call` that passes all arrays as one list."""
    return function(list(arrays), **params)


def listed(*cases: Case) -> st.SearchStrategy[Case]:
    """Draw one of these cases."""
    return st.sampled_from(cases)


def preferring(shape: Shape, others: st.SearchStrategy[Shape]) -> st.SearchStrategy[Shape]:
    """Prefer `shape`, whose axes differ in length, and sometimes draw from `others`."""
    return st.one_of(st.just(shape), others, others)


SHAPES = preferring((2, 3), hnp.array_shapes(min_dims=0, max_dims=3, min_side=1, max_side=3))


def axis_of(shape: Sequence[int], extra: int = 0) -> st.SearchStrategy[int]:
    """An axis, counted from either end, the last one first."""
    ndim = len(shape) + extra
    return st.sampled_from([*range(-1, -ndim - 1, -1), *range(ndim)])


def elementwise(arity: int, **options: Any) -> st.SearchStrategy[Case]:
    """Shapes that broadcast together, also empty and 0-d ones."""
    shapes = hnp.mutually_broadcastable_shapes(
        num_shapes=arity, min_dims=0, max_dims=3, min_side=0, max_side=3
    )
    return shapes.map(lambda drawn: Case(drawn.input_shapes, **options))


@st.composite
def reduction(
    draw: Any, *, axes: bool = True, none: bool = True, keepdims: bool = True, **options: Any
) -> Case:
    """A shape with an axis, several (`axes`) or None (`none`), with and without keepdims."""
    shape = draw(SHAPES)
    kinds: list[Any] = []
    if shape:
        kinds.append(axis_of(shape))
        if axes:
            kinds.append(hnp.valid_tuple_axes(len(shape)))
    if none or not shape:
        kinds.append(st.none())
    params = {"axis": draw(st.one_of(kinds))}
    if keepdims:
        params["keepdims"] = draw(st.sampled_from([True, False]))
    return Case([shape], params, **options)
