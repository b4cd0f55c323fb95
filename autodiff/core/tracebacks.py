"""Tracebacks in IPython and pytest without the engine's own frames.

pytest hides the frames of a module with a `__tracebackhide__`. IPython reads that name from local
variables only, and always shows the last frame, so its formatter gets a copy of the traceback
without our frames. Neither slows down a function.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import wraps
from types import FrameType, TracebackType
from typing import Any

import numpy as np

SWITCH = "AUTODIFF_TRACEBACKS"
"""Environment variable; `full` shows all frames."""

LIBRARIES = (
    *[os.path.dirname(file) + os.sep for file in (os.path.dirname(__file__), np.__file__)],
    contextlib.__file__,
)
"""The folders of autodiff and NumPy; and `contextlib`, which runs our context managers."""

_folders: list[str] = []


def hide(package: str) -> None:
    """Leave a package's frames out of tracebacks.

    Parameters
    ----------
    package : str
        The name of an imported package. pytest hides only modules that are loaded already.
    """
    folder = os.path.dirname(str(sys.modules[package].__file__)) + os.sep
    if folder not in _folders:
        _folders.append(folder)
    for name, module in list(sys.modules.items()):
        if name == package or name.startswith(f"{package}."):
            module.__dict__["__tracebackhide__"] = _is_on


def user_frame(frame: FrameType) -> FrameType:
    """Return the nearest frame that is neither ours nor NumPy's; the outermost if all are."""
    while frame.f_back and frame.f_code.co_filename.startswith(LIBRARIES):
        frame = frame.f_back
    return frame


def _is_on(_: object = None) -> bool:
    return os.environ.get(SWITCH) != "full"


def hide_in_ipython() -> None:
    """Leave our frames out of the tracebacks of the running IPython shell, if any."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    formatter: Any = getattr(get_shell(), "InteractiveTB", None)
    usual = getattr(formatter, "structured_traceback", None)
    if usual is None or hasattr(usual, "leaves_out"):
        return

    @wraps(usual)
    def structured_traceback(
        kind: Any = None, error: Any = None, tb: Any = None, *args: Any, **options: Any
    ) -> Any:
        if not isinstance(error, BaseException) or not _is_on():
            return usual(kind, error, tb, *args, **options)
        with _short_chain(error):
            return usual(kind, error, shortened(tb), *args, **options)

    vars(structured_traceback)["leaves_out"] = "autodiff"
    formatter.structured_traceback = structured_traceback


def shortened(tb: TracebackType | None) -> TracebackType | None:
    """Return a copy of a traceback without our frames; the traceback itself if none is the user's.

    Frames of `contextlib` directly below ours are left out too: they run our context managers.
    """
    kept: list[TracebackType] = []
    ours = False
    for entry in _entries(tb):
        frame = entry.tb_frame
        ours = _is_ours(frame) or (ours and frame.f_globals.get("__name__") == "contextlib")
        if not ours:
            kept.append(entry)
    if not any(_is_users(entry.tb_frame) for entry in kept):
        return tb
    copy = None
    for entry in reversed(kept):
        copy = TracebackType(copy, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return copy


def _entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next


def _is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(tuple(_folders))


def _is_users(frame: FrameType) -> bool:
    """Return whether a frame is outside autodiff, the standard library and installed packages."""
    files = [getattr(sys.modules.get(name), "__file__", None) for name in ("numpy", "IPython")]
    installed = [os.path.dirname(os.path.dirname(file)) for file in files if file]
    library = os.path.dirname(os.__file__)
    return not _is_ours(frame) and not frame.f_code.co_filename.startswith((library, *installed))


@contextlib.contextmanager
def _short_chain(error: BaseException) -> Iterator[None]:
    """Shorten an exception and its causes; drop causes that our code raised and caught.

    Undo both afterwards, for debuggers.
    """
    before: list[tuple[BaseException, Any, bool, Any]] = []
    link: BaseException | None = error
    while link is not None and all(link is not known for known, *_ in before):
        before.append((link, link.__cause__, link.__suppress_context__, link.__traceback__))
        link.__traceback__ = shortened(link.__traceback__)
        earlier = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        if earlier is not None and not any(
            _is_users(entry.tb_frame) for entry in _entries(earlier.__traceback__)
        ):
            link.__cause__ = earlier = None
        link = earlier
    try:
        yield
    finally:
        for link, cause, suppressed, tb in before:
            link.__cause__, link.__traceback__ = cause, tb
            link.__suppress_context__ = suppressed
