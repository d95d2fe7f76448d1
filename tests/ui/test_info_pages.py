"""The tables of channels and the list of platforms on a page: text from a machine stays text, and a choice is made by keys."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import keep_screenshot, serious_faults
from playwright.sync_api import expect
from stage import Stage

pytest.importorskip("anywidget")

from flatkit import api, paths
from flatkit.updates.channels import Channels
from flatkit.updates.omaha import FLATCAR_APPID, AppRequest
from flatkit.widgets.channels_card import ChannelsCard
from flatkit.widgets.info_cards import Chooser
from flatkit.widgets.results import Ran

MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def channels(tmp_path: Path) -> Channels:
    made = Channels(store=tmp_path / "channels.json")
    made.answer(AppRequest(appid=FLATCAR_APPID, version=MARKUP, track="stable", machine_id="m1", is_update_check=True))
    return made


def test_machines_appear_while_the_table_is_shown(stage: Stage, channels: Channels) -> None:
    card = ChannelsCard(channels)
    table = stage.mount(card.page).root.get_by_role("region", name="update channels")
    expect(table.get_by_role("row")).to_have_count(2)
    expect(table.get_by_role("cell", name=MARKUP)).to_be_visible()
    assert table.locator("img").count() == 0
    channels.answer(
        AppRequest(appid=FLATCAR_APPID, version="110.2.0", track="stable", machine_id="m2", is_update_check=True)
    )
    expect(table.get_by_role("cell", name="110.2.0")).to_be_visible()


def test_a_table_without_machines_says_so(stage: Stage, tmp_path: Path) -> None:
    table = stage.mount(ChannelsCard(Channels(store=tmp_path / "channels.json")).page).root
    expect(table).to_contain_text(
        "No machine has asked yet. No update server runs here: fk.channels().serve() starts one."
    )
    expect(table.get_by_role("table")).to_have_count(0)


def test_a_platform_is_chosen_by_keys(stage: Stage) -> None:
    config = api.read_config(paths.examples_dir() / "web.bu")
    chooser = Chooser(config)
    mounted = stage.mount(chooser.page)
    shown = mounted.root.get_by_role("region", name="platforms")
    expect(shown).to_contain_text("AWS EC2")
    chosen = shown.get_by_role("combobox", name="Platform")
    chosen.select_option("virtualbox")
    expect(shown).to_contain_text("is too big for 1024 bytes")
    chosen.focus()
    stage.page.keyboard.press("Home")
    expect(chosen).to_have_value(chooser.state()["choices"][0]["name"])
    mounted.wait_until_heard()  # or the key would come after the choice below
    chooser.choose("vmware")
    expect(chosen).to_have_value("vmware")
    expect(shown).to_contain_text("guestinfo")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_they_are_readable_in_every_theme(
    staged: Callable[[str], Stage], axe: str, channels: Channels, colours: str
) -> None:
    stage = staged(colours)
    stage.page.set_viewport_size({"width": 900, "height": 900})
    first = stage.mount(ChannelsCard(channels).page).root
    second = stage.mount(Chooser(api.read_config(paths.examples_dir() / "web.bu")).page).root
    expect(first).to_contain_text("runs")
    expect(second).to_contain_text("AWS EC2")
    keep_screenshot(stage.page, f"info-{colours}")
    assert serious_faults(stage.page, axe, "main") == []
    assert stage.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_long_output_shows_its_last_line(stage: Stage) -> None:
    output = "".join(f"PROGRESS={number}\n" for number in range(200)) + "Update succeeded\n"
    ran = Ran(machine="web", user="core", command="update_engine_client -update", output=output, status=0)
    stage.page.locator("main").evaluate("(main, html) => { main.innerHTML = html; }", ran._repr_html_())
    shown = stage.page.get_by_role("region", name="output of update_engine_client -update")
    above = "node => node.scrollHeight - node.clientHeight - Math.abs(node.scrollTop)"
    assert shown.evaluate(above) > 0, "the lines above can be scrolled to"
    end = shown.evaluate("""node => {
      const range = document.createRange();
      range.setStart(node.firstChild, node.textContent.lastIndexOf("Update"));
      range.setEnd(node.firstChild, node.textContent.length);
      return range.getBoundingClientRect().bottom <= node.getBoundingClientRect().bottom;
    }""")
    assert end, "the last line is in sight"
