"""The error for converting a node to a plain number or array."""

from __future__ import annotations

import linecache
import opcode
import sys
from itertools import islice
from types import FrameType, ModuleType
from typing import Any

from autodiff.core.graph import Node
from autodiff.core.tracebacks import user_frame

_JOIN = "join nodes with autodiff.array([x, y])"
_GENERAL = f"call autodiff's function (autodiff.sin(x), not math.sin(x)), {_JOIN}"
_ASSIGN = "assign to an array of autodiff.zeros(shape), which accepts nodes"
_DRAW = "draw plain numbers and compute with them (mean + scale * rng.standard_normal(n))"
_ADVICE = {
    **dict.fromkeys(("asarray", "asanyarray", "ascontiguousarray", "fromiter", "matrix"), _JOIN),
    **dict.fromkeys(("choice", "permutation", "permuted"), "draw places: x[rng.integers(len(x))]"),
    "r_": "join them with autodiff.concatenate([x, [1.0]])",
    "c_": "join them with autodiff.column_stack([x, y])",
    "vectorize": "compute with whole arrays, or autodiff.array([f(element) for element in x])",
}
"""Alternatives to a call, by the name of the called function."""

_STORES = {opcode.opmap.get(name) for name in ("STORE_SUBSCR", "STORE_SLICE")}


def refuse_conversion(node: Node, *_: Any, **__: Any) -> Any:
    """Raise a TypeError that names the call that converts the node, and the alternative."""
    kind = type(node).__name__
    frame = user_frame(sys._getframe(1))
    call, assigns = _expression(frame)
    advice = _ASSIGN if assigns else _advice(call, frame)
    shown = call if len(call) <= 60 else f"{call[:57]}..."
    raise TypeError(
        (f"{shown}: " if call else "")
        + f"a {kind} does not turn into a plain number or array by itself, since that would lose "
        f"its derivative silently: {advice}, or read x.data to leave the graph on purpose"
    )


def _expression(frame: FrameType) -> tuple[str, bool]:
    """Return the source of a frame's current expression, and whether it is an assignment target.

    The source is empty if it is not available, as for a compiled string.
    """
    code, at = frame.f_code, frame.f_lasti
    line, end_line, column, end_column = next(islice(code.co_positions(), at // 2, None))
    if line is None or end_line is None:
        return "", False
    lines = [
        linecache.getline(code.co_filename, i, frame.f_globals).encode()  # columns count bytes
        for i in range(line, end_line + 1)
    ]
    lines[-1] = lines[-1][:end_column]
    lines[0] = lines[0][column:]
    text = " ".join(b" ".join(lines).decode(errors="replace").split())
    return text, code.co_code[at] in _STORES


def _advice(call: str, frame: FrameType) -> str:
    """Return the alternative to a call."""
    names = _names(call)
    if not names:
        return _GENERAL
    head = {**frame.f_globals, **frame.f_locals}.get(names[-1])
    home = getattr(head, "__module__", None) or type(head).__module__
    if isinstance(head, ModuleType):
        home = head.__name__
    for name in names:
        if name in _ADVICE:
            return _ADVICE[name]
    if "random" in names or home.startswith(("numpy.random", "random")):
        return _DRAW
    if home.split(".")[0] in ("math", "numpy") and hasattr(sys.modules["autodiff"], names[0]):
        lists = "" if home == "math" or names[0] == "array" else f", and {_JOIN}"
        return f"call autodiff.{names[0]}{lists}"
    return _GENERAL


def _names(call: str) -> list[str]:
    """Return the parts of the called name, from the last: ["normal", "random", "np"]."""
    import ast  # needed for this message only

    try:
        tree = ast.parse(call, mode="eval").body
    except SyntaxError:
        return []
    names = []
    while not isinstance(tree, ast.Name):
        if isinstance(tree, ast.Call):
            tree = tree.func
        elif isinstance(tree, ast.Subscript):
            tree = tree.value
        elif isinstance(tree, ast.Attribute):
            names.append(tree.attr)
            tree = tree.value
        else:
            return names
    return [*names, tree.id]
