"""A row's contest: first calls, results compared, then times in one interleaved run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.derivatives import FLOOR
from benchmarks.gradbench.tools import Tool, Unavailable, first_result
from benchmarks.gradbench.workload import Candidate, Workload
from benchmarks.timing import OURS, interleaved, repeats, steps

TURN, RACE, FEWEST = 0.005, 60, 3
"""Seconds that a turn takes at least; seconds of a race, for which rounds are left out, down to a
few."""


class Disagreement(AssertionError):
    """Two tools have different results."""


class Contestant(NamedTuple):
    step: Callable[[], Any]
    first: float
    """Seconds of the first call: tracing and compilation, if any, and one run."""
    result: NDArray[Any]


def flat(result: Any) -> NDArray[Any]:
    """Return the numbers of a result, in order."""
    if isinstance(result, tuple | list):
        return np.concatenate([flat(part) for part in result])
    return np.asarray(result, np.float64).ravel().copy()


def contestant(candidate: Candidate) -> Contestant:
    start = perf_counter()
    returned = first_result(candidate.step)
    seconds = perf_counter() - start
    return Contestant(candidate.step, seconds, flat(candidate.result(returned)))


def entered(
    workload: Workload, tools: Mapping[str, Tool]
) -> tuple[dict[str, Contestant], dict[str, str]]:
    """Return all contestants after their first calls, and why other tools have none."""
    contestants, skipped = {}, {}
    for name, tool in tools.items():
        if tool.unrolls and not workload.loops:
            continue
        if name in workload.skipped:
            skipped[name] = workload.skipped[name]
            continue
        try:
            contestants[name] = contestant(workload.candidate(tool))
        except Unavailable as reason:
            skipped[name] = str(reason)
    if floor := workload.floor():
        contestants[FLOOR] = contestant(floor)
    return contestants, skipped


def compare(row: str, contestants: Mapping[str, Contestant], rtol: float) -> None:
    """Compare all results with those by hand, or else with ours.

    Raises
    ------
    Disagreement
        If a result has other numbers, or any that is not finite; it names the row and the tools.
    """
    reference = FLOOR if FLOOR in contestants else OURS
    wanted = contestants[reference].result
    if not np.isfinite(wanted).all():
        raise Disagreement(f"{row}: {reference} has results that are not finite")
    for name, it in contestants.items():
        if it.result.shape != wanted.shape:
            raise Disagreement(
                f"{row}: {name} returns {it.result.size} numbers, {reference} {wanted.size}"
            )
        error = np.abs(it.result - wanted).max()
        if not error <= rtol * np.abs(wanted).max():
            raise Disagreement(
                f"{row}: {name} and {reference} disagree by {error:.1e}, where the largest number "
                f"is {np.abs(wanted).max():.1e} and rtol {rtol:g}"
            )


def race(contestants: Mapping[str, Contestant], rounds: int) -> dict[str, list[float]]:
    """Return the nanoseconds of a call in each round, by contestant."""
    turns = {name: steps(it.step, repeats(it.step, TURN)) for name, it in contestants.items()}
    start = perf_counter()
    for turn in turns.values():
        turn()
    affordable = int(RACE / (perf_counter() - start))
    return interleaved(turns, max(FEWEST, min(rounds, affordable)))
