"""Columns of text: tables, and widths in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import combining, east_asian_width


def width(text: str) -> int:
    """Return the number of terminal columns: two for 値, none for the bar of x̄."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def table(rows: Sequence[Sequence[str]], align: str) -> str:
    """Return rows of text in columns, each aligned to the left (<) or to the right (>)."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for cell, side, columns in zip(row, align, widths, strict=True):
            blank = " " * (columns - width(cell))
            cells.append(cell + blank if side == "<" else blank + cell)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
