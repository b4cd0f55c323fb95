"""Render drawings with Graphviz, or with graphviz-pure where Graphviz is not installed."""

from __future__ import annotations

import base64
import os
import re
import shutil
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from threading import RLock
from typing import Any

import graphviz
from graphviz.backend import dot_command

from autodiff.views.scene import Scene

SVG, HTML = "image/svg+xml", "text/html"
ADVICE = "no renderer was found: install graphviz, or pip install graphviz-pure"
FORMATS = (".svg", ".png", ".pdf", ".dot")
_one_at_a_time = RLock()


def renderer() -> str | None:
    """Return the path of Graphviz, else of graphviz-pure (on PATH or beside Python), else None."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), sysconfig.get_path("scripts")])
    return shutil.which(str(dot_command.DOT_BINARY)) or shutil.which("graphviz-pure", path=path)


@contextmanager
def _rendering() -> Iterator[None]:
    """Make the graphviz package use our renderer inside the context."""
    program = renderer()
    if program is None:
        raise RuntimeError(ADVICE)
    with _one_at_a_time:
        usual, dot_command.DOT_BINARY = dot_command.DOT_BINARY, program
        try:
            yield
        finally:
            dot_command.DOT_BINARY = usual


def anchored(svg: str) -> str:
    """Anchor the texts of every joint to its line, in an SVG by Graphviz.

    Graphviz fixes where a text begins, by its own font metrics. In a wider font the text would run
    into the next node or across the line. Older versions do not mark the spaces at the ends of a
    text as significant; without them, it would touch its line.
    """
    svg = svg.replace("<text text-anchor", '<text xml:space="preserve" text-anchor')
    return re.sub('<g id="[^"]*" class="node">.*?</g>', _anchored, svg, flags=re.DOTALL)


def _anchored(node: re.Match[str]) -> str:
    corners = " ".join(re.findall('<polygon [^>]*points="([^"]*)"', node[0])).split()
    xs, ys = ({float(corner.split(",")[axis]) for corner in corners} for axis in (0, 1))
    middle = (min(xs) + max(xs)) / 2 if xs else 0

    def tied(text: re.Match[str]) -> str:
        if len(ys) == 1:
            return f'text-anchor="middle" x="{middle:.2f}"'
        left = len(xs) == 1 and float(text[1]) < middle
        return f'text-anchor="end" x="{middle:.2f}"' if left else text[0]

    return re.sub('text-anchor="start" x="([^"]*)"', tied, node[0])


def still(svg: str, alt: str) -> str:
    """Return an SVG picture as an HTML image with a data address.

    An untrusted notebook shows no SVG and runs no script, but shows this image.

    Parameters
    ----------
    svg : str
        With width and height in points, as Graphviz writes them.
    alt : str
        The text for screen readers.
    """
    found = re.search(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    sizes = [round(float(points) * 4 / 3) for points in found.groups()] if found else []
    size = "".join(f' {name}="{n}"' for name, n in zip(("width", "height"), sizes, strict=False))
    data = base64.b64encode(svg.encode()).decode()
    style = "max-width:100%;height:auto"
    return f'<img src="data:{SVG};base64,{data}"{size} alt="{escape(alt)}" style="{style}">'


class Drawing(graphviz.Digraph):  # type: ignore[misc]
    """A `graphviz.Digraph` that falls back to graphviz-pure, and without that to its DOT text.

    Attributes
    ----------
    scene : Scene
        The drawn nodes and edges, with their keys.
    """

    scene: Scene

    def save(self, filename: Any = None, directory: Any = None, **options: Any) -> Path:
        """Write the picture to a file, in the format of its suffix.

        Parameters
        ----------
        filename : path
            Ends in .svg, .png, .pdf or .dot; an existing file is replaced.
        directory, **options
            As for `graphviz.Digraph.save`, which is called if any of them is given, or if
            `filename` is missing or ends in .gv.

        Returns
        -------
        Path

        Notes
        -----
        A .png by graphviz-pure has Latin, Greek and Cyrillic letters only. Install graphviz for
        names in other scripts, or save an .svg.

        Raises
        ------
        ValueError
            If the suffix is none of these.
        RuntimeError
            If no renderer for this format is installed.

        Examples
        --------
        >>> from autodiff import Value, draw
        >>> draw(Value(2.0, "x") * 3).save("y.svg")  # doctest: +SKIP
        PosixPath('y.svg')
        """
        if filename is None or directory or options or str(filename).endswith(".gv"):
            return Path(super().save(filename, directory=directory, **options))
        path = Path(filename)
        if path.suffix not in FORMATS:
            raise ValueError(f"{path}: a picture's name must end in one of {', '.join(FORMATS)}")
        if path.suffix == ".dot":
            data = self.source.encode()
        elif path.suffix == ".pdf" and Path(renderer() or "").stem == "graphviz-pure":
            raise RuntimeError(
                f"{path}: graphviz-pure writes no PDF; install graphviz, or save an .svg or .png"
            )
        else:
            data = self.pipe(format=path.suffix[1:])
        path.write_bytes(data)
        return path

    def pipe(self, *args: Any, quiet: bool = True, **options: Any) -> Any:
        with _rendering():
            data = super().pipe(*args, quiet=quiet, **options)
        if isinstance(data, str):
            return anchored(data)
        return anchored(data.decode()).encode() if b"<svg" in data[:1000] else data

    def render(self, *args: Any, quiet: bool = True, **options: Any) -> Any:
        with _rendering():
            path = Path(super().render(*args, quiet=quiet, **options))
        if path.suffix == ".svg":
            path.write_text(anchored(path.read_text("utf-8")), "utf-8", newline="\n")
        return str(path)

    def _repr_mimebundle_(
        self,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        kinds = set(include or [SVG, HTML]) - set(exclude or [])
        try:
            bundle = dict(super()._repr_mimebundle_([*kinds - {HTML}, SVG], **options))
        except Exception as error:  # show the DOT text instead of a traceback
            return {"text/plain": f"{self.source}// {error}"}
        if HTML in kinds:
            bundle[HTML] = still(
                bundle[SVG], f"graph of {', '.join(map(repr, self.scene.ends.results.values()))}"
            )
        return {kind: data for kind, data in bundle.items() if kind in kinds}

    def __str__(self) -> str:
        return self.source if renderer() else f"{self.source}// {ADVICE}"

    def __repr__(self) -> str:
        return '<Drawing: .save("graph.svg") writes it into a file>'
