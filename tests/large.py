"""Graphs of a million nodes: every operation on them, with its cost per node.

`python -m tests.large` tries them (minutes); the tests try smaller ones. A short graph is built in
memory that is still in the processor's caches, a long one in fresh memory from the system. So the
ratio of their costs depends on the machine's memory as well as on our code.
"""

import copy
import gc
import pickle
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from statistics import median
from time import thread_time
from typing import Any, NamedTuple

from autodiff import Tensor, Value, draw, gradients
from autodiff.core.graph import Node
from autodiff.core.walks import push

LONG, SHORT = 1_000_000, 10_000

# CPython 3.13 nests up to 10,000 deallocations on any stack: a list in a list in a list … needs
# 384 KiB to be freed, a chain of nodes 768. Other versions nest 50, or check the stack.
SMALL_STACK = (1024 if sys.version_info[:2] == (3, 13) else 256) * 1024

Kind = Callable[[float], Any]


class Built(NamedTuple):
    """A graph, and its derivatives by `x`."""

    x: Node
    y: Node
    slope: float
    curvature: float


Build = Callable[[Kind, int], Built]


def chain(kind: Kind, size: int) -> Built:
    """Return x + n x², step by step."""
    n = size // 3
    x = y = kind(1.0)
    for _ in range(n):
        y = y * 1.0 + x * x
    return Built(x, y, 1.0 + 2.0 * n, 2.0 * n)


def fan(kind: Kind, size: int) -> Built:
    """Return n/2 x², as the sum of n readers of one node."""
    n = size // 2
    x = kind(1.0)
    square = x * x
    return Built(x, sum([square * 0.5 for _ in range(n)], kind(0.0)), float(n), float(n))


def leaves(kind: Kind, size: int) -> Built:
    """Return x² times the sum of n variables."""
    n = size // 2
    x = kind(1.0)
    return Built(x, x * x * sum([kind(1.0) for _ in range(n)], kind(0.0)), 2.0 * n, 2.0 * n)


def shared(kind: Kind, size: int) -> Built:
    """Return (y + y)/2 … · x: each node reads the one before twice, so that 2ⁿ paths lead to x."""
    x = y = kind(1.0)
    for _ in range(size // 2):
        y = (y + y) * 0.5
    return Built(x, y * x, 2.0, 2.0)


def lattice(kind: Kind, size: int) -> Built:
    """Return layers of a hundred nodes, each the mean of two neighbours in the layer before."""
    x = kind(1.0)
    row = [x * x for _ in range(100)]
    for _ in range(size // 200):
        row = [(one + two) * 0.5 for one, two in zip(row, row[1:] + row[:1], strict=True)]
    return Built(x, sum(row, kind(0.0)), 200.0, 200.0)


GRAPHS: dict[Build, tuple[Kind, ...]] = {
    chain: (Value, Tensor),
    fan: (Value, Tensor),
    leaves: (Value,),
    shared: (Value,),
    lattice: (Value,),
}
"""The graphs, with the kinds of nodes they are tried on at full size."""


def everything(build: Build, kind: Kind, size: int) -> dict[str, float]:
    """Run every operation on a graph, check that it is freed; return the seconds of each step."""
    spent = {}

    @contextmanager
    def step(name: str) -> Iterator[None]:
        start = thread_time()
        yield
        spent[name] = thread_time() - start

    with step("build"):
        x, y, slope, curvature = build(kind, size)
    with step("backward"):
        y.backward()
    assert x.grad == slope
    with step("gradients"):
        plain = gradients(y, [x])
    assert plain == [slope]
    with step("record"):
        (first,) = gradients(y, [x], record=True)
    assert first.data == slope
    with step("second"):
        (second,) = gradients(first, [x])
    assert second == curvature
    with step("push"):
        tangent = push({x: x.seed()}, [y])[y]
    assert tangent == slope
    with step("draw"):
        picture = draw(y, max_nodes=20)
    assert len(picture.source) < 50_000
    assert len(repr(y)) < 100
    with step("deepcopy"):
        copied = copy.deepcopy((x, y))
    with step("pickle"):
        pickled = pickle.dumps((x, y))
    with step("unpickle"):
        loaded = pickle.loads(pickled)
    for x2, y2 in (copied, loaded):
        y2.backward()
        assert x2.grad == slope
    gone = [weakref.ref(y), weakref.ref(y.inputs[0]), weakref.ref(first)]
    del first, copied, loaded, x2, y2, picture
    with step("free"):
        del y
    assert [ref() for ref in gone] == [None] * 3
    return spent


@contextmanager
def uncollected() -> Iterator[None]:
    """Disable the garbage collector: only objects outside cycles are freed."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def in_small_stack(function: Callable[..., Any], *args: Any) -> Any:
    """Return the result of a function run in a thread with a small stack."""
    old = threading.stack_size(SMALL_STACK)
    try:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(function, *args).result()
    finally:
        threading.stack_size(old)


class Cost(NamedTuple):
    """Microseconds per node of a short graph and of a long one."""

    short: float
    long: float

    @property
    def ratio(self) -> float:
        return self.long / self.short


def costs(build: Build, kind: Kind, size: int) -> dict[str, Cost]:
    """Return the cost of each step: medians of three long graphs and nine short ones.

    One of the long graphs is built in a thread with a small stack.
    """
    short, long = [], []
    with uncollected():
        for run in (everything, everything, partial(in_small_stack, everything)):
            short += [everything(build, kind, SHORT) for _ in range(3)]
            long.append(run(build, kind, size))

    def per_node(step: str, runs: list[dict[str, float]], size: int) -> float:
        return median(run[step] for run in runs) / size * 1e6

    return {
        step: Cost(per_node(step, short, SHORT), per_node(step, long, size)) for step in long[0]
    }


def main(size: int = LONG) -> tuple[int, float]:
    """Try every graph and print the costs; return the number of graphs and the largest ratio."""
    tried, worst = 0, 0.0
    for build, kinds in GRAPHS.items():
        for kind in kinds:
            print(
                f"{build.__name__}, {kind.__name__}: µs per node of {SHORT:,}, of {size:,}, ratio"
            )
            for step, cost in costs(build, kind, size).items():
                if cost.long > 0.01:  # a step below this visits only a few nodes
                    print(f"  {step:10}{cost.short:7.2f}{cost.long:7.2f}{cost.ratio:7.2f}")
                    worst = max(worst, cost.ratio)
            sys.stdout.flush()
            tried += 1
    return tried, worst


if __name__ == "__main__":
    tried, worst = main(*map(int, sys.argv[1:]))
    print(f"{tried} graphs tried; ratio at most {worst:.2f}")
