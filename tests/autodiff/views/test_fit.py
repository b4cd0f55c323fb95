"""Texts in pictures fit into their nodes and do not overlap, in all common fonts."""

import itertools
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import pytest
from browser import browser, session
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

from autodiff import Tensor, Value, draw, exp, explore, grouped, program, sin, tanh
from autodiff.ops.registry import TABLE
from autodiff.views import notebook, render
from autodiff.views.text import extent
from demos import pendulum
from nn import TwoLayerNet

__all__ = ["browser", "session"]  # fixtures

FONT = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
DIRECTIONS = ["LR", "RL", "TB", "BT"]
NAMES = [
    "x",
    "WWWW",
    "apple number",
    "りんごの値段",
    "∂y/∂x₁₂",
    "x̄",
    "é" * 9,
    "M" * 20,
    "[ ]=",
    "Ψ·Ω…",
]


@pytest.fixture(scope="module")
def measured():
    """Return the width of a text in DejaVu Sans, in ems."""
    font = ImageFont.truetype(str(FONT), 1000, layout_engine=ImageFont.Layout.BASIC)
    return lambda text: font.getlength(text) / 1000


# Estimates


def test_a_text_is_never_wider_than_estimated(measured):
    ranges = (0x20, 0x7F), (0xA0, 0xAD), (0xAE, 0x100), (0x391, 0x3CA), (0x410, 0x450)
    letters = [chr(code) for start, stop in ranges for code in range(start, stop)]
    symbols = [op.symbol for op in TABLE.values()]
    for text in [*letters, *symbols, *"₀₁₂₊₋⁰¹²³ⁿ⁺⁻←→↑↓∂∇√∞≤≥≠≈…‖"]:
        assert extent(text, 1) >= measured(text), text


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4))
def test_widths_of_numbers_are_not_overestimated(measured, numbers):
    text = f"← {[float(f'{number:.6g}') for number in numbers]}"
    assert measured(text) <= extent(text, 1) <= 1.06 * measured(text)


# Pictures, by these estimates.


class Rect(NamedTuple):
    """A rectangle with its contents."""

    what: str
    left: float
    right: float
    top: float
    bottom: float

    def meets(self, other):
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > 0.5 and down > 0.5

    def within(self, other):
        across = other.left <= self.left and self.right <= other.right
        return across and other.top <= self.top and self.bottom <= other.bottom


def written(text):
    """Return the rectangle that a text covers, from its anchor."""
    size, x, y = (float(text.get(name)) for name in ("font-size", "x", "y"))
    words = text.text.strip()
    width = extent(words, size)
    left = x - width * {"start": 0, "middle": 0.5, "end": 1}[text.get("text-anchor")]
    return Rect(words, left, left + width, y - 0.7 * size, y + 0.1 * size)


def outline(shape):
    """Return the area for a text in an ellipse (two points from its curve) or in a box."""
    if shape.tag.endswith("}ellipse"):
        x, y, rx, ry = (float(shape.get(name)) for name in ("cx", "cy", "rx", "ry"))
        half = rx * np.sqrt(1 - (5 / ry) ** 2) - 2
        return Rect("ellipse", x - half, x + half, y - ry, y + ry)
    xs, ys = np.array(re.findall(r"(-?[\d.]+),(-?[\d.]+)", shape.get("d")), float).T
    return Rect("box", xs.min(), xs.max(), ys.min(), ys.max())


def faults(svg):
    """Return pairs of texts that overlap, and of texts and nodes that overlap partly."""
    texts, shapes = [], []
    for group in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g"):
        texts += [written(e) for e in group if e.tag.endswith("}text") and e.text.strip()]
        if group.get("class") == "node":
            shapes += [outline(e) for e in group if e.tag.endswith(("}ellipse", "}path"))]
    assert texts
    assert shapes
    pairs = [pair for pair in itertools.combinations(texts, 2) if pair[0].meets(pair[1])]
    across = itertools.product(texts, shapes)
    return pairs + [(t, s) for t, s in across if t.meets(s) and not t.within(s)]


@grouped("a function of two numbers, with a long name")
def boxed(x, y):
    return exp(-x * x) * sin(y)


STEPS = {
    "+": lambda x, y: x + y,
    "*": lambda x, y: x * y,
    "tanh": lambda x, y: tanh(x),
    "logaddexp": lambda x, y: np.logaddexp(x, y),
    "boxed": boxed,
    "constant": lambda x, y: x * 0.0123456 + 1234.5,
    "stack": lambda x, y: np.stack([x, y]).sum(axis=0),
}


@st.composite
def graphs(draw):
    """A differentiated graph of a few named variables: numbers or short vectors."""
    size = draw(st.integers(0, 4))
    numbers = st.floats(-1e3, 1e3)
    states = []
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=3, unique=True)):
        values = draw(st.lists(numbers, min_size=size, max_size=size)) or draw(numbers)
        states.append(Tensor(values, name) if size else Value(values, name))
    for step in draw(st.lists(st.sampled_from(sorted(STEPS)), min_size=1, max_size=6)):
        states.append(STEPS[step](states[-1], states[-2]))
    y = states[-1].sum() if size else states[-1]
    with np.errstate(all="ignore"):
        y.backward()
    return y


@given(graphs(), st.sampled_from(DIRECTIONS), st.booleans(), st.sampled_from([None, 0]))
def test_texts_of_random_graphs_fit(y, direction, partials, depth):
    drawn = draw(y, direction=direction, partials=partials, depth=depth)
    assert faults(drawn.pipe(encoding="utf-8")) == []


def swinging():
    """Return two steps of the demo's pendulum: vectors of an angle and a speed."""
    state = Tensor([1.2, 0.0], "state")

    def slope(state):
        angle, speed = state
        return np.stack([speed, -pendulum.GRAVITY * np.sin(angle) - 0.25 * speed])

    return pendulum.runge_kutta(slope, state, [0.0, 0.05])[-1].sum()


def recurrent(steps=4):
    random = np.random.default_rng(0)
    w, u = Tensor(random.normal(size=(2, 2)), "W"), Tensor(random.normal(size=(2, 3)), "U")
    x, h = Tensor(random.normal(size=(steps, 3)), "x"), Tensor(np.zeros(2), "h")
    for t in range(steps):
        h = np.tanh(w @ h + u @ x[t])
    return np.sum(h * h)


def folded():
    state = Tensor([1.0, 0.5, 0.25], "state")
    for _ in range(30):
        state = state + 0.001 * np.tanh(state)
    return state.sum()


def network():
    random = np.random.default_rng(0)
    return TwoLayerNet(4, 3, 2, rng=0).record(random.normal(size=(5, 4)), np.arange(5) % 2)[0]


LOOPS = pytest.mark.parametrize("loop", [swinging, recurrent, folded])


@LOOPS
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_texts_of_loops_over_short_vectors_fit(loop, direction):
    y = loop()
    y.backward()
    for options in ({}, {"tensors": "stats"}, {"partials": True}):
        drawn = draw(y, direction=direction, **options)
        assert faults(drawn.pipe(encoding="utf-8")) == []


def decided(x):
    """A function with writes in place, decisions and several results."""
    y = np.zeros_like(x)
    y[1:] = np.tanh(x[:-1])
    if y[1] > 0:
        y *= x
    for _ in range(int(np.sum(x > 0))):
        y[0] += 0.0123456
    return {"first": y[0], "all": y, "a long name of a result": np.sort(y)}


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("depth", [None, 0])
def test_texts_of_programs_fit(direction, depth):
    x = np.array([0.5, -0.25, 2.0])
    made = program(decided, x)
    for shown in (made, made.at(x)):
        drawn = draw(shown, direction=direction, depth=depth)
        assert faults(drawn.pipe(encoding="utf-8")) == []


def test_maps_have_room_for_their_ranges():
    x = Tensor(np.linspace(-1.2345e-5, -2.7e3, 12).reshape(3, 4), "a long name of a matrix")
    y = (np.tanh(x) * x).sum()
    y.backward()
    assert faults(draw(y, tensors="image").pipe(encoding="utf-8")) == []


def test_operations_are_as_wide_as_their_names():
    x = Tensor([0.3, 0.4], "x")
    for function in (np.tanh, np.mean, np.log1p, np.logaddexp.reduce, np.linalg.slogdet, np.sinc):
        y = function(np.outer(x, x) + np.eye(2) if function is np.linalg.slogdet else x)
        y = y[1] if isinstance(y, tuple) else y
        assert faults(draw(y).pipe(encoding="utf-8")) == []


def test_constants_are_as_wide_as_their_texts():
    drawn = draw(Value(1.0, "x") - 123456.789, numbers=".12g").pipe(
        format="plain", encoding="utf-8"
    )
    width = re.search(r"^node n1_1 \S+ \S+ (\S+)", drawn, re.MULTILINE)[1]
    assert 72 * float(width) == pytest.approx(extent("123456.789", 10), abs=1)


def test_every_way_to_an_svg_ties_the_texts_to_their_lines(tmp_path):
    drawn = draw(Value(2.0, "x") * 3)
    expected = drawn.pipe(encoding="utf-8")
    assert expected.count('text-anchor="middle"') == 5
    assert drawn.pipe() == expected.encode()
    assert drawn.save(tmp_path / "x.svg").read_text("utf-8") == expected
    assert Path(drawn.render(tmp_path / "y", format="svg")).read_text("utf-8") == expected
    assert drawn.pipe(format="png").startswith(b"\x89PNG")
    shown = notebook.mimebundle(Value(2.0, "x") * 3)["image/svg+xml"]
    assert shown.count('text-anchor="middle"') == 5


def test_spaces_at_the_ends_of_texts_are_significant():
    old = '<text text-anchor="start" x="1"> 2 </text>'  # as Graphviz 2.43 writes it
    new = '<text xml:space="preserve" text-anchor="start" x="1"> 2 </text>'
    assert render.anchored(old) == render.anchored(new) == new


# Pictures, as a browser shows them.

MEETING = """
const texts = [], shapes = [];
for (const text of document.querySelectorAll("svg text")) {
  const letters = text.textContent, start = letters.length - letters.trimStart().length;
  if (start === letters.length) continue;
  const size = parseFloat(getComputedStyle(text).fontSize);
  const { x: left, y } = text.getStartPositionOfChar(start);
  const { x: right } = text.getEndPositionOfChar(letters.trimEnd().length - 1);
  texts.push({ what: letters.trim(), left, right, top: y - 0.7 * size, bottom: y + 0.1 * size });
}
for (const shape of document.querySelectorAll(":is(.node, [data-node]) > :is(ellipse, path)")) {
  const { x, y, width, height } = shape.getBBox();
  shapes.push({ what: "node", left: x, right: x + width, top: y, bottom: y + height });
}
const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 0.5
  && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.5;
const within = (a, b) => a.left >= b.left && a.right <= b.right
  && a.top >= b.top && a.bottom <= b.bottom;
const pairs = texts.flatMap((a, i) => [
  ...texts.slice(i + 1).filter((b) => meet(a, b)),
  ...shapes.filter((b) => meet(a, b) && !within(a, b)),
].map((b) => [a.what, b.what]));
return [texts.length, shapes.length, pairs];
"""


@LOOPS
@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_browser_shows_texts_that_fit(browser, tmp_path, loop, direction):
    y = loop()
    y.backward()
    path = draw(y, direction=direction).save(tmp_path / "y.svg")
    browser.get(path.as_uri())
    texts, shapes, meeting = browser.execute_script(MEETING)
    assert texts > shapes > 10
    assert meeting == []


@pytest.mark.parametrize("graph", [swinging, recurrent, network])
def test_the_explorers_texts_fit_at_every_step(browser, tmp_path, graph):
    page = explore(graph(), tmp_path / "page.html", show=False)
    browser.get(page.path.as_uri())
    for step in range(browser.execute_script("return explorer.end") + 1):
        browser.execute_script("explorer.show(arguments[0])", step)
        texts, shapes, meeting = browser.execute_script(MEETING)
        assert texts > shapes > 5
        assert meeting == []
