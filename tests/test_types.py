"""Ordinary uses run. `python -m tests.type_checks` also runs mypy and pyright on them."""

import runpy

import pytest
import type_checks


@pytest.mark.parametrize("name", ["scalars", "arrays", "transforms", "every_public_name", "views"])
def test_ordinary_uses_run(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(type_checks.USES))[name]()
