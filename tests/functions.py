"""Every function of the table, and what it stands for."""

import numpy as np

from autodiff.ops import making
from autodiff.ops.table import BY_FUNCTION

# The engine's own rows, tested with the engine.
ENGINE = {"chain", "checkpoint", "item", "pack", "tensor", "zeros", "ones", "empty", "full"}


def name_of(numpys) -> str:
    """What a NumPy function is called in NumPy: `sum`, `linalg.norm`."""
    module = getattr(numpys, "__module__", "") or ""
    place = module.removeprefix("numpy").strip(".")
    return f"{place}.{numpys.__name__}" if place in ("linalg", "fft") else numpys.__name__


class Function:
    """One of ours, and what it stands for: NumPy's, or for one of our own its plain function."""

    def __init__(self, numpys, ours):
        self.ours = ours
        known = (getattr(numpys, "__module__", "") or "").startswith("numpy")
        known = known or isinstance(numpys, np.ufunc)
        self.name = name_of(numpys) if known else ours.name
        self.plain = numpys if known else ours.function


FUNCTIONS = {}
for numpys, ours in BY_FUNCTION.items():
    if getattr(ours, "__name__", "") in making.__all__:
        continue  # arrays to write into: tests/autodiff/nodes/test_writing.py
    function = Function(numpys, ours)
    if function.name not in ENGINE:
        FUNCTIONS[function.name] = function
