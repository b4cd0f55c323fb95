"""Hypothesis strategies for derivatives: points, arrays and random programs.

Test a function or a rule on points away from its kinks, and code that walks graphs on programs over
the whole table. Needs `hypothesis`.
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
    irrelevant,
    perturbed,
    smooth_result,
)
from autodiff.transforms.results import name_of

GRID = 100  # points per unit: two decimals are easy to read, and distinct points are not close
SHAPES = [(), (3,), (2, 3), (3, 3)]


def points(
    low: float = -3.0, high: float = 3.0, *, kinks: Sequence[float] = (0.0,), margin: float = 0.05
) -> st.SearchStrategy[float]:
    """Draw floats with two decimals at some distance from kinks.

    Parameters
    ----------
    low, high : float
        The interval, ends included.
    kinks : sequence of float
        Points where the derivative does not exist or is not continuous.
    margin : float
        The least distance from a kink.

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
    """Draw arrays of the shape and dtype of an example, with distinct elements.

    Parameters
    ----------
    example : array_like
        An array with that shape and dtype; float64 replaces a dtype that is not floating-point.
    elements : strategy, optional
        A strategy for floats; `points()` if left out.

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
    """The output of a program run on variables, with the variables and the program."""

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
    """Draw random programs over the table, each with a point around which it is smooth.

    Operations are all elementwise rows, at moderate values away from their kinks. With `tensors`,
    programs also use all other operations of `autodiff` (the list is in `operations.py`), on arrays
    of matching shapes. Results are reused, so that subexpressions are shared.

    Parameters
    ----------
    tensors : bool
        Whether arguments are arrays rather than numbers.
    arguments, lines : int
        The maximum number of each.

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
    values = [perturbed(x, place) for place, x in enumerate(point)]
    made = []
    for _ in range(draw(st.integers(1, lines))):
        first = draw(st.integers(0, len(operations) - 1))
        # index from the newest, so that a shrunk program is a chain
        recent = [len(values) - 1 - draw(st.integers(0, len(values) - 1)) for _ in range(3)]
        for operation in operations[first:] + operations[:first]:
            operands = tuple(recent[: operation.arity])
            result = smooth_result(operation, [values[i] for i in operands], len(values))
            if result is not None:
                values.append(result)
                made.append(Line(operation, operands))
                break
    for place in irrelevant(Program(tuple(point), tuple(made))):
        made.append(Line(ADDED, (len(point) + len(made) - 1, place)))
    return Program(tuple(point), tuple(made))


@st.composite
def graphs(draw: st.DrawFn, *, tensors: bool = False, arguments: int = 3, lines: int = 8) -> Graph:
    """Draw programs run on variables x0, x1, …: Values, or Tensors with `tensors`.

    The output is one number: the program's result, summed if it is an array.

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
    """Return a property test of a function's derivatives, for pytest to collect.

    Parameters
    ----------
    f : callable
        Takes numbers, arrays and containers; may be a `custom_rule`.
    *inputs : strategies
        A strategy for each argument, for points at which `f` is smooth.
    **options
        Options of `check_grads`, such as `order`.

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
