"""The explorer's page in a browser: steps, search and the panel."""

import numpy as np
from browser import browser, session
from drawings import edges
from explorer_pages import (
    GRAPHS,
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

from autodiff import Value, draw, program
from autodiff.core.graph import ancestors

__all__ = ["browser", "page_of", "session"]  # fixtures


def number(text):
    """Return a number or array as the page writes it."""
    numbers = [float(part.replace("−", "-")) for part in text.strip("← []").split(", ")]
    return numbers[0] if len(numbers) == 1 else numbers


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


def branching(x):
    h = np.tanh(x)
    if h[0] > 0:
        h[1] = 3.0
        return np.sum(h), h
    return h


def test_a_program_is_stepped_through_call_by_call(browser, page_of):
    x = np.array([1.0, 2.0])
    made = program(branching, x)
    load(browser, page_of(made.at(x)))
    assert all_texts(browser, "#picture .joint .value") == ["[1, 2]"]
    end = browser.execute_script("return explorer.end")
    for step in range(1, end):
        press(browser, "\ue014")  # →
        assert step_of(browser) == step
        assert find(browser, "#phase").text.startswith("Forward: ")
        assert find(browser, "#line b").is_displayed()
    press(browser, "\ue010")  # End
    assert find(browser, "#phase").text == "End: the results"
    assert all_texts(browser, "#panel dt") == ["[0]", "[1]"]
    total, h = branching(x)
    found = all_texts(browser, "#panel dd")
    np.testing.assert_allclose(number(found[0]), total, rtol=1e-5)
    np.testing.assert_allclose(number(found[1]), h, rtol=1e-5)
    shown = all_texts(browser, "#picture .joint .value")
    assert len(shown) == len(edges(draw(made.at(x)).source))
    table = all_texts(browser, "#ledger td:nth-child(3)")
    assert "" not in table
    assert not find(browser, "#ledger th:nth-child(4)").is_displayed()
    assert not find(browser, ".legend .gradient").is_displayed()
    browser.execute_script("document.querySelector('[data-node]').focus()")
    card = find(browser, "#card")
    wait(browser, card.is_displayed)
    assert "gradient" not in card.text
    assert "value" in card.text
