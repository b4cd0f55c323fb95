"""Convolution and pooling of images, as layers use them."""

from __future__ import annotations

__all__: list[str] = []
