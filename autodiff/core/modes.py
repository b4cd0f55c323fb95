"""Modes of a thread or task: recording on or off, and watchers of operations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from autodiff.core.graph import Args, Node, Op, Params

# Every operation looks at the modes, so that must be cheap: the set is empty while no thread or
# task is inside a block, and only otherwise is the context variable read. A block that has ended
# is no longer in the set, so a task that outlives it leaves the mode too.
modes: set[object] = set()
_suspended: ContextVar[object] = ContextVar("suspended", default=None)
_watched: ContextVar[Watcher | None] = ContextVar("watched", default=None)


@contextmanager
def _inside(mode: ContextVar[Any], block: object) -> Iterator[None]:
    token = mode.set(block)
    modes.add(block)
    try:
        yield
    finally:
        modes.discard(block)
        mode.reset(token)


def recording() -> bool:
    """Return whether this thread or task records operations (False inside `no_grad`)."""
    return not (modes and _suspended.get() in modes)


@contextmanager
def recorded() -> Iterator[None]:
    """Record in this block, even inside `no_grad`: a transform differentiates what it records."""
    token = _suspended.set(None)
    try:
        yield
    finally:
        _suspended.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: results are fresh variables without inputs.

    Applies to the calling thread or asyncio task only. Also usable as a decorator.

    >>> from autodiff import Value, no_grad
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.op is None
    True
    """
    with _inside(_suspended, object()):
        yield


class Watcher:
    """Base of observers that are called at every operation while their block is open."""

    conventions = True
    """Whether derivatives may be conventions where none exists."""

    def made(self, node: Node, data: Any, op: Op, inputs: Args, params: Params) -> None:
        """Called when `op` has computed `data`, before `node` is complete."""
        raise NotImplementedError

    def carried(self, reader: Node, arg: Node, k: int, given: Any, share: Any, before: Any) -> None:
        """Called when a walk passes between `reader` and its k-th input `arg`.

        `given` is the cotangent of `reader` (reverse mode) or the tangent of `arg` (forward mode).
        The walk adds `share` to the sum `before`; None means zero for both.
        """
        raise NotImplementedError

    def compared(self, mask: Any, x: Any, y: Any, ours: bool) -> Any:
        """Return the mask of comparing x with y; `ours` if the library itself compared."""
        return mask

    def walking(self) -> AbstractContextManager[None]:
        """Return a context for a walk; it must switch off `walks.hasty`."""
        raise NotImplementedError


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Call the watcher at all operations of this thread or task."""
    with _inside(_watched, watcher):
        yield


def watcher() -> Watcher | None:
    """Return the watcher of this thread or task, if any."""
    found = _watched.get() if modes else None
    return found if found in modes else None


def conventions() -> bool:
    """Return whether derivatives may be conventions where none exists."""
    watched = watcher()
    return watched is None or watched.conventions


def compared(mask: Any, x: Any, y: Any, ours: bool = False) -> Any:
    """Return the mask of comparing x with y, marked by the watcher if there is one."""
    watched = watcher()
    return mask if watched is None else watched.compared(mask, x, y, ours)


def records(node: Node, data: Any, op: Op, inputs: Args, params: Params) -> bool:
    """Return whether a node made while a mode is on is recorded; call the watcher."""
    watched = watcher()
    if watched is not None:
        watched.made(node, data, op, inputs, params)
    return recording()
