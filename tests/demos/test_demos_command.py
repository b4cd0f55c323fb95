"""The command line of the demos: names, options and errors."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from demo_runs import _no_network, columns

from demos import __main__ as command
from demos import show
from nn.data import SUBSET

__all__ = ["_no_network"]  # fixtures


# The command line


def test_without_a_name_the_demos_are_listed(capsys):
    for argv in ([], ["-h"], ["--help"]):
        assert command.main(argv) == 0
        printed = capsys.readouterr().out
        for name in command.NAMES:
            assert re.search(rf"^  {name} +\w.+[.]$", printed, re.MULTILINE)


def test_the_list_is_complete():
    files = {path.stem for path in Path(show.__file__).parent.glob("*.py")}
    assert files - {"__init__", "__main__", "show"} == set(command.NAMES)


@pytest.mark.parametrize("name", ["minst", "show", "", "../mnist"])
def test_an_unknown_name_is_answered_with_the_known_ones(name, capsys):
    assert command.main([name]) == 2
    said = capsys.readouterr().err
    assert repr(name) in said
    assert all(known in said for known in command.NAMES)


@pytest.mark.parametrize("name", command.NAMES)
def test_help_and_wrong_options(name, capsys):
    with pytest.raises(SystemExit) as end:
        command.main([name, "--help"])
    assert end.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: python -m demos {name} ")
    assert "--out DIR" in printed
    with pytest.raises(SystemExit) as end:
        command.main([name, "--depth", "3"])
    assert end.value.code == 2


@pytest.mark.parametrize("name", command.NAMES)
@pytest.mark.parametrize("inside", [False, True])
def test_an_unwritable_folder_is_refused_before_the_work(name, inside, tmp_path, capsys):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    out = taken / "results" if inside else taken
    assert command.main([name, "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"{name}: cannot write to the folder {out} (")
    assert said.err.endswith("choose another with --out DIR\n")
    assert taken.read_text() == "a file"


def test_the_folder_is_made(tmp_path):
    out = show.folder(tmp_path / "a" / "b")
    assert list(out.iterdir()) == []
    show.folder(out)


@pytest.mark.parametrize("name", ["mnist", "gradient_check"])
def test_a_wrong_data_folder_is_named(name, tmp_path, capsys):
    wrong = tmp_path / "nowhere"
    assert command.main([name, "--out", str(tmp_path / "out"), "--data", str(wrong)]) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"{name}: {wrong}")
    assert "MNIST_DIR" in said.err
    assert said.out == ""


def test_a_damaged_data_file_is_named(tmp_path, capsys):
    for path in SUBSET.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damaged = tmp_path / "t10k-images-idx3-ubyte.gz"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    argv = ["mnist", "--out", str(tmp_path / "out"), "--data", str(tmp_path)]
    assert command.main(argv) == 1
    assert str(damaged) in capsys.readouterr().err


def test_without_a_program_that_draws_the_graph_is_written_as_text(tmp_path, monkeypatch, capsys):
    from autodiff.views import render

    monkeypatch.setattr(render, "renderer", lambda: None)
    assert command.main(["log_sin", "--out", str(tmp_path)]) == 0
    assert "note: no renderer was found: install graphviz" in capsys.readouterr().out
    assert (tmp_path / "log_sin.dot").read_text(encoding="utf-8").startswith("digraph {")


def test_a_missing_package_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert command.main(["mnist", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "tqdm" in said
    assert 'pip install -e ".[demos]"' in said


def python(*arguments, **environment):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=Path(show.__file__).parents[1],
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
    )


def test_errors_end_a_demo_without_a_traceback(tmp_path):
    """Also for a demo that is run as a file."""
    taken = tmp_path / "taken"
    taken.touch()
    done = python("-m", "demos.log_sin", "--out", str(taken))
    assert done.returncode == 1
    assert done.stderr.startswith("cannot write to the folder")


def test_a_terminal_without_unicode_shows_the_numbers(tmp_path):
    done = python("-m", "demos", "log_sin", "--out", str(tmp_path), PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert columns(done.stdout, "?f/?x1") == [5.5] * 2
