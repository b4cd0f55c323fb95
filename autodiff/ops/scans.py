"""Rows that run along an axis: cumulative sums and products, differences, integrals."""

from __future__ import annotations

__all__: list[str] = []
