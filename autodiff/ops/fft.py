"""NumPy's `fft`: linear maps, all of them."""

from __future__ import annotations

__all__: list[str] = []
