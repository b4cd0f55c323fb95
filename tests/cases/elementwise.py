"""Elementwise rows need nothing said about them, except a domain if they are not smooth on (-2, 2)
and whether they are tried on complex numbers.
"""

from autodiff.ops.table import TABLE, Elementwise
from cases.case import elementwise

DOMAINS = {
    "log": (0.2, 3.0),
    "sqrt": (0.2, 3.0),
    "power": (0.2, 2.0),
    "divide": (0.3, 2.0),
    "log1p": (-0.7, 2.0),
    "tan": (-1.2, 1.2),
}
COMPLEX = {
    "add", "cos", "cosh", "divide", "exp", "expm1", "log", "log1p", "multiply",
    "negative", "positive", "power", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh",
}  # fmt: skip
SMOOTH = (-2.0, 2.0)

CASES = {
    name: elementwise(op.arity, domain=DOMAINS.get(name, SMOOTH), complex=name in COMPLEX)
    for name, op in TABLE.items()
    if isinstance(op, Elementwise)
} | {name: elementwise(1, complex=True) for name in ("conjugate", "real", "imag")}
