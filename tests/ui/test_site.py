"""The gallery (`make site`): pages whose links resolve, which ask no other host, and a recorded run that plays on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from browser import keep_screenshot, open_context, serious_faults
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from flatkit.demos.recording import get_recording
from flatkit.widgets.player import Player

ROOT = Path(__file__).resolve().parents[2]
_URL = "http://127.0.0.1/site/"


@pytest.fixture(scope="module")
def site(load_tool: Callable[[str], ModuleType], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    load_tool("make_site").make(folder)
    return folder


def open_page(context: BrowserContext, site: Path, name: str) -> Page:
    def answer(route: Route) -> None:
        route.fulfill(path=site / route.request.url.removeprefix(_URL))

    page = context.new_page()
    page.route(f"{_URL}**", answer)
    page.goto(_URL + name)
    return page


def test_every_notebook_has_a_page_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {path.stem for path in site.glob("*.html")} - {"index"}
    assert pages == {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    for path in site.glob("*.html"):
        text = path.read_text()
        fetched = re.findall(r'(?:src|<link [^>]*href)="([^"]+)"', text)
        linked = [one for one in re.findall(r'href="([^"#]+)', text) if not one.startswith("https://")]
        assert fetched
        assert [one for one in (*fetched, *linked) if not (site / one).is_file()] == []
        for anchor in re.findall(r'href="#([^"]+)"', text):
            assert f'id="{anchor}"' in text


def test_a_folder_with_something_else_is_left_alone(load_tool: Callable[[str], ModuleType], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(SystemExit, match="something else"):
        load_tool("make_site").make(tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize("demo", ["provision"])
def test_a_run_played_to_its_end_is_what_the_notebook_shows(site: Path, context: BrowserContext, demo: str) -> None:
    page = open_page(context, site, "01-provision.html")
    run = page.get_by_role("region", name=f"demo {demo}")
    expect(run).to_contain_text(get_recording(demo).banner)
    page.get_by_label("Speed").select_option("at once")
    page.get_by_role("button", name="Play all").click()
    expect(run).to_contain_text("every check passed")
    expected = Player(demo, recorded=True, speed=0).all().wait(60).state()
    for step in expected["steps"]:
        head = run.get_by_role("button", name=f"{step['number']}/{len(expected['steps'])}  {step['title']}")
        if head.get_attribute("aria-expanded") == "false":
            head.click()
        for text in (step["why"], step["command"], step["found"], step["output"]):
            expect(run).to_contain_text(text)
    keep_screenshot(page, "site-played")


def test_by_keys_one_step_at_a_time_and_stopped(site: Path, context: BrowserContext) -> None:
    page = open_page(context, site, "01-provision.html")
    page.get_by_label("Speed").select_option("20 times as fast")
    run = page.get_by_role("region", name="demo provision")
    run.focus()
    page.keyboard.press("n")
    expect(run).to_contain_text("1 of 7 steps played")
    expect(page.get_by_role("button", name="Play this step")).to_be_enabled()
    page.get_by_label("Speed").select_option("as it was")  # so that a slow browser sees that it plays
    run.focus()
    page.keyboard.press("n")  # a boot, with its time: it is told how far it is, and stops when asked
    expect(page.get_by_role("button", name="Play this step")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(run).not_to_contain_text("of 7 steps played")
    expect(run).to_contain_text("7 steps")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_can_be_read_in_either_theme(site: Path, browser: Browser, axe: str, colours: str) -> None:
    with open_context(browser, color_scheme=colours) as context:
        for name in ("index", "01-provision", "09-your-own"):
            page = open_page(context, site, f"{name}.html")
            keep_screenshot(page, f"site-{name}-{colours}")
            assert serious_faults(page, axe, "body") == []
