"""Hypothesis strategies for derivatives: points, arrays, and whole random programs.

Whoever writes a function or a rule can have it tried on points away from its kinks; whoever writes
something that walks graphs, on programs over the whole table. Needs `hypothesis`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import getitem
from typing import Any, NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autodiff.graph import Node
from autodiff.ops.probability import logsumexp, softmax
from autodiff.ops.products import matmul
from autodiff.ops.reductions import mean, sum
from autodiff.ops.scans import cumsum
from autodiff.ops.shapes import concatenate, ravel, stack, transpose
from autodiff.ops.table import TABLE, Elementwise
from autodiff.runs import name_of
from autodiff.tensor import Tensor
from autodiff.testing import check_grads
from autodiff.value import Value

GRID = 100  # points to the unit: a drawn number reads well, and two of them are not close
REACH = 0.02  # how far around an operand a program's operation must be smooth
LARGEST, STEEPEST = 1e3, 1e2  # results and partial derivatives of a program's operations
ELEMENTS = 64  # of a program's arrays
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


# Programs


class Operation(NamedTuple):
    """What a line of a program may do."""

    text: str
    compute: Callable[..., Any]
    arity: int
    accepts: Callable[..., bool]


class Line(NamedTuple):
    """An operation on arguments and earlier results, by their places among all of these."""

    operation: Operation
    operands: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Program:
    """A function made of operations of the table, with a point around which it is smooth.

    Called with numbers, arrays, Values or Tensors it computes its last line. Its `repr` is Python.
    """

    point: tuple[Any, ...]
    lines: tuple[Line, ...]

    __name__ = "program"

    def __call__(self, *args: Any) -> Any:
        values = list(args)
        for operation, operands in self.lines:
            values.append(operation.compute(*[values[i] for i in operands]))
        return values[-1]

    def __repr__(self) -> str:
        names = [f"x{i}" for i in range(len(self.point))]
        text = [f"def program({', '.join(names)}):"]
        for k, (operation, operands) in enumerate(self.lines):
            text.append(f"    v{k} = {operation.text.format(*[names[i] for i in operands])}")
            names.append(f"v{k}")
        given = ", ".join(np.array_repr(x) if np.ndim(x) else repr(x) for x in self.point)
        return "\n".join([*text, f"    return {names[-1]}", f"program({given})"])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # or Hypothesis would write out the fields


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


def _is_smooth(row: Elementwise, *operands: Any) -> bool:
    """Whether a row is moderate at its operands, and has no kink or jump near them."""
    with np.errstate(all="ignore"):
        try:
            out = row(*operands)
        except ValueError:  # shapes that do not broadcast
            return False
        if not (np.size(out) <= ELEMENTS and np.all(np.abs(out) <= LARGEST)):
            return False
        for k, operand in enumerate(operands):
            slope = 1.0 * row.partial(k, out, operands)  # some are truth values
            if not np.all(np.abs(slope) <= STEEPEST):
                return False
            for step in (-REACH, REACH):
                moved = [*operands[:k], operand + step, *operands[k + 1 :]]
                there = row(*moved)
                turned = np.abs(1.0 * row.partial(k, there, moved) - slope)
                missed = np.abs(there - out - step * slope) / REACH
                if not np.all(np.maximum(turned, missed) <= 0.2 * (1 + np.abs(slope))):
                    return False  # also where there is a NaN, which is less than nothing
    return True


def _of_row(row: Elementwise) -> Operation:
    arguments = ", ".join(f"{{{k}}}" for k in range(row.arity))
    return Operation(
        f"{row.name}({arguments})", row, row.arity, lambda *operands: _is_smooth(row, *operands)
    )


def _deep(*operands: Any) -> bool:
    return all(np.ndim(x) > 0 for x in operands)


def _flat(*operands: Any) -> bool:
    return all(np.ndim(x) > 1 for x in operands)


def _fits(x: Any, y: Any) -> bool:
    return np.size(x) + np.size(y) <= ELEMENTS


def _alike(x: Any, y: Any) -> bool:
    return np.shape(x) == np.shape(y) and _fits(x, y)


def _follows(x: Any, y: Any) -> bool:
    return _deep(x, y) and np.shape(x)[1:] == np.shape(y)[1:] and _fits(x, y)


def _multiplies(x: Any, y: Any) -> bool:
    return (
        _deep(x, y)
        and np.shape(x)[-1] == np.shape(y)[-2 if np.ndim(y) > 1 else 0]
        and max(np.ndim(x), np.ndim(y)) <= 2
        and bool(np.all(np.abs(np.matmul(x, y)) <= LARGEST))
    )


NOT_DRAWN = {"chain", "where", "nextafter", "spacing", "imag", "real", "conjugate", "float_power"}
SCALAR = [
    _of_row(row)
    for row in TABLE.values()
    if isinstance(row, Elementwise) and row.name not in NOT_DRAWN
]
TENSOR = [
    *SCALAR,
    Operation("sum({0})", sum, 1, lambda x: True),
    Operation("sum({0}, axis=0)", lambda x: sum(x, axis=0), 1, _deep),
    Operation("mean({0}, axis=-1)", lambda x: mean(x, axis=-1), 1, _deep),
    Operation("cumsum({0}, axis=0)", lambda x: cumsum(x, axis=0), 1, _deep),
    Operation("logsumexp({0}, axis=0)", lambda x: logsumexp(x, axis=0), 1, _deep),
    Operation("softmax({0}, axis=-1)", lambda x: softmax(x, axis=-1), 1, _deep),
    Operation("ravel({0})", ravel, 1, _flat),
    Operation("transpose({0})", transpose, 1, _flat),
    Operation("{0}[0]", lambda x: getitem(x, 0), 1, _deep),
    Operation("{0}[::-1]", lambda x: getitem(x, slice(None, None, -1)), 1, _deep),
    Operation("stack([{0}, {1}])", lambda x, y: stack([x, y]), 2, _alike),
    Operation("concatenate([{0}, {1}])", lambda x, y: concatenate([x, y]), 2, _follows),
    Operation("{0} @ {1}", matmul, 2, _multiplies),
]


@st.composite
def expressions(
    draw: st.DrawFn, *, tensors: bool = False, arguments: int = 3, lines: int = 8
) -> Program:
    """Random programs over the table, smooth around the point that comes with them.

    Operations are all elementwise rows of real numbers, wherever they are moderate and away from
    their kinks; with `tensors`, also reductions, shapes and products, on arrays that broadcast.
    Results are used again and again, so that subexpressions are shared.

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
    operations = TENSOR if tensors else SCALAR
    element = points(kinks=())
    shapes = st.sampled_from(SHAPES) if tensors else st.just(())
    point = [
        draw(arrays_like(np.zeros(shape), element)) if shape else draw(element)
        for shape in draw(st.lists(shapes, min_size=1, max_size=arguments))
    ]
    values: list[Any] = list(point)
    made = []
    for _ in range(draw(st.integers(1, lines))):
        first = draw(st.integers(0, len(operations) - 1))
        # counted from the newest, so that a shrunk program is a chain
        recent = [len(values) - 1 - draw(st.integers(0, len(values) - 1)) for _ in range(2)]
        for operation in operations[first:] + operations[:first]:
            operands = tuple(recent[: operation.arity])
            inputs = [values[i] for i in operands]
            if operation.accepts(*inputs):
                values.append(operation.compute(*inputs))
                made.append(Line(operation, operands))
                break
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
