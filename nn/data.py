"""MNIST, the 70,000 handwritten digits of LeCun, Cortes and Burges, as plain NumPy arrays.

`mnist()` reads a folder you name, else your cache, else a mirror. If all fail, it warns and uses
the small subset that ships with this package.
"""

import gzip
import hashlib
import io
import math
import os
import struct
import sys
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from autodiff.core.about import install
from nn.files import DataError, sweep, write_whole, wrong_file

__all__ = ["SUBSET", "DataError", "DataWarning", "Mnist", "mnist", "read_idx", "to_one_hot"]


class File(NamedTuple):
    name: str
    sha256: str
    size: int  # bytes of the gzip file
    shape: tuple[int, ...]


# The four original files, in the order of Mnist's fields.
FILES = (
    File(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        9_912_422,
        (60_000, 28, 28),
    ),
    File(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        28_881,
        (60_000,),
    ),
    File(
        "t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        1_648_877,
        (10_000, 28, 28),
    ),
    File(
        "t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        4_542,
        (10_000,),
    ),
)
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
SUBSET = Path(__file__).with_name("mnist_subset")
SUBSET_TEST_ACCURACY = "about 0.93"  # of a network trained on the subset

_TIMEOUT = (3, 10)  # seconds to connect to an address, and to wait for the next bytes
_FOLDER_HELP = (
    "Name a folder (or set MNIST_DIR) with the four MNIST files, gzipped or not; "
    "or name none, to download them."
)


class DataWarning(UserWarning):
    """`mnist` used the subset or could not store its files; the message names the remedy."""


class _Unavailable(Exception):
    """The original files are neither in the cache nor downloadable."""


@dataclass(frozen=True, eq=False, repr=False)
class Mnist:
    """Handwritten digits: grey images, 0 (paper) to 255 (ink), with labels 0 to 9."""

    train_images: npt.NDArray[np.uint8]
    """(N, 28, 28) uint8"""
    train_labels: npt.NDArray[np.uint8]
    """(N,) uint8"""
    test_images: npt.NDArray[np.uint8]
    """(M, 28, 28) uint8"""
    test_labels: npt.NDArray[np.uint8]
    """(M,) uint8"""
    source: str
    """The source, as text."""
    is_subset: bool
    """Whether there are fewer than the original 60,000 + 10,000 images."""

    def __repr__(self) -> str:
        train, test = len(self.train_images), len(self.test_images)
        return f"<Mnist: {train:,} training and {test:,} test images, from {self.source}>"


def mnist(directory: str | os.PathLike[str] | None = None) -> Mnist:
    """Return MNIST from a folder, the cache or a mirror, else the subset of this package.

    Parameters
    ----------
    directory
        A folder with the four files under their original names, gzipped or not. Default: the
        environment variable MNIST_DIR. If either is given, no other source is tried.

    Raises
    ------
    DataError
        If a file in the folder is missing or wrong.

    Warns
    -----
    DataWarning
        If the original files cannot be obtained, so that the subset is used; or cannot be stored.

    Examples
    --------
    >>> digits = mnist(SUBSET)
    >>> digits
    <Mnist: 5,000 training and 1,000 test images, from ...mnist_subset>
    >>> digits.train_images.shape, digits.train_labels.shape, digits.test_images.shape
    ((5000, 28, 28), (5000,), (1000, 28, 28))
    >>> digits.test_labels.dtype, digits.is_subset
    (dtype('uint8'), True)
    """
    if directory is None:
        directory = os.environ.get("MNIST_DIR") or None
    if directory is not None:
        folder = Path(directory).expanduser()
        return _load(folder, source=str(folder))
    try:
        digits, not_stored = _originals()
    except (ImportError, _Unavailable) as error:
        hint = f"; {install('demos')} installs it" if isinstance(error, ImportError) else ""
        digits = _load(SUBSET, source="the subset shipped with the package")
        warnings.warn(
            f"The full MNIST is not available ({error}{hint}). Using {digits.source}: "
            f"{len(digits.train_images):,} training and {len(digits.test_images):,} test images. "
            f"Expect a test accuracy of {SUBSET_TEST_ACCURACY}, lower than with the full set. "
            "For the full set, go online, or name a folder with it: mnist(DIR) or MNIST_DIR=DIR.",
            DataWarning,
            stacklevel=2,
        )
    else:
        if not_stored:
            warnings.warn(
                f"MNIST was downloaded but not stored ({not_stored}), so the next run downloads it "
                "again. Make that folder writable, or put the files into another folder and name "
                "it: mnist(DIR) or MNIST_DIR=DIR.",
                DataWarning,
                stacklevel=2,
            )
    return digits


def read_idx(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """Return the uint8 array of an IDX file, gzipped or not.

    Raises
    ------
    DataError
        If the file cannot be read, is damaged, or is not IDX with elements of type uint8.

    Examples
    --------
    >>> read_idx(SUBSET / "t10k-images-idx3-ubyte.gz").shape
    (1000, 28, 28)
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise wrong_file(path, f"nothing readable ({reason})", "an IDX file") from error
    return _parse_idx(content, path)


def to_one_hot(labels: npt.ArrayLike, classes: int = 10) -> npt.NDArray[np.float32]:
    """Return labels, integers of shape (N,), as one-hot rows of shape (N, classes).

    The dtype is float32, which never raises the precision of a float32 network.

    Raises
    ------
    TypeError
        If the labels are not integers.
    ValueError
        If they are not 1-D, or one of them is not in 0 .. classes - 1.

    Examples
    --------
    >>> to_one_hot([2, 0], classes=3)
    array([[0., 0., 1.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = np.asarray(labels)
    if labels.dtype.kind not in "iu":
        raise TypeError(f"labels must be integers, not {labels.dtype}: convert them first")
    if labels.ndim != 1:
        raise ValueError(f"labels must have shape (N,), not {labels.shape}: use labels.ravel()")
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        raise ValueError(
            f"labels[{outside[0]}] is {labels[outside[0]]}, but with classes={classes} labels "
            f"run from 0 to {classes - 1}: correct the label or raise classes"
        )
    one_hot = np.zeros((len(labels), classes), np.float32)
    one_hot[np.arange(len(labels)), labels] = 1
    return one_hot


def _parse_idx(content: bytes, path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise wrong_file(path, f"damaged gzip data ({error})", "a whole gzip file") from error
    # two zero bytes, the element type (8: uint8), the number of axes, the axes' lengths, elements
    if len(content) < 4 or content[:3] != b"\0\0\x08":
        found = f"the first bytes {content[:4].hex(' ')}" if content else "no data"
        raise wrong_file(path, found, "00 00 08 and more, an IDX file of uint8")
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise wrong_file(path, f"{len(content)} bytes", f"an IDX header of {start} bytes")
    shape = struct.unpack(f">{content[3]}I", content[4:start])
    if len(content) - start != math.prod(shape):
        expected = f"{math.prod(shape)} for its shape {shape}"
        raise wrong_file(path, f"{len(content) - start} elements", expected)
    try:
        return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()
    except ValueError as error:  # an empty array with axes beyond NumPy's limits
        raise wrong_file(path, f"the shape {shape}", "one that NumPy can hold") from error


def _load(folder: Path, source: str) -> Mnist:
    paths = []
    for file in FILES:
        names = (folder / file.name, folder / file.name.removesuffix(".gz"))
        present = [name for name in names if os.path.exists(name)]
        if not present:
            entered = os.access(folder, os.X_OK)
            found = "no such file" if entered else "no such folder, or no right to enter it"
            raise wrong_file(names[0], found, "this file, gzipped or not", _FOLDER_HELP)
        paths.append(present[0])
    return _checked([read_idx(path) for path in paths], paths, source)


def _checked(arrays: Sequence[npt.NDArray[np.uint8]], paths: Sequence[Path], source: str) -> Mnist:
    for array, path, file in zip(arrays, paths, FILES, strict=True):
        if array.shape[1:] != file.shape[1:] or array.ndim == 0 or len(array) == 0:
            expected = f"one like {file.shape}, of any length but 0"
            raise wrong_file(path, f"shape {array.shape}", expected, _FOLDER_HELP)
    train_images, train_labels, test_images, test_labels = arrays
    for labels, path, images in (
        (train_labels, paths[1], train_images),
        (test_labels, paths[3], test_images),
    ):
        if len(labels) != len(images):
            expected = f"{len(images)}, one for each image in the file beside it"
            raise wrong_file(path, f"{len(labels)} labels", expected, _FOLDER_HELP)
        outside = np.flatnonzero(labels > 9)
        if outside.size:
            found = f"the label {labels[outside[0]]} at position {outside[0]}"
            raise wrong_file(path, found, "labels 0 to 9", _FOLDER_HELP)
    return Mnist(
        train_images,
        train_labels,
        test_images,
        test_labels,
        source=source,
        is_subset=any(len(a) < file.shape[0] for a, file in zip(arrays, FILES, strict=True)),
    )


def _originals() -> tuple[Mnist, str]:
    """Return the full set from cache and mirrors, and why it was not stored ("" if it was)."""
    import platformdirs

    cache = Path(platformdirs.user_cache_dir("autodiff-nn", appauthor=False))
    arrays, not_stored = [], ""
    for file in FILES:
        path = cache / file.name
        sweep(path)
        content = _cached(path, file)
        if content is None:
            content = _download(file)
            try:
                cache.mkdir(parents=True, exist_ok=True)
                write_whole(path, content)
            except OSError as error:
                not_stored = str(error)
        arrays.append(_parse_idx(content, path))
    source = f"downloaded, not stored in {cache}" if not_stored else str(cache)
    return _checked(arrays, [cache / file.name for file in FILES], source), not_stored


def _cached(path: Path, file: File) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == file.sha256 else None


def _quiet_pooch() -> Any:
    """Import pooch without its warning, in a notebook, that ipywidgets is missing."""
    if "pooch" not in sys.modules:  # catch_warnings makes Python repeat earlier warnings
        from tqdm import TqdmWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TqdmWarning)
            import_module("pooch")
    return import_module("pooch")


def _download(file: File) -> bytes:
    """Download a file into memory, from the first mirror with a whole copy."""
    from requests import HTTPError
    from tqdm import tqdm

    pooch = _quiet_pooch()
    failures = []
    for mirror in MIRRORS:
        received = io.BytesIO()
        bar = tqdm(
            total=file.size, desc=file.name, unit="B", unit_scale=True, leave=False, disable=None
        )
        download = pooch.HTTPDownloader(
            progressbar=bar,
            chunk_size=2**16,
            timeout=_TIMEOUT,
            headers={"Accept-Encoding": "identity"},  # the gzip file itself, not its content
        )
        try:
            with bar:
                download(mirror + file.name, received, None)
        except (OSError, ValueError) as error:  # requests raises OSErrors
            reason = str(error) if isinstance(error, HTTPError) else type(error).__name__
        else:
            content = received.getvalue()
            if hashlib.sha256(content).hexdigest() == file.sha256:
                return content
            reason = "the wrong SHA-256"
        failures.append(f"{urlsplit(mirror).netloc}: {reason}")
    raise _Unavailable(f"{file.name} from {'; from '.join(failures)}")
