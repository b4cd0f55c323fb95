"""What is to be reached, by row, and whether a run reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmarks.derivatives import FLOOR
from benchmarks.gradbench.tools import BACKENDS, JAX, JAX_UNROLLED
from benchmarks.timing import OURS

NODE = "ns a node"
NUMPY_BACKEND = next(name for name, backend in BACKENDS.items() if backend == "numpy")
COMPILE_SHARE = 1 / 20
"""Our first call over that of `jax.jit` on the same formula, at most, on every row."""


class Target(NamedTuple):
    numpy: float | None
    """Bound for the NumPy back end; None where there is none."""
    best: float
    """Bound for the fastest of ours."""
    over: str = JAX
    """What our time is divided by: a contestant's, or `NODE`."""


TARGETS = {
    "gmm-2x5x1000": Target(1.5, 1.0),
    "gmm-10x25x1000": Target(1.5, 1.0),
    "lse": Target(1.0, 1.0),
    "llsq": Target(0.7, 0.7),
    "ode-1000": Target(0.7, 0.7),
    "ode-10": Target(1.5, 0.3),
    "lstm-10": Target(2.5, 1.0),
    "kmeans": Target(1.2, 1.0),
    "ba": Target(None, 1.0),
    "det": Target(3.0, 1.0),
    "saddle": Target(5.0, 1.0),
    "training-step": Target(1.0, 0.96, FLOOR),
    "scalar-net": Target(30.0, 1.5, NODE),
    "expression": Target(0.4, 0.25, OURS),
}
OTHERS = Target(None, 1.0)
"""Every row is to take no longer than `jax.jit`."""


class Verdict(NamedTuple):
    what: str
    bound: float
    value: float | None
    """None where a contestant is missing."""

    @property
    def word(self) -> str:
        if self.value is None:
            return "not measured"
        return "met" if self.value <= self.bound else "MISSED"


def best(row: Mapping[str, Any]) -> str:
    """Return the name of the fastest of ours, eager or compiled."""
    ours = [name for name in (OURS, *BACKENDS) if name in row["tools"]]
    return min(ours, key=lambda name: row["tools"][name]["median"])


def verdicts(name: str, row: Mapping[str, Any]) -> list[Verdict]:
    """Return what a row of a run reaches."""
    target, made = TARGETS.get(name, OTHERS), []
    fastest = best(row)
    if target.numpy is not None:
        made.append(_verdict("numpy", target.numpy, row, NUMPY_BACKEND, target.over))
    made.append(_verdict("best", target.best, row, fastest, target.over))
    first = {tool: it["first"] for tool, it in row["tools"].items()}
    compiled = [tool for tool in BACKENDS if tool in first]
    used = fastest if fastest in compiled else next(iter(compiled), None)
    over = JAX_UNROLLED if JAX_UNROLLED in first else JAX
    share = first[used] / first[over] if used and over in first else None
    made.append(Verdict(f"first call / {over}", COMPILE_SHARE, share))
    return made


def _verdict(what: str, bound: float, row: Mapping[str, Any], name: str, over: str) -> Verdict:
    value = None
    if name in row["tools"]:
        it = row["tools"][name]
        value = it["median"] / row["nodes"] if over == NODE else it["ratios"].get(over)
    return Verdict(f"{what}, {over}" if over == NODE else f"{what} / {over}", bound, value)
