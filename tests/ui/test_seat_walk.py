"""A learner's way in a browser: the login page of a real room, JupyterLab, the first cell, the first machine and its panel.

The whole of it as root, with a machine; on a phone the login page and a seat that runs. `make test-long` walks it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import keep_screenshot, open_context, serious_faults
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from flatkit.paths import cache_dir
from tests.seats.learner import ROOM, Room, room

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]
# JupyterLab's first start, and a boot without KVM, both with other work on the host; in milliseconds.
START, BOOT = 180_000, 500_000
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def running(lab_image: object) -> Iterator[Room]:
    del lab_image  # seats boot from the cache that it is in
    if cache_dir().stat().st_mode & 0o022:
        pytest.skip("others may write into the cache of these tests")
    with room(seats=2, cache=cache_dir()) as one:
        yield one


def fill_in(page: Page, name: str, *, word: str = ROOM, pin: str = "1234") -> None:
    page.get_by_label("Name of your seat").fill(name)
    page.get_by_label("The room's password").fill(word)
    page.get_by_label("A PIN of your own").fill(pin)


def log_in(page: Page, url: str, axe: str) -> None:
    """A wrong word is said where it was typed; then the seat opens by itself, with the first notebook."""
    page.goto(url)
    expect(page.get_by_role("heading", name="Take a seat")).to_be_visible()
    expect(page.get_by_label("Name of your seat")).to_be_focused()
    keep_screenshot(page, "seat-1-login")
    assert serious_faults(page, axe, "#login-main") == []
    fill_in(page, "Ada", word="wrong")
    page.get_by_role("button", name="Sit down").click()
    expect(page.get_by_role("alert")).to_contain_text("the room's password is wrong")
    expect(page.get_by_label("Name of your seat")).to_have_value("Ada")
    keep_screenshot(page, "seat-2-wrong")
    assert serious_faults(page, axe, "#login-main") == []
    fill_in(page, "Ada")
    page.keyboard.press("Enter")
    page.wait_for_url("**/user/ada/lab**", timeout=START)
    expect(cell(page, "import flatkit as fk")).to_be_visible(timeout=START)
    keep_screenshot(page, "seat-3-lab")


def cell(page: Page, text: str) -> Locator:
    return page.locator(".jp-Notebook:visible .jp-CodeCell").filter(has_text=text).first


def run(page: Page, text: str) -> Locator:
    """Run the cell with this text as a learner does: a click, Shift+Enter."""
    one = cell(page, text)
    one.scroll_into_view_if_needed()
    one.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    return one


def test_from_the_login_page_to_the_first_cell(running: Room, context: BrowserContext, axe: str) -> None:
    page = context.new_page()
    log_in(page, running.settings.url, axe)
    first = run(page, "import flatkit as fk")
    expect(first.locator(".jp-OutputArea-output").first).to_be_visible(timeout=START)
    expect(first.locator(".jp-InputPrompt")).to_contain_text("1", timeout=START)
    keep_screenshot(page, "seat-4-first-cell")


@pytest.mark.vm
def test_the_first_machine_and_the_way_back(running: Room, context: BrowserContext) -> None:
    """Another browser than before, and a third one afterwards: the same name and PIN."""
    page = come_back(context, running)
    run(page, "import flatkit as fk")
    run(page, "%%butane hello.bu")
    run(page, 'm = fk.up("hello.bu")')
    panel = page.get_by_role("region", name="machine hello")
    expect(panel.get_by_role("status").first).to_contain_text("running; ready after", timeout=BOOT)
    panel.scroll_into_view_if_needed()
    keep_screenshot(page, "seat-5-machine")
    said = run(page, 'm.run("hostname")')
    expect(said.locator(".jp-OutputArea-output").first).to_contain_text("hello", timeout=BOOT)
    page.close()
    with open_context(_browser(context)) as again:
        come_back(again, running)


def come_back(context: BrowserContext, running: Room) -> Page:
    page = context.new_page()
    page.goto(running.settings.url)
    fill_in(page, "ada")
    page.keyboard.press("Enter")
    expect(cell(page, "import flatkit as fk")).to_be_visible(timeout=START)
    return page


def _browser(context: BrowserContext) -> Browser:
    assert context.browser
    return context.browser


def test_on_a_phone_nothing_is_cut_off(running: Room, browser: Browser) -> None:
    with open_context(browser, device_scale_factor=2, has_touch=True) as context:
        page = context.new_page()
        page.set_viewport_size(PHONE)
        page.goto(running.settings.url)
        button = page.get_by_role("button", name="Sit down")
        button.scroll_into_view_if_needed()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], "the page can be scrolled sideways"
        for label in ("Name of your seat", "The room's password", "A PIN of your own"):
            box = page.get_by_label(label).bounding_box()
            assert box
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= PHONE["width"]
            # iOS zooms into a field whose letters are smaller.
            assert page.get_by_label(label).evaluate("one => parseFloat(getComputedStyle(one).fontSize)") >= 16
        keep_screenshot(page, "seat-phone-login")
        fill_in(page, "bob")
        button.click()
        page.wait_for_url("**/user/bob/lab**", timeout=START)
        expect(cell(page, "import flatkit as fk")).to_be_visible(timeout=START)
        keep_screenshot(page, "seat-phone-lab")
