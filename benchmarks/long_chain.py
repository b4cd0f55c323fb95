"""A chain of a million scalar nodes: build, backward, free.

The garbage collector is disabled and the stack is the default one, so nodes must be released by
reference counts, without recursion. A chain of ten thousand shows whether the cost per node grows.
"""

from __future__ import annotations

import gc
import math
import tracemalloc
from collections.abc import Callable
from functools import partial
from statistics import median
from time import perf_counter_ns
from typing import Any, NamedTuple

import autodiff as ad
from benchmarks.slotted import Slotted
from benchmarks.timing import OURS, interleaved, rounds, table

LONG, SHORT = 1_000_000, 10_000
FACTOR = 1 + 1e-7
KINDS = {OURS: ad.Value, "slotted, local gradients": Slotted}


class Phases(NamedTuple):
    """Nanoseconds per node."""

    build: float
    backward: float
    free: float


def chain(kind: Callable[[float], Any], length: int) -> tuple[Any, Any]:
    """Return the first and the last node of a chain."""
    first = x = kind(1.0)
    for _ in range(length):
        x = x * FACTOR
    return first, x


def phases(kind: Callable[[float], Any], length: int) -> Phases:
    start = perf_counter_ns()
    first, last = chain(kind, length)
    built = perf_counter_ns()
    last.backward()
    pulled = perf_counter_ns()
    assert math.isclose(first.grad, FACTOR**length, rel_tol=1e-9), first.grad
    freeing = perf_counter_ns()
    del first, last
    freed = perf_counter_ns()
    return Phases((built - start) / length, (pulled - built) / length, (freed - freeing) / length)


def many(kind: Callable[[float], Any]) -> Phases:
    """Return the mean over short chains, together a tenth of the long one."""
    runs = [phases(kind, SHORT) for _ in range(LONG // SHORT // 10)]
    return Phases(*(sum(column) / len(runs) for column in zip(*runs, strict=True)))


def alive(kind: type) -> int:
    return sum(type(thing) is kind for thing in gc.get_objects())


def bytes_per_node(kind: Callable[[float], Any], length: int) -> tuple[float, float]:
    """Return bytes per node of a chain, and at the peak of its backward pass, by `tracemalloc`."""
    tracemalloc.start()
    first, last = chain(kind, length)
    built, _ = tracemalloc.get_traced_memory()
    last.backward()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del first, last
    return built / length, peak / length


def main() -> None:
    gc.disable()
    for name, kind in KINDS.items():
        phases(kind, LONG)
        assert alive(kind) == 0, f"{name}: {alive(kind)} nodes were not released"
    turns: dict[str, Callable[[], Phases]] = {}
    for name, kind in KINDS.items():
        turns[f"{name}, 10^6"] = partial(phases, kind, LONG)
        turns[f"{name}, 10^4"] = partial(many, kind)
    times = interleaved(turns, rounds(7))
    for name, kind in KINDS.items():
        assert alive(kind) == 0, f"{name}: {alive(kind)} nodes were not released"
    memory = {name: bytes_per_node(kind, LONG // 10) for name, kind in KINDS.items()}

    ours = [sum(run) for run in times[f"{OURS}, 10^6"]]
    rows: list[tuple[str, ...]] = [
        ("ns per node", *Phases._fields, "all", "ours 10^6 / it", "bytes built", "at peak")
    ]
    for name, runs in times.items():
        medians = [f"{median(column):.0f}" for column in zip(*runs, strict=True)]
        totals = [sum(run) for run in runs]
        ratio = median(o / it for o, it in zip(ours, totals, strict=True))
        built, peak = memory[name.rpartition(",")[0]]
        rows.append(
            (name, *medians, f"{median(totals):.0f}", f"{ratio:.2f}", f"{built:.0f}", f"{peak:.0f}")
        )
    table(rows)
    print("  all nodes released, with the garbage collector disabled; bytes by tracemalloc")


if __name__ == "__main__":
    main()
