"""Object code on disk, so that a kernel is compiled once for all processes.

A file starts with the SHA-256 digest of the rest. Files are replaced as a whole and read as bytes;
the directory may be deleted at any time.
"""

from __future__ import annotations

import os
import tempfile
import warnings
from functools import cache
from hashlib import sha256
from pathlib import Path

from platformdirs import user_cache_dir

VARIABLE = "AUTODIFF_CACHE"
"""The environment variable with the directory; "off" keeps nothing."""
DIGEST = 32


def directory() -> Path | None:
    """Return where object code is kept; None if it is not."""
    chosen = os.environ.get(VARIABLE)
    if chosen == "off":
        return None
    return Path(chosen or user_cache_dir("autodiff", appauthor=False)) / "llvm"


def load(key: str) -> bytes | None:
    """Return the object code that is kept under a key; None if there is none, or it is damaged."""
    where = directory()
    if where is None:
        return None
    try:
        found = (where / key).read_bytes()
    except OSError:
        return None
    code = found[DIGEST:]
    return code if sha256(code).digest() == found[:DIGEST] else None


def store(key: str, code: bytes) -> None:
    """Keep object code under a key; warn once for a directory that cannot be written."""
    where = directory()
    if where is None:
        return
    try:
        where.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=where)
        try:
            with open(handle, "wb") as file:
                file.write(sha256(code).digest() + code)
            os.replace(name, where / key)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        _warn(str(where), str(error))


@cache
def _warn(where: str, error: str) -> None:
    warnings.warn(
        f"compiled code is not kept in {where} ({error}): set {VARIABLE} to another directory, or "
        'to "off"',
        UserWarning,
        stacklevel=2,
    )
