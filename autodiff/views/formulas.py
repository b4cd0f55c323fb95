"""Formulas of operations, of their partial derivatives and of whole expressions."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from autodiff.core.graph import Node, ancestors, next_serial
from autodiff.core.modes import recorded
from autodiff.nodes.bundle import Bundle
from autodiff.ops.elementwise import power
from autodiff.ops.general import item, pack
from autodiff.ops.table import Elementwise
from autodiff.programs.program import Program
from autodiff.programs.replay import Run
from autodiff.views.notation import (
    LATEX,
    QUOTIENT,
    TEXT,
    Notation,
    Term,
    is_small,
    shown,
    subscripted,
)
from autodiff.views.programs import Constant, ends_of
from autodiff.views.scene import newest

SHORT = 6  # most characters of a shared result that is written out at each use
WIDTH = 50  # most characters of a part without a line of its own


def items_of(nodes: Iterable[Node]) -> dict[Node, list[Node | None]]:
    """Map each operation of several results to them; None stands for an unread result."""
    found: dict[Node, list[Node | None]] = {}
    for node in nodes:
        if isinstance(node, Bundle):
            found[node] = [*node.inputs] if node.op is pack else [None] * len(node)
        elif node.op is item and node.inputs[0] in found:
            found[node.inputs[0]][node.params["index"]] = node
    return found


def symbols(nodes: list[Node], notation: Notation = TEXT) -> dict[Node, str]:
    """Return symbols for nodes, oldest first, as in the survey by Baydin et al.

    Variables are … v₋₁, v₀ in order of creation, results v₁, v₂ … An operation of several results
    is named after them, as in (v₂, v₃), with _ for an unread one.
    """
    variables = [node for node in nodes if node.op is None]
    results = [node for node in nodes if node.op and not isinstance(node, Bundle)]
    numbered = [*enumerate(variables, 1 - len(variables)), *enumerate(results, 1)]
    names = {node: notation.name(subscripted("v", i)) for i, node in numbered}
    for node, items in items_of(nodes).items():
        parts = ["" if part is None else names.get(part, "") for part in items]
        names[node] = notation.grouped(", ".join(part or notation.name("_") for part in parts))
    return names


def formula(node: Node, names: Mapping[Node, str], notation: Notation = TEXT) -> str:
    """Return the node's operation on the names of its inputs: v₋₁ × v₀, log(v₁)."""
    return operation(node, _terms(written(node), names, notation), notation).text


def partial(node: Node, k: int, names: Mapping[Node, str], notation: Notation = TEXT) -> str:
    """Return ∂node/∂input k as a factor: cos(v₀), 1/v₁, (−1); without a formula, ∂v₂/∂v₁."""
    slope = slope_of(node, k, names, notation)
    if slope is None:
        return notation.ratio(names[node], names[node.inputs[k]])
    return notation.operand(slope, QUOTIENT)


def number(x: Any, notation: Notation = TEXT) -> str:
    """Return a number in six digits; a small array in full, a larger one as its shape and dtype."""
    return notation.number(x).text


def bar(name: str, notation: Notation = TEXT) -> str:
    """Return the name of an adjoint: v̄₁."""
    return notation.accented(name, "bar")


def dot(name: str, notation: Notation = TEXT) -> str:
    """Return the name of a tangent: v̇₁."""
    return notation.accented(name, "dot")


def operation(
    node: Node, terms: Mapping[Node, Term], notation: Notation, digits: int | None = 6
) -> Term:
    """Return the node's operation on the terms of its inputs."""
    assert node.op is not None
    args = [Term("…")] * len(node.inputs)
    for k in shown(node.inputs):
        arg = node.inputs[k]
        args[k] = terms[arg] if isinstance(arg, Node) else notation.constant(arg, digits)
    return notation.operation(node.op, args, node.params)


def slope_of(
    node: Node, k: int, names: Mapping[Node, str], notation: Notation = TEXT
) -> Term | None:
    """Return the formula of ∂node/∂input k: the table's rule is run on nodes and read as a graph.

    None if the operation is not elementwise, its rule takes plain numbers only, or the partial is
    a constant array too large to show.
    """
    if not isinstance(node.op, Elementwise):
        return None
    # copies, since an operation on a view of a modified array would update the view
    copies = {each: copy(each) for each in [node, *node.inputs] if isinstance(each, Node)}
    start = next_serial()  # the rule's nodes are newer
    try:
        with recorded(), np.errstate(all="ignore"):
            args = tuple([copies[arg] if isinstance(arg, Node) else arg for arg in node.inputs])
            slope = node.op.partial(k, copies[node], args)
    except (TypeError, ValueError):
        return None
    if not isinstance(slope, Node):
        return notation.constant(slope) if is_small(slope) else None
    terms = {copied: notation.named(names[each]) for each, copied in copies.items()}
    for step in reversed(ancestors(slope, since=start)):
        if _to_the_first(step):
            terms[step] = terms[step.inputs[0]]
        elif step not in terms:
            terms[step] = operation(step, terms, notation)
    return terms[slope]


def _to_the_first(node: Node) -> bool:
    """Return whether the node is x^1, which is written x."""
    return node.op is power and type(node.inputs[1]) in (int, float) and node.inputs[1] == 1


def _terms(nodes: Iterable[Any], names: Mapping[Node, str], notation: Notation) -> dict[Node, Term]:
    return {node: notation.named(names[node]) for node in nodes if isinstance(node, Node)}


def written(node: Node) -> list[Any]:
    """Return the inputs that a node's formula shows."""
    return [node.inputs[k] for k in shown(node.inputs)]


@dataclass(frozen=True, repr=False)
class Expression:
    """A formula: `str(...)` is its text, `.latex` the same in LaTeX.

    Attributes
    ----------
    lets : tuple of (str, str)
        Names and formulas of parts, each before its first use.
    formula : str
        The formula of the output; of several results of a program, a line for each.
    latex : str
        Parts and formula, for math mode with amsmath, or MathJax.
    """

    lets: tuple[tuple[str, str], ...]
    formula: str
    latex: str

    def __str__(self) -> str:
        return "\n".join([*(f"let {name} = {part}" for name, part in self.lets), self.formula])

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex}$"


def expression(output: Node | Program | Run, *, limit: int | None = 100) -> Expression:
    """Return the formula of `output`, or those of a program's results, as text and in LaTeX.

    Results with a name, shared results and the parts of a long formula come first, in lines of
    their own (`let v₁ = …`). Parentheses are written only where Python's precedence needs them.

    Parameters
    ----------
    output : Value, Tensor or Program
        The result to write out.
    limit : int, optional
        The largest number of nodes to write out, newest first; an ellipsis stands for older
        results. None for all.

    Returns
    -------
    Expression
        A notebook shows it typeset.

    Raises
    ------
    TypeError
        If `output` is neither a node nor a program.
    RuntimeError
        If a variable was assigned after an operation had read it.

    Examples
    --------
    >>> from autodiff import Value, exp, expression, log, sin
    >>> x1, x2 = Value(2, "x1"), Value(5, "x2")
    >>> expression(log(x1) + x1 * x2 - sin(x2))
    log(x1) + x1 × x2 − sin(x2)
    >>> print(expression(log(x1) / x2**2).latex)
    \\frac{\\ln(x_{1})}{x_{2}^{2}}
    >>> e = exp(-x1)
    >>> expression(e / (1 + e))
    let v₁ = exp(−x1)
    v₁/(1 + v₁)
    >>> from autodiff import grad, program
    >>> expression(program(grad(lambda a, b: log(a) * b, (0, 1)), 2.0, 3.0))
    y₁ = b × (1/a)
    y₂ = log(a)
    """
    results = [*ends_of(output, "expression").results.values()]
    nodes, rest = newest(results, sys.maxsize if limit is None else limit, written)
    uses = Counter(arg for node in nodes for arg in written(node) if isinstance(arg, Node))
    last = {node for node in results if not uses[node]}
    names = _Names()
    beyond = {node for node in rest if node.op}
    chosen = {
        node: names.given(node.name)
        for node in [*rest, *nodes]
        if node.name and (node.op is None or node not in last)
    }
    constants = {node for node in results if isinstance(node, Constant)}
    for node in [*rest, *nodes]:
        if node not in chosen and node not in constants and (node.op is None or node in beyond):
            chosen[node] = names.fresh("v" if node.op else "x")
    terms: dict[Notation, dict[Node, Term]] = {
        notation: {node: notation.named(notation.name(name)) for node, name in chosen.items()}
        for notation in (TEXT, LATEX)
    }
    for notation, known in terms.items():
        known.update((node, notation.constant(node._data, None)) for node in constants)
    lets = {
        notation: [(known[node].text, notation.dots) for node in rest if node.op]
        for notation, known in terms.items()
    }
    for node in nodes:
        if node.op is None:
            continue
        parts = {n: operation(node, known, n, digits=None) for n, known in terms.items()}
        length = len(parts[TEXT].text)
        if node in last or not (
            node in chosen or length > WIDTH or (uses[node] > 1 and length > SHORT)
        ):
            for notation, term in parts.items():
                terms[notation][node] = term
            continue
        name = chosen.get(node) or names.fresh("v")
        for notation, term in parts.items():
            lets[notation].append((notation.name(name), term.text))
            terms[notation][node] = notation.named(notation.name(name))
    found = {n: [known[node].text for node in results] for n, known in terms.items()}
    if len(results) == 1:
        return _expression(lets, found, [names.given(results[0].name or "y")], found[TEXT][0])
    heads = [names.fresh("y") for _ in results]
    lines = [f"{head} = {part}" for head, part in zip(heads, found[TEXT], strict=True)]
    return _expression(lets, found, heads, "\n".join(lines))


def _expression(
    lets: dict[Notation, list[tuple[str, str]]],
    found: dict[Notation, list[str]],
    heads: list[str],
    text: str,
) -> Expression:
    """Return an expression; its LaTeX is an alignment unless it is a formula by itself."""
    latex = "".join(found[LATEX])
    if len(heads) > 1 or lets[LATEX]:
        rows = [*lets[LATEX], *zip(map(LATEX.name, heads), found[LATEX], strict=True)]
        body = " \\\\\n".join(f"{name} &= {part}" for name, part in rows)
        latex = f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"
    return Expression(tuple(lets[TEXT]), text, latex)


def latex_of(node: Node, limit: int = 50) -> str | None:
    """Return the formula that a notebook typesets; None if it has more than `limit` nodes."""
    _, rest = newest([node], limit, written)
    return None if rest else expression(node, limit=None)._repr_latex_()


class _Names:
    """Unique names, in LaTeX too, where x1 and x_1 look the same."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.last: Counter[str] = Counter()

    def given(self, name: str) -> str:
        """Return a user's name, with a prime if it is taken."""
        while LATEX.name(name) in self.taken:
            name += "'"
        self.taken.add(LATEX.name(name))
        return name

    def fresh(self, letter: str) -> str:
        """Return the letter with the next free subscript."""
        while True:
            self.last[letter] += 1
            name = subscripted(letter, self.last[letter])
            if LATEX.name(name) not in self.taken:
                return name
