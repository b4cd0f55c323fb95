"""`detect_anomaly`: find the operation that makes a NaN or an infinity, and its source line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Args, Node, Op, Params
from autodiff.core.modes import watching
from autodiff.testing.sites import SITES, Site, SiteWatcher, within_rules


@contextmanager
def detect_anomaly() -> Iterator[None]:
    """Raise at the first operation that makes a NaN, or an infinity from finite numbers.

    Checks results, cotangents and tangents. This is slow: use it to find a fault that you have
    seen. Derivatives of nodes built before the block are checked too, without source lines.

    Applies to the calling thread or asyncio task only. Also usable as a decorator.

    Raises
    ------
    FloatingPointError
        With the operation, its inputs and its source line. A NaN from a NaN, or an infinity from an
        infinity, is not an error, so inputs may contain either.

    Examples
    --------
    >>> from autodiff import Value, detect_anomaly, sqrt
    >>> x = Value(0.0)
    >>> with detect_anomaly():
    ...     y = sqrt(x * x)
    ...     y.backward()
    Traceback (most recent call last):
    FloatingPointError: the derivative of sqrt by its input 0 makes inf
      built at <doctest ...>, line 2, in <module>: y = sqrt(x * x)
      input 0: float64 of shape (), 0
      output: float64 of shape (), 0
      given: float64 of shape (), 1
      made: float64 of shape (), inf
    """
    with watching(_Anomalies()):
        yield


class _Anomalies(SiteWatcher):
    def made(self, node: Node, data: Any, op: Op, inputs: Args, params: Params) -> None:
        super().made(node, data, op, inputs, params)
        if within_rules.get():
            return
        what = _anomaly(data, (inputs, dict(params)))
        if what:
            raise _error(
                f"{op.name} makes {what}", SITES.get(id(node)), [*_inputs(inputs), ("output", data)]
            )

    def carried(self, reader: Node, arg: Node, k: int, given: Any, share: Any, before: Any) -> None:
        assert reader.op is not None
        if share is None:
            return
        what = _anomaly(share, given)
        if what:
            raise _error(
                f"the derivative of {reader.op.name} by its input {k} makes {what}",
                SITES.get(id(reader)),
                [
                    *_inputs(reader.inputs),
                    ("output", reader),
                    ("given", given),
                    ("made", share),
                ],
            )
        with np.errstate(all="ignore"):
            what = None if before is None else _anomaly(before + share, (before, share))
        if what:
            raise _error(
                f"adding the contributions of {reader.op.name} and other operations makes {what}",
                SITES.get(id(reader)),
                [(f"input {k}", arg), ("of others", before), (f"of {reader.op.name}", share)],
            )


def _arrays(tree: Any) -> list[Any]:
    """Return all numbers in a container as arrays; nodes as their data."""
    found: list[Any] = []
    for leaf in trees.leaves(tree):
        found += _arrays(leaf._data) if isinstance(leaf, Node) else [np.asarray(leaf)]
    return [array for array in found if array.dtype.kind in "fciub"]


def _anomaly(made: Any, given: Any) -> str | None:
    """Return "NaN" or "inf" if a result has it and the inputs do not explain it, else None."""
    worst = _worst(made)
    return None if worst is None or _worst(given) in (worst, "NaN") else worst


def _worst(tree: Any) -> str | None:
    arrays = _arrays(tree)
    if any(np.isnan(array).any() for array in arrays):
        return "NaN"
    return "inf" if any(np.isinf(array).any() for array in arrays) else None


def _inputs(inputs: Args) -> list[tuple[str, Any]]:
    return [(f"input {k}", arg) for k, arg in enumerate(inputs)]


def _error(what: str, site: Site | None, numbers: list[tuple[str, Any]]) -> FloatingPointError:
    lines = [what, f"  built {site or 'before detect_anomaly was on'}"]
    for label, tree in numbers:
        lines += [f"  {label}: {_statistics(array)}" for array in _arrays(tree)]
    return FloatingPointError("\n".join(lines))


def _statistics(array: Any) -> str:
    what = f"{array.dtype} of shape {array.shape}"
    if array.size == 1:
        return f"{what}, {array.item():.6g}"
    size = abs(array) if array.dtype.kind == "c" else array
    finite = size[np.isfinite(size)]
    if finite.size:
        with np.errstate(all="ignore"):
            figures = finite.min(), finite.mean(dtype=float), finite.max()
        of = " of the absolute value" if size is not array else ""
        what += ", min {:.6g}, mean {:.6g}, max {:.6g}".format(*figures) + of
    for name, found in (("NaN", np.isnan(array)), ("infinite", np.isinf(array))):
        if found.any():
            what += f", {np.count_nonzero(found)} {name}"
    return what
