"""nn.data: MNIST's files read and checked, the subset, and labels; without the network."""

import dataclasses
import gzip
import hashlib
import itertools
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from mnist_files import (
    NAMES,
    REPOSITORY,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    cache,
    closed_port,
    digits,
    idx,
    names_in,
    originals,
    same,
    write,
)

from nn import data, make_mnist_subset
from nn.data import DataError, mnist, read_idx, to_one_hot

__all__ = ["cache", "closed_port", "originals"]  # fixtures

pytestmark = pytest.mark.filterwarnings("error")


FOLDERS = (os.environ.get("MNIST_DIR"), REPOSITORY.parent / "shared" / "mnist")
ORIGINALS = next(
    (
        Path(folder)
        for folder in FOLDERS
        if folder
        and (Path(folder) / NAMES[0]).exists()
        and (Path(folder) / NAMES[0]).stat().st_size > 9_000_000  # MNIST_DIR may hold a subset
    ),
    None,
)


needs_originals = pytest.mark.skipif(ORIGINALS is None, reason="needs the original files")


# --- read_idx ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def a_file(tmp_path_factory):
    return tmp_path_factory.mktemp("idx") / "a-file"


def read(path, content):
    path.write_bytes(content)
    return read_idx(path)


@settings(deadline=None)
@given(
    array=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)),
    wrap=st.sampled_from([bytes, gzip.compress]),
)
def test_read_idx_returns_the_written_array(a_file, array, wrap):
    found = read(a_file, wrap(idx(array)))
    assert found.dtype == np.uint8
    assert found.shape == array.shape
    assert np.array_equal(found, array)
    assert found.flags.writeable


def test_read_idx_takes_text_for_a_path(a_file):
    read(a_file, idx(np.arange(3, dtype=np.uint8)))
    assert read_idx(str(a_file)).tolist() == [0, 1, 2]


@pytest.mark.parametrize("wrap", [bytes, gzip.compress])
def test_read_idx_refuses_a_file_cut_anywhere_or_too_long(a_file, wrap):
    content = wrap(idx(np.arange(6, dtype=np.uint8).reshape(2, 3)))
    for length in range(len(content)):
        with pytest.raises(DataError, match=r"a-file: found .*, expected .*fetch the file again"):
            read(a_file, content[:length])
    with pytest.raises(DataError, match="a-file"):
        read(a_file, content + b"x")
    with pytest.raises(DataError, match="found 7 elements, expected 6 for its shape"):
        read(a_file, wrap(idx(np.arange(6, dtype=np.uint8).reshape(2, 3)) + b"x"))


def test_read_idx_refuses_every_flipped_header(a_file):
    content = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))
    for position, mask in itertools.product(range(12), range(1, 256)):
        flipped = bytearray(content)
        flipped[position] ^= mask
        with pytest.raises(DataError, match="a-file"):
            read(a_file, bytes(flipped))


@settings(deadline=None)
@given(position=st.integers(0), mask=st.integers(1, 255))
def test_read_idx_never_takes_flipped_gzip_for_other_data(a_file, position, mask):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    flipped = bytearray(gzip.compress(idx(array)))
    flipped[position % len(flipped)] ^= mask
    try:
        found = read(a_file, bytes(flipped))
    except DataError:
        return
    assert np.array_equal(found, array)  # a flip in gzip's metadata, such as the time


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "found no data"),
        (b"<!DOCTYPE html>", "found the first bytes 3c 21 44 4f, expected 00 00 08"),
        (b"\x1f\x8b not gzip", "found damaged gzip data"),
        (gzip.compress(b"", mtime=0), "found no data"),
        (struct.pack(">4BIi", 0, 0, 12, 1, 1, 7), "found the first bytes 00 00 0c 01"),
        (b"\0\0\x08", "found the first bytes 00 00 08, expected 00 00 08 and more"),
        (idx(np.zeros((2, 3), np.uint8))[:-1], "found 5 elements, expected 6 for its shape"),
        (b"\0\0\x08\x02\0\0\0\x01", "found 8 bytes, expected an IDX header of 12 bytes"),
        (bytes([0, 0, 8, 200]) + bytes(800), "expected one that NumPy can hold"),
        (bytes([0, 0, 8, 4]) + bytes(4) + b"\xff" * 12, "expected one that NumPy can hold"),
    ],
)
def test_read_idx_names_what_it_found(a_file, content, problem):
    with pytest.raises(DataError, match=problem):
        read(a_file, content)


def test_read_idx_refuses_a_folder_and_a_missing_file(tmp_path):
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match="found nothing readable") as caught:
            read_idx(path)
        assert str(path) in str(caught.value)


# --- a folder given by the user ---------------------------------------------------------------


def test_mnist_reads_a_folder(tmp_path):
    arrays = digits(7, 3)
    found = mnist(write(tmp_path, arrays))
    assert same(found, arrays)
    assert found.source == str(tmp_path)
    assert found.is_subset


def test_results_are_frozen_and_compared_by_identity(tmp_path):
    found = mnist(write(tmp_path, digits(7, 3)))
    assert len({found, found, mnist(tmp_path)}) == 2
    assert found != mnist(tmp_path)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.source = "elsewhere"


@pytest.mark.parametrize(
    ("n_train", "n_test", "is_subset"),
    [(12, 5, False), (13, 6, False), (11, 5, True), (12, 4, True)],
)
def test_fewer_images_than_the_originals_are_a_subset(
    originals, tmp_path, n_train, n_test, is_subset
):
    assert mnist(write(tmp_path / "mine", digits(n_train, n_test))).is_subset is is_subset


def test_mnist_reads_unzipped_files_and_expands_the_home_folder(tmp_path, monkeypatch):
    arrays = digits(7, 3)
    write(tmp_path / "mine", arrays)
    for name in (TRAIN_IMAGES, TEST_LABELS):
        zipped = tmp_path / "mine" / name
        zipped.with_suffix("").write_bytes(gzip.decompress(zipped.read_bytes()))
        zipped.unlink()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert same(mnist("~/mine"), arrays)


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_file_is_named(tmp_path, name):
    (write(tmp_path, digits(7, 3)) / name).unlink()
    with pytest.raises(DataError, match=f"{name}: found no such file.*MNIST_DIR") as caught:
        mnist(tmp_path)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.*found no such folder"):
        mnist(tmp_path / "nowhere")


def changed(name, change):
    arrays = digits(7, 3)
    at = NAMES.index(name)
    arrays[at] = change(arrays[at])
    return arrays


def with_label_10(labels):
    labels[2] = 10
    return labels


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        (TRAIN_IMAGES, lambda a: a[:, 1:], r"shape \(7, 27, 28\), expected one like .*28, 28"),
        (TEST_IMAGES, lambda a: a.reshape(3, -1), r"shape \(3, 784\)"),
        (TEST_IMAGES, lambda a: a[:0], r"shape \(0, 28, 28\), .* of any length but 0"),
        (TEST_LABELS, lambda a: a[:0], r"shape \(0,\)"),
        (TRAIN_LABELS, lambda a: a[:, None], r"shape \(7, 1\)"),
        (TRAIN_LABELS, lambda a: a[0].reshape(()), r"shape \(\)"),
        (TRAIN_LABELS, lambda a: a[:-1], "6 labels, expected 7, one for each image"),
        (TEST_LABELS, lambda a: np.append(a, a[:1]), "4 labels, expected 3"),
        (TRAIN_LABELS, with_label_10, "the label 10 at position 2, expected labels 0 to 9"),
        (TEST_LABELS, with_label_10, "the label 10 at position 2, expected labels 0 to 9"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, name, change, problem):
    write(tmp_path, changed(name, change))
    with pytest.raises(DataError, match=f"{name}: found {problem}.*Name a folder"):
        mnist(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_named(tmp_path, name):
    path = write(tmp_path, digits(7, 3)) / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{name}: found damaged gzip data"):
        mnist(tmp_path)


# --- the subset -------------------------------------------------------------------------------


def test_the_shipped_subset_is_small_and_balanced():
    subset = mnist(data.SUBSET)
    assert subset.train_images.shape == (5000, 28, 28)
    assert subset.test_images.shape == (1000, 28, 28)
    assert np.bincount(subset.train_labels).tolist() == [500] * 10
    assert np.bincount(subset.test_labels).tolist() == [100] * 10
    assert subset.is_subset
    assert names_in(data.SUBSET) == sorted(NAMES)
    assert sum((data.SUBSET / name).stat().st_size for name in NAMES) < 1_100_000


def test_the_subset_files_hold_neither_name_nor_time():
    for name in NAMES:
        flags_and_time = (data.SUBSET / name).read_bytes()[3:8]
        assert flags_and_time == bytes(5)


@needs_originals
def test_the_script_makes_the_shipped_subset(tmp_path):
    make_mnist_subset.make(ORIGINALS, tmp_path)
    assert names_in(tmp_path) == sorted(NAMES)
    for name in NAMES:
        made, shipped = (tmp_path / name).read_bytes(), (data.SUBSET / name).read_bytes()
        assert gzip.decompress(made) == gzip.decompress(shipped)
        if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng compresses differently
            assert made == shipped


@needs_originals
def test_the_subset_is_part_of_the_originals_in_their_order():
    full, subset = mnist(ORIGINALS), mnist(data.SUBSET)
    for part in ("train", "test"):
        everything, few = (
            zip(
                map(bytes, getattr(digits, f"{part}_images")),
                getattr(digits, f"{part}_labels"),
                strict=True,
            )
            for digits in (full, subset)
        )
        assert all(one in everything for one in few)  # `in` consumes the iterator


def test_the_script_spreads_over_the_whole_file():
    labels = np.arange(100, dtype=np.uint8) % 10
    assert make_mnist_subset.spread(labels, 2).tolist() == [*range(10), *range(50, 60)]


def test_the_script_refuses_a_subset(tmp_path):
    with pytest.raises(SystemExit, match="a subset only"):
        make_mnist_subset.make(data.SUBSET, tmp_path)
    assert names_in(tmp_path) == []


@needs_originals
def test_the_table_describes_the_originals():
    full = mnist(ORIGINALS)
    assert not full.is_subset
    arrays = (full.train_images, full.train_labels, full.test_images, full.test_labels)
    for file, array in zip(data.FILES, arrays, strict=True):
        content = (ORIGINALS / file.name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == file.sha256
        assert len(content) == file.size
        assert array.shape == file.shape


# --- one-hot labels ---------------------------------------------------------------------------


@settings(deadline=None)
@given(st.data(), st.integers(1, 300), st.sampled_from("bBhHiIlLqQ"))
def test_to_one_hot_picks_rows_of_the_identity(draw, classes, dtype):
    limit = min(classes - 1, np.iinfo(dtype).max)
    labels = draw.draw(st.lists(st.integers(0, limit), max_size=8))
    found = to_one_hot(np.array(labels, dtype), classes)
    assert found.dtype == np.float32
    assert found.shape == (len(labels), classes)
    assert found.tolist() == [[float(k == label) for k in range(classes)] for label in labels]


def test_to_one_hot_takes_a_list_and_has_ten_classes():
    assert to_one_hot([9]).tolist() == [[0.0] * 9 + [1.0]]


@pytest.mark.parametrize(
    ("labels", "classes", "error", "problem"),
    [
        ([0.0, 1.0], 10, TypeError, "must be integers, not float64"),
        ([True], 10, TypeError, "must be integers, not bool"),
        (["1"], 10, TypeError, "must be integers, not <U1"),
        ([[1, 2]], 10, ValueError, r"shape \(N,\), not \(1, 2\)"),
        (3, 10, ValueError, r"shape \(N,\), not \(\)"),
        ([0, 3, 1, 4], 3, ValueError, r"labels\[1\] is 3, but with classes=3 .* 0 to 2"),
        ([0, 1, -1], 3, ValueError, r"labels\[2\] is -1"),
        (np.array([9, 10], np.uint8), 10, ValueError, r"labels\[1\] is 10"),
    ],
)
def test_to_one_hot_refuses_invalid_labels(labels, classes, error, problem):
    with pytest.raises(error, match=problem):
        to_one_hot(labels, classes)
