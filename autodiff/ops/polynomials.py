"""Polynomials by their coefficients."""

from __future__ import annotations

__all__: list[str] = []
