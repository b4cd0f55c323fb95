"""The line of the user's code that built a node, recorded while a mode asks for it.

The lines are in a side table, as groups are, so that nodes cost nothing extra.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any
from weakref import ref

from autodiff.core.graph import Args, Node, Op, Params
from autodiff.core.modes import Watcher
from autodiff.core.tracebacks import LIBRARIES, user_frame
from autodiff.core.walks import hasty

_DISPATCHING = {
    os.path.join(LIBRARIES[0], *parts)
    for parts in (
        ("core", "modes.py"),
        ("nodes", "methods.py"),
        ("nodes", "protocols.py"),
        ("nodes", "tensor.py"),
        ("testing", "kinks.py"),
    )
}


class Site(ref[Node]):
    """A weak reference to a node, with the user's line that built it."""

    __slots__ = ("file", "function", "key", "line")

    file: str
    function: str
    key: int
    line: int

    def __str__(self) -> str:
        source = linecache.getline(self.file, self.line).strip()
        return f"at {self.file}, line {self.line}, in {self.function}" + (source and f": {source}")


SITES: dict[int, Site] = {}


def remember(node: Node) -> Site:
    site = SITES[id(node)] = Site(node, _forget)
    frame = user_frame(sys._getframe())
    code = frame.f_code
    site.key, site.line = id(node), frame.f_lineno
    site.file, site.function = code.co_filename, code.co_name
    return site


def _forget(site: ref[Node]) -> None:
    assert isinstance(site, Site)
    if SITES.get(site.key) is site:
        del SITES[site.key]


def called_by_user() -> bool:
    """Return whether the user's code, not the library's, called the operator or ufunc."""
    frame: FrameType | None = sys._getframe(1)
    while frame and frame.f_code.co_filename in _DISPATCHING:
        frame = frame.f_back
    return frame is not None and not frame.f_code.co_filename.startswith(LIBRARIES)


# True during a walk: intermediate results of rules may be infinite, as a zero may absorb them.
within_rules: ContextVar[bool] = ContextVar("within_rules", default=False)


class SiteWatcher(Watcher):
    """A watcher that remembers lines and makes walks careful."""

    def made(self, node: Node, data: Any, op: Op, inputs: Args, params: Params) -> None:
        remember(node)

    @contextmanager
    def walking(self) -> Iterator[None]:
        within, haste = within_rules.set(True), hasty.set(False)
        try:
            yield
        finally:
            hasty.reset(haste)
            within_rules.reset(within)
