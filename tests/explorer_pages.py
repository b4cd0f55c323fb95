"""Graphs to explore, and ways to use their pages in a browser."""

import numpy as np
import pytest

from autodiff import Value, explore, log, sin
from demos.price_graphs import apples_and_oranges
from nn import TwoLayerNet


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


@pytest.fixture
def page_of(tmp_path):
    """Return the page of a node without opening it."""
    return lambda node, **options: explore(node, tmp_path / "page.html", show=False, **options)


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
