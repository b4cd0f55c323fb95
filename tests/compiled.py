"""Compiled random programs against eager ones: `python -m tests.compiled 2000` (some minutes).

Each program of the table's functions is followed by a loop with branches, views and changes in
place. Its value and gradient, compiled by each back end that is installed, equal eager's on the
traced data and on others, which may decide otherwise.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st

import autodiff as ad
from autodiff import jit, value_and_grad
from autodiff.core import trees
from autodiff.programs import backends
from autodiff.testing import expressions
from autodiff.testing.operations import Program

SCALES = (1.0, 1.0009, 0.93, -1.0)
"""What the traced data are multiplied by."""


def installed() -> list[str]:
    """Return the back ends whose packages are there."""
    found = []
    for name in backends.EXTRAS:
        try:
            backends.check(name)
        except ImportError:
            continue
        found.append(name)
    return found


def with_loop(program: Program, threshold: float) -> Callable[..., Any]:
    """Return a function of a random program whose data decide branches and a number of turns."""

    def f(*inputs: Any) -> Any:
        y = np.reshape(ad.array(program(*inputs)), -1)
        z = ad.zeros(len(y) + 2)
        z[1:-1] = y
        for k in range(1, min(len(z), 5)):
            if z[k] > threshold:
                z[k] *= np.cos(z[k - 1])
            else:
                z[k] += np.sin(z[k - 1])
        turns = 0
        while abs(z[1]) > 0.5 and turns < 6:
            z /= 2
            turns += 1
        odd = z[1::2]
        odd += turns * np.tanh(z[0])
        z[-1] = np.max(z) + odd[0]
        return np.sum(np.tanh(z) ** 2)

    return f


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a call, or the type of its error."""
    try:
        return f(*args)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        return type(error)


def equal(found: Any, expected: Any) -> None:
    """Check that two results have the same dtypes, shapes and numbers, NaN included."""
    if isinstance(found, type) or isinstance(expected, type):
        assert found is expected
        return
    pairs = zip(trees.leaves(found), trees.leaves(expected), strict=True)
    for mine, theirs in pairs:
        assert np.shape(mine) == np.shape(theirs)
        assert np.result_type(mine) == np.result_type(theirs)
        scale = np.max(np.abs(theirs), initial=1e-300, where=np.isfinite(theirs))
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12 * scale)


def check_compiled(program: Program, threshold: float, names: list[str]) -> int:
    """Check a program; return how many results were compared."""
    f = value_and_grad(with_loop(program, threshold), tuple(range(len(program.point))))
    compared = 0
    for name in names:
        compiled = jit(f, backend=name)
        for scale in SCALES:
            point = [x * scale for x in program.point]
            with np.errstate(all="ignore"):
                equal(outcome(compiled, *point), outcome(f, *point))
            compared += 1
    return compared


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.compiled", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=500)
    parser.add_argument("--backend", action="append", choices=[*backends.EXTRAS])
    parser.add_argument("--seed", type=int, default=0)
    given_ = parser.parse_args()
    names = given_.backend or installed()
    programs = compared = 0
    for tensors in (False, True):

        @seeded(given_.seed)
        @settings(
            max_examples=given_.count // 2,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(expressions(tensors=tensors), st.floats(-1, 1))
        def check(program: Program, threshold: float) -> None:
            nonlocal programs, compared
            programs += 1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)
                compared += check_compiled(program, threshold, names)

        check()
    print(f"{programs} programs, {compared} results equal eager's under {', '.join(names)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
