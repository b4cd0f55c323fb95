"""What a notebook shows for a node."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import suppress

from autodiff.graph import Node
from autodiff.views.draw import draw
from autodiff.views.render import renderer

NODES, SECONDS = 100, 3  # what is spent on a picture unasked
SVG = "image/svg+xml"


def mimebundle(
    node: Node, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
) -> dict[str, str]:
    """What a notebook shows for a node: its graph if that is small and can be drawn, its text."""
    bundle = {"text/plain": repr(node)}
    program = renderer()
    if program and SVG in (include or [SVG]) and SVG not in (exclude or []):
        # whatever is wrong with the picture, the text is still good
        with suppress(Exception):
            bundle[SVG] = subprocess.run(
                [program, "-Kdot", "-Tsvg"],
                input=draw(node, max_nodes=NODES).source.encode(),
                capture_output=True,
                timeout=SECONDS,
                check=True,
            ).stdout.decode()
    return bundle
