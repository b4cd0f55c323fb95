"""What each function of the table does on arrays of another library, as strict as CuPy's.

`python -m tests.arrays > docs/arrays.md` makes the page.
"""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from cases import CASES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strict import Missing, Strict, device, get

from autodiff import Tensor, Value, gradients
from autodiff.core.graph import Node
from autodiff.core.walks import push


class Outcome(NamedTuple):
    """Of one call."""

    has: bool
    """Whether CuPy has what is called, with these parameters."""
    error: Exception | None
    """Why ours does not compute it, with its derivatives."""


def _parts(result: Any) -> list[Any]:
    parts = result if isinstance(result, tuple | list) else [result]
    return [part for part in parts if isinstance(part, Node)]


def _like(x: Node, numbers: Any) -> Any:
    return Strict(numbers) if isinstance(x.data, Strict) else numbers


def _everything(function: Any, case: Any, arrays: list[Any]) -> list[Any]:
    """The results of a call on nodes, and its derivatives in both modes."""
    inputs = [Tensor(array) for array in arrays]
    found = []
    for out in _parts(case.call(function, inputs, case.params)):
        places = np.arange(out.size).reshape(out.shape)
        seed = _like(out, np.cos(places + 1.0).astype(out.dtype))
        tangents = {
            x: _like(x, np.sin(np.arange(x.size).reshape(x.shape) + 1.0).astype(x.dtype))
            for x in inputs
        }
        found += [out.data, *gradients(out, inputs, seed=seed), push(tangents, [out])[out]]
    return found


def _given(function: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters other than those that NumPy would take anyway, on the device."""
    try:
        known = inspect.signature(function).parameters
    except ValueError:
        known = {}
    defaults = {name: parameter.default for name, parameter in known.items()}
    return {
        name: device(value)
        for name, value in params.items()
        if isinstance(value, np.ndarray) or name not in defaults or defaults[name] != value
    }


def outcome(function: Any, case: Any, rng: np.random.Generator) -> Outcome:
    """Try one case, and compare it with NumPy's arrays.

    Raises
    ------
    AssertionError
        If there is a result, and it is another, or no array of the same library.
    """
    arrays = [np.asarray(array) for array in case.make(*case.arrays(rng))]
    theirs = replace(case, params=_given(function.plain, case.params))
    strict = [Strict(array) for array in arrays]
    try:
        theirs.call(function.plain, strict, theirs.params)
        has = True
    except (TypeError, KeyError, AttributeError):
        has = False
    expected = _everything(function.ours, case, arrays)
    try:
        found = _everything(function.ours, theirs, strict)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        return Outcome(has, error)
    for ours, numpys in zip(found, expected, strict=True):
        assert isinstance(ours, Strict)
        assert ours.dtype == numpys.dtype
        np.testing.assert_allclose(get(ours), numpys, rtol=1e-9, atol=1e-9)
    return Outcome(has, None)


def outcomes(function: Any) -> list[Outcome]:
    """Those of some cases, always the same ones."""
    found = []

    @settings(
        max_examples=8,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data(), st.integers(0, 2**32 - 1))
    def collect(data: Any, seed: int) -> None:
        case = data.draw(CASES[function.name])
        found.append(outcome(function, case, np.random.default_rng(seed)))

    collect()
    return found
