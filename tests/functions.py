"""The functions of the table, each with the NumPy function it implements."""

import numpy as np

from autodiff import Tensor, Value, concatenate, imag, ravel, real
from autodiff.ops import making
from autodiff.ops.registry import BY_FUNCTION

# rows of the engine, tested with the engine
ENGINE = {"chain", "checkpoint", "item", "pack", "tensor", "zeros", "ones", "empty", "full"}


def name_of(numpys) -> str:
    """Return the name of a NumPy function: `sum`, `linalg.norm`."""
    module = getattr(numpys, "__module__", "") or ""
    place = module.removeprefix("numpy").strip(".")
    return f"{place}.{numpys.__name__}" if place in ("linalg", "fft") else numpys.__name__


class Function:
    """A function of ours, with NumPy's (or, if NumPy has none, its plain function)."""

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


def flat(result) -> list:
    """Return the floating results of a call as a list."""
    parts = result if isinstance(result, tuple | list) else [result]
    return [p for p in parts if isinstance(p, Tensor | Value) or np.asarray(p).dtype.kind in "fc"]


def one_array(result):
    """Return all floating results of a call as one real vector."""
    vectors = []
    for part in flat(result):
        part = ravel(part)
        vectors += [real(part), imag(part)] if part.dtype.kind == "c" else [part]
    return concatenate(vectors)
