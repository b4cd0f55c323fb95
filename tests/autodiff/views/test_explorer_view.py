"""The explorer's page in a browser: what is in view, and where it is shown."""

import re

import numpy as np
import pytest
from browser import browser, emulate, requests, session
from explorer_pages import (
    all_texts,
    find,
    load,
    log_sin,
    network,
    page_of,
    press,
    price,
    step_of,
    wait,
)

from autodiff import Value, sin

__all__ = ["browser", "page_of", "session"]  # fixtures

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
