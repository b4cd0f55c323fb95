"""Test cases of every row and composite of the table, a file a family."""

from cases import (
    elementwise,
    fft,
    functional,
    images,
    joining,
    linalg,
    polynomials,
    probability,
    products,
    ranges,
    reductions,
    scans,
    selection,
    shapes,
    signals,
    special,
    statistics,
)

FAMILIES = [
    elementwise,
    fft,
    functional,
    images,
    joining,
    linalg,
    polynomials,
    probability,
    products,
    ranges,
    reductions,
    scans,
    selection,
    shapes,
    signals,
    special,
    statistics,
]

CASES = {name: cases for family in FAMILIES for name, cases in family.CASES.items()}
"""A strategy for a `Case` by the name of the row (`linalg.norm` for `np.linalg.norm`)."""
