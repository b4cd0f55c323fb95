"""How a notebook shows a node."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from contextlib import suppress

from autodiff.core.graph import Node
from autodiff.views.draw import draw
from autodiff.views.formulas import latex_of
from autodiff.views.render import ADVICE, HTML, SVG, anchored, renderer, still

NODES, SECONDS = 100, 3  # bounds of a picture that nobody asked for
LATEX = "text/latex"


def mimebundle(
    node: Node, include: Iterable[str] | None = None, exclude: Iterable[str] | None = None
) -> dict[str, str]:
    """Return a notebook's representations of a node: its text and its graph, else its formula.

    The graph comes as SVG and as an HTML image: an untrusted notebook shows only the image.
    """

    def asked_for(kind: str) -> bool:
        return kind in (include or [kind]) and kind not in (exclude or [])

    bundle = {"text/plain": repr(node)}
    # fall back to text if drawing or formatting fails
    with suppress(Exception):
        if asked_for(SVG) or asked_for(HTML):
            picture = _picture(node)
            shown = {SVG: picture, HTML: still(picture, f"graph of {node!r}")}
            bundle |= {kind: data for kind, data in shown.items() if asked_for(kind)}
    with suppress(Exception):
        # never beside a picture: JupyterLab would show the formula instead
        if asked_for(LATEX) and len(bundle) == 1 and (formula := latex_of(node)):
            bundle[LATEX] = formula
    return bundle


def _picture(node: Node) -> str:
    program = renderer()
    if program is None:
        raise RuntimeError(ADVICE)
    drawn = subprocess.run(
        [program, "-Kdot", "-Tsvg"],
        input=draw(node, max_nodes=NODES).source,
        capture_output=True,
        timeout=SECONDS,
        check=True,
        encoding="utf-8",
    )
    return anchored(drawn.stdout)
