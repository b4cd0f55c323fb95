"""Test cases of elementwise rows: a domain if they are not smooth on (-2, 2), and whether they are
tried on complex numbers.
"""

from inspect import signature
from typing import Any

import numpy as np
from hypothesis import strategies as st

from autodiff.ops.registry import TABLE
from autodiff.ops.table import Elementwise
from cases.case import SHAPES, Case, elementwise

DOMAINS = {
    "arccos": (-0.9, 0.9),
    "arccosh": (1.2, 3.0),
    "arcsin": (-0.9, 0.9),
    "arctanh": (-0.9, 0.9),
    "cbrt": (0.2, 3.0),
    "divide": (0.3, 2.0),
    "float_power": (0.2, 2.0),
    "floor_divide": (0.3, 2.0),
    "fmod": (0.3, 2.0),
    "hypot": (0.2, 2.0),
    "log": (0.2, 3.0),
    "log10": (0.2, 3.0),
    "log1p": (-0.7, 2.0),
    "log2": (0.2, 3.0),
    "power": (0.2, 2.0),
    "reciprocal": (0.3, 2.0),
    "remainder": (0.3, 2.0),
    "sqrt": (0.2, 3.0),
    "tan": (-1.2, 1.2),
}
COMPLEX = {
    "absolute", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "conjugate",
    "cos", "cosh", "divide", "exp", "exp2", "expm1", "float_power", "imag", "log", "log10",
    "log1p", "log2", "multiply", "negative", "positive", "power", "real", "reciprocal", "rint",
    "sign", "sin", "sinc", "sinh", "sqrt", "square", "subtract", "tan", "tanh",
}  # fmt: skip
SMOOTH = (-2.0, 2.0)
BOUNDS = [("a_min", "a_max")]
if "min" in signature(np.clip).parameters:
    BOUNDS.append(("min", "max"))  # since NumPy 2.1


@st.composite
def clipped(draw: Any) -> Case:
    """Bounds on one side or both that broadcast against the array, by either name."""
    low, high = draw(st.sampled_from(BOUNDS))
    names = draw(st.sampled_from([[low], [high], [low, high]]))
    case = draw(elementwise(1 + len(names)))

    def call(function: Any, arrays: Any, params: Any) -> Any:
        bounds = {low: None, high: None} | dict(zip(names, arrays[1:], strict=True))
        return function(arrays[0], **bounds)

    return Case(case.shapes, call=call)


@st.composite
def scaled(draw: Any) -> Case:
    shape = draw(SHAPES)
    exponents = st.sampled_from([3, -2, np.arange(-1, 2)[: shape[-1] if shape else 1]])
    return Case([shape], {"x2": draw(exponents)}, call=_positionally)


def _mantissa(function: Any, arrays: Any, params: Any) -> Any:
    return function(*arrays)[0]


def _positionally(function: Any, arrays: Any, params: Any) -> Any:
    return function(*arrays, *params.values())


def with_params(**params: st.SearchStrategy[Any]) -> st.SearchStrategy[Case]:
    return st.builds(
        lambda shape, given: Case([shape], given), SHAPES, st.fixed_dictionaries(params)
    )


CASES = {
    name: elementwise(op.arity, domain=DOMAINS.get(name, SMOOTH), complex=name in COMPLEX)
    for name, op in TABLE.items()
    if isinstance(op, Elementwise)
} | {
    "angle": elementwise(1, complex=True),
    "around": with_params(decimals=st.integers(0, 1)),
    "clip": clipped(),
    "deg2rad": elementwise(1),
    "divmod": elementwise(2, domain=DOMAINS["floor_divide"]),
    "fix": elementwise(1),
    "frexp": st.builds(lambda shape: Case([shape], call=_mantissa), SHAPES),
    "ldexp": scaled(),
    "modf": with_params(),
    "nan_to_num": elementwise(1, complex=True),
    "rad2deg": elementwise(1),
    "real_if_close": elementwise(1, complex=True),
    "round": with_params(decimals=st.integers(0, 1)),
}
