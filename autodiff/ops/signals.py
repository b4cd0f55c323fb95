"""Convolution, correlation and interpolation along one axis."""

from __future__ import annotations

__all__: list[str] = []
