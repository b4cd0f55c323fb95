"""Make the subset of MNIST that ships with this package: `python -m nn.make_mnist_subset DIR`.

DIR has the four original files. The subset has 500 training and 100 test images of each digit,
evenly spaced over all its images, since the first half of the test set is easier.
"""

import argparse
import gzip
import io
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nn.data import FILES, SUBSET, mnist


def make(originals: Path, out: Path = SUBSET) -> None:
    """Write the four files of the subset into the folder `out`."""
    digits = mnist(originals)
    if digits.is_subset:
        raise SystemExit(f"{originals} has a subset only: name a folder with the original files")
    out.mkdir(parents=True, exist_ok=True)
    train = spread(digits.train_labels, per_class=500)
    test = spread(digits.test_labels, per_class=100)
    arrays = (
        digits.train_images[train],
        digits.train_labels[train],
        digits.test_images[test],
        digits.test_labels[test],
    )
    for file, array in zip(FILES, arrays, strict=True):
        (out / file.name).write_bytes(gzipped_idx(array))


def spread(labels: npt.NDArray[np.uint8], per_class: int) -> npt.NDArray[np.intp]:
    """Return positions of `per_class` examples of each digit, evenly spaced, in original order.

    The original order is random already. A shuffle would depend on NumPy's version.
    """
    picked = []
    for digit in range(10):
        where = np.flatnonzero(labels == digit)
        picked.append(where[np.arange(per_class) * len(where) // per_class])
    return np.sort(np.concatenate(picked))


def gzipped_idx(array: npt.NDArray[np.uint8]) -> bytes:
    """Return an array as a gzipped IDX file, without name and time."""
    header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    buffer = io.BytesIO()
    # unlike gzip.compress, GzipFile writes the same header on every system and Python
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(header + array.tobytes())
    return buffer.getvalue()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("originals", metavar="DIR", type=Path, help="the four original files")
    make(parser.parse_args().originals)
