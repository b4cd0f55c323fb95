"""Rows that choose elements, or move them by their positions."""

from __future__ import annotations

__all__: list[str] = []
