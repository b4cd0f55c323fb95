"""Modes of a thread or task: whether operations are recorded, and what watches them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from autodiff.core.graph import Args, Node, Op, Params

# Whether a mode is on is asked at every operation, so the question must be cheap: the set is empty
# unless some thread or task is inside a mode's block, and only then is the context asked which
# block that is. A task that was begun inside a block and outlives it is then out of it too.
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
    """Whether operations on nodes are recorded here and now (False inside `no_grad`)."""
    return not (modes and _suspended.get() in modes)


@contextmanager
def recorded() -> Iterator[None]:
    """Record again, inside `no_grad` too: what a derivative is taken of must be recorded."""
    token = _suspended.set(None)
    try:
        yield
    finally:
        _suspended.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Compute without recording: results are fresh variables that know no inputs.

    Holds for the calling thread or asyncio task only. Also usable as a decorator.

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
    """Looks at every operation of a thread or task while its block is open, at some cost."""

    def made(self, node: Node, data: Any, op: Op, inputs: Args, params: Params) -> None:
        """A node is about to hold what an op has computed."""
        raise NotImplementedError

    def carried(self, reader: Node, arg: Node, k: int, given: Any, share: Any, before: Any) -> None:
        """A walk passes between `reader` and its k-th input `arg`.

        It was given a cotangent or tangent and found a share of the next, which it adds to those
        found before. None is a share of 0, or says that none were found before.
        """
        raise NotImplementedError

    def compared(self, mask: Any, x: Any, y: Any, ours: bool) -> Any:
        """Return the result of comparing x with y; `ours` says that the library asked for it."""
        return mask

    def walking(self) -> AbstractContextManager[None]:
        """The block around a walk, which must be a careful one."""
        raise NotImplementedError


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Have the watcher look at all operations of this thread or task."""
    with _inside(_watched, watcher):
        yield


def watcher() -> Watcher | None:
    """Who looks at operations here and now."""
    found = _watched.get() if modes else None
    return found if found in modes else None


def compared(mask: Any, x: Any, y: Any, ours: bool = False) -> Any:
    """Return the result of comparing x with y, which a watcher may want to mark."""
    watched = watcher()
    return mask if watched is None else watched.compared(mask, x, y, ours)


def remembers(node: Node, data: Any, op: Op, inputs: Args, params: Params) -> bool:
    """Whether a node made while some mode is on will know what it was computed from."""
    watched = watcher()
    if watched is not None:
        watched.made(node, data, op, inputs, params)
    return recording()
