"""A run as tables: times, first calls, memory, targets, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.gradbench.limits import UNITS
from benchmarks.gradbench.targets import verdicts
from benchmarks.gradbench.tools import CONTESTANTS, JAX

Run = Mapping[str, Any]
Table = list[tuple[str, ...]]
"""Rows of cells; the first is the heading."""

LIMITS = {
    "gemm_float64": "matrix product 1024 × 1024, float64",
    "gemm_float32": "matrix product 1024 × 1024, float32",
    "copy": "copy of 128 MB, read and written",
    "add": "sum of two arrays of 128 MB",
    "exp": "exp of 1024 numbers, float64",
}


def present(run: Run) -> list[str]:
    """Return the contestants of any row, in the order of tables."""
    return [
        name for name in CONTESTANTS if any(name in row["tools"] for row in run["rows"].values())
    ]


def ratios(run: Run) -> Table:
    """Return the time of a call by `jax.jit`, and of the others as ratios to it."""
    others = [name for name in present(run) if name != JAX]
    table = [("", f"{JAX}, µs", *others)]
    for name, row in run["rows"].items():
        tools = row["tools"]
        over = [tools[other]["ratios"].get(JAX) if other in tools else None for other in others]
        base = tools[JAX]["median"] / 1e3 if JAX in tools else None
        table.append((name, number(base), *map(number, over)))
    return table


def first_calls(run: Run) -> Table:
    """Return the time of the first call, with compilation, in ms."""
    return _by_tool(run, "first", 1e3)


def memory(run: Run) -> Table:
    """Return the peak memory of a call, in MB."""
    return _by_tool(run, "peak", 1e-6)


def targets(run: Run) -> Table:
    """Return each target with what was measured, and whether it is met."""
    table: Table = [("", "target", "bound", "measured", "")]
    for name, row in run["rows"].items():
        for it in verdicts(name, row):
            table.append((name, it.what, f"{it.bound:g}", number(it.value), it.word))
    return table


def limits(run: Run) -> Table:
    return [
        ("", "rate"),
        *((LIMITS[name], f"{value:.3g} {UNITS[name]}") for name, value in run["limits"].items()),
    ]


def load(run: Run) -> str:
    before, after = run["load"]
    return f"load: {before:.1f} before, {after:.1f} after (1 is this run)"


def _by_tool(run: Run, key: str, factor: float) -> Table:
    names = present(run)
    table = [("", *names)]
    for name, row in run["rows"].items():
        found = [row["tools"].get(tool, {}).get(key) for tool in names]
        table.append((name, *(number(it if it is None else it * factor) for it in found)))
    return table


def number(value: float | None) -> str:
    """Return about three digits of a number; a dash for None."""
    if value is None:
        return "–"
    return (
        f"{value:.2f}" if 0.1 <= value < 10 else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    )
