"""The report on an expression at one point: as text, JSON or LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import autodiff
from autodiff.cli.parser import Function
from autodiff.core.columns import table, width
from autodiff.core.graph import Node, data_of
from autodiff.testing.checks import Check
from autodiff.testing.kinks import KinkError

LARGEST = 10**6  # most elements of a Jacobian or Hessian
WIDEST = 12  # most columns of a matrix with labels
BLUE, YELLOW, BOLD = 34, 33, 1  # values and gradients, as in the drawings; headings
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Misuse(Exception):
    """A wrong call; the message is shown to the user."""


class Report:
    """The value of an expression at one point, and its derivatives.

    Parameters
    ----------
    f : Function
        The expression.
    point : dict
        The values of its variables, floats or arrays of floats.
    order : int
        The highest order of derivatives.
    check : bool
        Whether to compare them with numerical differentiation.

    Raises
    ------
    Misuse
        If the point does not match the expression's variables, or a derivative does not exist.

    Attributes
    ----------
    output : Value or Tensor; without variables, a number or array
        The result.
    name : str
        The name of the output: y, unless a variable has that name.
    first : dict
        The derivatives of the output by each variable.
    labels : list of str
        The elements of the variables, as in x[0].
    hessian : array or None
        The second derivatives by the elements, unless there is one scalar variable.
    higher : list of float
        The derivatives by one scalar variable, from the second order on.
    checks : list of Check
        The comparisons with numerical differentiation.
    failure : str or None
        The message of a failed check.
    """

    def __init__(self, f: Function, point: dict[str, Any], order: int, check: bool) -> None:
        try:
            values = f.in_order(point)
        except TypeError as error:
            raise Misuse(str(error)) from None
        self.f, self.point = f, dict(zip(f.variables, values, strict=True))
        self.output = f(*map(_variable, f.variables, values))
        self.value = data_of(self.output)
        if np.iscomplexobj(self.value):
            raise Misuse("the result is complex: only real results are differentiated here")
        self.is_number = np.size(self.value) == 1
        self.name = next((name for name in ("y", "f", "z") if name not in point), "value")
        if isinstance(self.output, Node) and self.output.op:
            self.output.name = self.name
        self.labels = [label for pair in self.point.items() for label in _labels(*pair)]
        self.first: dict[str, Any] = {}
        self.hessian: Any = None
        self.higher: list[float] = []
        self.checks: list[Check] = []
        self.failure: str | None = None
        if not f.variables:
            return
        try:
            self._differentiate(order)
            if check:
                self._check(order)
        except (TypeError, ValueError, RuntimeError) as error:
            raise Misuse(f"this has no derivative: {error}") from error

    def _differentiate(self, order: int) -> None:
        columns = len(self.labels)
        if columns * max(np.size(self.value), columns * (order > 1)) > LARGEST:
            raise Misuse(f"there are more than {LARGEST:,} derivatives: use smaller arrays")
        values, by_all = list(self.point.values()), range(len(self.point))
        self.first = dict(zip(self.point, autodiff.jacobian(self.f, by_all)(*values), strict=True))
        if order == 1:
            return
        if not self.is_number:
            raise Misuse("--order needs a scalar result: take sum(…) of the expression")
        if [np.ndim(value) for value in values] == [0]:
            derivative = autodiff.grad(self.f)
            for _ in range(1, order):
                derivative = autodiff.grad(derivative)
                self.higher.append(derivative(*values))
        elif order == 2:
            blocks = autodiff.hessian(self.f, by_all)(*values)
            self.hessian = np.block(
                [
                    [
                        np.reshape(block, (np.size(one), np.size(other)))
                        for block, other in zip(row, values, strict=True)
                    ]
                    for row, one in zip(blocks, values, strict=True)
                ]
            )
        else:
            raise Misuse(f"--order {order} needs one scalar variable: use --order 2 for several")

    def _check(self, order: int) -> None:
        try:
            self.checks = autodiff.check_grads(self.f, *self.point.values(), order=order)
        except (AssertionError, KinkError) as error:
            self.failure = str(error)

    def as_text(self, paint: Callable[[int, str], str]) -> Iterator[str]:
        """Yield paragraphs of text."""
        point = ", ".join(f"{name} = {_printed(value)}" for name, value in self.point.items())
        yield f"{self.name} = {self.f.text}" + (f"  at  {' '.join(point.split())}" if point else "")
        lines = [f"{self.name} = {paint(BLUE, _printed(self.value, self.name))}"]
        for name, slope in self.first.items():
            label = f"∂{self.name}/∂{name}"
            lines.append(f"{label} = {paint(YELLOW, _printed(slope, label))}")
        for order, slope in enumerate(self.higher, 2):
            power = str(order).translate(SUPERSCRIPTS)
            label = f"∂{power}{self.name}/∂{self.f.variables[0]}{power}"
            lines.append(f"{label} = {paint(YELLOW, _printed(slope))}")
        yield "\n".join(lines)
        if self.hessian is not None:
            yield f"{paint(BOLD, 'Hessian')}\n{_matrix(self.hessian, self.labels)}"
        if self.checks:
            yield f"{paint(BOLD, 'Check')}, along random directions\n{self._comparisons()}"
        if not self.point:
            yield "There is no variable to differentiate by."
        elif not self.is_number:
            yield f"{self.name} is an array, so these are Jacobians; for a trace, take sum(…)."
        else:
            yield str(autodiff.trace(self._graph()))

    def _comparisons(self) -> str:
        head = ["order", "by", "reverse mode", "forward mode", "numerical", "± bound"]
        return table(
            [head]
            + [
                [
                    str(check.order),
                    self.f.variables[check.argument],
                    *(f"{x:.12g}" for x in (check.reverse, check.forward, check.numerical)),
                    f"{check.error:.1e}",
                ]
                for check in self.checks
            ],
            ">" * len(head),
        )

    def as_json(self) -> dict[str, Any]:
        """Return the report as data for `json.dumps`."""
        made: dict[str, Any] = {
            "expression": self.f.text,
            "point": self.point,
            "value": self.value,
            "gradient" if self.is_number else "jacobian": self.first,
        }
        if self.hessian is not None:
            made["hessian"] = {"variables": self.labels, "matrix": self.hessian}
        if self.higher:
            made["higher"] = self.higher
        if self.failure:
            made["check"] = {"passed": False, "reason": self.failure}
        elif self.checks:
            compared = [
                check._asdict() | {"argument": self.f.variables[check.argument]}
                for check in self.checks
            ]
            made["check"] = {"passed": True, "comparisons": compared}
        plain: dict[str, Any] = _jsonable(made)
        return plain

    def as_latex(self) -> Iterator[str]:
        """Yield the formula and, of a scalar result, the trace."""
        yield autodiff.expression(self._graph()).latex
        if self.is_number:
            yield autodiff.trace(self._graph()).latex

    def draw(self, path: str) -> None:
        """Draw the graph to a file, with gradients if the result is a scalar."""
        autodiff.draw(self._differentiated()).save(path)

    def explore(self, path: str | None) -> Path:
        """Open the explorer page of the graph; return its path."""
        return autodiff.explore(self._differentiated(), path).path

    def _differentiated(self) -> Node:
        if self.is_number:
            self._graph().backward()
        return self._graph()

    def _graph(self) -> Node:
        if not isinstance(self.output, Node):
            raise Misuse("an expression without variables has no graph")
        return self.output


def _variable(name: str, value: Any) -> Node:
    return autodiff.Tensor(value, name=name) if np.ndim(value) else autodiff.Value(value, name)


def _labels(name: str, value: Any) -> list[str]:
    if not np.ndim(value):
        return [name]
    return [f"{name}[{', '.join(map(str, index))}]" for index in np.ndindex(np.shape(value))]


def _printed(x: Any, label: str = "") -> str:
    """Print a number in full, or an array with its lines aligned behind the label."""
    if not np.ndim(x):
        return re.sub(r"\.0$", "", repr(float(x) + 0.0))
    indent = " " * (width(label) + len(" = "))
    return np.array2string(x + 0.0, separator=", ").replace("\n", f"\n{indent}")


def _matrix(matrix: Any, labels: list[str]) -> str:
    if len(labels) > WIDEST:
        return np.array2string(matrix, separator=", ")
    rows = [("", *labels)]
    for label, row in zip(labels, matrix + 0.0, strict=True):
        rows.append((label, *(f"{x:.6g}" for x in row)))
    return table(rows, ">" * len(rows[0]))


def _jsonable(x: Any) -> Any:
    """Convert to types of JSON; NaN and infinities become strings."""
    if isinstance(x, dict):
        return {key: _jsonable(value) for key, value in x.items()}
    if isinstance(x, list):
        return [_jsonable(part) for part in x]
    if isinstance(x, np.ndarray | np.generic):
        return _jsonable(x.tolist())
    if isinstance(x, float) and not math.isfinite(x):
        return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    return x
