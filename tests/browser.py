"""A headless Chromium for the tests that need one, driven by selenium."""

import json
import os
import shutil

import pytest


@pytest.fixture(scope="module")
def session():
    """The browser session of a module's tests."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="pip install selenium")
    found = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in found:
        pytest.skip("no Chromium here: apt-get install chromium chromium-driver")
    chromium, chromedriver = found
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    for option in ("headless=new", "disable-dev-shm-usage", "window-size=1280,800"):
        options.add_argument(f"--{option}")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # root has no sandbox
    driver = webdriver.Chrome(options, webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture
def browser(session):
    """A session without history; messages on its console are errors."""
    session.get("about:blank")
    session.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    emulate(session)
    session.get_log("performance")
    yield session
    assert session.get_log("browser") == []


def emulate(driver, **media):
    """Set the media features of the page (`prefers_color_scheme="dark"`), and reset all others.

    The default of `prefers_reduced_motion` is "reduce", so that tests need not wait.
    """
    features = {"prefers_reduced_motion": "reduce", "prefers_color_scheme": "light", **media}
    named = [{"name": k.replace("_", "-"), "value": v} for k, v in features.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": named})


def requests(driver):
    """Return the addresses requested since the last call."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
