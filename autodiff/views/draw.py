"""Draw a graph with Graphviz: values run right above the edges, gradients back below them.

Graphviz writes an edge's label beside the line. To have the value above it and the gradient below,
an edge is drawn in two halves that meet in a node of two rows of text, and the rule between the
rows is the missing piece of the line.
"""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import sysconfig
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any
from unicodedata import east_asian_width

import graphviz
import numpy as np
from graphviz.backend import dot_command

from autodiff.graph import Node, by_serial, plain_data, stale

ADVICE = "no program that draws was found: install graphviz, or pip install graphviz-pure"

# Mid-tones that stand out from white and from black pages alike. The two colours differ to every
# eye; in grey print the gradient is still told by its place, its slope and its arrow.
LINE, VALUE, GRADIENT = "#767676", "#127bbf", "#bf5600"
GRAPH = {
    "rankdir": "LR",
    "bgcolor": "transparent",
    "nodesep": "0.15",
    "ranksep": "0.2",
    "nslimit": "1",  # an end to the polishing of large, tangled layouts
}
NODE = {
    "shape": "plain",
    "fontname": "Helvetica",
    "fontsize": "12",
    "color": LINE,
    "fillcolor": "#f4f4f4",
}
EDGE = {"color": LINE, "arrowsize": "0.6"}
VARIABLE = {"shape": "box", "style": "rounded,filled", "margin": "0.08,0.03", "height": "0.3"}
OPERATION = {"style": "filled", "margin": "0.02", "height": "0.45", "width": "0.45"}
CONSTANT = {"fontcolor": LINE, "fontsize": "10"}
END = {"shape": "point", "style": "invis", "width": "0.01"}

TABLE = '<table border="0" cellspacing="0" cellpadding="0">'
ROWS = '<tr><td width="2" height="18">{}</td></tr><hr/><tr><td height="18">{}</td></tr></table>'
# The half edges end a point short of the cell they lead to (port p), so two short pieces of rule
# flank that cell for them to overlap.
FLANK = f"<td>{TABLE}{ROWS.format('', '')}</td>"
LABEL = f'<{TABLE}<tr>{FLANK}<td port="p">{TABLE}{ROWS}</td>{FLANK}</tr></table>>'

SMALL = 4  # an array of up to so many elements is shown by its numbers, a larger one by its shape
COMMUTATIVE = {"add", "multiply", "maximum", "minimum"}
NOTEBOOK_NODES, NOTEBOOK_SECONDS = 200, 3  # what a notebook spends on a node's picture unasked
SVG = "image/svg+xml"
_one_at_a_time = RLock()


def renderer() -> str | None:
    """The program that draws: Graphviz, else graphviz-pure, on the path or beside Python."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), sysconfig.get_path("scripts")])
    return shutil.which(str(dot_command.DOT_BINARY)) or shutil.which("graphviz-pure", path=path)


@contextmanager
def _rendering() -> Iterator[None]:
    """Have the graphviz package run our renderer, for as long as it draws for us."""
    program = renderer()
    if program is None:
        raise RuntimeError(ADVICE)
    with _one_at_a_time:
        usual, dot_command.DOT_BINARY = dot_command.DOT_BINARY, program
        try:
            yield
        finally:
            dot_command.DOT_BINARY = usual


class Drawing(graphviz.Digraph):  # type: ignore[misc]
    """A `graphviz.Digraph` that falls back on graphviz-pure, and on its text where neither is."""

    def pipe(self, *args: Any, quiet: bool = True, **options: Any) -> Any:
        with _rendering():
            return super().pipe(*args, quiet=quiet, **options)

    def render(self, *args: Any, quiet: bool = True, **options: Any) -> Any:
        with _rendering():
            return super().render(*args, quiet=quiet, **options)

    def _repr_mimebundle_(self, *args: Any, **options: Any) -> dict[str, Any]:
        try:
            return dict(super()._repr_mimebundle_(*args, **options))
        except Exception as error:  # a notebook is to show the text, not a traceback
            return {"text/plain": f"{self.source}// {error}"}

    def __str__(self) -> str:
        return self.source if renderer() else f"{self.source}// {ADVICE}"

    def __repr__(self) -> str:
        return '<Drawing: .render(outfile="graph.svg", cleanup=True) saves it>'


def draw(output: Node, *, max_nodes: int = 500) -> Drawing:
    """Draw the graph that `output` was computed from.

    Data flows from left to right. Above each edge stands the value that flows along it; below it,
    once `backward()` has run, what flows back along it: that edge's share of the gradient, so that
    the shares on all the edges out of a variable add up to its `.grad`.

    Parameters
    ----------
    output : Value or Tensor
        The result to draw.
    max_nodes : int
        How large a graph to accept, in nodes; edges may be twice as many.

    Returns
    -------
    Drawing
        A `graphviz.Digraph`. A notebook shows it; `.render(outfile="y.svg", cleanup=True)` saves
        it in the format that the suffix names; `.source` is its DOT text.

    Raises
    ------
    TypeError
        If `output` is not a node.
    ValueError
        If the graph is larger than `max_nodes`.
    RuntimeError
        If a variable was assigned after an operation had read it; from the drawing's `.render()`,
        if no program that draws is installed.

    Examples
    --------
    >>> from autodiff import Value, draw
    >>> apple, number, tax = Value(100, "apple"), Value(2, "number"), Value(1.1, "tax")
    >>> price = apple * number * tax
    >>> price.backward()
    >>> drawing = draw(price)
    >>> drawing.source.splitlines()[0]
    'digraph {'
    """
    if not isinstance(output, Node):
        raise TypeError(f"draw takes a Value or a Tensor, not {type(output).__name__}")
    nodes = _collect(output, max_nodes)
    ids = {node: f"n{i}" for i, node in enumerate(nodes)}
    uses = Counter(arg for node in nodes for arg in node.inputs if isinstance(arg, Node))
    drawing = Drawing(format="svg", graph_attr=GRAPH, node_attr=NODE, edge_attr=EDGE)
    for node in nodes:
        _draw_node(drawing, ids[node], node, uses)
        for k, (arg, share) in enumerate(zip(node.inputs, _shares(node), strict=True)):
            joint = f"{ids[node]}_{k}"  # the node in the middle of the edge, or the constant
            if isinstance(arg, Node):
                _draw_edge(drawing, ids[arg], joint, ids[node], arg, share)
            else:
                drawing.node(joint, _escape(_text(arg)), **CONSTANT)
                drawing.edge(joint, ids[node])
    drawing.node("end", "", **END)
    grad = None if output.grad is None else _gradient(output.grad)
    _draw_edge(drawing, ids[output], "output", "end", output, grad)
    return drawing


def _collect(output: Node, max_nodes: int) -> list[Node]:
    """The nodes to draw, oldest first; too many are refused without counting them all."""
    found, seen, edges = [output], {output}, 0
    for node in found:
        edges += len(node.inputs)
        if len(found) > max_nodes or edges > 2 * max_nodes:
            raise ValueError(
                f"this graph has more than {max_nodes} nodes (or twice as many edges), too many "
                "for a picture: draw a part of it (one of its inner results), or raise max_nodes"
            )
        for arg in node.inputs:
            if isinstance(arg, Node):
                if arg.serial > node.serial:
                    raise stale(arg, node)
                if arg not in seen:
                    seen.add(arg)
                    found.append(arg)
    return sorted(found, key=by_serial)


def _draw_node(drawing: Drawing, key: str, node: Node, uses: Counter[Node]) -> None:
    if node.op is None:
        name = node.name or "·"
        # Graphviz guesses wide characters too narrow
        width = 0.3 + sum(east_asian_width(char) in "WF" for char in name) / 6
        drawing.node(key, _escape(name), **VARIABLE, width=f"{width:.2f}")
    else:
        symbol = node.op.symbol
        # The first operand is put on top, unless that says nothing and could make lines cross.
        tied = any(isinstance(arg, Node) and (arg.op or uses[arg] > 1) for arg in node.inputs)
        ordered = node.op.name not in COMMUTATIVE or not tied
        drawing.node(
            key,
            _escape(symbol),
            **OPERATION,
            shape="circle" if len(symbol) <= 4 else "ellipse",
            fontsize="16" if len(symbol) == 1 else "12",
            ordering="in" if ordered else None,
        )


def _draw_edge(
    drawing: Drawing, tail: str, joint: str, head: str, node: Node, share: str | None
) -> None:
    name = f"{node.name} = " if node.op and node.name else ""
    above = f'<font color="{VALUE}"> {_escape(name + _text(node._data))} </font>'
    below = "" if share is None else f'<font color="{GRADIENT}"><i> ← {_escape(share)} </i></font>'
    drawing.node(joint, LABEL.format(above, below))
    drawing.edge(tail, f"{joint}:p:w", arrowhead="none")
    drawing.edge(f"{joint}:p:e", head)


def _shares(node: Node) -> list[str | None]:
    """What flows back along each edge into `node`, to be written below it."""
    if node.op is None or node.grad is None:
        return [None] * len(node.inputs)
    args = plain_data(node.inputs)
    shares: list[str | None] = []
    for k, arg in enumerate(node.inputs):
        if not isinstance(arg, Node):
            shares.append(None)
        elif not _is_small(arg._data):  # its shape is all that is shown
            shares.append(_gradient(arg._data))
        else:
            with np.errstate(all="ignore"):
                share = node.op.vjp(k, node.grad, node._data, args, node.params)
                shares.append(_gradient(arg.zero() if share is None else arg.fit(share)))
    return shares


def _is_small(data: Any) -> bool:
    if not hasattr(data, "shape"):
        return True
    return isinstance(data, np.ndarray | np.generic) and (data.ndim == 0 or 0 < data.size <= SMALL)


def _text(data: Any) -> str:
    if isinstance(data, tuple):  # the several results of one operation
        return "; ".join("0" if part is None else _text(part) for part in data)
    if not _is_small(data):
        return f"{data.shape} {data.dtype}"
    text = np.array2string(
        np.asarray(data), separator=", ", formatter={"all": _number}, threshold=SMALL
    )
    return " ".join(text.split())


def _gradient(data: Any) -> str:
    """A gradient has its variable's dtype, so that need not be said again; and no -0."""
    if isinstance(data, tuple):
        return _text(data)
    return _text(data + 0.0) if _is_small(data) else str(data.shape)


def _number(x: Any) -> str:
    return str(x) if isinstance(x, bool | np.bool_) else f"{x:.6g}"


def _escape(text: str) -> str:
    """Text for a label, plain or HTML, in which no character is special."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    escaped: str = graphviz.escape(html.escape(printable, quote=False))
    return escaped


def mimebundle(
    node: Node, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
) -> dict[str, str]:
    """What a notebook shows for a node: its graph if that is small and can be drawn, its text."""
    bundle = {"text/plain": repr(node)}
    program = renderer()
    if program and SVG in (include or [SVG]) and SVG not in (exclude or []):
        # whatever is wrong with the picture, the text is still good
        with suppress(Exception):
            bundle[SVG] = subprocess.run(
                [program, "-Kdot", "-Tsvg"],
                input=draw(node, max_nodes=NOTEBOOK_NODES).source.encode(),
                capture_output=True,
                timeout=NOTEBOOK_SECONDS,
                check=True,
            ).stdout.decode()
    return bundle
