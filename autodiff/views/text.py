"""Widths of text in points; printable text."""

from __future__ import annotations

from unicodedata import category, east_asian_width, normalize

# Advance widths of DejaVu Sans, rounded up: the widest font that browsers substitute for Helvetica
# and Arial.
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
_ANY, _WIDE, _EMOJI = 1.1, 1.0, 1.4  # other scripts, in ems


def extent(text: str, size: float = 12.0) -> float:
    """Return an upper bound of the width in points, in any sans-serif font of that size.

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
    """Replace control and other unprintable characters by spaces."""
    return "".join(c if c.isprintable() else " " for c in text)
