"""The explorer: its numbers, its file, and its page in a browser."""

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
from browser import browser, emulate, requests, session
from hypothesis import given
from hypothesis import strategies as st

import autodiff as ad
from autodiff import Tensor, Value, explore, log, sin
from autodiff.core.graph import ancestors
from autodiff.views import explorer
from demos.price_graphs import apples_and_oranges
from nn import TwoLayerNet

__all__ = ["browser", "session"]  # fixtures

HOSTILE = [
    '"><script>window.hacked=1</script>',
    "</script><img src=x onerror=window.hacked=1>",
    "<!--data--><!--picture-->",
    r"\input{x}",
    "a|b",
    "&lt;",
    "りんご",
    "two\u2028lines",
    "</title><img src=x>",
]


def price():
    return apples_and_oranges()[0]


def log_sin():
    x1, x2 = Value(2, "x1"), Value(5, "x2")
    return log(x1) + x1 * x2 - sin(x2)


def network():
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(5, 4)), np.array([0, 1, 1, 0, 1])
    return TwoLayerNet(4, 3, 2, rng=0).record(x, t)[0]


GRAPHS = pytest.mark.parametrize("graph", [price, log_sin, network])


def data_of(page):
    (text,) = re.findall(r'<script type="application/json" id="data">(.*)</script>', page.html)
    return json.loads(text)


@pytest.fixture
def page_of(tmp_path):
    """Return the page of a node without opening it."""
    return lambda node, **options: explore(node, tmp_path / "page.html", show=False, **options)


def number(text):
    """Return a number or array as the page writes it."""
    numbers = [float(part.replace("−", "-")) for part in text.strip("← []").split(", ")]
    return numbers[0] if len(numbers) == 1 else numbers


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
    with pytest.raises(TypeError, match="explore takes a Value or a Tensor, not float"):
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


# The page


def load(driver, page, fragment=""):
    driver.get(page.path.as_uri() + fragment)


def press(driver, *keys):
    from selenium.webdriver import ActionChains

    ActionChains(driver).send_keys(*keys).perform()


def find(driver, selector):
    return driver.find_element("css selector", selector)


def all_texts(driver, selector):
    """Return the texts of the visible elements."""
    return driver.execute_script(
        """return [...document.querySelectorAll(arguments[0])]
        .filter((element) => getComputedStyle(element).visibility === "visible")
        .map((element) => element.textContent.trim())""",
        selector,
    )


def wait(driver, condition):
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, 60, 0.02).until(lambda _: condition())


def step_of(driver):
    return driver.execute_script("return explorer.step")


@GRAPHS
def test_the_end_shows_what_backward_computes(browser, page_of, graph):
    y = graph()
    load(browser, page_of(y))
    assert all_texts(browser, "#picture .gradient") == []
    assert all_texts(browser, "#ledger td:nth-child(4)") == [""] * len(ancestors(y))
    press(browser, "\ue010")  # End
    y.backward()
    table = all_texts(browser, "#ledger td:nth-child(4)")
    for i, node in enumerate(reversed(ancestors(y))):
        small = np.size(node.grad) <= 4
        shares = [
            text.removeprefix("← ")
            for text in browser.execute_script(
                """return [...document.querySelectorAll("#picture .joint .gradient")]
                .filter((text) => {
                  const id = text.closest("[data-edge]").dataset.edge, [head, k] = id.split("_");
                  const { nodes } = explorer.graph;
                  const tail = id === "output" ? nodes.length - 1 : nodes[head].inputs[k];
                  return tail === arguments[0] && getComputedStyle(text).visibility === "visible";
                }).map((text) => text.textContent.trim())""",
                i,
            )
        ]
        if small:
            np.testing.assert_allclose(number(table[i]), node.grad, rtol=1e-5)
            total = np.sum([number(share) for share in shares], axis=0)
            np.testing.assert_allclose(total, node.grad, rtol=1e-5)
        else:
            assert {table[i], *shares} == {str(node.grad.shape)}
        exact = browser.execute_script("return explorer.graph.nodes[arguments[0]].gradient", i)
        np.testing.assert_allclose(exact["numbers"], node.grad, rtol=1e-15)
    for node in ancestors(y):
        if node.op is None and np.size(node.grad) <= 4:
            text = next(
                dd.text
                for dt, dd in zip(
                    browser.find_elements("css selector", "#panel dt"),
                    browser.find_elements("css selector", "#panel dd"),
                    strict=True,
                )
                if dt.text.replace("\xa0", " ").endswith(f"/∂{node.name}")
            )
            np.testing.assert_allclose(number(text), node.grad, rtol=1e-5)


def test_values_appear_when_computed_and_gradients_when_they_flow(browser, page_of):
    load(browser, page_of(log_sin()))
    values, gradients = ["2", "2", "5", "5"], []
    later = [["0.693147"], ["10"], ["10.6931"], ["-0.958924"], ["11.6521"]]
    for found in later:
        assert sorted(all_texts(browser, "#picture .joint .value")) == sorted(values)
        press(browser, "\ue014")
        values += found
    assert sorted(all_texts(browser, "#picture .joint .value")) == sorted(values)
    for found in ["1", "1", "-1", "-0.283662", "1", "1", "5", "2", "0.5"]:
        press(browser, "\ue014")
        gradients.append(f"← {found}")
        assert sorted(all_texts(browser, "#picture .joint .gradient")) == sorted(gradients)


def test_the_panel_and_the_live_region_show_the_line(browser, page_of):
    load(browser, page_of(log_sin()), "#step=2")
    assert find(browser, "#line").text == "v₂ = x1 × x2 = 2 × 5 = 10"
    load(browser, page_of(log_sin()), "#step=13")
    wait(browser, lambda: step_of(browser) == 13)
    assert find(browser, "#line").text == "∂y/∂x2 += ∂y/∂v₂ · ∂v₂/∂x2"
    assert find(browser, "#factors").text.split("\n") == [
        *["1", "upstream", "∂y/∂v₂", "×", "2", "local", "∂v₂/∂x2 = x1", "=", "2", "contribution"]
    ]
    assert find(browser, "#sum").text == "so far −0.283662 + 2 = 1.71634"
    live = find(browser, "#live")
    assert live.get_attribute("aria-live") == "polite"
    assert live.get_attribute("textContent") == (
        "Step 13 of 15. Backward: through multiply to x2. "
        "∂y/∂x2 += ∂y/∂v₂ · ∂v₂/∂x2 = 1 × 2 = 2; so far −0.283662 + 2 = 1.71634"
    )
    active = {e.get_attribute("data-edge") for e in browser.find_elements("class name", "backward")}
    assert active - {None} == {"3_1"}


def test_keys_and_buttons_step(browser, page_of):
    load(browser, page_of(log_sin()))
    for key, button, step in [
        ("\ue014", "next", 1),
        ("\ue014", "next", 2),
        ("\ue012", "back", 1),
        ("\ue010", "last", 15),
        ("\ue014", "next", 15),
        ("\ue011", "first", 0),
        ("\ue012", "back", 0),
    ]:
        press(browser, key)
        assert step_of(browser) == step
        browser.execute_script("explorer.show(arguments[0])", {"next": 7, "back": 8}.get(button, 7))
        after = {"next": 8, "back": 7, "last": 15, "first": 0}[button]
        find(browser, f"#{button}").click()
        assert step_of(browser) == after
        press(browser, " ")  # the button has the focus
        assert step_of(browser) == {8: 9, 7: 6}.get(after, after)
        assert not browser.execute_script("return explorer.playing")
        browser.execute_script("explorer.show(arguments[0]); document.activeElement.blur()", step)


def test_space_plays_to_the_end_and_pauses(browser, page_of):
    load(browser, page_of(Value(2.0, "x")))
    find(browser, "#speed").send_keys("4")
    browser.execute_script("document.activeElement.blur()")
    press(browser, " ")
    assert find(browser, "#play").get_attribute("aria-label") == "Pause"
    press(browser, " ")
    assert find(browser, "#play").get_attribute("aria-label") == "Play"
    assert not browser.execute_script("return explorer.playing")
    press(browser, " ")
    wait(browser, lambda: step_of(browser) == 2)
    assert find(browser, "#play").get_attribute("aria-label") == "Play"


def test_the_slider_scrubs(browser, page_of):
    load(browser, page_of(log_sin()))
    slider = find(browser, "#scrub")
    slider.send_keys("\ue014\ue014\ue014")
    assert step_of(browser) == 3
    assert "forward" in slider.get_attribute("aria-valuetext").lower()
    from selenium.webdriver import ActionChains

    ActionChains(browser).move_to_element(slider).click().perform()
    assert step_of(browser) in (7, 8)
    slider.send_keys("\ue010")
    assert step_of(browser) == 15


def test_the_address_leads_to_a_step_and_follows(browser, page_of):
    page = page_of(log_sin())
    load(browser, page, "#step=12")
    assert step_of(browser) == 12
    press(browser, "\ue014")
    wait(browser, lambda: browser.current_url.endswith("#step=13"))
    browser.back()
    wait(browser, lambda: step_of(browser) == 12)
    browser.forward()
    wait(browser, lambda: step_of(browser) == 13)
    browser.execute_script("location.hash = ''")
    wait(browser, lambda: step_of(browser) == 0)
    for wrong in ("#step=999", "#step=x", "#nothing"):
        browser.get("about:blank")
        load(browser, page, wrong)
        assert step_of(browser) == (15 if "9" in wrong else 0)


def test_search_marks_and_centres(browser, page_of):
    load(browser, page_of(price()))
    press(browser, "/", "ORANGE n")
    assert browser.switch_to.active_element.get_attribute("id") == "search"
    found = browser.find_elements("css selector", "#picture .found")
    assert [element.text for element in found] == ["orange number"]
    node, stage = found[0].rect, find(browser, "#stage").rect
    for at, size in (("x", "width"), ("y", "height")):
        assert abs(node[at] + node[size] / 2 - stage[at] - stage[size] / 2) < 3
    assert find(browser, "#matches").text == "1 of 1"
    press(browser, "\ue003" * 8, "multiply\ue007")
    assert find(browser, "#matches").text == "2 of 3"
    press(browser, "zzz")
    assert find(browser, "#matches").text == "none"
    press(browser, "\ue00c")
    assert find(browser, "#matches").text == ""
    assert browser.find_elements("css selector", "#picture .found") == []


def test_a_node_shows_its_data_by_mouse_and_keyboard(browser, page_of):
    from selenium.webdriver import ActionChains

    y = network()
    load(browser, page_of(y), "#step=99")
    y.backward()
    w1 = next(node for node in ancestors(y) if node.name == "W1")
    card = find(browser, "#card")
    assert not card.is_displayed()
    ActionChains(browser).move_to_element(find(browser, "[data-node='0']")).perform()
    wait(browser, card.is_displayed)
    text = card.text
    assert text.startswith("W1 variable")
    for word in ("(4, 3)", "float64", "min", "mean", "max"):
        assert word in text
    tables = [
        [[number(cell.text) for cell in row.find_elements("tag name", "td")] for row in rows]
        for kind in ("value", "gradient")
        if (rows := card.find_elements("css selector", f".numbers .{kind} tr"))
    ]
    np.testing.assert_allclose(tables, [w1.data, w1.grad], rtol=1e-5)
    ActionChains(browser).move_to_element(find(browser, "h1")).perform()
    wait(browser, lambda: not card.is_displayed())
    press(browser, "\ue011")  # Home: nothing is computed yet
    browser.execute_script("document.querySelector('[data-node=\"5\"]').focus()")
    wait(browser, card.is_displayed)
    assert "not yet" in card.text
    press(browser, "\ue007")  # Enter
    assert browser.execute_script("return explorer.graph.steps[explorer.step].node") == 5
    press(browser, "\ue00c")  # Escape
    assert not card.is_displayed()


def test_everything_can_be_reached_by_tab(browser, page_of):
    load(browser, page_of(log_sin()))
    seen = []
    while True:
        press(browser, "\ue004")
        active = browser.execute_script(
            "const a = document.activeElement; return a.id || a.dataset.node || a.textContent"
        )
        if active in seen or browser.switch_to.active_element.tag_name == "body":
            break
        seen.append(active)
        outline = browser.execute_script(
            """const a = document.activeElement, body = a.querySelector(".body");
            return [getComputedStyle(a).outlineStyle, body && getComputedStyle(body).strokeWidth]"""
        )
        assert outline in (["solid", None], ["none", "3.5px"])
    assert {*"0123456", "search", "help", "closer", "first", "play", "scrub", "speed"} <= {*seen}
    names = browser.execute_script(
        """return [...document.querySelectorAll("button, input, select, [tabindex]")]
        .map((e) => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent)"""
    )
    assert all(names)


def view_of(driver):
    return [float(x) for x in find(driver, "#picture").get_dom_attribute("viewBox").split()]


def test_zoom_and_pan(browser, page_of):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin

    load(browser, page_of(log_sin()))
    fitted, stage = view_of(browser), find(browser, "#stage")
    press(browser, "+")
    assert view_of(browser)[2] == pytest.approx(fitted[2] / 1.3)
    press(browser, "-")
    assert view_of(browser) == pytest.approx(fitted)
    corner = ScrollOrigin.from_element(stage, -300, -100)
    ActionChains(browser).scroll_from_origin(corner, 0, -200).perform()
    wait(browser, lambda: view_of(browser)[2] < 0.8 * fitted[2])
    zoomed = view_of(browser)
    ActionChains(browser).move_to_element_with_offset(
        stage, 200, 120
    ).click_and_hold().move_by_offset(-50, 30).release().perform()
    scale = stage.size["width"] / zoomed[2]
    assert view_of(browser)[0] == pytest.approx(zoomed[0] + 50 / scale, abs=0.1)
    assert view_of(browser)[1] == pytest.approx(zoomed[1] - 30 / scale, abs=0.1)
    find(browser, "#fit").click()
    assert view_of(browser) == pytest.approx(fitted)


def test_two_fingers_zoom(browser, page_of):
    load(browser, page_of(log_sin()))
    width, box = view_of(browser)[2], find(browser, "#stage").rect
    x, y = box["x"] + box["width"] / 2, box["y"] + 40

    def touch(kind, *apart):
        points = [{"x": x + side, "y": y, "id": i} for i, side in enumerate(apart)]
        event = {"type": kind, "touchPoints": points}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)

    touch("touchStart", -50, 50)
    touch("touchMove", -100, 100)
    touch("touchEnd")
    wait(browser, lambda: view_of(browser)[2] == pytest.approx(width / 2, rel=0.05))


def test_an_active_node_out_of_view_is_brought_into_it(browser, page_of):
    load(browser, page_of(network()))
    browser.execute_script("for (let i = 0; i < 9; i++) document.getElementById('closer').click()")
    press(browser, "\ue014")
    box, stage = find(browser, "#picture .forward[data-node]").rect, find(browser, "#stage").rect
    assert stage["x"] <= box["x"] <= stage["x"] + stage["width"]


def test_an_address_shows_the_node_of_its_step(browser, page_of):
    y = Value(1.0, "x")
    for _ in range(60):
        y = sin(y) + 0.123456
    page = page_of(y)
    load(browser, page, "#step=100")
    shown = "const [x, y, w, h] = arguments[0].getAttribute('viewBox').split(' ').map(Number);"
    shown += "const box = document.querySelector('.forward[data-node]').getBBox();"
    shown += "return x <= box.x && box.x + box.width <= x + w"
    wait(browser, lambda: browser.execute_script(shown, find(browser, "#picture")))


def test_help(browser, page_of):
    load(browser, page_of(log_sin()))
    press(browser, "?")
    assert find(browser, "#keys").is_displayed()
    press(browser, "\ue014")
    assert step_of(browser) == 0
    press(browser, "\ue00c")
    assert not find(browser, "#keys").is_displayed()


def contrast(driver, element, background):
    """Return the contrast ratio of WCAG 2."""
    both = driver.execute_script(
        """const style = getComputedStyle(document.querySelector(arguments[0]));
        return [style[arguments[0].startsWith("#picture") ? "fill" : "color"],
                getComputedStyle(document.querySelector(arguments[1])).backgroundColor]""",
        element,
        background,
    )

    def luminance(colour):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return np.dot(linear, [0.2126, 0.7152, 0.0722])

    dark, light = sorted(map(luminance, both))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser, page_of, scheme):
    emulate(browser, prefers_color_scheme=scheme)
    load(browser, page_of(log_sin()))
    red = find(browser, "#stage").value_of_css_property("background-color")
    assert (int(re.findall(r"\d+", red)[0]) < 128) == (scheme == "dark")
    for text in ("#picture .value", "#picture .gradient", "#picture .tag", "#ledger td"):
        assert contrast(browser, text, "#stage") > 4.5
    for text in ("h1", "h1 small", "#phase", "#panel dt", "#count"):
        assert contrast(browser, text, "body") > 4.5


def test_nothing_moves_with_reduced_motion(browser, page_of):
    load(browser, page_of(log_sin()))
    press(browser, "\ue014")
    dots = "return document.querySelectorAll('#traveller circle').length"
    assert browser.execute_script(dots) == 0
    text = find(browser, "#picture .value")
    assert text.value_of_css_property("transition-duration") == "0s"
    emulate(browser, prefers_reduced_motion="no-preference")
    assert text.value_of_css_property("transition-duration") != "0s"
    assert browser.execute_script("explorer.show(3);" + dots) == 2
    wait(browser, lambda: browser.execute_script(dots) == 0)


def test_a_phone_needs_no_sideways_scrolling(browser, page_of):
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    for graph in (log_sin, price, network):
        load(browser, page_of(graph()), "#step=8")
        assert browser.execute_script("return document.documentElement.scrollWidth") == 360
        browser.get("about:blank")


def test_the_page_makes_no_requests(browser, page_of):
    page = page_of(log_sin())
    load(browser, page)
    press(browser, "\ue010")
    assert requests(browser) == [page.path.as_uri()]
    resources = "return performance.getEntriesByType('resource').length"
    assert browser.execute_script(resources) == 0
    blocked = browser.execute_async_script(
        """const done = arguments[0];
        document.addEventListener("securitypolicyviolation", (e) => done(e.violatedDirective));
        fetch("https://example.com/").catch(() => {});"""
    )
    assert blocked == "connect-src"
    assert all("example.com" in entry["message"] for entry in browser.get_log("browser"))


def test_names_are_only_names(browser, page_of):
    y = Value(1.0)
    for name in HOSTILE:
        y = y * Value(2.0, name)
        y.name = f"← {name}"
    load(browser, page_of(y))
    press(browser, "\ue010", "/", "2", "\ue003", "m")
    for step in range(2 * len(HOSTILE)):
        browser.execute_script("explorer.show(arguments[0])", step)
        browser.execute_script("document.activeElement.blur()")
        node = browser.execute_script("return explorer.graph.steps[explorer.step].node ?? 0")
        browser.execute_script(f"document.querySelector('[data-node=\"{node}\"]').focus()")
    press(browser, "\ue010")
    assert browser.execute_script("return window.hacked") is None
    assert browser.find_elements("css selector", "img, #stage script, #lower script") == []
    assert len(browser.find_elements("tag name", "script")) == 2
    drawn, listed = all_texts(browser, "#picture text"), all_texts(browser, "#ledger button")
    given = browser.execute_script("return explorer.graph.nodes.map((node) => node.given)")
    for i, name in enumerate(HOSTILE):
        shown = name.replace("\u2028", " ")
        assert shown in drawn
        assert f"← {shown} = {2 ** (i + 1)}" in drawn
        assert {shown, f"← {shown}"} <= {*given}
        label = shown.replace(" ", "\xa0")
        assert label in listed or f"{label[:23]}…" in listed
    assert browser.title.startswith("←\xa0</title><img\xa0src=x> · ")


def test_without_scripts_the_whole_picture_is_there(browser, page_of):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        load(browser, page_of(log_sin()))
        assert "Stepping needs JavaScript" in find(browser, "noscript").text
        assert find(browser, "#picture").is_displayed()
        assert not find(browser, "#controls").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_it_works_inside_a_notebooks_frame(browser, page_of, tmp_path):
    outer = tmp_path / "notebook.html"
    outer.write_text(f"<!doctype html>{page_of(log_sin())._repr_html_()}", "utf-8")
    browser.get(outer.as_uri())
    browser.switch_to.frame(0)
    find(browser, "#last").click()
    assert find(browser, "#count").text == "15 / 15"
    browser.switch_to.default_content()


def is_fitted(driver):
    """Return whether the picture lies within the stage and fills it in one direction."""
    stage, drawn = find(driver, "#stage").rect, find(driver, "#picture > g").rect
    room = 2 * 16 + 8  # margins, strokes and rounding
    return all(
        drawn[start] >= stage[start] and drawn[start] + drawn[size] <= stage[start] + stage[size]
        for start, size in [("x", "width"), ("y", "height")]
    ) and any(
        drawn[size] >= stage[size] - room * view_scale(driver) for size in ("width", "height")
    )


def view_scale(driver):
    return find(driver, "#stage").size["width"] / view_of(driver)[2]


@pytest.mark.parametrize("hidden", ["", "display:none", "height:0"])
def test_a_frame_is_fitted_when_it_gets_its_size(browser, page_of, tmp_path, hidden):
    frame, outer = page_of(log_sin())._repr_html_(), tmp_path / "exported.html"
    frame = frame.replace("height:44em", "height:100%")
    cell = f'<div id="cell" style="height:44em;{hidden}">{frame}</div>'
    outer.write_text(f"<!doctype html>{cell}", "utf-8")
    browser.get(outer.as_uri())
    browser.switch_to.frame(0)
    wait(browser, lambda: browser.execute_script("return Boolean(window.explorer)"))
    browser.switch_to.default_content()
    browser.execute_script("document.getElementById('cell').style = 'height:44em'")
    browser.switch_to.frame(0)
    wait(browser, lambda: is_fitted(browser))
    browser.switch_to.default_content()
