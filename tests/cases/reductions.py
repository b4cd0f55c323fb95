"""What reductions and scans are tried with."""

from cases.case import reduction

CASES = {
    "sum": reduction(complex=True),
    "mean": reduction(complex=True),
    "max": reduction(),
    "min": reduction(),
}
