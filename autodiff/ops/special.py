"""Elementwise rows that need care over their whole range: sinc, i0, softplus, sigmoid."""

from __future__ import annotations

__all__: list[str] = []
