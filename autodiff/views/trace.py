"""The evaluation trace and the adjoint trace of an expression, as the AD literature prints them."""

from __future__ import annotations

import unicodedata
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from autodiff.graph import Node, ancestors, plain_data
from autodiff.ops.table import Elementwise

_INFIX = {"add": " + ", "subtract": " − ", "multiply": " × ", "divide": "/", "power": "^"}
_SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")
_MACRON = "\N{COMBINING MACRON}"


class Line(NamedTuple):
    """One assignment of a trace: `symbol = formula = value`."""

    symbol: str
    formula: str
    value: Any

    def __str__(self) -> str:
        return f"{self.symbol} = {self.formula} = {_number(self.value)}"


class Step(NamedTuple):
    """One line of the evaluation trace, and the adjoint lines that reverse mode does for it."""

    primal: Line
    adjoints: list[Line]


class Trace(NamedTuple):
    """What `trace` returns; `str(...)` is the two-column table."""

    steps: list[Step]

    def __str__(self) -> str:
        rows = [("Forward evaluation trace ↓", "Reverse adjoint trace ↑")]
        for step in self.steps:
            beside = [str(line) for line in reversed(step.adjoints)]
            rows += zip_longest([str(step.primal)], beside, fillvalue="")
        width = max(_width(left) for left, _ in rows)
        return "\n".join(
            f"{left}{' ' * (width - _width(left))} │ {right}".rstrip() for left, right in rows
        )


def trace(output: Node, seed: Any = None) -> Trace:
    """The evaluation of `output`, operation by operation, beside the reverse sweep.

    Variables are numbered v₋₁, v₀ … up to v₀ in the order they were made, results v₁, v₂ …; a
    bar marks an adjoint. The reverse sweep runs upwards: beside each operation stand the adjoints
    that it hands to its inputs, `v̄₀ = v̄₀ + v̄₂ × v₋₁` where paths join. Layout after A. G. Baydin
    et al., Automatic Differentiation in Machine Learning: a Survey, JMLR 18 (2018), tables 2, 3.

    Parameters
    ----------
    output : Value or Tensor
        Of one element unless a seed is given.
    seed : number or array of output's shape, optional
        The adjoint of `output`; 1 if left out.

    Examples
    --------
    >>> from autodiff import Value, trace
    >>> x = Value(3.0, name="x")
    >>> print(trace(x * x))
    Forward evaluation trace ↓ │ Reverse adjoint trace ↑
    v₀ = x = 3                 │ x̄ = v̄₀ = 6
    v₁ = v₀ × v₀ = 9           │ v̄₀ = v̄₀ + v̄₁ × v₀ = 6
                               │ v̄₀ = v̄₁ × v₀ = 3
    y = v₁ = 9                 │ v̄₁ = ȳ = 1
    """
    nodes = ancestors(output)[::-1]
    variables = [node for node in nodes if node.op is None]
    results = [node for node in nodes if node.op is not None]
    names = _names(variables, 1 - len(variables)) | _names(results, 1)
    adjoints: dict[Node, Any] = {output: output.seed(seed)}
    last = output.name or "y"
    steps = [
        Step(
            Line(last, names[output], output._data),
            [Line(_bar(names[output]), _bar(last), adjoints[output])],
        )
    ]
    with np.errstate(all="ignore"):
        for node in reversed(results):
            primal = Line(names[node], _formula(node, names), node._data)
            steps.append(Step(primal, _hand_back(node, adjoints, names)))
    for node in reversed(variables):
        name = node.name or "x" + names[node][1:]
        adjoint = Line(_bar(name), _bar(names[node]), adjoints.get(node, node.zero()))
        steps.append(Step(Line(names[node], name, node._data), [adjoint]))
    return Trace(steps[::-1])


def _hand_back(node: Node, adjoints: dict[Node, Any], names: dict[Node, str]) -> list[Line]:
    """Carry a node's adjoint to its inputs, a line for each."""
    assert node.op is not None
    lines = []
    g = adjoints.get(node, node.zero())
    data = plain_data(node.inputs)
    for k, arg in enumerate(node.inputs):
        if not isinstance(arg, Node):
            continue
        share = node.op.vjp(k, g, node._data, data, node.params)
        share = arg.zero() if share is None else arg.fit(share)
        formula = f"{_bar(names[node])} × {_partial(node, k, names)}"
        if arg in adjoints:
            formula, share = f"{_bar(names[arg])} + {formula}", adjoints[arg] + share
        adjoints[arg] = share
        lines.append(Line(_bar(names[arg]), formula, share))
    return lines


def _partial(node: Node, k: int, names: dict[Node, str]) -> str:
    """∂node/∂input k as a formula: the table's rule, run on the nodes and read off their graph."""
    if not isinstance(node.op, Elementwise):
        return f"∂{names[node]}/∂{names[node.inputs[k]]}"
    partial = node.op.partial(k, node, node.inputs)
    if not isinstance(partial, Node):
        return _grouped(_number(partial))
    known = dict(names)
    for step in reversed(ancestors(partial)):
        if step not in known:
            known[step] = _formula(step, known)
    return _grouped(known[partial])


def _formula(node: Node, names: dict[Node, str]) -> str:
    """The node's operation, in the names of its inputs."""
    assert node.op is not None
    args = [names[a] if isinstance(a, Node) else _number(a) for a in node.inputs]
    if node.op.name in _INFIX:
        return _INFIX[node.op.name].join(map(_grouped, args))
    if node.op.name == "negative":
        return f"−{args[0]}"
    return f"{node.op.name}({', '.join(args)})"


def _grouped(formula: str) -> str:
    """In parentheses, if it would be misread as an operand."""
    return f"({formula})" if " " in formula or formula.startswith("−") else formula


def _names(nodes: list[Node], start: int) -> dict[Node, str]:
    return {node: "v" + str(start + i).translate(_SUBSCRIPTS) for i, node in enumerate(nodes)}


def _bar(name: str) -> str:
    return unicodedata.normalize("NFC", name[0] + _MACRON) + name[1:]


def _number(x: Any) -> str:
    if isinstance(x, tuple):  # the several results of one operation
        return f"({', '.join('0' if part is None else _number(part) for part in x)})"
    if getattr(x, "size", 1) != 1:
        return f"array{x.shape}"
    return f"{x.item() if hasattr(x, 'item') else x:.6g}".replace("-", "−")


def _width(text: str) -> int:
    return sum(not unicodedata.combining(c) for c in text)
