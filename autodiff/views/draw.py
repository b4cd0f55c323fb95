"""Draw a graph with Graphviz: values above the edges, gradients below them.

Graphviz writes an edge's label beside the line. To put the value above the line and the gradient
below it, an edge is drawn as two halves joined by a node, its joint: a table of two rows of text
(two columns if the edge runs down). The rule between the rows is the middle of the line.
"""

from __future__ import annotations

import html
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import graphviz
import numpy as np

from autodiff.core.graph import Node, by_serial, plain_data
from autodiff.ops.table import Elementwise
from autodiff.programs.program import Program
from autodiff.programs.replay import Run
from autodiff.programs.trace import Kind
from autodiff.views import formulas
from autodiff.views.heat import heat_map, is_mappable
from autodiff.views.notation import is_small, symbol_of
from autodiff.views.programs import Decision, ProgramNode, ends_of
from autodiff.views.render import Drawing
from autodiff.views.scene import Block, Box, Edge, Item, Scene, scene
from autodiff.views.text import extent, printable

# Mid-tones, legible on white and on black pages, and distinct to the colour-blind. In grey print
# the gradient is recognised by its place, its italics and its arrow.
LINE, VALUE, GRADIENT, PARTIAL = "#767676", "#127bbf", "#bf5600", "#9c56c7"
GRAPH = {
    "bgcolor": "transparent",
    "fontname": "Helvetica",
    "fontsize": "10",
    "fontcolor": LINE,
    "nodesep": "0.15",
    "ranksep": "0.2",
    "nslimit": "1",  # bounds the time spent on large layouts
}
NODE = {
    "shape": "plain",
    "fontname": "Helvetica",
    "fontsize": "12",
    "color": LINE,
    "fillcolor": "#f4f4f4",
}
EDGE = {"color": LINE, "arrowsize": "0.6"}
VARIABLE = {"shape": "box", "style": "rounded,filled", "margin": "0.12,0.03", "height": "0.3"}
CAPTURED = VARIABLE | {"style": "rounded,filled,dashed"}
DECISION = {"shape": "diamond", "style": "filled", "margin": "0", "fontsize": "10"}
OPERATION = {"style": "filled", "margin": "0.02", "height": "0.45"}
FOLDED = {"shape": "box", "style": "rounded,dashed", "margin": "0.2,0.06", "fontcolor": LINE}
LAYER = {"shape": "box", "style": "rounded,filled", "margin": "0.2,0.06", "peripheries": "2"}
BOX = {"style": "rounded", "color": LINE, "fontcolor": LINE, "fontname": "Helvetica"}
BOX |= {"fontsize": "11", "labeljust": "l", "margin": "6"}
CONSTANT = {"shape": "plaintext", "fontcolor": LINE, "fontsize": "10", "margin": "0", "height": "0"}
MAPPED = {"shape": "box", "style": "rounded,filled", "margin": "0.03"}
END = {"shape": "point", "style": "invis", "width": "0.01"}

TABLE = '<table border="0" cellspacing="0" cellpadding="0">'
# A half edge ends one point short of its cell (port p); short rules beside the cell close the gap.
ROW = '<tr><td width="{width}" height="{height}">{}</td></tr>'
ROWS = f"{ROW}<hr/>{ROW}</table>"
ROW_FLANK = f"<td>{TABLE}{ROWS.format('', '', width=2, height='{height}')}</td>"
ACROSS = f'<{TABLE}<tr>{ROW_FLANK}<td port="p">{TABLE}{ROWS}</td>{ROW_FLANK}</tr></table>>'
COLUMNS = (
    '<tr><td width="{width}" height="2" align="right">{}</td><vr/>'
    '<td width="{width}" align="left">{}</td></tr></table>'
)
COLUMN_FLANK = f"<tr><td>{TABLE}{COLUMNS.format('', '', width='{width}')}</td></tr>"
DOWN = f'<{TABLE}{COLUMN_FLANK}<tr><td port="p">{TABLE}{COLUMNS}</td></tr>{COLUMN_FLANK}</table>>'

SHOWN_CONSTANTS = 12  # most constants drawn at one operation
SMALL = 4  # most elements of an array drawn as numbers; a larger one is drawn as its shape
COMMUTATIVE = {"add", "multiply", "maximum", "minimum"}

Direction = Literal["LR", "RL", "TB", "BT"]
# The sides of a joint that edges enter and leave by, and the arrow of the gradient.
PORTS = {"LR": ("w", "e", "←"), "RL": ("e", "w", "→"), "TB": ("n", "s", "↑"), "BT": ("s", "n", "↓")}
Tensors = Literal["shape", "stats", "image"]


def draw(
    output: Node | Program | Run,
    *,
    partials: bool = False,
    constants: bool = True,
    numbers: str = ".6g",
    tensors: Tensors = "shape",
    depth: int | None = None,
    direction: Direction = "LR",
    legend: bool = True,
    max_nodes: int = 500,
) -> Drawing:
    """Draw the graph of `output`.

    Data flows from left to right. The value of an edge stands above it. After `backward()`, the
    edge's share of the gradient stands below it: the shares on all edges out of a variable add up
    to its `.grad`.

    A graph of any size is drawn. The iterations of a loop between the first and the last are folded
    ("× 998 more"); if more than `max_nodes` operations are left, the newest are drawn. The
    operations of a layer of `nn`, or of a `grouped` function, stand in a box.

    Of a program, the calls are drawn: those of one line in a box, captured inputs in dashed frames,
    and each decision of the data as a diamond. The shape of a value stands above its edge; in the
    picture of a program at a point, `draw(p.at(*args))`, its numbers.

    Parameters
    ----------
    output : Value, Tensor, Program or Run
        The result to draw, or a program, alone or at a point.
    partials : bool
        Whether to write, on each edge into an operation, the operation's partial derivative by
        that input, as a formula and as a number. Results are then numbered v₁, v₂ …
    constants : bool
        Whether to draw constants.
    numbers : str
        The format of numbers, as for Python's `format`.
    tensors : "shape", "stats" or "image"
        How to show an array of more than four elements. "shape": its shape and dtype. "stats": its
        minimum, mean and maximum too. "image": also heat maps of its elements and of its gradient,
        inside the node, if it has up to 10⁶ elements and is a vector or a matrix (axes longer than
        28 are averaged down). Dark blue is negative, grey zero, yellow positive.
    depth : int, optional
        How many levels of boxes to draw open; a closed box is one node. Default: all.
    direction : "LR", "RL", "TB" or "BT"
        The direction of data flow: to the right, the left, down or up.
    legend : bool
        Whether to draw a line below the picture that explains the colours.
    max_nodes : int
        The largest number of operations to draw.

    Returns
    -------
    Drawing
        A `graphviz.Digraph`. A notebook shows it; `.save("y.svg")` writes a file in the format
        of its suffix; `.source` is its DOT text, the same for the same graph.

    Raises
    ------
    TypeError
        If `output` is neither a node nor a program.
    ValueError
        If an option has an invalid value, or partials of a program are asked for.
    RuntimeError
        If a variable was assigned after an operation had read it.

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
    ends = ends_of(output, "draw")
    if partials and not isinstance(output, Node):
        raise ValueError("partials=True: the steps of a program are not differentiated")
    if direction not in PORTS:
        raise ValueError(f"direction={direction!r}: choose one of {', '.join(PORTS)}")
    if tensors not in ("shape", "stats", "image"):
        raise ValueError(f"tensors={tensors!r}: choose 'shape', 'stats' or 'image'")
    if max_nodes < 1 or (depth is not None and depth < 0):
        raise ValueError(
            f"max_nodes={max_nodes}, depth={depth}: max_nodes must be at least 1, depth at least 0"
        )
    try:
        format(1.5, numbers)
    except ValueError as error:
        raise ValueError(f"numbers={numbers!r} is not a format of floats: {error}") from error
    picture = scene(ends, depth=depth, max_nodes=max_nodes)
    return Artist(picture, partials, constants, numbers, tensors, direction).drawing(legend)


@dataclass(eq=False)
class Artist:
    """Writes a scene as DOT: nodes into the frames of their boxes, then the edges."""

    scene: Scene
    partials: bool = False
    constants: bool = True
    numbers: str = ".6g"
    tensors: Tensors = "shape"
    direction: Direction = "LR"
    gradient_of: Callable[[Node], Any] = attrgetter("grad")

    def drawing(self, legend: bool) -> Drawing:
        scene, results = self.scene, self.scene.ends.results
        known = {edge.node for edge in scene.edges} | {*scene.nodes, *results.values()}
        self.uses = Counter(edge.node for edge in scene.edges)
        self.names = formulas.symbols(sorted(known, key=by_serial)) if self.partials else {}
        self.names |= {node: node.name for node in known if node.name}
        self.read_in: dict[Block, dict[Node, list[tuple[Any, int]]]] = {}
        self.lines: list[tuple[str, str, dict[str, str]]] = []

        drawing = Drawing(format="svg", graph_attr=GRAPH, node_attr=NODE, edge_attr=EDGE)
        drawing.scene = scene
        drawing.attr("graph", rankdir=self.direction)
        if legend:
            drawing.attr("graph", label=self.legend())
        boxes = scene.root.all_boxes()
        frames: dict[Box, Any] = {
            box: graphviz.Digraph(f"cluster_{i}", graph_attr=BOX | {"label": _title(box)})
            for i, box in enumerate(boxes)
        }
        frames[scene.root] = drawing
        edges: dict[Item, dict[int, Edge]] = {each: {} for each in scene.items}
        for edge in scene.edges:
            edges[edge.head][edge.k] = edge
        for each, key in scene.items.items():
            box = scene.boxes[each]
            places = list(edges[each])
            if isinstance(each, Block):
                self.block(frames[box], key, each)
            else:
                self.node(frames[box], key, each)
                if self.constants:
                    constants = [k for k, a in enumerate(each.inputs) if not isinstance(a, Node)]
                    places = sorted(places + constants[:SHOWN_CONSTANTS])
            for k in places:
                if k in edges[each]:
                    edge = edges[each][k]
                    path = scene.boxes[edge.tail].path()
                    frame = frames[next(common for common in box.path() if common in path)]
                    self.edge(frame, scene.items[edge.tail], key, edge)
                elif isinstance(each, Node):
                    self.constant(frames[box], key, each, k)
        for k, (place, output) in enumerate(results.items()):
            end, joint = f"end{k or ''}", output_key(k)
            drawing.node(end, _escape(place), **(CONSTANT if place else END))
            gradient = self.gradient_of(output)
            grad = None if gradient is None else self.gradient(gradient)
            self.joint(drawing, joint, VALUE, self.value(output), self.flowing_back(grad))
            self.line(scene.items[scene.last[place]], [joint], end)
        for box in reversed(boxes[1:]):
            if box.parent and frames[box].body:
                frames[box.parent].subgraph(frames[box])
        for tail, head, attributes in self.lines:
            drawing.edge(tail, head, **attributes)
        return drawing

    def legend(self) -> str:
        _, _, back = PORTS[self.direction]
        across = self.direction in ("LR", "RL")
        outputs = self.scene.ends.results.values()
        what = "shape" if any(isinstance(x._data, Kind) for x in outputs) else "value"
        shown = [f'<font color="{VALUE}">{what} {"above" if across else "left of"} the line</font>']
        if any(self.gradient_of(x) is not None for x in outputs):
            place = "below" if across else "right of"
            shown.append(f'<font color="{GRADIENT}">{back} gradient {place} it</font>')
        if self.partials:
            shown.append(f'<font color="{PARTIAL}">∂ the operation by its input</font>')
        cells = "".join(f"<td>{_reserved(each, 10)}</td>" for each in shown)
        return f'<<table border="0" cellborder="0" cellspacing="12"><tr>{cells}</tr></table>>'

    # Nodes

    def node(self, frame: Any, key: str, node: Node) -> None:
        if self.is_mapped(node):
            frame.node(key, self.mapped(node), **MAPPED)
        elif node.op is None:
            name = node.name or "·"
            captured = isinstance(node, ProgramNode) and node.captured
            style = CAPTURED if captured else VARIABLE
            frame.node(key, _escape(name), **style, width=_inches(extent(name) + 14))
        elif isinstance(node.op, Decision):
            symbol = node.op.symbol
            frame.node(key, _escape(symbol), **DECISION, width=_inches(extent(symbol, 10) * 1.6))
        else:
            symbol = symbol_of(node)
            # Draw operands in order; not where order is irrelevant and could make lines cross.
            args = [arg for arg in node.inputs if isinstance(arg, Node)]
            tied = any(arg.op or self.uses[arg] > 1 for arg in args)
            ordered = node.op.name not in COMMUTATIVE or not tied
            size = 16 if len(symbol) == 1 else 12
            frame.node(
                key,
                _escape(symbol),
                **OPERATION,
                shape="circle" if len(symbol) <= 4 else "ellipse",
                fontsize=str(size),
                ordering="in" if ordered else None,
                width=_inches(max(32.4, 1.08 * extent(symbol, size) + 6)),
            )

    def is_mapped(self, node: Node) -> bool:
        return self.tensors == "image" and is_mappable(node._data)

    def mapped(self, node: Node) -> str:
        """Return a label: the node's name or symbol above heat maps of its value and gradient."""
        maps = [(VALUE, node._data)]
        if is_mappable(gradient := self.gradient_of(node)):
            maps.append((GRADIENT, gradient))
        title = _escape((symbol_of(node) if node.op else node.name) or "·")
        pictures = "".join(f"<td>{heat_map(data)}</td>" for _, data in maps)
        ranges = ""
        for colour, data in maps:
            text = self.range(data, mean=False)
            font = f'color="{colour}" point-size="9"'
            ranges += f'<td width="{_centred_width(text, 9)}"><font {font}>{text}</font></td>'
        return (
            '<<table border="0" cellborder="0" cellspacing="3">'
            f'<tr><td colspan="{len(maps)}" width="{_centred_width(title)}">{title}</td></tr>'
            f"<tr>{pictures}</tr><tr>{ranges}</tr></table>>"
        )

    def block(self, frame: Any, key: str, block: Block) -> None:
        lines = block.label.split("\n")
        frame.node(
            key,
            "\\n".join(map(_escape, lines)),
            **(LAYER if block.kind == "layer" else FOLDED),
            width=_inches(max(map(extent, lines)) + 28),
        )

    def constant(self, frame: Any, key: str, node: Node, k: int) -> None:
        text = self.text(node.inputs[k])
        frame.node(f"{key}_{k}", _escape(text), **CONSTANT, width=_inches(extent(text, 10)))
        self.lines.append((f"{key}_{k}", key, {}))

    # Edges

    def edge(self, frame: Any, tail: str, head: str, edge: Edge) -> None:
        joints = [f"{head}_{edge.k}"]
        value = f"{edge.count:,} values" if edge.count > 1 else self.value(edge.node)
        self.joint(frame, joints[0], VALUE, value, self.flowing_back(self.share(edge)))
        if self.partials and isinstance(edge.head, Node):
            joints.append(f"{joints[0]}_d")
            self.joint(frame, joints[1], PARTIAL, *self.partial(edge.head, edge.k))
        self.line(tail, joints, head)

    def joint(self, frame: Any, key: str, colour: str, above: str, below: str) -> None:
        """A node in the middle of an edge: two texts with the line between them."""
        text = f'<font color="{colour}"> {above} </font>'
        more = above.count("<br/>")
        if self.direction in ("LR", "RL"):
            label, below = ACROSS, below + more * "<br/>\N{NO-BREAK SPACE}"
        else:
            label, text = DOWN, text.replace("<br/>", " <br/> ")
            text += "\N{NO-BREAK SPACE}"  # without a second span, its baseline is lower
        width = max(_extent(text), _extent(below))
        frame.node(key, label.format(text, below, width=width, height=18 * (1 + more)))

    def line(self, tail: str, joints: list[str], head: str) -> None:
        enter, leave, _ = PORTS[self.direction]
        for joint in joints:
            self.lines.append((tail, f"{joint}:p:{enter}", {"arrowhead": "none"}))
            tail = f"{joint}:p:{leave}"
        self.lines.append((tail, head, {}))

    def flowing_back(self, gradient: str | None) -> str:
        if gradient is None:
            return ""
        text = f" {PORTS[self.direction][2]} {_escape(gradient)} "
        return f'<font color="{GRADIENT}"><i>{text}</i></font>'

    def share(self, edge: Edge) -> str | None:
        """Return the edge's share of the gradient, as text; None if it is unknown."""
        whole = self.gradient_of(edge.node)
        if edge.count > 1 or whole is None:
            return None
        if not is_small(edge.node._data, SMALL):  # shown by its shape, which is that of the value
            return self.gradient(edge.node._data)
        if self.uses[edge.node] == 1:
            return self.gradient(whole)
        total = edge.node.zero()
        with np.errstate(all="ignore"):
            for node, k in self.readings(edge):
                g = self.gradient_of(node)
                if g is None:
                    return None
                share = node.op.vjp(k, g, node._data, plain_data(node.inputs), node.params)
                total = total if share is None else total + edge.node.fit(share)
        return self.gradient(total)

    def readings(self, edge: Edge) -> list[tuple[Any, int]]:
        """Return the operations that read the edge's value, each with the input's position."""
        if isinstance(edge.head, Node):
            return [(edge.head, edge.k)]
        known = self.read_in.get(edge.head)
        if known is None:
            known = self.read_in[edge.head] = {}
            for node in edge.head.nodes:
                for k, arg in enumerate(node.inputs):
                    if isinstance(arg, Node):
                        known.setdefault(arg, []).append((node, k))
        return known[edge.node]

    def partial(self, node: Node, k: int) -> tuple[str, str]:
        """Return the name and the value of the partial derivative of `node` by its input k."""
        assert node.op is not None
        arg = node.inputs[k]
        name = f"∂{self.names[node]}/∂{self.names[arg]}"
        rule = formulas.partial(node, k, self.names)
        if not isinstance(node.op, Elementwise):
            return _escape(name), ""
        with np.errstate(all="ignore"):
            slope = self.text(node.op.partial(k, node._data, plain_data(node.inputs)))
        symbolic = any(char.isalpha() for char in rule)
        text = _escape(f"{rule} = {slope}" if symbolic else slope)
        return _escape(name), f'<font color="{PARTIAL}"> {text} </font>'

    # Texts

    def value(self, node: Node) -> str:
        name = self.names.get(node) if node.op or self.partials else None
        data = self.text(node._data)
        text = _escape(f"{name} = {data}" if name and data else name or data)
        plain = self.tensors == "shape" or isinstance(node._data, Kind)
        if plain or is_small(node._data, SMALL) or self.is_mapped(node):
            return text
        return f"{text}<br/>{self.range(node._data)}"

    def text(self, data: Any) -> str:
        if isinstance(data, tuple):  # the several results of one operation
            return "; ".join("0" if part is None else self.text(part) for part in data)
        if isinstance(data, Kind):
            return str(data)
        if not is_small(data, SMALL):
            return f"{data.shape} {data.dtype}"
        text = np.array2string(
            np.asarray(data), separator=", ", formatter={"all": self.number}, threshold=SMALL
        )
        return " ".join(text.split())

    def gradient(self, data: Any) -> str:
        """Return a gradient as text: without its dtype, which is the variable's, and without -0."""
        if isinstance(data, tuple):
            return self.text(data)
        return self.text(data + 0.0) if is_small(data, SMALL) else str(data.shape)

    def range(self, data: Any, mean: bool = True) -> str:
        data = np.abs(data) if data.dtype.kind == "c" else data
        if not data.size:
            return ""
        text = f"{np.min(data):.2g} … {np.max(data):.2g}"
        return _escape(f"{text}, mean {np.mean(data):.2g}" if mean else text)

    def number(self, x: Any) -> str:
        return str(x) if isinstance(x, bool | np.bool_) else format(x, self.numbers)


def output_key(k: int) -> str:
    """Return the key of the edge to result k."""
    return f"output{k or ''}"


def _extent(label: str, size: float = 12.0) -> int:
    """Return the width of a marked-up text in points."""
    lines = re.sub("<(?!br/)[^>]*>", "", label).split("<br/>")
    return math.ceil(max(extent(html.unescape(line), size) for line in lines))


def _reserved(label: str, size: float = 12.0) -> str:
    """Return a table wide enough for a text in any font, aligned left: wider fonts grow right."""
    cell = f'<td width="{_extent(label, size)}" align="left">{label}</td>'
    return f"{TABLE}<tr>{cell}</tr></table>"


def _centred_width(label: str, size: float = 12.0) -> int:
    """Return the width of a cell for a centred text.

    Graphviz fixes where the text begins, by the widths of Helvetica. A wider font grows to the
    right, by up to a sixth of its width; the cell has that much room on both sides.
    """
    return math.ceil(1.2 * _extent(label, size))


def _title(box: Box) -> str:
    return f"<{_reserved(_escape(box.label), 11)}>" if box.label else ""


def _inches(points: float) -> str:
    return f"{points / 72:.2f}"


def _escape(text: str) -> str:
    """Escape a text for a label, plain or HTML."""
    escaped: str = graphviz.escape(html.escape(printable(text), quote=False))
    return escaped
