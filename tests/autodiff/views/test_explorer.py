"""The explorer: its numbers and its file."""

import html
import json
import re
import sys
import time
import webbrowser
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from explorer_pages import GRAPHS, log_sin
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, explore, log, sin
from autodiff.core.graph import ancestors
from autodiff.views import explorer


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', page.html)
    return json.loads(text)


# The numbers


STEPS = [
    lambda x, y: x + y,
    lambda x, y: x - 2 * y,
    lambda x, y: x * y,
    lambda x, y: x / y,
    lambda x, y: 1 / y,
    lambda x, y: sin(x),
    lambda x, y: ad.sqrt(x * x),
    lambda x, y: ad.sign(x),
    lambda x, y: ad.where(x > 0.1, x, log(y)),
]


programs = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 9)))


@given(programs, st.sampled_from([0.0, 0.3, -2.0]), st.sampled_from([Value, Tensor]))
def test_the_contributions_are_those_of_backward_and_add_up_to_the_gradients(program, x, kind):
    nodes = [kind(x, "a"), kind(0.7, "b")]
    with np.errstate(all="ignore"):
        for step, i, j in program:
            nodes.append(step(nodes[i % len(nodes)], nodes[j % len(nodes)]))
        y = sum(nodes[1:], nodes[0])
        with mock.patch.object(explorer, "_picture", return_value=("", "")):  # _picture takes long
            data = data_of(explore(y, show=False))
        y.backward()
    for node, found in zip(reversed(ancestors(y)), data["nodes"], strict=True):
        assert float(found["value"]["numbers"]) == pytest.approx(float(node._data), nan_ok=True)
        gradient = float(found["gradient"]["numbers"])
        assert gradient == pytest.approx(float(node.grad), rel=1e-15, abs=0, nan_ok=True)
    sums = dict.fromkeys(range(len(data["nodes"])), 0.0)
    for step in data["steps"]:
        if step["kind"] == "backward":
            exact = {name: float(part) for name, part in step["exact"].items()}
            sums[step["to"]] += exact["share"]
            if 0 not in exact.values():
                product = exact["upstream"] * exact["local"]
                assert exact["share"] == pytest.approx(product, nan_ok=True)
            assert exact["total"] == pytest.approx(sums[step["to"]], nan_ok=True)


@GRAPHS
def test_the_graph_is_only_read(graph):
    y = graph()
    nodes = ancestors(y)
    before = [(node.grad, node.inputs, node.serial) for node in nodes]
    page = explore(y, show=False)
    assert all(
        node.grad is grad and node.inputs is inputs and node.serial == serial
        for node, (grad, inputs, serial) in zip(nodes, before, strict=True)
    )
    y.backward()
    assert explore(y, show=False).html == page.html  # with gradients in .grad


def test_a_step_shows_its_formula():
    steps = data_of(explore(log_sin(), show=False))["steps"]
    assert [step["kind"] for step in steps] == [
        "start",
        *["forward"] * 5,
        "seed",
        *["backward"] * 8,
        "end",
    ]
    assert steps[2]["line"] == ["v₂", "x1 × x2", "2 × 5", "10"]
    product = next(step for step in steps if step.get("partial") == "∂v₂/∂x2")
    assert product["line"] == ["∂y/∂x2", "∂y/∂v₂"]
    assert [product[key] for key in ("rule", "upstream", "local")] == ["x1", "1", "2"]
    assert product["share"] == {"brief": "2"}
    assert product["sum"] == ["−0.283662", "1.71634"]


def test_a_seed_makes_a_gradient_of_several_elements():
    x = Tensor([1.0, 2.0], "x")
    y = x * x
    with pytest.raises(ValueError, match="seed="):
        explore(y, show=False)
    data = data_of(explore(y, show=False, seed=[1.0, 10.0]))
    assert data["nodes"][0]["gradient"]["numbers"] == [2.0, 40.0]


def test_repeated_names_are_replaced_by_symbols():
    a, b, c = Value(1.0, "a"), Value(2.0, "a"), Value(3.0, "v₁")
    data = data_of(explore(a * b * c, show=False))
    assert [node["name"] for node in data["nodes"]] == ["v₋₂", "v₋₁", "v₀", "v₁", "y"]


def test_a_program_that_writes_through_a_view_is_explored():
    x, a = Tensor([1.0, 2.0, 3.0], "x"), Tensor(0.5, "a")
    y = x * 1
    part = y[1:]
    part *= a
    nodes = data_of(explore(y.sum(), show=False))["nodes"]
    assert [node.get("op") for node in nodes[2:]] == [
        "multiply",
        "getitem",
        "multiply",
        "setitem",
        "sum",
    ]
    assert nodes[1]["gradient"]["brief"] == "5"


def test_the_branch_not_taken_contributes_nothing():
    x = Tensor([0.0, 2.0], "x")
    with np.errstate(all="ignore"):
        y = ad.where(np.array([False, True]), log(x), 0.0).sum()
    node = data_of(explore(y, show=False))["nodes"][0]
    assert node["gradient"]["numbers"] == [0.0, 0.5]


def test_infinities_and_nan_are_strings_in_json():
    with np.errstate(all="ignore"):
        x = Tensor([0.0, np.inf, np.nan], "x")
        z = Tensor([1 + 2j])
        y = log(x).sum() + ad.absolute(z).sum()
    nodes = data_of(explore(y, show=False))["nodes"]
    assert nodes[0]["value"]["numbers"] == [0.0, "inf", "nan"]
    assert nodes[1]["value"] == {"brief": "[1+2j]", "shape": "(1,)", "dtype": "complex128"}


def test_several_results_of_one_operation():
    a = Tensor([[2.0, 1.0], [1.0, 2.0]], "a")
    nodes = data_of(explore(np.linalg.slogdet(a)[1], show=False))["nodes"]
    np.testing.assert_allclose(nodes[0]["gradient"]["numbers"], np.linalg.inv(a.data))


# Size


def chain(length):
    y = Tensor(np.linspace(0, 1, 64).reshape(8, 8), "x")
    for _ in range(length - 2):
        y = sin(y) * y if length < 1000 else sin(y)
    return y.sum()


def test_a_page_of_200_nodes_is_below_a_megabyte():
    y = chain(101)
    assert len(ancestors(y)) == 200
    assert len(explore(y, show=False).html.encode()) < 1e6


def test_a_large_graph_is_refused_at_once():
    y = chain(100_000)
    start = time.thread_time()  # CPU time, since other processes run meanwhile
    with pytest.raises(ValueError, match=r"more than 300 nodes.*explore an inner result"):
        explore(y)
    assert time.thread_time() - start < 0.5


def test_only_nodes_can_be_explored():
    with pytest.raises(TypeError, match="explore takes a Value, a Tensor or a program, not float"):
        explore(3.0)


# The file


def test_the_file_is_written_and_opened(monkeypatch, tmp_path):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    page = explore(log_sin(), tmp_path / "a page.html")
    assert opened == [page.path.as_uri()]
    assert page.path.read_text("utf-8") == page.html
    assert b"\r" not in page.path.read_bytes()
    assert repr(page) == f"Explorer(path={page.path!r})"


@pytest.mark.parametrize("error", [OSError, webbrowser.Error])
def test_the_file_is_written_without_a_browser_too(monkeypatch, error):
    def none(url):
        raise error

    monkeypatch.setattr(webbrowser, "open", none)
    assert explore(log_sin()).path.exists()


def test_a_notebook_embeds_the_page(monkeypatch):
    shell = SimpleNamespace(kernel=None)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setattr(webbrowser, "open", pytest.fail)
    page = explore(log_sin())
    (source,) = re.findall(r'^<iframe srcdoc="([^"<>]*)" ', page._repr_html_())
    assert html.unescape(source) == page.html
