"""Ordinary uses pass mypy in strict mode, and run.

`python -m tests.type_checks` also runs pyright.
"""

import runpy

import pytest
import type_checks


def test_ordinary_uses_pass_mypy(tmp_path):
    pytest.importorskip("mypy")
    done = type_checks.mypy(tmp_path)
    assert done.stdout == "Success: no issues found in 2 source files\n"
    assert done.returncode == 0


@pytest.mark.parametrize("name", ["scalars", "arrays", "transforms", "every_public_name", "views"])
def test_ordinary_uses_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(type_checks.USES))[name]()
