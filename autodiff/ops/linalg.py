"""NumPy's `linalg`: solving, decomposing, measuring matrices, stacked and complex ones too."""

from __future__ import annotations

__all__: list[str] = []
