"""Files in MNIST's format, and an empty cache to look for them in."""

import gzip
import hashlib
import socket
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from nn import data

REPOSITORY = Path(data.__file__).parents[1]
PATIENCE = 120  # seconds, enough for a busy machine; tests that succeed do not wait
NAMES = [file.name for file in data.FILES]
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES


def idx(array):
    """Return an IDX file, written independently of the code under test."""
    header = bytes([0, 0, 8, array.ndim])
    header += b"".join(length.to_bytes(4, "big") for length in array.shape)
    return header + array.tobytes()


def digits(n_train, n_test, seed=0):
    rng = np.random.default_rng(seed)
    arrays = []
    for n in (n_train, n_test):
        arrays.append(rng.integers(0, 256, (n, 28, 28), np.uint8))
        arrays.append(rng.integers(0, 10, n, np.uint8))
    return arrays


def write(folder, arrays):
    folder.mkdir(exist_ok=True, parents=True)
    for name, array in zip(NAMES, arrays, strict=True):
        (folder / name).write_bytes(gzip.compress(idx(array), mtime=0))
    return folder


def same(found, arrays):
    fields = (found.train_images, found.train_labels, found.test_images, found.test_labels)
    return all(
        a.dtype == np.uint8 and np.array_equal(a, b) for a, b in zip(fields, arrays, strict=True)
    )


def names_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def closed_port():
    """A port that refuses connections; it stays bound, so that no process opens it."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path, closed_port):
    """An empty cache, without environment variables, proxy or mirrors."""
    folder = tmp_path / "cache" / "autodiff-nn"

    def user_cache_dir(appname, appauthor):
        assert (appname, appauthor) == ("autodiff-nn", False)
        return str(folder)

    monkeypatch.setattr(platformdirs, "user_cache_dir", user_cache_dir)
    monkeypatch.delenv("MNIST_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(data, "MIRRORS", (f"http://127.0.0.1:{closed_port}/",))
    monkeypatch.setattr(data, "_TIMEOUT", PATIENCE)
    return folder


@pytest.fixture
def originals(monkeypatch, tmp_path):
    """A folder of small files that replace the original ones, and their arrays."""
    arrays = digits(12, 5)
    folder = write(tmp_path / "originals", arrays)
    files = []
    for name, array in zip(NAMES, arrays, strict=True):
        content = (folder / name).read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        files.append(data.File(name, sha256, len(content), array.shape))
    monkeypatch.setattr(data, "FILES", tuple(files))
    return folder, arrays
