"""Outputs of a foreign notebook before and after it is trusted, in a browser."""

import pytest
from browser import browser, session

from autodiff import Value, draw, explore, log, sin
from autodiff.views.explorer import WAKE

__all__ = ["browser", "session"]  # fixtures

NOTEBOOK = """\
<!doctype html>
<script>
// JupyterLab's rule: no SVG, and of HTML only tags and attributes of a list.
const dropped = "iframe, object, embed, script, style, link, meta, svg";
const kept = ["class", "src", "width", "height", "alt", "title", "style"];
function add(cell, html, trusted) {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  if (!trusted) {
    parsed.querySelectorAll(dropped).forEach((element) => element.remove());
    for (const element of parsed.querySelectorAll("*"))
      for (const name of element.getAttributeNames())
        if (!kept.includes(name)) element.removeAttribute(name);
  }
  document.getElementById(cell).append(...parsed.head.children, ...parsed.body.children);
}
</script>
<div id="first"></div>
<div id="second"></div>
"""


@pytest.fixture
def notebook(browser, tmp_path):
    """A page with two cells, and a function that shows an output in one."""
    page = tmp_path / "notebook.html"
    page.write_text(NOTEBOOK, "utf-8")
    browser.get(page.as_uri())

    def show(html, cell="first", *, trusted):
        browser.execute_script("add(...arguments)", cell, html, trusted)
        return browser.find_element("id", cell)

    return show


def graph():
    x1, x2 = Value(2, "x1"), Value(5, "x2")
    y = log(x1) + x1 * x2 - sin(x2)
    y.name = '<b> & "y"'
    return y


def is_shown(driver, image):
    """Return whether an image is decoded, visible and not distorted."""
    from selenium.webdriver.support.ui import WebDriverWait

    complete = "return arguments[0].complete"
    WebDriverWait(driver, 20, 0.02).until(lambda _: driver.execute_script(complete, image))
    natural = [float(image.get_property(f"natural{side}")) for side in ("Width", "Height")]
    width, height = image.size["width"], image.size["height"]
    return (
        image.is_displayed()
        and width > 100
        and width / height == pytest.approx(natural[0] / natural[1], rel=0.02)
    )


@pytest.mark.parametrize("shown", [lambda y: y, draw])
@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("width", [1280, 300])
def test_a_graph_is_shown(browser, notebook, shown, trusted, width):
    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    y = graph()
    y.backward()
    cell = notebook(shown(y)._repr_mimebundle_()["text/html"], trusted=trusted)
    (image,) = cell.find_elements("css selector", "*")
    assert image.get_attribute("alt") == f"graph of {y!r}"
    assert is_shown(browser, image)
    assert image.size["width"] <= width
    if width == 1280:
        given = [int(image.get_dom_attribute(side)) for side in ("width", "height")]
        assert [image.size["width"], image.size["height"]] == pytest.approx(given, abs=1)


def test_an_explorer_that_is_not_trusted_is_a_still_that_says_how_to_wake_it(
    browser, notebook, tmp_path
):
    output = explore(graph(), tmp_path / "page.html", show=False)._repr_html_()
    cell = notebook(output, trusted=False)
    assert cell.text == WAKE
    assert "run its cell" in WAKE
    assert "trust the notebook" in WAKE
    assert cell.find_elements("tag name", "iframe") == []
    assert is_shown(browser, cell.find_element("tag name", "img"))


def test_an_explorer_that_is_trusted_shows_no_still(browser, notebook, tmp_path):
    output = explore(graph(), tmp_path / "page.html", show=False)._repr_html_()
    asleep = notebook(output, trusted=False)
    awake = notebook(output, "second", trusted=True)
    assert awake.text == ""
    assert awake.find_element("tag name", "iframe").is_displayed()
    assert not awake.find_element("tag name", "img").is_displayed()
    # a cell that has been run does not hide outputs of others
    assert asleep.text == WAKE
    assert is_shown(browser, asleep.find_element("tag name", "img"))
