"""The table: every row by its name, and every function by the NumPy function it implements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autodiff.core.graph import Op

TABLE: dict[str, Op] = {}
"""Every row by its name."""

BY_FUNCTION: dict[Any, Callable[..., Any]] = {}
"""Every row and composite by its NumPy function; NumPy's protocols look functions up here."""


def row(name: str) -> Op:
    """Return the row of this name."""
    return TABLE[name]


def shape_of(x: Any) -> tuple[int, ...]:
    """Return the shape of a number, array or node; () for a number or Value."""
    return getattr(x, "shape", ())
