"""Operations and their partial derivatives, as the formulas that people write."""

from __future__ import annotations

import unicodedata
from typing import Any

from autodiff.graph import Node, ancestors, next_serial, recorded
from autodiff.ops.table import Elementwise

_INFIX = {"add": " + ", "subtract": " − ", "multiply": " × ", "divide": "/", "power": "^"}
_SUBSCRIPTS = str.maketrans("-0123456789", "₋₀₁₂₃₄₅₆₇₈₉")
_MACRON = "\N{COMBINING MACRON}"


def symbols(nodes: list[Node]) -> dict[Node, str]:
    """Name nodes (oldest first) as the AD survey does.

    Variables are v₋₁, v₀ … up to v₀ in the order they were made, results v₁, v₂ …
    """
    variables = [node for node in nodes if node.op is None]
    results = [node for node in nodes if node.op is not None]
    numbered = list(enumerate(variables, 1 - len(variables))) + list(enumerate(results, 1))
    return {node: "v" + str(i).translate(_SUBSCRIPTS) for i, node in numbered}


def formula(node: Node, names: dict[Node, str]) -> str:
    """The node's operation, in the names of its inputs."""
    assert node.op is not None
    args = [names[a] if isinstance(a, Node) else number(a) for a in node.inputs]
    if node.op.name in _INFIX:
        return _INFIX[node.op.name].join(map(_grouped, args))
    if node.op.name == "negative":
        return f"−{args[0]}"
    return f"{node.op.name}({', '.join(args)})"


def partial(node: Node, k: int, names: dict[Node, str]) -> str:
    """∂node/∂input k as a formula: the table's rule, run on the nodes and read off their graph."""
    if not isinstance(node.op, Elementwise):
        return f"∂{names[node]}/∂{names[node.inputs[k]]}"
    start = next_serial()  # what the rule makes is younger
    with recorded():
        slope = node.op.partial(k, node, node.inputs)
    if not isinstance(slope, Node):
        return _grouped(number(slope))
    known = dict(names)
    for step in reversed(ancestors(slope, since=start)):
        if step not in known:
            known[step] = formula(step, known)
    return _grouped(known[slope])


def number(x: Any) -> str:
    """A number in six digits, an array by its shape."""
    if isinstance(x, tuple):  # the several results of one operation
        return f"({', '.join('0' if part is None else number(part) for part in x)})"
    if getattr(x, "size", 1) != 1:
        return f"array{x.shape}"
    return f"{x.item() if hasattr(x, 'item') else x:.6g}".replace("-", "−")


def bar(name: str) -> str:
    """The name of an adjoint."""
    return unicodedata.normalize("NFC", name[0] + _MACRON) + name[1:]


def _grouped(text: str) -> str:
    """In parentheses, if it would be misread as an operand."""
    return f"({text})" if " " in text or text.startswith("−") else text
