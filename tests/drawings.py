"""Contents of drawings for tests: labels, edges and the picture."""

import re
from typing import NamedTuple

import numpy as np
import pytest

from autodiff import Value, sin
from autodiff.views import draw as drawing
from autodiff.views import notebook, render

JOINT = r"^\t+(?!graph\b)(\w+) \[label=<(<table.*)>\]$"


class Edge(NamedTuple):
    tail: str
    head: str
    value: str
    gradient: str | None


def labels(source):
    """Return the plain labels in a DOT text, by node."""
    found = re.findall(r'^\t+(\w+) \[label=(?:"(.*?)"|(\w+))[ \]]', source, re.MULTILINE)
    return {key: quoted or bare for key, quoted, bare in found}


def edges(source):
    """Return the labelled edges in a DOT text: value, and gradient if there is one."""
    tails = {joint: tail for tail, joint in re.findall(r"(\w+) -> (\w+):p:w", source)}
    heads = dict(re.findall(r"(\w+):p:e -> (\w+)", source))
    found = []
    for joint, label in re.findall(JOINT, source, re.MULTILINE):
        value = re.search(f'<font color="{drawing.VALUE}"> (.*?) </font>', label)
        gradient = re.search(f'<font color="{drawing.GRADIENT}"><i> ← (.*?) </i></font>', label)
        found.append(Edge(tails[joint], heads[joint], value[1], gradient and gradient[1]))
    assert sorted(tails) == sorted(heads)
    assert len(found) == len(tails)
    return found


def out_of(name, source):
    """Return the edges out of the variable with this name."""
    key = next(key for key, label in labels(source).items() if label == name)
    return [edge for edge in edges(source) if edge.tail == key]


def described(source):
    """Return every edge as (tail's label, head's label, value, gradient)."""
    named = labels(source)
    return {(named[t], named.get(h, ""), v, g) for t, h, v, g in edges(source)}


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    """Wait for pictures in notebooks as long as a busy machine needs."""
    monkeypatch.setattr(notebook, "SECONDS", 120)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine with an empty PATH and nothing in the folder of Python's scripts."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(render.sysconfig, "get_path", lambda _: str(tmp_path))
    return tmp_path


def price():
    apple, number, tax = Value(100, "apple"), Value(2, "number"), Value(1.1, "tax")
    return apple * number * tax


def tangle(length):
    """Return a graph without repetitions."""
    draws = np.random.default_rng(0)
    nodes = [Value(0.5, "x"), Value(0.7, "y")]
    while len(nodes) < length:
        a, b = draws.integers(max(0, len(nodes) - 30), len(nodes), 2)
        nodes.append(nodes[a] * nodes[b] if draws.integers(2) else sin(nodes[a]))
    return nodes[-1]
