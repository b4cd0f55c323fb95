"""The evaluation trace and the adjoint trace of an expression, as the AD literature prints them."""

from __future__ import annotations

import unicodedata
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from autodiff.graph import Node, ancestors, plain_data
from autodiff.views.formulas import bar, formula, number, partial, symbols


class Line(NamedTuple):
    """One assignment of a trace: `symbol = formula = value`."""

    symbol: str
    formula: str
    value: Any

    def __str__(self) -> str:
        return f"{self.symbol} = {self.formula} = {number(self.value)}"


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
    names = symbols(nodes)
    adjoints: dict[Node, Any] = {output: output.seed(seed)}
    last = output.name or "y"
    steps = [
        Step(
            Line(last, names[output], output._data),
            [Line(bar(names[output]), bar(last), adjoints[output])],
        )
    ]
    with np.errstate(all="ignore"):
        for node in reversed(results):
            primal = Line(names[node], formula(node, names), node._data)
            steps.append(Step(primal, _hand_back(node, adjoints, names)))
    for node in reversed(variables):
        name = node.name or "x" + names[node][1:]
        adjoint = Line(bar(name), bar(names[node]), adjoints.get(node, node.zero()))
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
        product = f"{bar(names[node])} × {partial(node, k, names)}"
        if arg in adjoints:
            product, share = f"{bar(names[arg])} + {product}", adjoints[arg] + share
        adjoints[arg] = share
        lines.append(Line(bar(names[arg]), product, share))
    return lines


def _width(text: str) -> int:
    return sum(not unicodedata.combining(c) for c in text)
