"""`detect_kinks`: raise where a derivative does not exist, with operation and source line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from autodiff.core import trees
from autodiff.core.graph import Node, Parts, data_of, plain_data
from autodiff.core.modes import watching
from autodiff.ops.degenerate import Decomposition
from autodiff.ops.kinks import Kink, Mask, Tied
from autodiff.ops.registry import shape_of
from autodiff.ops.table import Elementwise, Row
from autodiff.testing.sites import SITES, SiteWatcher, called_by_user, within_rules
from autodiff.transforms.runs import run_on_variables


class KinkError(ValueError):
    """No derivative exists at the point, or none that nearby values can confirm."""


@contextmanager
def detect_kinks() -> Iterator[None]:
    """Raise where a derivative is taken at a point where it does not exist.

    These points are corners (`relu`, `abs`), ties (`max`, `sort`, `clip` at a bound), steps
    (`floor` at an integer), infinite slopes (`sqrt` at 0), equal eigenvalues, and `where` on a
    comparison of two equal numbers. docs/kinks.md lists them, with the conventions outside this
    block. Nothing is raised near a kink, or if the cotangent or tangent is a constant 0.

    Inside the block, comparisons of Tensors return read-only masks. Python's own branches
    (`if x > 0`) are not detected.

    Applies to the calling thread or asyncio task only. Also usable as a decorator.

    Raises
    ------
    KinkError
        With the operation, its inputs, its source line, and the derivative by convention.

    Examples
    --------
    >>> import numpy as np
    >>> from autodiff import detect_kinks, grad
    >>> def f(x):
    ...     return np.abs(x) ** 2
    >>> grad(grad(f))(0.0)
    0.0
    >>> with detect_kinks():
    ...     grad(grad(f))(0.0)
    Traceback (most recent call last):
    autodiff.testing.kinks.KinkError: absolute has no derivative at x = 0
      called at <doctest ...>, line 2, in f: return np.abs(x) ** 2
      input 0: 0.0
      by input 0 it would answer 0.0
    """
    with watching(_Kinks()):
        yield


def kink_of(f: Callable[..., Any], args: tuple[Any, ...], k: int) -> KinkError | None:
    """Return the error for the first kink in the derivative of `f` by argument `k` at `args`.

    Return None if there is no kink. Results are weighted differently, so that no terms cancel.
    """
    try:
        with detect_kinks(), run_on_variables(f, k, args, {}) as run:
            run.pull(trees.mapped(_weights, run.output))
    except KinkError as error:
        return error
    except Exception:  # an error of the function itself is not a kink
        return None
    return None


def _weights(leaf: Any) -> Any:
    weights = np.cos(np.arange(np.size(leaf))).reshape(np.shape(leaf))
    return weights if weights.ndim else float(weights)


class _Kinks(SiteWatcher):
    conventions = False

    def compared(self, mask: Any, x: Any, y: Any, ours: bool) -> Any:
        if within_rules.get() or not (ours or called_by_user()):
            return mask
        x, y = data_of(x), data_of(y)
        ties = np.equal(x, y)
        if not np.any(ties):
            return mask
        return Tied(mask) if {type(x), type(y)} <= {float, int} else Mask.of(mask, ties)

    def carried(self, reader: Node, arg: Node, k: int, given: Any, share: Any, before: Any) -> None:
        op = reader.op
        if isinstance(op, Row):
            for kink in op.kinks:
                if k in kink.by and _is_met(kink, reader, arg, given, share):
                    raise _error(kink, reader, k, share)


def _is_met(kink: Kink, reader: Node, arg: Node, given: Any, share: Any) -> bool:
    """Return whether a walk uses the kink, given a cotangent of `reader` or a tangent of `arg`."""
    op = reader.op
    assert op is not None
    if isinstance(op, Decomposition) and isinstance(reader._data, tuple):
        if op.lacks(reader, given, share):
            return True
        parts = share if isinstance(share, Parts) else [share]
        if not any(isinstance(part, Node) for part in parts):
            return False  # the walk has found the derivative
    at = kink.at(reader._data, *plain_data(reader.inputs), **reader.params)
    if not np.any(at):
        return False
    reverse = isinstance(given, Parts) or shape_of(given) == shape_of(reader._data)
    if kink.smooth is not None and reverse and kink.smooth(_plain(given), reader._data):
        return False
    if isinstance(given, Parts):
        return any(part is not None and np.any(data_of(part)) for part in given)
    if isinstance(given, Node):  # the derivative of a zero need not be zero
        return True
    aligned = isinstance(op, Elementwise) or (reverse and shape_of(at) == shape_of(given))
    return bool(np.any(at & (given != 0)) if aligned else np.any(given))


def _plain(given: Any) -> Any:
    return [*map(data_of, given)] if isinstance(given, Parts) else data_of(given)


def _error(kink: Kink, reader: Node, k: int, share: Any) -> KinkError:
    assert reader.op is not None
    site = SITES.get(id(reader))
    lines = [f"{reader.op.name} has no derivative at {kink.where}"]
    lines.append(f"  called {site or 'before detect_kinks was on'}")
    lines += [f"  input {i}: {_shown(arg)}" for i, arg in enumerate(reader.inputs)]
    lines.append(f"  by input {k} it would answer {_shown(0.0 if share is None else share)}")
    return KinkError("\n".join(lines))


def _shown(x: Any) -> str:
    data = x._data if isinstance(x, Node) else x
    if isinstance(data, np.ndarray) and data.ndim:
        text = np.array2string(data, threshold=20, edgeitems=2, separator=", ")
        return f"{data.dtype} of shape {data.shape}: {text}".replace("\n", "\n    ")
    return repr(data.item() if isinstance(data, np.generic | np.ndarray) else data)
