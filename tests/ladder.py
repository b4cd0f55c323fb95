"""The tests of the table on many more points: `python -m tests.ladder [FUNCTION ...]`.

The test suite draws a few cases for each function. This draws as many as the profile "deep" says,
and counts the points for every function, dtype and mode.
"""

import os
import sys
from collections.abc import Callable
from multiprocessing import Pool
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import find
from hypothesis.errors import NoSuchExample

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "autodiff" / "ops")]
if __name__ == "__main__":
    os.environ.setdefault("HYPOTHESIS_PROFILE", "deep")
    import conftest  # noqa: F401  registers the Hypothesis profiles, needed before test_table

import test_table as table  # noqa: E402
from cases import CASES  # noqa: E402

FIRST = ("forward mode", "reverse mode")
SECOND = tuple(f"{one} of {other}" for one in FIRST for other in FIRST)


class Rung(NamedTuple):
    """A test of the table, and the law that it checks."""

    test: Callable[..., Any]
    dtypes: tuple[str, ...]
    modes: tuple[str, ...]


RUNGS = [
    Rung(table.test_forward_is_numpys, ("float64", "float32"), ("value",)),
    Rung(
        table.test_both_modes_and_both_orders_agree_with_numerical_differentiation,
        ("float64",),
        FIRST,
    ),
    Rung(
        table.test_complex_derivatives_agree_with_numerical_differentiation,
        ("complex128",),
        FIRST,
    ),
    Rung(table.test_jvp_and_vjp_are_adjoint, ("float64", "complex128"), FIRST),
    Rung(
        table.test_second_derivatives_are_the_same_by_every_pair_of_modes,
        ("float64", "complex128"),
        SECOND,
    ),
    Rung(
        table.test_float32_stays_float32_in_both_directions_and_says_the_same, ("float32",), FIRST
    ),
    Rung(
        table.test_tensor_says_what_an_array_of_values_says,
        ("array of Values",),
        ("value", "reverse mode"),
    ),
]


class Climbed(NamedTuple):
    """The points checked for a function, and its failures."""

    held: set[tuple[str, str, str]]
    points: int
    wrong: str


def takes_complex(name: str) -> bool:
    try:
        return bool(find(CASES[name], lambda case: case.complex))
    except NoSuchExample:
        return False


def climb(name: str) -> Climbed:
    """Run all rungs for one function."""
    held, points = set(), 0
    complex_too = takes_complex(name)
    for test, dtypes, modes in RUNGS:
        dtypes = tuple(dtype for dtype in dtypes if complex_too or dtype != "complex128")
        if not dtypes:
            continue
        inner = test.hypothesis.inner_test  # type: ignore[attr-defined]

        def counted(*args: Any, inner: Any = inner, **kwargs: Any) -> None:
            nonlocal points
            inner(*args, **kwargs)
            points += 1

        test.hypothesis.inner_test = counted  # type: ignore[attr-defined]
        try:
            test(name=name)
        except pytest.skip.Exception:
            continue
        except Exception as error:
            return Climbed(held, points, f"{name}: {test.__name__}: {error}")
        finally:
            test.hypothesis.inner_test = inner  # type: ignore[attr-defined]
        held |= {(name, dtype, mode) for dtype in dtypes for mode in modes}
    return Climbed(held, points, "")


def main() -> int:
    names = sys.argv[1:] or sorted(table.FUNCTIONS)
    held: set[tuple[str, str, str]] = set()
    points = wrong = 0
    with Pool() as pool:
        for climbed in pool.imap_unordered(climb, names):
            held |= climbed.held
            points += climbed.points
            if climbed.wrong:
                wrong += 1
                print(climbed.wrong, flush=True)
    dtypes, modes = {dtype for _, dtype, _ in held}, {mode for *_, mode in held}
    print(
        f"{len(names)} functions × {len(dtypes)} dtypes × {len(modes)} modes: {len(held):,} "
        f"combinations held at {points:,} points, {wrong} functions wrong"
    )
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
