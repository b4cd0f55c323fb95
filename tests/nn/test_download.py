"""nn.data: MNIST found, downloaded and stored, without the network."""

import contextlib
import errno
import http.server
import io
import os
import re
import socket
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from urllib.parse import urlsplit

import pooch
import pytest
from mnist_files import (
    NAMES,
    PATIENCE,
    REPOSITORY,
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    cache,
    closed_port,
    digits,
    names_in,
    originals,
    same,
    write,
)

from autodiff.core.about import install
from nn import data
from nn.data import DataError, DataWarning, mnist, read_idx

__all__ = ["cache", "closed_port", "originals"]  # fixtures

pytestmark = pytest.mark.filterwarnings("error")


MIRRORS, TIMEOUT = data.MIRRORS, data._TIMEOUT


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
