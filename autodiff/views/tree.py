"""A graph as lines of text, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autodiff.core.columns import table
from autodiff.core.graph import Node
from autodiff.views.formulas import number
from autodiff.views.text import printable


def tree(
    output: Node, names: Mapping[Node, str] | None = None, *, depth: int = 10, lines: int = 40
) -> str:
    """Return the graph of `output` as an indented tree of operations, names and values.

    A result that is used more than once is written out at its first use, with a number in brackets;
    later uses show the number only. Nodes that are not shown are not visited.

    Parameters
    ----------
    output : Value or Tensor
    names : dict, optional
        Names for nodes without one.
    depth : int
        The largest depth, in operations.
    lines : int
        The largest number of lines.

    Raises
    ------
    RuntimeError
        If a variable was assigned after an operation had read it.

    Examples
    --------
    >>> from autodiff import Value, log
    >>> from autodiff.views.tree import tree
    >>> x = Value(2.0, name="x")
    >>> u = x * x
    >>> print(tree(log(u) + u * 3))
    +             13.3863
    ├─ log        1.38629
    │  └─ × [1]   4
    │     ├─ x    2
    │     └─ x    2
    └─ ×          12
       ├─ × [1] …
       └─ 3
    """
    names = names or {}
    if isinstance(output, Node):
        output.follow()
    # of each line: its prefix, the prefix of the lines below it, its node, its depth
    todo: list[tuple[str, str, Any, int]] = [("", "", output, 0)]
    shown: list[tuple[str, Any, bool]] = []
    met: set[Node] = set()
    again: dict[Node, int] = {}
    while todo and len(shown) < lines:
        lead, below, item, level = todo.pop()
        parts = item.as_read()[:lines] if isinstance(item, Node) else []
        cut = bool(parts) and (level == depth or item in met)
        shown.append((lead, item, cut))
        if not parts:
            continue
        if item in met:
            again.setdefault(item, len(again) + 1)
        if cut:
            continue
        met.add(item)
        corners = ["├─ "] * (len(parts) - 1) + ["└─ "]
        stems = ["│  "] * (len(parts) - 1) + ["   "]
        todo += [
            (below + corner, below + stem, part, level + 1)
            for corner, stem, part in zip(corners[::-1], stems[::-1], parts[::-1], strict=True)
        ]
    rows = []
    for lead, item, cut in shown:
        mark = f" [{again[item]}]" if isinstance(item, Node) and item in again else ""
        value = number(item._data) if isinstance(item, Node) and not cut else ""
        rows.append((f"{lead}{_label(item, names)}{mark}{' …' * cut}", value))
    text = table(rows, "<<")
    return f"{text}\n…" if todo else text


def _label(item: Any, names: Mapping[Node, str]) -> str:
    if not isinstance(item, Node):
        return number(item)
    name = item.name or names.get(item)
    if item.op is None:
        return printable(name or type(item).__name__)
    return printable(f"{name} = {item.op.symbol}" if name else item.op.symbol)
