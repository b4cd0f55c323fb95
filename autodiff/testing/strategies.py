"""Hypothesis strategies for derivatives: points, arrays, and whole random programs.

Whoever writes a function or a rule can have it tried on points away from its kinks; whoever writes
something that walks graphs, on programs over the whole table. Needs `hypothesis`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autodiff.core.graph import Node
from autodiff.nodes.tensor import Tensor
from autodiff.nodes.value import Value
from autodiff.ops.reductions import sum
from autodiff.testing.checks import check_grads
from autodiff.testing.operations import (
    ADDED,
    ON_NUMBERS,
    ON_TENSORS,
    Line,
    Program,
    carried,
    idle,
    strand,
)
from autodiff.transforms.results import name_of

GRID = 100  # points to the unit: a drawn number reads well, and two of them are not close
SHAPES = [(), (3,), (2, 3), (3, 3)]


def points(
    low: float = -3.0, high: float = 3.0, *, kinks: Sequence[float] = (0.0,), margin: float = 0.05
) -> st.SearchStrategy[float]:
    """Numbers with two decimals at which a function can be differentiated numerically.

    Parameters
    ----------
    low, high : float
        The interval, ends included.
    kinks : sequence of float
        Where the function has no derivative, or none that is continuous.
    margin : float
        How far from a kink every point is.

    Examples
    --------
    >>> from autodiff.testing import points
    >>> all(abs(points().example()) >= 0.05 for _ in range(3))  # doctest: +SKIP
    True
    """
    if not low < high:
        raise ValueError(f"points: low={low} is not below high={high}")
    grid = st.integers(round(low * GRID), round(high * GRID)).map(lambda i: i / GRID)
    return grid.filter(lambda x: all(abs(x - kink) >= margin for kink in kinks))


def arrays_like(
    example: Any, elements: st.SearchStrategy[float] | None = None
) -> st.SearchStrategy[Any]:
    """Arrays of the shape and dtype of an example, no two elements of which are equal.

    Parameters
    ----------
    example : array_like
        Its numbers do not matter.
    elements : strategy, optional
        Of floats; `points()` if left out.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff.testing import arrays_like
    >>> arrays_like(np.zeros((2, 3))).example().shape  # doctest: +SKIP
    (2, 3)
    """
    example = np.asarray(example)
    dtype = example.dtype if example.dtype.kind == "f" else np.dtype(float)
    drawn = arrays(
        np.float64, example.shape, elements=points() if elements is None else elements, unique=True
    )
    return drawn.map(lambda array: array.astype(dtype))


@dataclass(frozen=True, repr=False)
class Graph:
    """A program that has run on variables: its result, and those."""

    output: Any
    variables: tuple[Any, ...]
    program: Program

    def __repr__(self) -> str:
        return repr(self.program)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


@st.composite
def expressions(
    draw: st.DrawFn, *, tensors: bool = False, arguments: int = 3, lines: int = 8
) -> Program:
    """Random programs over the table, smooth around the point that comes with them.

    Operations are all elementwise rows, wherever they are moderate and away from their kinks; with
    `tensors`, all else that `autodiff` can differentiate (`operations.py` has them, a line
    each), on arrays whose shapes fit. Results are used again and again, so that subexpressions are
    shared.

    Parameters
    ----------
    tensors : bool
        Whether arguments are arrays rather than numbers.
    arguments, lines : int
        How many of each there are at most.

    Returns
    -------
    strategy for Program
        A failing example shrinks to few lines on small numbers, and prints as Python.

    Examples
    --------
    >>> from hypothesis import given
    >>> from autodiff.testing import check_grads, expressions
    >>> @given(expressions(tensors=True))
    ... def test_programs(program):
    ...     check_grads(program, *program.point, order=2)
    """
    operations = ON_TENSORS if tensors else ON_NUMBERS
    element = points(kinks=())
    shapes = st.sampled_from(SHAPES) if tensors else st.just(())
    point = [
        draw(arrays_like(np.zeros(shape), element)) if shape else draw(element)
        for shape in draw(st.lists(shapes, min_size=1, max_size=arguments))
    ]
    strands = [strand(x, place) for place, x in enumerate(point)]
    made = []
    for _ in range(draw(st.integers(1, lines))):
        first = draw(st.integers(0, len(operations) - 1))
        # counted from the newest, so that a shrunk program is a chain
        recent = [len(strands) - 1 - draw(st.integers(0, len(strands) - 1)) for _ in range(3)]
        for operation in operations[first:] + operations[:first]:
            operands = tuple(recent[: operation.arity])
            result = carried(operation, [strands[i] for i in operands], len(strands))
            if result is not None:
                strands.append(result)
                made.append(Line(operation, operands))
                break
    for place in idle(Program(tuple(point), tuple(made))):
        made.append(Line(ADDED, (len(point) + len(made) - 1, place)))
    return Program(tuple(point), tuple(made))


@st.composite
def graphs(draw: st.DrawFn, *, tensors: bool = False, arguments: int = 3, lines: int = 8) -> Graph:
    """Programs that have run on variables named x0, x1 …: Values, or with `tensors` Tensors.

    The output is one number: a program's last result, summed if it is an array.

    Examples
    --------
    >>> from hypothesis import given
    >>> from autodiff.testing import graphs
    >>> @given(graphs())
    ... def test_every_graph_can_be_drawn(graph):
    ...     graph.output.graph().source
    """
    program = draw(expressions(tensors=tensors, arguments=arguments, lines=lines))
    kind: Callable[..., Node] = Tensor if tensors else Value
    variables = tuple(kind(x, name=f"x{i}") for i, x in enumerate(program.point))
    output = program(*variables)
    return Graph(sum(output) if tensors else output, variables, program)


def gradient_test(
    f: Callable[..., Any], *inputs: st.SearchStrategy[Any], **options: Any
) -> Callable[[], None]:
    """A property test of a function's derivatives, or of a `custom_rule`'s, for pytest to collect.

    Parameters
    ----------
    f : callable
        Takes numbers, arrays and containers.
    *inputs : strategies
        One for each argument, of points at which `f` is smooth.
    **options
        Of `check_grads`: `order` and so on.

    Returns
    -------
    callable
        A test without arguments.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff.testing import arrays_like, gradient_test, points
    >>> test_hill = gradient_test(lambda x: np.exp(-x * x), points(kinks=()), order=2)
    >>> test_norm = gradient_test(np.linalg.norm, arrays_like(np.zeros(3)))
    >>> test_hill()
    """

    @given(st.tuples(*inputs))
    def test(point: tuple[Any, ...]) -> None:
        check_grads(f, *point, **options)

    test.__name__ = test.__qualname__ = f"test_gradients_of_{name_of(f)}"
    return test
