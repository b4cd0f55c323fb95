"""The rooms of `autodiff/` import downwards only, and so do the files of `core/`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "autodiff"
ROOMS = ["core", "ops", "nodes", "transforms", "programs", "testing", "views", "cli"]
"""In the order of their imports, lowest first."""
CORE = [
    "about",
    "columns",
    "missing",
    "tracebacks",
    "graph",
    "modes",
    "walks",
    "replays",
    "copies",
    "trees",
    "groups",
]
OPEN_TO_ALL = {"cli", "testing"}
"""Rooms that may use the public names of `autodiff` itself."""


def imports(file: Path) -> Iterator[tuple[str, ...]]:
    """Yield the imports of a file from `autodiff` at run time, as in ("core", "graph")."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}, line {node.lineno}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            package, *parts = name.split(".")
            if package == "autodiff":
                yield tuple(parts)


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_import_downwards(room):
    below = ROOMS[: ROOMS.index(room) + 1]
    files = sorted((PACKAGE / room).rglob("*.py"))
    assert files
    for file in files:
        for parts in imports(file):
            allowed = (
                room in OPEN_TO_ALL if not parts or parts[0] not in ROOMS else parts[0] in below
            )
            assert allowed, f"{file.relative_to(PACKAGE)} imports autodiff.{'.'.join(parts)}"


def test_every_file_stands_in_a_room():
    assert {path.name for path in PACKAGE.glob("*.py")} == {"__init__.py", "__main__.py"}
    assert {path.parent.name for path in PACKAGE.glob("*/*.py")} == {*ROOMS}


def test_files_of_core_import_downwards():
    assert {path.stem for path in (PACKAGE / "core").glob("*.py")} == {*CORE, "__init__"}
    for k, name in enumerate(CORE):
        for parts in imports(PACKAGE / "core" / f"{name}.py"):
            assert parts[1] in CORE[:k], f"core/{name}.py imports core/{parts[1]}.py"


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_say_what_to_read_first(room):
    text = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text()))
    assert text
    assert room == "ops" or "first" in text
