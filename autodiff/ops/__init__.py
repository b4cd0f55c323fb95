"""The table of primitives, a file a family; importing this package fills it."""

from autodiff.ops import (
    elementwise,
    fft,
    functional,
    images,
    joining,
    linalg,
    polynomials,
    probability,
    products,
    reductions,
    scans,
    selection,
    shapes,
    signals,
    special,
    statistics,
)

__all__ = [
    "elementwise",
    "fft",
    "functional",
    "images",
    "joining",
    "linalg",
    "polynomials",
    "probability",
    "products",
    "reductions",
    "scans",
    "selection",
    "shapes",
    "signals",
    "special",
    "statistics",
]
