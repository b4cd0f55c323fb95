"""Runs of the demos, and the files they write."""

from xml.etree import ElementTree

import pytest

from demos import __main__ as command
from nn.data import SUBSET

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    monkeypatch.setenv("MNIST_DIR", str(SUBSET))


@pytest.fixture
def run(tmp_path, capsys):
    """Run a demo; return its output and the names of its files, each checked."""

    def run(name, *options):
        assert command.main([name, *options, "--out", str(tmp_path)]) == 0
        for path in tmp_path.iterdir():
            if path.suffix == ".svg":
                assert ElementTree.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
            else:
                assert path.suffix == ".png"
                assert path.read_bytes().startswith(PNG)
            assert path.stat().st_size > 1000
        return capsys.readouterr().out, {path.name for path in tmp_path.iterdir()}

    return run


def columns(printed, name):
    """Return the numbers in the line that starts with a name."""
    line = next(line for line in printed.splitlines() if line.startswith(name))
    return [float(number) for number in line.removeprefix(name).split()]
