"""Evaluation traces: each operation of a graph beside its adjoints or its tangents.

Layout after A. G. Baydin et al., Automatic Differentiation in Machine Learning: a Survey, JMLR 18
(2018), tables 2 and 3.
"""

from __future__ import annotations

import html
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any, ClassVar, NamedTuple

import numpy as np

from autodiff.core.columns import width
from autodiff.core.graph import Node, by_serial, plain_data
from autodiff.ops.general import item, pack
from autodiff.ops.table import Elementwise, Linear
from autodiff.views.formulas import (
    bar,
    dot,
    formula,
    items_of,
    number,
    slope_of,
    symbols,
    written,
)
from autodiff.views.notation import LATEX, PRODUCT, TEXT, Notation, Term, shown
from autodiff.views.scene import newest

MOST = 20_000  # most nodes traced, the newest ones, unless limit=None

PAGE = """\
<table style="color: inherit; border-collapse: collapse; font-variant-numeric: tabular-nums">
<caption>Evaluation of {output} beside its {column}s</caption>
<thead><tr>{heads}</tr></thead>
<tbody>
{rows}
</tbody>
</table>"""
# colours are inherited, so that light and dark pages both work
CELL = "text-align: left; vertical-align: top; padding: 0.1em 1em; border: 1px solid #8888"
HEAD = f'<th scope="col" style="{CELL}">{{}}</th>'
DATA = f'<td style="{CELL}">{{}}</td>'

Names = Mapping[Node, str]
Line = list[str]  # the sides of a chain of equations


class Trace:
    """An evaluation trace; `str(...)` is the table as text.

    Attributes
    ----------
    markdown : str
        The table in Markdown.
    latex : str
        The table as an `align*` environment, for a document with amsmath, or MathJax.
    html : str
        The table as an HTML element; a notebook shows it.
    """

    column: ClassVar[str]  # content of the right column
    heading: ClassVar[str]
    arrow: ClassVar[str]

    def __init__(self, output: Node, nodes: list[Node], lines: _Lines) -> None:
        self.output, self.nodes, self.lines = output, nodes, lines
        self.items = items_of(nodes)

    def _beside(self, node: Node, names: Names, notation: Notation) -> list[Line]:
        """Return the right column of a node's line."""
        raise NotImplementedError

    def _beside_output(self, name: str, result: str, notation: Notation) -> Line:
        raise NotImplementedError

    def _rows(self, notation: Notation) -> Iterator[tuple[Line, list[Line]]]:
        names = symbols(self.nodes, notation)
        for node in self.lines.head:
            yield self._evaluation(node, names, notation), self._beside(node, names, notation)
        if self.lines.gap:
            said = notation.words(f"{self.lines.gap} more lines (limit=None for all)")
            yield [f"{notation.dots} {said}"], [[notation.dots]]
        for node in self.lines.tail:
            yield self._evaluation(node, names, notation), self._beside(node, names, notation)
        name, result = notation.name(self.output.name or "y"), names[self.output]
        last = [name, result, number(self.output._data, notation)]
        yield last, [self._beside_output(name, result, notation)]

    def _evaluation(self, node: Node, names: Names, notation: Notation) -> Line:
        if node.op is None:
            return [
                names[node],
                _variable_name(node, names, notation),
                number(node._data, notation),
            ]
        if node not in self.items:
            return [names[node], formula(node, names, notation), number(node._data, notation)]
        left, right = [], []
        for part, data in zip(self.items[node], node._data, strict=True):
            left.append(notation.name("_") if part is None else names[part])
            right.append(notation.name("_") if part is None else number(data, notation))
        return [", ".join(left), formula(node, names, notation), ", ".join(right)]

    def _parts(self, node: Node) -> list[Node]:
        """Return the results of an operation that are read."""
        return [part for part in self.items.get(node, [node]) if part is not None]

    def _headings(self, notation: Notation) -> list[str]:
        return [
            f"{notation.words('Forward evaluation trace')} {notation.arrows['down']}",
            f"{notation.words(self.heading)} {notation.arrows[self.arrow]}",
        ]

    def __str__(self) -> str:
        rows = [tuple(self._headings(TEXT))]
        for line, beside in self._rows(TEXT):
            rows += zip_longest([" = ".join(line)], map(" = ".join, beside), fillvalue="")
        columns = max(width(left) for left, _ in rows)
        return "\n".join(
            f"{left}{' ' * (columns - width(left))} │ {right}".rstrip() for left, right in rows
        )

    __repr__ = __str__

    @property
    def markdown(self) -> str:
        """The table in Markdown."""
        rows = [self._headings(TEXT), [":--", ":--"]]
        for line, beside in self._rows(TEXT):
            rows.append([_markdown(line), "<br>".join(map(_markdown, beside))])
        return "\n".join(f"| {left} | {right} |" for left, right in rows)

    @property
    def html(self) -> str:
        """The table as an HTML element."""
        rows = []
        for line, beside in self._rows(TEXT):
            cells = [_html(line), "<br>".join(map(_html, beside))]
            rows.append(f"<tr>{''.join(map(DATA.format, cells))}</tr>")
        return PAGE.format(
            output=_html([TEXT.name(self.output.name or "y")]),
            column=self.column,
            heads="".join(map(HEAD.format, self._headings(TEXT))),
            rows="\n".join(rows),
        )

    def _repr_html_(self) -> str:
        return self.html

    @property
    def latex(self) -> str:
        """The table as an `align*` environment."""
        rows = ["& " + " & & ".join(self._headings(LATEX))]
        for line, beside in self._rows(LATEX):
            for left, right in zip_longest([line], beside, fillvalue=[""]):
                rows.append(f"{_aligned(left)} & {_aligned(right)}")
        body = " \\\\\n".join(rows)
        return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"


def trace(
    output: Node,
    seed: Any = None,
    *,
    tangents: Mapping[Any, Any] | None = None,
    limit: int | None = 200,
) -> Trace:
    """Return the evaluation trace of `output`, with adjoints or tangents beside each operation.

    Variables are numbered … v₋₁, v₀ in order of creation, results v₁, v₂ … Read the adjoints (with
    a bar) upwards: each operation passes them to its inputs, `v̄₀ = v̄₀ + v̄₂·∂v₂/∂v₀` where paths
    join. In forward mode, each line has its tangent (with a dot) instead: the derivative along the
    given tangents of the variables.

    Parameters
    ----------
    output : Value or Tensor
        Of one element unless a seed or tangents are given.
    seed : number or array of output's shape, optional
        The adjoint of `output`. Default: 1.
    tangents : dict, optional
        Tangents by variable or by its name, for forward mode; 0 for the others.
    limit : int, optional
        The largest number of lines; the middle of a longer trace is left out, and only the newest
        20,000 nodes are traced. None for all.

    Returns
    -------
    Trace
        `str(...)` is the table as text; `.markdown`, `.latex` and `.html` are the same.

    Raises
    ------
    TypeError
        If `output` is not a node, or both a seed and tangents are given.
    ValueError
        If `output` has several elements and no seed, a tangent does not match one variable and its
        shape, or forward mode with a limit meets more than 20,000 nodes.
    RuntimeError
        If a variable was assigned after an operation had read it.

    Examples
    --------
    >>> from autodiff import Value, trace
    >>> x = Value(3.0, name="x")
    >>> trace(x * x)
    Forward evaluation trace ↓ │ Reverse adjoint trace ↑
    v₀ = x = 3                 │ x̄ = v̄₀ = 6
    v₁ = v₀ × v₀ = 9           │ v̄₀ = v̄₀ + v̄₁·∂v₁/∂v₀ = v̄₀ + v̄₁ × v₀ = 6
                               │ v̄₀ = v̄₁·∂v₁/∂v₀ = v̄₁ × v₀ = 3
    y = v₁ = 9                 │ v̄₁ = ȳ = 1
    >>> trace(x * x, tangents={x: 1.0})
    Forward evaluation trace ↓ │ Forward tangent trace ↓
    v₀ = x = 3                 │ v̇₀ = ẋ = 1
    v₁ = v₀ × v₀ = 9           │ v̇₁ = v̇₀ × v₀ + v̇₀ × v₀ = 1 × 3 + 1 × 3 = 6
    y = v₁ = 9                 │ ẏ = v̇₁ = 6
    """
    if not isinstance(output, Node):
        raise TypeError(f"trace takes a Value or a Tensor, not {type(output).__name__}")
    if seed is not None and tangents is not None:
        raise TypeError("trace takes a seed (reverse mode) or tangents (forward mode), not both")
    most = sys.maxsize if limit is None else MOST
    nodes, rest = newest([output], most, lambda node: node.inputs)
    if tangents is not None:
        if rest:
            raise ValueError(
                f"this graph has more than {MOST:,} nodes, the most for forward mode: trace an "
                "inner result, or all nodes with limit=None"
            )
        return _Tangents(output, nodes, _lines(nodes, limit), tangents)
    lines = _lines(nodes, limit)
    if rest:  # keep the newest nodes, where reverse mode starts
        nodes = nodes[-max((limit or 0) - 1, 1) :]
        lines = _Lines([], _lines(nodes, None).head, f"more than {MOST - len(nodes):,}")
        read = {arg for node in nodes for arg in written(node) if isinstance(arg, Node)}
        nodes = sorted({*read, *nodes}, key=by_serial)
    return _Adjoints(output, nodes, lines, output.seed(seed))


class _Lines(NamedTuple):
    """The nodes to show, and the number of lines left out between head and tail."""

    head: list[Node]
    tail: list[Node]
    gap: str = ""


def _lines(nodes: list[Node], limit: int | None) -> _Lines:
    # several results of one operation share its line
    nodes = [node for node in nodes if node.op is not item and node.op is not pack]
    nodes.sort(key=lambda node: node.op is not None)  # variables first, then by age
    most = len(nodes) if limit is None else max(limit, 2) - 1  # the output has one more
    hidden = len(nodes) - most
    if hidden <= 0:
        return _Lines(nodes, [])
    head = most // 2
    return _Lines(nodes[:head], nodes[head + hidden :], f"{hidden:,}")


class _Share(NamedTuple):
    """The contribution to the adjoint of input `k`: `total` is the sum including it."""

    k: int
    joins: bool
    total: Any


class _Adjoints(Trace):
    """An evaluation trace with adjoints, which are read upwards."""

    column, heading, arrow = "adjoint", "Reverse adjoint trace", "up"

    def __init__(self, output: Node, nodes: list[Node], lines: _Lines, seed: Any) -> None:
        super().__init__(output, nodes, lines)
        self.seed = seed
        with np.errstate(all="ignore"):
            self.adjoints, self.shares = self._walk()

    def _walk(self) -> tuple[dict[Node, Any], dict[Node, list[_Share]]]:
        """Return the adjoints of the variables, and the contributions of each shown operation."""
        adjoints = {self.output: self.seed}
        kept = {*self.lines.head, *self.lines.tail}
        shares: dict[Node, list[_Share]] = {}
        live = set(self.nodes)
        for node in reversed(self.nodes):
            if node.op is None or node not in adjoints:
                continue
            g, data, given = adjoints.pop(node), plain_data(node.inputs), []
            for k, arg in enumerate(node.inputs):
                if not isinstance(arg, Node) or arg not in live:
                    continue
                share = node.op.vjp(k, g, node._data, data, node.params)
                share = arg.zero() if share is None else arg.fit(share)
                joins = arg in adjoints
                adjoints[arg] = adjoints[arg] + share if joins else share
                given.append(_Share(k, joins, adjoints[arg]))
            if node in kept or node.op is pack:
                shares[node] = given
        return adjoints, shares

    def _beside_output(self, name: str, result: str, notation: Notation) -> Line:
        return [bar(result, notation), bar(name, notation), number(self.seed, notation)]

    def _beside(self, node: Node, names: Names, notation: Notation) -> list[Line]:
        if node.op is None:
            adjoint = self.seed if node is self.output else self.adjoints.get(node, node.zero())
            name = bar(_variable_name(node, names, notation), notation)
            return [[name, bar(names[node], notation), number(adjoint, notation)]]
        lines = []
        for source in (node, *node.inputs):
            if source is node or getattr(source, "op", None) is pack:
                shares = self.shares.get(source, [])
                seen = {*shown(source.inputs)}
                lines += [
                    self._contribution(node, source.inputs[share.k], share, names, notation)
                    for share in shares
                    if share.k in seen and source.inputs[share.k].op is not pack
                ]
        return lines[::-1]

    def _contribution(
        self, node: Node, arg: Node, share: _Share, names: Names, notation: Notation
    ) -> Line:
        """Return a contribution: `v̄₀ = v̄₀ + v̄₂·∂v₂/∂v₀ = v̄₀ + v̄₂ × v₋₁ = 1.71634`."""
        adjoint = bar(names[arg], notation)
        start = f"{adjoint} + " if share.joins else ""
        chain = " + ".join(
            f"{bar(names[part], notation)}{notation.by}{notation.ratio(names[part], names[arg])}"
            for part in self._parts(node)
        )
        line = [adjoint, start + chain]
        slope = slope_of(node, share.k, names, notation)
        if slope:
            line.append(start + notation.product(Term(bar(names[node], notation)), slope).text)
        return [*line, number(share.total, notation)]


class _Tangents(Trace):
    """An evaluation trace with tangents along a direction in the variables."""

    column, heading, arrow = "tangent", "Forward tangent trace", "down"

    def __init__(
        self, output: Node, nodes: list[Node], lines: _Lines, tangents: Mapping[Any, Any]
    ) -> None:
        super().__init__(output, nodes, lines)
        self.start = _by_variable([node for node in nodes if node.op is None], tangents)
        with np.errstate(all="ignore"):
            self.tangents = self._walk()

    def _walk(self) -> dict[Node, Any]:
        """Return the tangents of all nodes."""
        tangents: dict[Node, Any] = dict(self.start)
        for node in self.nodes:
            if node.op is None:
                continue
            total, data = None, plain_data(node.inputs)
            for k, arg in enumerate(node.inputs):
                if isinstance(arg, Node):
                    share = node.op.jvp(k, tangents[arg], node._data, data, node.params)
                    if share is not None:
                        total = share if total is None else total + share
            tangents[node] = node.zero() if total is None else node.spread(total)
        return tangents

    def _beside_output(self, name: str, result: str, notation: Notation) -> Line:
        value = number(self.tangents[self.output], notation)
        return [dot(name, notation), dot(result, notation), value]

    def _beside(self, node: Node, names: Names, notation: Notation) -> list[Line]:
        if node.op is None:
            name = dot(_variable_name(node, names, notation), notation)
            return [[dot(names[node], notation), name, number(self.tangents[node], notation)]]
        return [
            [
                dot(names[part], notation),
                *self._sums(node, part, names, notation),
                number(self.tangents[part], notation),
            ]
            for part in self._parts(node)
        ]

    def _sums(self, node: Node, part: Node, names: Names, notation: Notation) -> Line:
        """Return a tangent as a formula and in numbers: `v̇₋₁ × v₀ + v̇₀ × v₋₁`, `1 × 5 + 0 × 2`."""
        dots = {
            k: Term(dot(names[node.inputs[k]], notation))
            for k in shown(node.inputs)
            if isinstance(node.inputs[k], Node)
        }
        if isinstance(node.op, Linear):
            return [notation.sum(_along(node, dots, names, notation))]
        formulas, numbers = [], []
        for k, tangent in dots.items():
            arg = node.inputs[k]
            slope = slope_of(node, k, names, notation)
            if slope:
                formulas.append(notation.product(tangent, slope, brief=True))
                local = notation.number(_slope(node, k))
                flowing = notation.number(self.tangents[arg])
                numbers.append(notation.product(flowing, local, brief=True))
                continue
            for source in arg.inputs if arg.op is pack else [arg]:
                ratio = notation.ratio(names[part], names[source])
                product = f"{ratio}{notation.by}{dot(names[source], notation)}"
                formulas.append(Term(product, PRODUCT))
        sides = [notation.sum(formulas)]
        if numbers and np.ndim(node._data) == 0:
            sides.append(notation.sum(numbers))
        return sides


def _slope(node: Node, k: int) -> Any:
    assert isinstance(node.op, Elementwise)
    with np.errstate(all="ignore"):
        return node.op.partial(k, node._data, plain_data(node.inputs))


def _along(node: Node, dots: dict[int, Term], names: Names, notation: Notation) -> list[Term]:
    """Return a linear operation on tangents: of all inputs at once, or one term per input."""
    assert isinstance(node.op, Linear)
    args = [
        notation.named(names[arg]) if isinstance(arg, Node) else notation.constant(arg)
        for arg in node.inputs
    ]
    if node.op.jointly:
        moved = [Term("0") if k not in dots else dots[k] for k in range(len(args))]
        return [notation.operation(node.op, moved, node.params)]
    return [
        notation.operation(node.op, [*args[:k], dots[k], *args[k + 1 :]], node.params) for k in dots
    ]


def _by_variable(variables: list[Node], tangents: Mapping[Any, Any]) -> dict[Node, Any]:
    """Return a tangent for each variable, from tangents by variable or by name."""
    start = {node: node.zero() for node in variables}
    for key, tangent in tangents.items():
        found = [v for v in variables if v is key or (isinstance(key, str) and v.name == key)]
        if len(found) != 1:
            what = "names several variables" if found else "is not a variable"
            known = ", ".join(repr(v.name) for v in variables[:20] if v.name)
            raise ValueError(f"tangents: {key!r} {what} of this graph (it has {known})")
        if np.shape(tangent) not in ((), np.shape(found[0]._data)):
            raise ValueError(
                f"tangents: {key!r} has shape {np.shape(found[0]._data)}, but its tangent has "
                f"shape {np.shape(tangent)}"
            )
        start[found[0]] = found[0].spread(np.asarray(tangent)[()])
    return start


def _variable_name(node: Node, names: Names, notation: Notation) -> str:
    """Return the name of a variable, or x with its number."""
    return notation.name(node.name) if node.name else f"x{names[node][1:]}"


def _markdown(line: Line) -> str:
    return re.sub(r"([\\`*_\[\]<>|~$&])", r"\\\1", " = ".join(line))


def _html(line: Line) -> str:
    return html.escape(" = ".join(line))


def _aligned(line: Line) -> str:
    """Return the two columns of an alignment at the first equals sign."""
    return f"{line[0]} &{'= ' if line[1:] else ''}{' = '.join(line[1:])}"
