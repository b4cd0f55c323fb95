"""Files that are whole or not there, and that are read without being trusted."""

from __future__ import annotations

import contextlib
import glob
import io
import os
import shutil
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Kind = tuple[DTypeLike, tuple[int | None, ...]]
"""Type and shape of an array; a length of None may be any."""

_REMEDY = "Check the path, or fetch the file again."
_STRAY_AFTER = 60  # seconds: writing one file takes far less


class DataError(ValueError):
    """A data file is missing, damaged or not what it should be; the message names it."""


def wrong_file(
    path: str | os.PathLike[str], found: str, expected: str, remedy: str = _REMEDY
) -> DataError:
    """The error that says what is wrong with a file and what to do."""
    return DataError(f"{os.fspath(path)}: found {found}, expected {expected}. {remedy}")


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write the file whole or not at all, whoever else is writing it and whenever we are killed.

    Until all of it is on the disk, what was there before stays.
    """
    path = Path(path)
    sweep(path)
    # In a folder of its own the file gets the usual permissions, and is removed with it.
    with tempfile.TemporaryDirectory(prefix=_prefix(path), dir=path.parent) as part:
        whole = Path(part, path.name)
        with whole.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        whole.replace(path)


def sweep(path: Path) -> None:
    """Remove what processes killed while they wrote this file left beside it."""
    with contextlib.suppress(OSError):
        for part in path.parent.glob(f"{glob.escape(_prefix(path))}*"):
            if time.time() - part.stat().st_mtime > _STRAY_AFTER:
                shutil.rmtree(part, ignore_errors=True)


def _prefix(path: Path) -> str:
    return f".{path.name}.part-"


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Write an .npz file, which `numpy.load` reads too; the same arrays give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            # an entry made here has no time in it, and numpy.savez takes not every name
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
    write_whole(path, buffer.getvalue())


def read_arrays(
    path: str | os.PathLike[str],
    expected: Mapping[str, Kind],
    remedy: str = _REMEDY,
) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file with exactly the entries expected, of these types and shapes.

    Nothing in the file is executed, and nothing larger than the file is read.

    Raises
    ------
    DataError
        If anything in the file is otherwise; the message names the file, the entry and `remedy`.
    OSError
        If the file cannot be read.
    """
    content = Path(path).read_bytes()
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # zipfile has no one error for all that can be wrong with a file
        raise wrong_file(path, f"no archive ({error})", "a whole .npz file", remedy) from error
    entries = Counter(entry.filename.removesuffix(".npy") for entry in archive.infolist())
    wanted = Counter(list(expected))
    if extra := entries - wanted:
        known = ", ".join(expected) or "none"
        raise wrong_file(path, f"the entry {min(extra)}", f"once each: {known}", remedy)
    if missing := wanted - entries:
        raise wrong_file(path, f"no entry {min(missing)}", "one", remedy)
    arrays = {}
    for name, (dtype, shape) in expected.items():
        try:
            array = arrays[name] = _read_entry(archive, f"{name}.npy")
        except Exception as error:  # nor has NumPy
            found = f"the entry {name} damaged ({error})"
            raise wrong_file(path, found, "an array stored without pickle", remedy) from error
        fits = len(shape) == array.ndim and all(
            own in (length, None) for own, length in zip(shape, array.shape, strict=True)
        )
        if array.dtype != dtype or not fits:
            raise wrong_file(
                path,
                f"the entry {name} of {array.dtype} and shape {array.shape}",
                f"{np.dtype(dtype)} and {str(shape).replace('None', 'n')}",
                remedy,
            )
    return arrays


def kinds(arrays: Mapping[str, Any]) -> dict[str, Kind]:
    """What `read_arrays` is to expect of arrays like these."""
    return {name: (array.dtype, array.shape) for name, array in arrays.items()}


def overwrite(arrays: Mapping[str, Any], values: Mapping[str, NDArray[Any]]) -> None:
    """Set the arrays in place, all of them or none."""
    for name, array in arrays.items():
        if not array.flags.writeable:
            raise ValueError(f"{name} is read-only: put a copy of it in its place")
    for name, array in arrays.items():
        array[...] = values[name]


def _read_entry(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError("it is compressed: a small file could unpack to any size")
    with archive.open(name) as entry:
        array: NDArray[Any] = np.lib.format.read_array(entry, allow_pickle=False)
        if entry.read(1):  # at the very end the checksum is compared
            raise ValueError("there is more in it than its array")
    return array
