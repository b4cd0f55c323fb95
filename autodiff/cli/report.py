"""What the command line says of an expression at one point: as text, JSON or LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import autodiff
from autodiff.cli.parser import Function
from autodiff.core.graph import Node, data_of
from autodiff.testing.checks import Check
from autodiff.testing.kinks import KinkError
from autodiff.views.text import table, width

LARGEST = 10**6  # numbers of a Jacobian or Hessian
WIDEST = 12  # columns of a matrix that is written with labels
BLUE, YELLOW, BOLD = 34, 33, 1  # values and gradients, as in the drawings; headings
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Misuse(Exception):
    """Something wrong with the call, in words for the user."""


class Report:
    """The value of an expression at one point, and its derivatives.

    Parameters
    ----------
    f : Function
        The expression.
    point : dict
        The values of its variables, floats or arrays of floats.
    order : int
        Of the highest derivatives.
    check : bool
        Whether to compare them with numerical differentiation.

    Raises
    ------
    Misuse
        If the point is not one of the expression's, or if it has no such derivatives.

    Attributes
    ----------
    output : Value, Tensor, or number or array if there are no variables
        What the expression computed from them.
    name : str
        What the output is called: y, unless a variable is.
    first : dict
        The derivatives of the output by each variable.
    labels : list of str
        The variables number by number, as in x[0].
    hessian : array or None
        The second derivatives by those, if there are several.
    higher : list of float
        The derivatives by the only variable, from the second on.
    checks : list of Check
        What was compared with numerical differentiation.
    failure : str or None
        What did not agree.
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
            raise Misuse("the result is complex, and the derivatives here are of real numbers")
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
        except (TypeError, ValueError, RuntimeError) as error:  # as for labels that were left out
            raise Misuse(f"this has no derivative: {error}") from error

    def _differentiate(self, order: int) -> None:
        columns = len(self.labels)
        if columns * max(np.size(self.value), columns * (order > 1)) > LARGEST:
            raise Misuse(f"there are more than {LARGEST:,} derivatives: take fewer numbers")
        values, by_all = list(self.point.values()), range(len(self.point))
        self.first = dict(zip(self.point, autodiff.jacobian(self.f, by_all)(*values), strict=True))
        if order == 1:
            return
        if not self.is_number:
            raise Misuse("--order is for one number as the result: take sum(…) of the expression")
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
            raise Misuse(f"--order {order} is for one variable, a number; for several, --order 2")

    def _check(self, order: int) -> None:
        try:
            self.checks = autodiff.check_grads(self.f, *self.point.values(), order=order)
        except (AssertionError, KinkError) as error:
            self.failure = str(error)

    def as_text(self, paint: Callable[[int, str], str]) -> Iterator[str]:
        """Paragraphs for a terminal."""
        point = ", ".join(f"{name} = {_shown(value)}" for name, value in self.point.items())
        yield f"{self.name} = {self.f.text}" + (f"  at  {' '.join(point.split())}" if point else "")
        lines = [f"{self.name} = {paint(BLUE, _shown(self.value, self.name))}"]
        for name, slope in self.first.items():
            label = f"∂{self.name}/∂{name}"
            lines.append(f"{label} = {paint(YELLOW, _shown(slope, label))}")
        for order, slope in enumerate(self.higher, 2):
            power = str(order).translate(SUPERSCRIPTS)
            label = f"∂{power}{self.name}/∂{self.f.variables[0]}{power}"
            lines.append(f"{label} = {paint(YELLOW, _shown(slope))}")
        yield "\n".join(lines)
        if self.hessian is not None:
            yield f"{paint(BOLD, 'Hessian')}\n{_matrix(self.hessian, self.labels)}"
        if self.checks:
            yield f"{paint(BOLD, 'Check')}, along random directions\n{self._comparisons()}"
        if not self.point:
            yield "There is no variable to differentiate by."
        elif not self.is_number:
            yield f"{self.name} is an array, so these are Jacobians; sum(…) of it has a trace."
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
        """What `json.dumps` takes."""
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
        plain: dict[str, Any] = _plain(made)
        return plain

    def as_latex(self) -> Iterator[str]:
        """The formula, and the trace of a number."""
        yield autodiff.expression(self._graph()).latex
        if self.is_number:
            yield autodiff.trace(self._graph()).latex

    def draw(self, path: str) -> None:
        """Draw the graph, with the gradients of a number."""
        autodiff.draw(self._differentiated()).save(path)

    def explore(self, path: str | None) -> Path:
        """Open the page that steps through the graph; return its path."""
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


def _shown(x: Any, label: str = "") -> str:
    """A number in full; an array below the beginning of what stands before it."""
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


def _plain(x: Any) -> Any:
    """What JSON has words for."""
    if isinstance(x, dict):
        return {key: _plain(value) for key, value in x.items()}
    if isinstance(x, list):
        return [_plain(part) for part in x]
    if isinstance(x, np.ndarray | np.generic):
        return _plain(x.tolist())
    if isinstance(x, float) and not math.isfinite(x):
        return "NaN" if math.isnan(x) else "Infinity" if x > 0 else "-Infinity"
    return x
