"""The ratios of a run as a picture: a line for each row, a mark for each tool, logarithmic."""

from __future__ import annotations

from pathlib import Path

from benchmarks.gradbench.report import Run, present
from benchmarks.gradbench.tools import JAX

MARKS = "osDv^<>PX"


def plot(run: Run, path: str | Path) -> None:
    """Write the picture, in the format of the file's ending.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    from matplotlib.figure import Figure

    rows = list(run["rows"].items())
    figure = Figure(figsize=(9, 1.5 + 0.35 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for mark, tool in zip(MARKS, (name for name in present(run) if name != JAX), strict=False):
        points = [
            (row["tools"][tool]["ratios"][JAX], k)
            for k, (_, row) in enumerate(rows)
            if tool in row["tools"] and JAX in row["tools"]
        ]
        if points:
            axes.plot(*zip(*points, strict=True), mark, label=tool, alpha=0.8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set(
        xscale="log", xlabel=f"time of a call over that of {JAX}", ylim=(len(rows) - 0.5, -0.5)
    )
    axes.set_yticks(range(len(rows)), [name for name, _ in rows])
    axes.grid(axis="both", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=4, frameon=False)
    figure.savefig(path)
