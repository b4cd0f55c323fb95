"""Atomic writing of files, and safe reading of untrusted ones."""

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
"""The dtype and shape of an array; None stands for any length."""

_REMEDY = "Check the path, or fetch the file again."
_STRAY_AFTER = 60  # seconds, far more than writing a file takes


class DataError(ValueError):
    """A data file is missing, damaged or has unexpected content; the message names the file."""


def wrong_file(
    path: str | os.PathLike[str], found: str, expected: str, remedy: str = _REMEDY
) -> DataError:
    """Return an error that names a file, its fault and the remedy."""
    return DataError(f"{os.fspath(path)}: found {found}, expected {expected}. {remedy}")


def write_whole(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file atomically: whole or not at all, even if killed or beside other writers.

    The old file stays until the new one is on the disk.
    """
    path = Path(path)
    sweep(path)
    # a temporary folder, since a temporary file would have other permissions
    with tempfile.TemporaryDirectory(prefix=_prefix(path), dir=path.parent) as part:
        whole = Path(part, path.name)
        with whole.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        whole.replace(path)


def sweep(path: Path) -> None:
    """Delete temporary folders left by interrupted writes of this file."""
    with contextlib.suppress(OSError):
        for part in path.parent.glob(f"{glob.escape(_prefix(path))}*"):
            if time.time() - part.stat().st_mtime > _STRAY_AFTER:
                shutil.rmtree(part, ignore_errors=True)


def _prefix(path: Path) -> str:
    return f".{path.name}.part-"


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Write an .npz file, as for `numpy.load`; equal arrays give equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            # numpy.savez would add the time, and rejects some names
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, np.asarray(array), allow_pickle=False)
    write_whole(path, buffer.getvalue())


def read_arrays(
    path: str | os.PathLike[str],
    expected: Mapping[str, Kind],
    remedy: str = _REMEDY,
) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file, which must have exactly the expected entries.

    Nothing in the file is executed, and no more memory is used than its size.

    Raises
    ------
    DataError
        If an entry is missing, unexpected, damaged, or has another dtype or shape; the message
        names the file, the entry and `remedy`.
    OSError
        If the file cannot be read.
    """
    content = Path(path).read_bytes()
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except Exception as error:  # zipfile raises errors of many types on damaged files
        raise wrong_file(path, f"no zip archive ({error})", "a whole .npz file", remedy) from error
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
        except Exception as error:  # and so does NumPy
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
    """Return the dtypes and shapes of arrays, for `read_arrays`."""
    return {name: (array.dtype, array.shape) for name, array in arrays.items()}


def overwrite(arrays: Mapping[str, Any], values: Mapping[str, NDArray[Any]]) -> None:
    """Set the arrays in place, all of them or none."""
    for name, array in arrays.items():
        if not array.flags.writeable:
            raise ValueError(f"{name} is read-only: replace it by a copy")
    for name, array in arrays.items():
        array[...] = values[name]


def _read_entry(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError("it is compressed, and could unpack to any size")
    with archive.open(name) as entry:
        array: NDArray[Any] = np.lib.format.read_array(entry, allow_pickle=False)
        if entry.read(1):  # reading to the end verifies the checksum
            raise ValueError("it has bytes after the array")
    return array
