"""How wide text is, in columns and in points; tables; text on one line."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import category, combining, east_asian_width, normalize

# Advance widths of DejaVu Sans, rounded up: of the fonts that browsers use where there is neither
# Helvetica nor Arial, none is wider.
_EMS = {
    char: ems
    for ems, chars in (
        (0.3, "'ijlIJ"),
        (0.32, " \xa0,.·"),
        (0.34, "/:;\\|ι"),
        (0.37, "f-"),
        (0.42, "()[]tr!ᵀⁿ⁽⁾₀₁₂₃₄₅₆₇₈₉⁰¹²³⁴⁵⁶⁷⁸⁹"),
        (0.54, '"*_`sz?‖∂∫₊₋⁺⁻'),
        (0.64, "0123456789abcdeghknopquvxyEFLPSTY${}βγδεζηθκλμνξοπρστυχΓΞΣ⋆√"),
        (0.7, "ABCKRVXZαφψΔΛ∇∑"),
        (0.79, "DGHNOQU&ΘΠΦΨΩ"),
        (0.84, "w#+<=>^~ω∞×÷−±←→↑↓⊗∗≤≥≠≈"),
        (1.0, "MWm%@…"),
    )
    for char in chars
}
_ANY, _WIDE, _EMOJI = 1.1, 1.0, 1.4  # of other scripts, in ems


def width(text: str) -> int:
    """How many columns a text takes: two for 値, none for the bar of x̄."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def extent(text: str, size: float = 12.0) -> float:
    """Return how many points wide a text of that font size is at most, in a sans-serif font.

    >>> round(extent("0.5"), 1), extent("値段"), extent("x̄") == extent("x")
    (19.2, 24.0, True)
    """
    return size * sum(map(_ems, text))


def _ems(char: str) -> float:
    if category(char) in ("Mn", "Me", "Cf"):
        return 0.0
    if east_asian_width(char) in "WF":
        return _WIDE if char < "\N{MAHJONG TILE EAST WIND}" else _EMOJI
    return _EMS.get(normalize("NFD", char)[0], _ANY)  # é is as wide as e


def printable(text: str) -> str:
    """The text with spaces for what a terminal would obey, or a picture not show."""
    return "".join(c if c.isprintable() else " " for c in text)


def table(rows: Sequence[Sequence[str]], align: str) -> str:
    """Rows in columns, each aligned to the left (<) or to the right (>)."""
    widths = [max(map(width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = []
        for cell, side, columns in zip(row, align, widths, strict=True):
            blank = " " * (columns - width(cell))
            cells.append(cell + blank if side == "<" else blank + cell)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
