"""nn.data: MNIST read, checked, found, downloaded and stored, without the network."""

import contextlib
import dataclasses
import errno
import gzip
import hashlib
import http.server
import io
import itertools
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import platformdirs
import pooch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autodiff.core.about import install
from nn import data, make_mnist_subset
from nn.data import DataError, DataWarning, mnist, read_idx, to_one_hot

pytestmark = pytest.mark.filterwarnings("error")

REPOSITORY = Path(data.__file__).parents[1]
MIRRORS, TIMEOUT = data.MIRRORS, data._TIMEOUT
PATIENCE = 120  # seconds, enough for a busy machine; tests that succeed do not wait
NAMES = [file.name for file in data.FILES]
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = NAMES
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


class Site(http.server.ThreadingHTTPServer):
    """A server of the folder's files; the path says how: /good/NAME, /corrupt/NAME."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.asked = []
        self.stalled = threading.Event()
        self.over = threading.Event()
        self.both = threading.Barrier(2)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exception(), ConnectionError):  # the client went away
            super().handle_error(request, client_address)

    def mirror(self, manner):
        return f"http://127.0.0.1:{self.server_port}/{manner}/"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        _, manner, name = self.path.split("/")
        self.server.asked.append((manner, name))
        content = (self.server.folder / name).read_bytes()
        half = content[: len(content) // 2]
        if self.headers["Accept-Encoding"] != "identity":
            manner = "406"  # a server might unpack the file on the way
        if manner.isdigit():
            self.send_error(int(manner))
            return
        if manner == "together" and name == TRAIN_IMAGES:
            self.server.both.wait(timeout=PATIENCE)
        self.send_response(302 if manner == "loop" else 200)
        if manner == "loop":
            self.send_header("Location", self.path)
        self.send_header("Content-Length", "nonsense" if manner == "nonsense" else len(content))
        if manner == "encoded":
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        if manner == "corrupt":
            content = half + bytes([content[len(half)] ^ 1]) + content[len(half) + 1 :]
        elif manner == "page":
            content = b"<html>Please log in</html>".ljust(len(content))
        elif manner == "truncated":
            content = half
        elif manner == "silent" or (manner == "stall" and name == TEST_IMAGES):
            self.wfile.write(half if manner == "stall" else b"")
            self.wfile.flush()
            self.server.stalled.set()
            self.server.over.wait()
            return
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def site(originals):
    server = Site(originals[0])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def child(cache, mirror, before="", after=""):
    """Start a process that calls mnist() with this cache and mirror."""
    code = f"""
import os, pathlib, platformdirs
from nn import data
data.FILES = tuple(data.File(*file) for file in {[tuple(file) for file in data.FILES]!r})
data.MIRRORS = ({mirror!r},)
data._TIMEOUT = {PATIENCE}
platformdirs.user_cache_dir = lambda *args, **kwargs: {str(cache)!r}
{before}
digits = data.mnist()
{after}
"""
    environment = {key: value for key, value in os.environ.items() if key != "MNIST_DIR"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=REPOSITORY,
        env={**environment, "NO_PROXY": "*"},
        stderr=subprocess.PIPE,
        text=True,
    )


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


# --- where it looks first ---------------------------------------------------------------------


def test_look_up_order(originals, site, cache, tmp_path, monkeypatch):
    mine, theirs = digits(2, 2, seed=1), digits(3, 3, seed=2)
    monkeypatch.setattr(data, "MIRRORS", (site.mirror("good"),))
    monkeypatch.setenv("MNIST_DIR", str(write(tmp_path / "theirs", theirs)))
    write(cache, originals[1])

    assert same(mnist(write(tmp_path / "mine", mine)), mine)  # first the argument,
    assert same(mnist(), theirs)  # then the environment,
    monkeypatch.setenv("MNIST_DIR", "")
    found = mnist()  # then the cache,
    assert same(found, originals[1])
    assert found.source == str(cache)
    assert not found.is_subset
    assert site.asked == []

    (cache / TRAIN_LABELS).write_bytes(b"damaged")
    (cache / TEST_LABELS).unlink()
    assert same(mnist(), originals[1])  # then the mirrors, for missing or damaged files only,
    assert site.asked == [("good", TRAIN_LABELS), ("good", TEST_LABELS)]
    assert same(mnist(), originals[1])
    assert len(site.asked) == 2

    (cache / TEST_IMAGES).unlink()
    monkeypatch.setattr(data, "MIRRORS", (site.mirror("404"),))
    with pytest.warns(DataWarning):  # then the subset
        assert len(mnist().train_images) == 5000


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_a_wrong_folder_never_falls_through(originals, cache, tmp_path, monkeypatch, how):
    write(cache, originals[1])
    folder = write(tmp_path / "mine", originals[1])
    (folder / TEST_LABELS).unlink()
    monkeypatch.setenv("MNIST_DIR", str(cache if how == "argument" else folder))
    with pytest.raises(DataError, match=TEST_LABELS):
        mnist(folder if how == "argument" else None)


# --- the mirrors ------------------------------------------------------------------------------


def unknown_host(monkeypatch):
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        if host == "mirror.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return "http://mirror.invalid/"


def hurry(monkeypatch):
    """End the wait for a silent mirror at once, and no other."""
    real = pooch.HTTPDownloader.__call__

    def download(self, url, output_file, pooch):
        assert self.kwargs["timeout"] == PATIENCE
        if "silent" in url:
            self.kwargs["timeout"] = 0.01
        return real(self, url, output_file, pooch)

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", download)


BAD_MANNERS = ["404", "500", "corrupt", "page", "truncated", "silent", "loop", "nonsense"]
BAD_MANNERS += ["encoded", "refused", "unknown host"]


@pytest.fixture
def bad_mirror(request, site, closed_port, monkeypatch):
    if request.param == "silent":
        hurry(monkeypatch)
    if request.param == "refused":
        return f"http://127.0.0.1:{closed_port}/"
    if request.param == "unknown host":
        return unknown_host(monkeypatch)
    return site.mirror(request.param)


@pytest.mark.parametrize("bad_mirror", BAD_MANNERS, indirect=True)
def test_the_second_mirror_serves_when_the_first_fails(
    originals, site, cache, bad_mirror, monkeypatch, capfd
):
    monkeypatch.setattr(data, "MIRRORS", (bad_mirror, site.mirror("good")))
    found = mnist()
    assert same(found, originals[1])
    assert found.source == str(cache)
    assert not found.is_subset
    assert names_in(cache) == sorted(NAMES)
    assert all((cache / n).read_bytes() == (originals[0] / n).read_bytes() for n in NAMES)
    assert capfd.readouterr() == (
        "",
        "",
    )  # no progress bar without a terminal, no output of libraries


@pytest.mark.parametrize("bad_mirror", BAD_MANNERS, indirect=True)
def test_without_a_good_mirror_the_subset_is_used_and_said_to_be(
    originals, site, cache, bad_mirror, monkeypatch
):
    monkeypatch.setattr(data, "MIRRORS", (bad_mirror, site.mirror("404")))
    with pytest.warns(DataWarning) as caught:
        found = mnist()
    assert names_in(cache) == []
    (warning,) = caught
    said = str(warning.message)
    assert warning.filename == __file__
    assert f"({TRAIN_IMAGES} from {urlsplit(bad_mirror).netloc}: " in said
    assert f"; from 127.0.0.1:{site.server_port}: 404" in said
    assert "the subset shipped with the package: 5,000 training and 1,000 test images" in said
    assert f"a test accuracy of {data.SUBSET_TEST_ACCURACY}, lower than" in said
    assert "MNIST_DIR=DIR" in said
    assert found.source == "the subset shipped with the package"
    assert same(found, [read_idx(data.SUBSET / name) for name in NAMES])
    assert len(site.asked) <= 2 or "loop" in bad_mirror  # it stops at the first file that fails


def test_the_subset_is_announced_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            assert mnist().is_subset
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["platformdirs", "pooch", "requests", "tqdm"])
def test_a_missing_library_is_named_and_the_subset_used(name, originals, site, monkeypatch):
    monkeypatch.setattr(data, "MIRRORS", (site.mirror("good"),))
    monkeypatch.setitem(sys.modules, name, None)
    remedy = re.escape(install("demos"))
    with pytest.warns(DataWarning, match=f"{name}.*{remedy} installs it.*subset"):
        assert len(mnist().train_images) == 5000


def test_a_whole_cache_needs_no_downloader(originals, cache, monkeypatch):
    write(cache, originals[1])
    for name in ("pooch", "requests", "tqdm"):
        monkeypatch.setitem(sys.modules, name, None)
    assert same(mnist(), originals[1])


NOTEBOOK = """
import sys, warnings
from types import ModuleType, SimpleNamespace

ipython = sys.modules["IPython"] = ModuleType("IPython")
ipython.get_ipython = lambda: SimpleNamespace(config={"IPKernelApp": {}}, kernel=None)
sys.modules |= {"ipykernel.zmqshell": ModuleType("zmqshell"), "ipywidgets": None}

from nn import data, mnist
data.MIRRORS = ("http://127.0.0.1:9/",)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    mnist()
if "tqdm.notebook" not in sys.modules:
    sys.exit("tqdm does not take this for a notebook")  # as its old versions do not
print(*[warning.category.__name__ for warning in caught])
"""


def test_a_notebook_without_ipywidgets_gets_no_warning(tmp_path):
    found = subprocess.run(
        [sys.executable, "-c", NOTEBOOK],
        cwd=REPOSITORY,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "does not take this" in found.stderr:
        pytest.skip(found.stderr)
    assert (found.stdout, found.returncode) == ("DataWarning\n", 0)


def test_the_digits_are_shown_without_their_numbers():
    assert re.fullmatch(
        "<Mnist: 5,000 training and 1,000 test images, from .*mnist_subset>",
        repr(mnist(data.SUBSET)),
    )


def test_import_needs_only_numpy():
    code = "import sys, nn; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert "numpy" in found.stdout.split()
    assert not {"platformdirs", "pooch", "requests", "threadpoolctl", "tqdm"} & set(
        found.stdout.split()
    )


def test_the_progress_bar_names_the_file(originals, site, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(data, "MIRRORS", (site.mirror("truncated"), site.mirror("good")))
    monkeypatch.setattr(sys, "stderr", Terminal())
    mnist()
    drawn = sys.stderr.getvalue()
    assert all(name in drawn for name in NAMES)
    assert drawn.endswith("\r")  # every bar is erased
    assert "\n" not in drawn


def test_the_timeout_is_short():
    assert 0 < min(TIMEOUT) <= max(TIMEOUT) <= 15


def test_there_are_two_mirrors_at_least():
    assert len({urlsplit(mirror).netloc for mirror in MIRRORS}) >= 2
    assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in MIRRORS)


# --- killed, raced, refused by the disk -------------------------------------------------------


def test_an_interrupted_download_leaves_nothing(originals, site, cache, monkeypatch):
    def half_then_interrupt(self, url, output_file, pooch):
        output_file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "MIRRORS", (site.mirror("good"),))
    with monkeypatch.context() as patch:
        patch.setattr(pooch.HTTPDownloader, "__call__", half_then_interrupt)
        with pytest.raises(KeyboardInterrupt):
            mnist()
    assert names_in(cache) == []
    assert same(mnist(), originals[1])
    assert names_in(cache) == sorted(NAMES)


def test_interrupted_storing_leaves_nothing(originals, site, cache, monkeypatch):
    def interrupt(self, target):
        assert self.read_bytes() == (originals[0] / TRAIN_IMAGES).read_bytes()
        raise KeyboardInterrupt

    monkeypatch.setattr(data, "MIRRORS", (site.mirror("good"),))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            mnist()
    assert names_in(cache) == []


def test_a_process_killed_half_way_leaves_only_whole_files(originals, site, cache, monkeypatch):
    process = child(cache, site.mirror("stall"))
    assert site.stalled.wait(timeout=PATIENCE)
    process.kill()
    process.communicate()
    assert names_in(cache) == sorted([TRAIN_IMAGES, TRAIN_LABELS])

    site.asked.clear()
    monkeypatch.setattr(data, "MIRRORS", (site.mirror("good"),))
    assert same(mnist(), originals[1])
    assert names_in(cache) == sorted(NAMES)
    assert site.asked == [("good", TEST_IMAGES), ("good", TEST_LABELS)]


def test_a_process_killed_while_storing_is_cleaned_up_after(originals, site, cache, monkeypatch):
    process = child(cache, site.mirror("good"), "pathlib.Path.replace = lambda *_: os._exit(9)")
    assert process.communicate() == (None, "")
    assert process.returncode == 9
    (part,) = cache.iterdir()
    monkeypatch.setattr(data, "MIRRORS", (site.mirror("good"),))
    assert same(mnist(), originals[1])
    assert names_in(cache) == sorted([*NAMES, part.name])  # another process may be writing it now
    (cache / "another's").mkdir()
    for path in cache.iterdir():
        os.utime(path, (0, 0))
    assert same(mnist(), originals[1])
    assert names_in(cache) == sorted([*NAMES, "another's"])


def test_two_processes_race_on_one_cache(originals, site, cache):
    check = f"assert data._load(pathlib.Path({str(originals[0])!r}), '').train_images.tolist()"
    check += " == digits.train_images.tolist() and not digits.is_subset"
    mirror = site.mirror("together")  # answers once both have asked
    processes = [child(cache, mirror, after=check) for _ in range(2)]
    assert [process.communicate() for process in processes] == [(None, "")] * 2
    assert [process.returncode for process in processes] == [0, 0]
    assert site.asked.count(("together", TRAIN_IMAGES)) == 2
    assert names_in(cache) == sorted(NAMES)
    assert all((cache / n).read_bytes() == (originals[0] / n).read_bytes() for n in NAMES)


def file_in_the_way(cache, monkeypatch):
    cache.parent.parent.mkdir(exist_ok=True)
    cache.parent.write_text("a file where the cache's folder should be")


def not_permitted(cache, monkeypatch):
    def mkdir(self, *args, **kwargs):
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", mkdir)


def disk_full(cache, monkeypatch):
    def fsync(file):
        raise OSError(errno.ENOSPC, "No space left on device", str(cache))

    monkeypatch.setattr(os, "fsync", fsync)


def folder_in_the_way(cache, monkeypatch):
    (cache / TRAIN_IMAGES / "something").mkdir(parents=True)


@pytest.mark.parametrize("spoil", [file_in_the_way, not_permitted, disk_full, folder_in_the_way])
def test_a_cache_that_cannot_be_written_is_a_warning(originals, site, cache, monkeypatch, spoil):
    spoil(cache, monkeypatch)
    monkeypatch.setattr(data, "MIRRORS", (site.mirror("good"),))
    with pytest.warns(DataWarning) as caught:
        found = mnist()
    (warning,) = caught
    assert warning.filename == __file__
    assert "downloaded but not stored" in str(warning.message)
    assert str(cache.parent) in str(warning.message)
    assert same(found, originals[1])
    assert not found.is_subset
    assert found.source == f"downloaded, not stored in {cache}"
    assert not list(cache.glob("*part-*"))


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
