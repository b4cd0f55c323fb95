"""Interleaved timing, and tables of its results."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from statistics import median, quantiles
from time import perf_counter_ns
from typing import TypeVar

T = TypeVar("T")

OURS = "autodiff"


def rounds(default: int) -> int:
    """Return the number of rounds from the command line."""
    return int(sys.argv[1]) if len(sys.argv) > 1 else default


def interleaved(turns: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Return the results of each contestant's turns, A B C A B C, after two rounds of warm-up."""
    times: dict[str, list[T]] = {name: [] for name in turns}
    for number in range(rounds + 2):
        for name, turn in turns.items():
            time = turn()
            if number >= 2:
                times[name].append(time)
    return times


def steps(step: Callable[[], object], repeat: int) -> Callable[[], float]:
    """Return a turn that times `repeat` steps and returns the nanoseconds of one.

    An untimed step comes first, to fill the caches.
    """

    def turn() -> float:
        step()
        start = perf_counter_ns()
        for _ in range(repeat):
            step()
        return (perf_counter_ns() - start) / repeat

    return turn


def repeats(step: Callable[[], object], seconds: float) -> int:
    """Return how many steps take at least so many seconds, to within a factor of 2."""
    count = 1
    while steps(step, count)() * count < seconds * 1e9:
        count *= 2
    return count


def ratio(times: Mapping[str, Sequence[float]], name: str, other: str) -> float:
    """Return a contestant's time over another's: the median of the ratios within each round."""
    return median(its / others for its, others in zip(times[name], times[other], strict=True))


def against(times: Mapping[str, Sequence[float]], name: str) -> float:
    """Return our time over a contestant's."""
    return ratio(times, OURS, name)


def report(times: Mapping[str, Sequence[float]], unit: str, nanoseconds: float) -> None:
    """Print a row per contestant, fastest first."""
    rows = [("", f"median {unit}", "min", "quartiles", "ours / it")]
    for name, samples in sorted(times.items(), key=lambda item: median(item[1])):
        low, middle, high = (
            f"{q / nanoseconds:.4g}" for q in quantiles(samples, n=4, method="inclusive")
        )
        least = f"{min(samples) / nanoseconds:.4g}"
        rows.append((name, middle, least, f"{low} - {high}", f"{against(times, name):.2f}"))
    table(rows)


def table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns: names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  " + "   ".join([first.ljust(widths[0]), *cells]))


def target(what: str, value: float, bound: float) -> None:
    """Print whether a target is met."""
    print(f"  target: {what} <= {bound:g}: {value:.2f}, {'met' if value <= bound else 'MISSED'}")
