"""A page that steps through a graph in the browser: forward by node, backward by edge.

This module computes every number of the page; `explorer.html` only shows them.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import os
import re
import sys
import tempfile
import webbrowser
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from autodiff.core.graph import Node, data_of, plain_data
from autodiff.programs.program import Program
from autodiff.programs.replay import Run
from autodiff.views.draw import GRADIENT, LINE, NODE, SMALL, VALUE, Artist, output_key
from autodiff.views.formulas import formula, number, partial, symbols
from autodiff.views.notation import is_small
from autodiff.views.programs import Decision, ends_of
from autodiff.views.render import still
from autodiff.views.scene import Ends, newest, scene
from autodiff.views.text import printable

NUMBERS = 64  # most elements of an array listed on a node's card
WAKE = "To step through this graph, run its cell, or trust the notebook."
NAME = 24  # most characters of a name in a formula
SVG = "http://www.w3.org/2000/svg"
# set by the page's style sheet instead, for light and dark
DEFAULTS = {
    "{http://www.w3.org/XML/1998/namespace}space": "preserve",
    "font-family": "Helvetica,sans-Serif",
    "font-size": "12.00",
    "text-anchor": "start",
    "stroke": LINE,
}
FILLS = {
    NODE["fillcolor"]: "body",
    LINE: "line",
    VALUE: "value",
    GRADIENT: "gradient",
}


@dataclass(frozen=True, slots=True)
class Explorer:
    """An explorer page and its file. A notebook shows the page.

    Attributes
    ----------
    path : Path
    html : str
    svg : str
        The picture with all values and gradients; an untrusted notebook shows it instead of
        the page.
    """

    path: Path
    html: str = field(repr=False)
    svg: str = field(repr=False)

    def _repr_html_(self) -> str:
        # an untrusted notebook drops the frame; the rule that hides the still then has no effect
        return (
            f'<iframe srcdoc="{html.escape(self.html)}" sandbox="allow-scripts" '
            'title="autodiff explorer" style="width:100%;height:44em;border:0"></iframe>'
            f'<div class="autodiff-still"><p>{WAKE}</p>'
            f"{still(self.svg, 'the graph, with its values and gradients')}</div>"
            "<style>iframe + .autodiff-still { display: none }</style>"
        )


def explore(
    output: Node | Run,
    path: str | os.PathLike[str] | None = None,
    *,
    show: bool = True,
    seed: Any = None,
    max_nodes: int = 300,
) -> Explorer:
    """Step through the forward and the backward pass of `output` in the browser.

    Write one HTML file, which needs neither network nor server: the picture of `draw`, with
    controls that run the forward pass by operation and the backward pass by edge. Each step shows
    its formula and its numbers. The graph is only read: no `.grad` is needed, and none is set.

    The page of a program at a point, `explore(p.at(*args))`, steps through its calls.

    Parameters
    ----------
    output : Value, Tensor or Run
        Of one element unless a seed is given; or a program at a point.
    path : path, optional
        The file to write. Default: a temporary file.
    show : bool
        Whether to open the page in the browser. A notebook does not open one: it shows the page
        below a cell whose last line is this call.
    seed : number or array of output's shape, optional
        The cotangent of `output`. Default: 1.
    max_nodes : int
        The largest number of nodes to accept.

    Returns
    -------
    Explorer
        With the page as `.html`, and its file as `.path`.

    Raises
    ------
    TypeError
        If `output` is neither a node nor a program at a point, or a program has a seed.
    ValueError
        If the graph is larger than `max_nodes`, or `output` has several elements and no seed.
    RuntimeError
        If no renderer is installed, or a variable was assigned after an operation had read it.

    Examples
    --------
    >>> from autodiff import Value, explore
    >>> apple, number, tax = Value(100, "apple"), Value(2, "number"), Value(1.1, "tax")
    >>> page = explore(apple * number * tax, show=False)
    >>> page.path.suffix, len(page.html) < 100_000
    ('.html', True)
    """
    page, picture = _page(output, seed, max_nodes)
    if path is None:
        handle, path = tempfile.mkstemp(prefix="autodiff-", suffix=".html")
        os.close(handle)
    path = Path(path).absolute()
    path.write_text(page, encoding="utf-8", newline="\n")  # as the policy's digests require
    if show and not _in_notebook():
        with suppress(OSError, webbrowser.Error):  # without a browser, the file remains
            webbrowser.open(path.as_uri())
    return Explorer(path, page, picture)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def _page(output: Node | Run, seed: Any, max_nodes: int) -> tuple[str, str]:
    """Return the page, and its picture as a standalone SVG."""
    if isinstance(output, Program):
        raise TypeError("explore shows the numbers of a call: explore(p.at(*args))")
    ends = ends_of(output, "explore")
    if seed is not None and not isinstance(output, Node):
        raise TypeError("explore takes no seed with a program")
    nodes = _collect(ends, max_nodes)
    index = {node: i for i, node in enumerate(nodes)}
    adjoints: dict[Node, Any] = {}
    with np.errstate(all="ignore"):
        if isinstance(output, Node):
            start = output.seed(data_of(seed))
            flows, adjoints = _backward(nodes, start)
            names = _names(nodes, {output: "y"})
            title, steps = names[output], _steps(nodes, names, flows, adjoints)
        else:
            names = _names(nodes, {})
            title, steps = output.program.name, _calls(nodes, names, ends)
        data = {
            "nodes": [_node_data(node, names[node], adjoints.get(node), index) for node in nodes],
            "steps": steps,
            "outputs": {output_key(k): index[x] for k, x in enumerate(ends.results.values())},
        }
    template = files("autodiff.views").joinpath("explorer.html").read_text(encoding="utf-8")
    inline, picture = _picture(nodes, ends, adjoints, names, max_nodes)
    parts = {
        "policy": _policy(template),
        "title": html.escape(title),
        "picture": inline,
        "data": _embedded(data),
    }
    return re.sub(r"<!--(\w+)-->", lambda match: parts[match[1]], template), picture


def _collect(ends: Ends, max_nodes: int) -> list[Node]:
    """Return the nodes, oldest first; raise if there are too many, without visiting them all."""
    nodes, unread = newest(ends.nodes(), max_nodes, lambda node: node.inputs[: 2 * max_nodes + 1])
    if unread or sum(len(node.inputs) for node in nodes) > 2 * max_nodes:
        raise ValueError(
            f"this graph has more than {max_nodes} nodes or {2 * max_nodes} edges: explore an "
            "inner result, such as y.inputs[0], or a smaller case; draw folds large graphs"
        )
    return nodes


def _policy(template: str) -> str:
    """Return a content security policy: only the page's own style and script, no network."""
    digests = {}
    for tag in ("style", "script"):
        (text,) = re.findall(f"<{tag}>(.*?)</{tag}>", template, re.DOTALL)
        digests[tag] = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digests['style']}'; "
        f"script-src 'sha256-{digests['script']}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _embedded(data: Any) -> str:
    """Return JSON that cannot close the script element around it."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


# The numbers


class Flow(NamedTuple):
    """The backward pass along one edge, from a node to its input k."""

    node: Node
    k: int
    share: Any
    before: Any  # the sum of the earlier shares, None if this is the first
    after: Any


def _backward(nodes: list[Node], seed: Any) -> tuple[list[Flow], dict[Node, Any]]:
    """Return the backward pass, edge by edge, and the adjoint of every node."""
    flows, adjoints = [], {nodes[-1]: seed}
    for node in reversed(nodes):
        args = plain_data(node.inputs)
        for k, arg in enumerate(node.inputs):
            if not isinstance(arg, Node):
                continue
            share = None
            if node in adjoints:
                assert node.op is not None
                share = node.op.vjp(k, adjoints[node], node._data, args, node.params)
            before = adjoints.get(arg)
            if share is None:
                zero = arg.zero()
                flows.append(Flow(node, k, zero, before, zero if before is None else before))
            else:
                share = arg.fit(share)
                adjoints[arg] = share if before is None else before + share
                flows.append(Flow(node, k, share, before, adjoints[arg]))
    return flows, {node: adjoints.get(node, node.zero()) for node in nodes}


def _local(node: Node, k: int) -> float | None:
    """Return the local partial ∂node/∂input k if it is one real number, else None."""
    arg = node.inputs[k]
    if not (_is_real_number(node._data) and _is_real_number(arg._data)):
        return None
    assert node.op is not None
    slope = node.op.vjp(k, node.seed(), node._data, plain_data(node.inputs), node.params)
    return float(np.sum(arg.zero() if slope is None else arg.fit(slope)))


def _is_real_number(data: Any) -> bool:
    return _is_real(data) and np.size(data) == 1


def _is_real(data: Any) -> bool:
    return isinstance(data, float | np.ndarray | np.generic) and not np.iscomplexobj(data)


# The texts


def _names(nodes: list[Node], usual: dict[Node, str]) -> dict[Node, str]:
    """Return the name of each node, or the usual one, if it is unique; else a symbol."""
    given = usual | {node: _label(node.name) for node in nodes if node.name}
    names = symbols(nodes)
    taken = Counter([*given.values(), *names.values()])
    return names | {node: name for node, name in given.items() if taken[name] == 1}


def _label(name: str) -> str:
    """Return a user's name as one word, abridged, for formulas."""
    text = printable(str(name)).replace(" ", "\xa0")
    return text if len(text) <= NAME else text[: NAME - 1] + "…"


def _text(data: Any) -> str:
    """Return data as text for formulas; a large array as its shape."""
    if _is_real_number(data):
        return number(data if isinstance(data, bool | np.bool_) else data + 0.0)  # no -0
    if isinstance(data, tuple):  # the several results of one operation
        return "; ".join("0" if part is None else _text(part) for part in data)
    if not is_small(data, SMALL):
        return str(data.shape)
    text = np.array2string(np.asarray(data), separator=", ", formatter={"all": number})
    return " ".join(text.split())


def _jsonable(data: Any) -> Any:
    """Return numbers for JSON; infinities and NaN, which JSON lacks, as strings."""
    if isinstance(data, list):
        return [_jsonable(part) for part in data]
    if isinstance(data, np.ndarray | np.generic):
        return _jsonable(data.tolist())
    return data if not isinstance(data, float) or math.isfinite(data) else str(data)


def _summary(data: Any) -> dict[str, Any]:
    """Return a number or an array in brief: text, shape, dtype and statistics."""
    summary = {"brief": _text(data)}
    if hasattr(data, "shape"):
        summary |= {"shape": str(data.shape), "dtype": str(data.dtype)}
    if _is_real(data) and np.size(data) > 1:
        stats = {"min": np.min(data), "mean": np.mean(data), "max": np.max(data)}
        summary |= {name: number(value) for name, value in stats.items()}
    return summary


def _numbers(data: Any) -> dict[str, Any]:
    """Return a summary, with the elements of a small array."""
    few = _is_real(data) and 0 < np.size(data) <= NUMBERS
    return _summary(data) | ({"numbers": _jsonable(data)} if few else {})


def _node_data(node: Node, name: str, adjoint: Any, index: dict[Node, int]) -> dict[str, Any]:
    """Return a node as JSON data."""
    described: dict[str, Any] = {"name": name}
    if node.name:
        described["given"] = printable(str(node.name))
    if node.op is not None:
        described |= {"op": node.op.name}
    inputs = [index.get(arg) if isinstance(arg, Node) else None for arg in node.inputs]
    described |= {"inputs": inputs, "value": _numbers(node._data)}
    return described if adjoint is None else described | {"gradient": _numbers(adjoint)}


def _steps(
    nodes: list[Node], names: dict[Node, str], flows: list[Flow], adjoints: dict[Node, Any]
) -> list[dict[str, Any]]:
    """Return the steps of the page, each with its nodes and its line of text."""
    last = names[nodes[-1]]
    variables = [node for node in nodes if node.op is None]
    found = [[f"∂{last}/∂{names[node]}", _text(adjoints[node])] for node in variables]
    return [
        *_forward_steps(nodes, names),
        {
            "kind": "seed",
            "node": len(nodes) - 1,
            "line": [f"∂{last}/∂{last}", _text(adjoints[nodes[-1]])],
        },
        *_backward_steps(nodes, names, flows, adjoints),
        {"kind": "end", "given": found},
    ]


def _calls(nodes: list[Node], names: dict[Node, str], ends: Ends) -> list[dict[str, Any]]:
    """Return the steps of a program's page."""
    found = [[place or "result", _text(node._data)] for place, node in ends.results.items()]
    return [*_forward_steps(nodes, names), {"kind": "end", "given": found}]


def _forward_steps(nodes: list[Node], names: dict[Node, str]) -> Iterator[dict[str, Any]]:
    values = {node: _text(node._data) for node in nodes}
    given = [[names[node], values[node]] for node in nodes if node.op is None]
    yield {"kind": "start", "given": given}
    for i, node in enumerate(nodes):
        if isinstance(node.op, Decision):
            yield {"kind": "forward", "node": i, "line": [names[node.inputs[0]], values[node]]}
        elif node.op is not None:
            line = [names[node], formula(node, names), formula(node, values), values[node]]
            yield {"kind": "forward", "node": i, "line": line}


def _backward_steps(
    nodes: list[Node], names: dict[Node, str], flows: list[Flow], adjoints: dict[Node, Any]
) -> Iterator[dict[str, Any]]:
    index = {node: i for i, node in enumerate(nodes)}
    uses = Counter(node.inputs[k] for node, k, *_ in flows)
    last = names[nodes[-1]]
    for node, k, share, before, after in flows:
        arg = node.inputs[k]
        local = _local(node, k)
        step = {
            "kind": "backward",
            "node": index[node],
            "input": k,
            "to": index[arg],
            "joins": uses[arg] > 1,
            "line": [f"∂{last}/∂{names[arg]}", f"∂{last}/∂{names[node]}"],
            "partial": f"∂{names[node]}/∂{names[arg]}",
            "rule": partial(node, k, names),
            "upstream": _text(adjoints[node]),
            "local": None if local is None else number(local),
            "share": _summary(share),
        }
        if before is not None:
            step["sum"] = [_text(before), _text(after)]
        if local is not None:
            parts = {"upstream": adjoints[node], "local": local, "share": share, "total": after}
            step["exact"] = {name: _jsonable(part) for name, part in parts.items()}
        yield step


# The picture


def _picture(
    nodes: list[Node],
    ends: Ends,
    adjoints: dict[Node, Any],
    names: dict[Node, str],
    max_nodes: int,
) -> tuple[str, str]:
    """Draw the unfolded graph with these adjoints; return the page's SVG and a standalone SVG.

    Each element of the page's SVG names its node ("3") or its edge ("3_0", to input 0 of node 3).
    """
    seen = scene(ends, fold=False, max_nodes=max_nodes)
    drawing = Artist(seen, gradient_of=adjoints.get).drawing(legend=False)
    picture = str(drawing.pipe(format="svg", encoding="utf-8"))
    svg = ET.fromstring(picture)
    drawn = {key: item for item, key in seen.items.items() if isinstance(item, Node)}
    index = {node: i for i, node in enumerate(nodes)}
    edges = {
        f"{key}_{k}": f"{index[node]}_{k}"
        for key, node in drawn.items()
        for k in range(len(node.inputs))
    }
    edges |= {key: key for key in map(output_key, range(len(ends.results)))}
    constants = {
        f"{index[node]}_{k}"
        for node in nodes
        for k, arg in enumerate(node.inputs)
        if not isinstance(arg, Node)
    }
    for group in svg.iter(f"{{{SVG}}}g"):
        title = group.find(f"{{{SVG}}}title")
        if title is None:
            continue
        group.remove(title)  # a browser would show it as a tooltip
        group.attrib.pop("id", None)
        halves = [end.partition(":")[0] for end in str(title.text).split("->")]
        if len(halves) == 1 and halves[0] in drawn:
            node = drawn[halves[0]]
            group.set("data-node", str(index[node]))
            if not isinstance(node.op, Decision):
                _tag(group, names[node])
        for joint in edges.keys() & halves:
            group.set("data-edge", edges[joint])
            if len(halves) == 2:
                group.set("class", "tail" if halves[1] == joint else "head")
            else:
                group.set("class", "constant" if edges[joint] in constants else "joint")
    for element in svg.iter():
        element.tail = None
        for name, value in DEFAULTS.items():
            if element.get(name) == value:
                del element.attrib[name]
        if element.get("fill") in FILLS:
            element.set("class", FILLS[element.attrib.pop("fill")])
    for name in ("width", "height"):
        svg.attrib.pop(name, None)
    svg.set("id", "picture")
    ET.register_namespace("", SVG)
    return ET.tostring(svg, encoding="unicode"), picture


def _tag(group: ET.Element, name: str) -> None:
    """Write a node's name above its shape, unless the shape contains it."""
    circle, text = group.find(f"{{{SVG}}}ellipse"), group.find(f"{{{SVG}}}text")
    if text is None or _label(str(text.text)) == name:
        return
    place = {"x": text.get("x", "0"), "text-anchor": "middle", "class": "tag"}
    if circle is None:
        place["y"] = f"{float(text.get('y', 0)) - 18:.2f}"
    else:
        place["y"] = f"{float(circle.get('cy', 0)) - float(circle.get('ry', 0)) - 3:.2f}"
    tag = ET.Element(f"{{{SVG}}}text", place)
    tag.text = name
    group.insert(0, tag)  # behind the shape, so that the tag's halo does not cover it
