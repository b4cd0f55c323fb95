"""Helpers of the demos: the output folder, comparisons, plots, data."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autodiff import Tensor, Value, draw
from autodiff.programs.replay import Run
from nn import DataError, Mnist, mnist


class Trouble(SystemExit):
    """A fault that the user can correct; the message says how."""


def options(name: str, doc: str | None) -> argparse.ArgumentParser:
    """Return a command-line parser with the option that all demos share."""
    parser = argparse.ArgumentParser(
        prog=f"python -m demos {name}",
        description=doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="folder of the pictures (default: results)",
    )
    return parser


def folder(path: Path) -> Path:
    """Create the folder `path` if needed; raise if it is not writable."""
    probe = path / ".writable"
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Trouble(
            f"cannot write to the folder {path} ({error.strerror}): choose another with --out DIR"
        ) from error
    return path


def compare(rows: Iterable[tuple[str, float, float]], decimals: int = 12) -> None:
    """Print (name, computed, expected) in columns; raise if any differ in `decimals` decimals."""
    rows = list(rows)
    width = max(len(name) for name, _, _ in rows)
    print(f"{'':{width}}  {'computed':>22}  {'expected':>22}")
    for name, computed, expected in rows:
        print(f"{name:{width}}  {computed:22.{decimals}f}  {expected:22.{decimals}f}")
    for name, computed, expected in rows:
        if not abs(computed - expected) <= 0.51 * 10.0**-decimals:
            raise AssertionError(f"{name}: computed {computed!r}, expected {expected!r}")


def save_graph(shown: Value | Tensor | Run, path: Path) -> None:
    """Write a graph or a program to an SVG file, or as DOT text if no renderer is installed."""
    drawing = draw(shown)
    try:
        drawing.save(path)
    except RuntimeError as no_renderer:
        path = drawing.save(path.with_suffix(".dot"))
        print(f"note: {no_renderer}")
    print(f"graph written to {path}")


@contextmanager
def plot(path: Path, rows: int = 1) -> Iterator[Any]:
    """Yield Matplotlib axes, or rows of them, and write the picture at the end."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    yield figure.subplots(rows)
    figure.savefig(path, dpi=150)
    print(f"plot written to {path}")


def load_digits(directory: str | None) -> Mnist:
    """Return MNIST; print warnings as notes, and raise Trouble instead of DataError."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            digits = mnist(directory)
        except DataError as error:
            raise Trouble(str(error)) from error
    for warning in caught:
        print(f"note: {warning.message}", file=sys.stderr)
    return digits
