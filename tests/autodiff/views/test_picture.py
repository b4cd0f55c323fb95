"""Drawings: layout, and what happens without Graphviz."""

import os
import re
import shutil
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

import graphviz
import numpy as np
import pytest
from drawings import _patience, bare, described, labels, price, tangle
from graphviz.backend import dot_command

from autodiff import Tensor, Value, concatenate, draw, log, sin, tanh
from autodiff.views import draw as drawing
from autodiff.views import formulas, notebook, render

__all__ = ["_patience", "bare"]  # fixtures

SVG = "image/svg+xml"
READ_ALL = "#!/bin/sh\nwhile read -r _; do :; done\n"  # or the writer gets a broken pipe


def svg_of(node):
    """Return the rendered picture, parsed."""
    return ET.fromstring(draw(node, legend=False).pipe(format="svg", encoding="utf-8"))


def texts(svg):
    return [element.text.strip() for element in svg.iter() if element.tag.endswith("}text")]


@pytest.fixture
def no_graphviz(monkeypatch, tmp_path_factory):
    """A PATH with graphviz-pure only, found where pip installed it."""
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("graphviz-pure") or shutil.which("graphviz-pure", path=scripts)
    if not found:
        pytest.skip("graphviz-pure's program is neither on PATH nor beside Python")
    folder = tmp_path_factory.mktemp("bin")
    (folder / "graphviz-pure").symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))


# The picture


def test_the_picture_holds_the_numbers_and_the_names():
    y = price()
    y.backward()
    shown = ["apple", "number", "tax", "×", "×", "100", "2", "200", "1.1", "220"]
    shown += ["← 2.2", "← 110", "← 1.1", "← 200", "← 1"]
    assert sorted(texts(svg_of(y))) == sorted(shown)


def rules(svg):
    """Return the lines between a value and its gradient, as (left, right, height)."""
    found = []
    for element in svg.iter():
        if element.tag.endswith("}polygon"):
            xs, ys = np.array([p.split(",") for p in element.get("points").split()], dtype=float).T
            if ys.min() == ys.max():
                found.append((xs.min(), xs.max(), ys[0]))
    return found


def test_data_flows_right_with_values_above_the_line_and_gradients_below():
    y = price()
    y.backward()
    svg = svg_of(y)
    at = {
        element.text.strip(): (float(element.get("x")), float(element.get("y")))
        for element in svg.iter()
        if element.tag.endswith("}text")
    }
    for value, gradient in [("100", "← 2.2"), ("2", "← 110"), ("1.1", "← 200"), ("220", "← 1")]:
        (x, above), (_, below) = at[value], at[gradient]
        assert any(left <= x <= right and above < y < below for left, right, y in rules(svg))
        assert below - above < 25
    path = [at[text][0] for text in ("apple", "100", "200", "220")]
    assert path == sorted(path)


def test_the_line_passes_through_its_label_without_a_gap():
    svg = svg_of(log(Value(2, "x1")) + Value(12345.678, "x2") * 2)
    ends = []
    for group in svg.iter():
        title = next((e.text for e in group if e.tag.endswith("}title")), "")
        for path in group:
            if path.tag.endswith("}path") and "->" in title:
                numbers = [float(number) for number in re.findall(r"[-\d.]+", path.get("d"))]
                if title.endswith(":w"):
                    ends.append(numbers[-2:])
                elif ":e->" in title:
                    ends.append(numbers[:2])
    assert len(ends) == 10
    for x, y in ends:
        assert any(left <= x <= right and y == height for left, right, height in rules(svg))


def test_the_first_operand_is_on_top():
    a, b, c, d = (Value(2, name) for name in "abcd")
    for y, first, second in [(7 / a, "7", "a"), (a / 7, "a", "7"), (7 - a, "7", "a")]:
        height = {e.text: float(e.get("y")) for e in svg_of(y).iter() if e.tag.endswith("}text")}
        assert height[first] < height[second]
    height = {e.text: float(e.get("y")) for e in svg_of(a * b + c * d).iter() if "text" in e.tag}
    assert height["a"] < height["b"]
    assert height["c"] < height["d"]


def test_operands_that_may_be_swapped_are_where_lines_cross_least():
    x, z = Value(2, "x"), Value(3, "z")
    for y, free in [
        (x * x, ["×"]),
        (x * z + x, ["×", "+"]),
        (sin(x) * 2, ["×"]),
        (x * 2, []),
        (x / x, []),
    ]:
        operations = re.findall(r'label="?([^ "]+).* style=filled ', draw(y).source)
        ordered = re.findall(r'label="?([^ "]+).* ordering=in .* style=filled ', draw(y).source)
        assert sorted(operations) == sorted(ordered + free)


def test_operations_are_circles_and_long_names_fit():
    source = draw(concatenate([tanh(Tensor(np.ones(9)))])).source
    assert re.search(r"label=tanh .*shape=circle", source)
    assert re.search(r"label=concatenate .*shape=ellipse", source)
    for name in ("りんごの値段", "x"):
        width = re.search(rf"label=.?{name}.? .*width=(\S+)\]", draw(Value(1, name)).source)[1]
        assert float(width) * 72 > 12 * len(name)  # Graphviz may estimate it too small
    assert labels(draw(Value(1.0)).source)["n0"] == "·"


def test_colours_can_be_read_on_light_and_on_dark_pages():
    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    for colour in (drawing.LINE, drawing.VALUE, drawing.GRADIENT):
        assert 1.05 / (luminance(colour) + 0.05) > 4.5
        assert (luminance(colour) + 0.05) / 0.05 > 4.5
    assert draw(price()).graph_attr["bgcolor"] == "transparent"


@pytest.mark.parametrize(
    "name",
    [
        '"><script>',
        "a|b",
        r"\N \G \l",
        r"c:\new\E",
        "back\\",
        r"a\"b",
        "&lt; &amp; &",
        "<b>bold</b>",
        "<",
        "-->",
        "りんごの値段",
        "{}%s",
        "node",
        "it's",
        "n0",
    ],
)
def test_no_name_means_anything_to_graphviz(name, capfd):
    x = Value(2, name)
    y = x * x
    y.name = name
    assert sorted(texts(svg_of(y))) == sorted([name, "×", "2", "2", f"{name} = 4"])
    assert capfd.readouterr().err == ""


def test_unprintable_characters_become_spaces():
    found = texts(svg_of(Value(2, "two\nlines\x00\ud800!")))
    assert found == ["two lines \xa0!", "2"]


# Rendering


def test_render_needs_no_system_package(monkeypatch, tmp_path, no_graphviz):
    assert Path(render.renderer()).stem == "graphviz-pure"
    monkeypatch.chdir(tmp_path)
    draw(price()).render(outfile="price.svg", cleanup=True)
    assert os.listdir() == ["price.svg"]
    assert ET.parse("price.svg").getroot().tag.endswith("svg")
    draw(price()).render("out", format="png")
    draw(price()).render("plain")
    assert ET.parse("plain.svg").getroot().tag.endswith("svg")
    assert Path("out.png").read_bytes().startswith(b"\x89PNG")
    assert "svg" in draw(price())._repr_mimebundle_()[SVG]
    assert str(dot_command.DOT_BINARY) == "dot"  # as the graphviz package left it


def test_graphviz_pure_is_found_on_the_path_and_beside_python(bare, monkeypatch):
    beside, program = bare / "beside", "graphviz-pure"
    for folder in (beside, bare):  # PATH comes first
        folder.mkdir(exist_ok=True)
        (folder / program).write_text(READ_ALL)
        (folder / program).chmod(0o755)
        monkeypatch.setattr(render.sysconfig, "get_path", lambda _: str(beside))
        assert render.renderer() == str(folder / program)


def test_graphviz_itself_comes_first(bare):
    for name in ("graphviz-pure", "dot"):
        (bare / name).write_text(
            '#!/bin/sh\nwhile read -r _; do :; done; echo "<svg>$0 $*</svg>"\n'
        )
        (bare / name).chmod(0o755)
        assert render.renderer() == str(bare / name)
    assert draw(price()).pipe(format="svg").decode() == f"<svg>{bare}/dot -Kdot -Tsvg</svg>\n"


def test_the_graphviz_package_keeps_its_own_program_when_ours_fails(bare):
    (bare / "graphviz-pure").write_text(f"{READ_ALL}exit 1\n")
    (bare / "graphviz-pure").chmod(0o755)
    with pytest.raises(graphviz.CalledProcessError):
        draw(price()).pipe()
    assert str(dot_command.DOT_BINARY) == "dot"


def test_without_graphviz_the_text_and_advice_are_shown(bare):
    picture = draw(price())
    advised = f"{picture.source}// {render.ADVICE}"
    assert picture._repr_mimebundle_() == {"text/plain": advised}
    assert str(picture) == advised
    with pytest.raises(RuntimeError, match="install graphviz, or pip install graphviz-pure"):
        picture.render(bare / "out")
    with pytest.raises(RuntimeError, match="install graphviz, or pip install graphviz-pure"):
        picture.pipe()
    assert os.listdir(bare) == []


def test_with_graphviz_there_is_no_advice():
    picture = draw(price())
    assert str(picture) == picture.source
    assert '.save("graph.svg")' in repr(picture)


def test_save_writes_the_format_that_the_suffix_names(tmp_path, bare):
    picture = draw(price())
    with pytest.raises(RuntimeError, match="install graphviz, or pip install graphviz-pure"):
        picture.save(bare / "y.svg")
    assert os.listdir(bare) == []
    assert picture.save(bare / "y.dot").read_text(encoding="utf-8") == picture.source


def test_save_draws(tmp_path):
    picture = draw(price())
    assert picture.save(str(tmp_path / "y.svg")) == tmp_path / "y.svg"
    assert ET.parse(tmp_path / "y.svg").getroot().tag.endswith("svg")
    assert picture.save(tmp_path / "y.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"y.jpg: .* one of .svg, .png, .pdf, .dot"):
        picture.save(tmp_path / "y.jpg")


def test_graphviz_pure_writes_no_pdf(tmp_path, no_graphviz):
    with pytest.raises(RuntimeError, match="writes no PDF; install graphviz"):
        draw(price()).save(tmp_path / "y.pdf")
    assert os.listdir(tmp_path) == []


def test_a_notebook_shows_a_node_as_its_graph():
    y = price()
    y.backward()
    bundle = notebook.mimebundle(y)
    assert sorted(bundle) == [SVG, "text/html", "text/plain"]
    assert bundle["text/plain"] == repr(y)
    assert "← 110" in texts(ET.fromstring(bundle[SVG]))
    assert notebook.mimebundle(y, include=["text/plain"], exclude=[]) == {"text/plain": repr(y)}
    formula = {"text/latex": formulas.latex_of(y), "text/plain": repr(y)}
    assert sorted(notebook.mimebundle(y, exclude=["text/html"])) == [SVG, "text/plain"]
    assert sorted(notebook.mimebundle(y, exclude=[SVG])) == ["text/html", "text/plain"]
    assert notebook.mimebundle(y, exclude=[SVG, "text/html"]) == formula
    pictures = [SVG, "text/html"]
    assert notebook.mimebundle(y, exclude=[*pictures, "text/latex"]) == {"text/plain": repr(y)}
    drawing = draw(y)
    assert sorted(drawing._repr_mimebundle_()) == pictures
    assert sorted(drawing._repr_mimebundle_(include=["text/html"])) == ["text/html"]
    assert sorted(drawing._repr_mimebundle_(exclude=["text/html"])) == [SVG]
    assert sorted(drawing._repr_mimebundle_([SVG, "image/png"])) == ["image/png", SVG]


def test_a_notebook_shows_the_formula_and_the_text_where_the_graph_cannot_be_drawn(
    monkeypatch, bare
):
    y = price()
    only_text = {"text/latex": formulas.latex_of(y), "text/plain": repr(y)}
    assert notebook.mimebundle(y) == only_text
    (bare / "dot").write_text("#!/bin/sh\nsleep 5\n")
    (bare / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(bare), os.defpath]))
    monkeypatch.setattr(notebook, "SECONDS", 0.1)
    assert notebook.mimebundle(y) == only_text
    (bare / "dot").write_text("#!/bin/sh\necho '<svg/>'\nexit 1\n")
    assert notebook.mimebundle(y) == only_text
    y.inputs[0].inputs[0].data = 5.0
    assert notebook.mimebundle(y) == {"text/plain": repr(y)}


def test_a_notebook_draws_the_nearest_part_of_a_large_graph():
    bundle = notebook.mimebundle(tangle(2_000))
    assert "earlier nodes" in bundle[SVG]


def test_several_results_of_one_operation_leave_it_on_edges_of_their_own():
    a = Tensor([[2.0, 1.0], [1.0, 2.0]], name="a")
    sign_, size = np.linalg.slogdet(a)
    y = sign_ * size
    y.backward()
    found = described(draw(y).source)
    assert ("slogdet", "×", "1", "1.09861") in found
    assert ("slogdet", "×", "1.09861", "1") in found
    assert ("slogdet", "", "1.09861", "1") in described(draw(size).source)
