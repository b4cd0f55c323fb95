"""nn.files: files are complete or absent; a bad file is refused before anything changes."""

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nn import Affine, DataError, ReLU, Sequential, TwoLayerNet
from nn.files import kinds, read_arrays, write_arrays, write_whole


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.npz"


@pytest.fixture(scope="session")
def one_path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "arrays.npz"


def bits(network):
    return {name: (p.dtype, p.shape, p.tobytes()) for name, p in network.params.items()}


def network(seed=0, **settings):
    return TwoLayerNet(2, 3, 2, rng=seed, **settings)


def entry(array, **settings):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), **settings)
    return buffer.getvalue()


# Written and read


@given(
    arrays=st.dictionaries(
        st.text("aW1./", min_size=1),
        hnp.arrays(
            hnp.floating_dtypes(endianness="=")
            | hnp.integer_dtypes()
            | hnp.complex_number_dtypes(),
            hnp.array_shapes(min_dims=0, min_side=0),
        ),
    )
)
def test_arrays_come_back_bit_for_bit(one_path, arrays):
    write_arrays(one_path, arrays)
    content = one_path.read_bytes()
    found = read_arrays(one_path, kinds(arrays))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
    with np.load(one_path, allow_pickle=False) as file:
        assert sorted(file.files) == sorted(arrays)
    write_arrays(one_path, arrays)
    assert one_path.read_bytes() == content  # the same bytes at any time


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_gets_its_weights_back_in_place(path, dtype):
    trained, fresh = network(dtype=dtype), network(1, dtype=dtype)
    arrays = dict(fresh.params)
    trained.save(path)
    assert bits(fresh) != bits(trained)
    fresh.load(str(path))
    assert bits(fresh) == bits(trained)
    assert all(fresh.params[name] is array for name, array in arrays.items())


def test_layers_in_layers_are_saved_under_their_names(path):
    inner = Sequential(Affine.initial(2, 2, rng=0), ReLU())
    Sequential(inner, Affine.initial(2, 2, rng=1)).save(path)
    with np.load(path) as file:
        assert file.files == ["W1.1", "b1.1", "W2", "b2"]


def test_numpy_writes_files_that_can_be_loaded(path):
    trained, fresh = network(), network(1)
    np.savez(path, **trained.params)
    fresh.load(path)
    assert bits(fresh) == bits(trained)


# Refused


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, trace):
        self.trace = str(trace)

    def __reduce__(self):
        return Path.touch, (Path(self.trace),)


def zipped(entries, compression=zipfile.ZIP_STORED):
    """Return an archive of the entries that are not None."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries:
            if content is not None:
                archive.writestr(name, content)
    return buffer.getvalue()


def with_entry(name, content):
    entries = {f"{name}.npy": entry(p) for name, p in network().params.items()}
    return zipped({**entries, name: content}.items())


def header(shape, dtype="<f8"):
    """Return the header of an array file, without data."""
    start = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        start, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return start.getvalue()


BAD = {
    "empty": (lambda trace: b"", "no zip archive"),
    "text": (lambda trace: b"<html>Please log in</html>", "no zip archive"),
    "pickle": (lambda trace: pickle.dumps(Bomb(trace)), "no zip archive"),
    "one array": (lambda trace: entry([1.0]), "no zip archive"),
    "array of pickles": (
        lambda trace: entry([Bomb(trace)], allow_pickle=True),
        "no zip archive",
    ),
    "empty archive": (lambda trace: zipped([]), "no entry W1, expected one"),
    "missing entry": (lambda trace: with_entry("b2.npy", None), "no entry b2"),
    "extra entry": (lambda trace: with_entry("W3.npy", entry([1.0])), "the entry W3, expected"),
    "entry twice": (lambda trace: with_entry("W1", entry([1.0])), "the entry W1, expected once"),
    "shape": (
        lambda trace: with_entry("W2.npy", entry(np.zeros((2, 3)))),
        r"the entry W2 of float64 and shape \(2, 3\), expected float64 and \(3, 2\)",
    ),
    "axis": (lambda trace: with_entry("b2.npy", entry(np.zeros((1, 2)))), r"b2 .* \(1, 2\)"),
    "dtype": (
        lambda trace: with_entry("W2.npy", entry(np.zeros((3, 2), np.float32))),
        r"the entry W2 of float32 and shape \(3, 2\), expected float64",
    ),
    "byte order": (lambda trace: with_entry("b2.npy", entry(np.zeros(2, ">f8"))), "b2 of >f8"),
    "structure": (lambda trace: with_entry("b2.npy", entry(np.zeros(2, "f8,f8"))), "b2 of"),
    "entry of pickles": (
        lambda trace: with_entry("b2.npy", entry([Bomb(trace)] * 2, allow_pickle=True)),
        "the entry b2 damaged .*, expected an array stored without pickle",
    ),
    "bare pickle": (
        lambda trace: with_entry("b2.npy", pickle.dumps(Bomb(trace))),
        "the entry b2 damaged",
    ),
    "no data": (lambda trace: with_entry("b2.npy", header((2,))), "the entry b2 damaged"),
    "huge": (lambda trace: with_entry("b2.npy", header((2**50,))), "the entry b2 damaged"),
    "overflowing": (lambda trace: with_entry("b2.npy", header((2**62, 8))), "b2 damaged"),
    "negative": (lambda trace: with_entry("b2.npy", header((-2,))), "b2 damaged"),
    "code": (lambda trace: with_entry("b2.npy", header((2,), "exit()")), "b2 damaged"),
    "surplus": (lambda trace: with_entry("b2.npy", entry(np.zeros(2)) + b"x"), "bytes after"),
    "unpacking to any size": (
        lambda trace: zipped(
            [(f"{name}.npy", entry(p)) for name, p in network().params.items()],
            zipfile.ZIP_DEFLATED,
        ),
        "the entry W1 damaged .it is compressed",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_named_and_changes_nothing(path, tmp_path, kind):
    make, message = BAD[kind]
    trace = tmp_path / "executed"
    path.write_bytes(make(trace))
    loading = network()
    before = bits(loading)
    with pytest.raises(DataError, match=rf"weights\.npz: found .*{message}.*Check the path"):
        loading.load(path)
    assert bits(loading) == before
    assert not trace.exists()


def test_a_file_cut_anywhere_is_refused(path):
    network(1).save(path)
    content = path.read_bytes()
    loading = network()
    before = bits(loading)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"weights\.npz"):
            loading.load(path)
    assert bits(loading) == before


def test_a_flipped_bit_never_gives_other_weights(path):
    trained = network(1)
    trained.save(path)
    content = path.read_bytes()
    loading = network()
    before = bits(loading)
    refused = 0
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 1 << position % 8
        path.write_bytes(flipped)
        try:
            loading.load(path)
        except DataError:
            refused += 1
            assert bits(loading) == before
        else:  # a flip in zip metadata, such as the time
            assert bits(loading) == bits(trained)
            loading = network()
    assert refused > len(content) / 2


def test_a_file_that_cannot_be_read_is_named(path, tmp_path):
    for unreadable in (path, tmp_path):
        with pytest.raises(OSError, match=tmp_path.name):
            network().load(unreadable)


def test_read_only_parameters_are_left_alone_all_of_them(path):
    loading = network()
    network(1).save(path)
    loading.params["b2"].setflags(write=False)
    before = bits(loading)
    with pytest.raises(ValueError, match="b2 is read-only"):
        loading.load(path)
    assert bits(loading) == before


def test_arrays_that_need_pickle_are_not_saved(path):
    network().save(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="allow_pickle"):
        Affine(np.array([[None]]), np.zeros(1)).save(path)
    assert path.read_bytes() == before


# Whole


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("there", [None, b"before"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_the_file_unchanged(tmp_path, monkeypatch, call, there, error):
    path = tmp_path / "file"
    if there:
        path.write_bytes(there)

    def fail(*args):
        assert (path.read_bytes() if there else None) == there
        raise error

    monkeypatch.setattr(*(os, "fsync") if call == "fsync" else (Path, "replace"), fail)
    with pytest.raises(error):
        write_whole(path, b"after")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [there] * bool(there)


def test_the_file_is_flushed_before_it_is_renamed(tmp_path, monkeypatch):
    events = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(
        os, "fsync", lambda file: (events.append(os.fstat(file).st_size), fsync(file))
    )
    monkeypatch.setattr(Path, "replace", lambda *paths: (events.append("replace"), replace(*paths)))
    write_whole(tmp_path / "file", b"after")
    assert events == [5, "replace"]


def test_only_files_left_by_killed_processes_are_deleted(tmp_path):
    path = tmp_path / "file[1]"
    for name in (".file[1].part-old", ".file[1].part-new", ".file1.part-x", "part-x"):
        (tmp_path / name).mkdir()
        if "new" not in name:  # another process may be writing that one now
            os.utime(tmp_path / name, (0, 0))
    write_whole(path, b"")
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"file[1]", ".file[1].part-new", ".file1.part-x", "part-x"}
    assert path.stat().st_mode == (tmp_path / "part-x").stat().st_mode & 0o666 | 0o100000
