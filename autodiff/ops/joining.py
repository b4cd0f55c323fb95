"""Functions that join arrays, and those that split them."""

from __future__ import annotations

__all__: list[str] = []
