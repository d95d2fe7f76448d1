"""The machine panel on a page: drawn in place, worked by keys, readable without colours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from browser import keep_screenshot, serious_faults
from playwright.sync_api import expect
from stage import Mounted, Stage

pytest.importorskip("anywidget")

from flatkit.demos.facts import Layer
from flatkit.updates.slots import Slot
from flatkit.updates.status import Operation, UpdateStatus
from flatkit.widgets.guest_state import Inside, as_value
from flatkit.widgets.machine_panel import as_value as panel_value
from flatkit.widgets.machine_panel import make_panel
from flatkit.widgets.panel import Panel
from flatkit.widgets.progress import PhaseRow

ROWS = tuple(
    PhaseRow(name=name, title=title, began=0.0, seconds=seconds, says=f"What {name} is for.", line=f"last of {name}")
    for name, title, seconds in (
        ("firmware", "Firmware and boot loader", 2.8),
        ("slot", "Slot choice: which /usr, with which kernel", 2.4),
        ("kernel", "Kernel", 1.5),
        ("ignition", "Ignition: the config becomes files, users and units", 3.2),
    )
)
BOOTING = Panel(
    name="web", state="booting", job="booting", badge="lab image 110.2.0: same mechanics, not Flatcar", seconds=12.0, now=12.0,
    phases=(*ROWS, PhaseRow(name="userspace", title="Userspace: systemd starts the units", began=9.0, typical=6.0)),
)  # fmt: skip
RUNNING = replace(
    BOOTING, state="running", job="", seconds=18.3, facts=(("memory", "512 MiB"), ("log in", "flatkit ssh web")),
    urls=("http://127.0.0.1:8080/ leads to port 80",),
    phases=(*ROWS, replace(BOOTING.phases[-1], seconds=5.6)),
)  # fmt: skip
STAGED = Inside(
    version="110.2.0", verity="V", versions={"USR-A": "110.2.0", "USR-B": "120.1.0"},
    slots=(
        Slot(label="USR-A", number=3, priority=1, successful=True, running=True),
        Slot(label="USR-B", number=4, priority=2, tries=1, next=True),
    ),
    update=UpdateStatus(last_checked=1, progress=0.0, operation=Operation.NEED_REBOOT, new_version="120.1.0", new_size=9),
    layers=(
        Layer(name="docker-flatcar", merged=True, built_in=True), Layer(name="tree", merged=True),
        Layer(name="wrong", merged=False, refused='it is for SYSEXT_LEVEL "9.9", this system has "1.0"'),
    ),
    added=("tree",),
)  # fmt: skip


def mount(stage: Stage, panel: Panel, inside: Inside | None = None) -> tuple[Any, Mounted, list[str]]:
    said: list[str] = []
    widget = make_panel(said.append)
    widget.panel = panel_value(panel)
    widget.inside = as_value(inside)
    widget.console = [
        "[    0.000000] Linux version 6.1",
        "[    5.3] ignition[1]: INFO : Ignition finished successfully",
    ]
    return widget, stage.mount(widget), said


def test_a_boot_is_drawn_while_it_happens_and_focus_stays(stage: Stage) -> None:
    widget, mounted, said = mount(stage, BOOTING)
    page = stage.page
    expect(mounted.root.get_by_role("status").first).to_contain_text("booting")
    expect(mounted.root.get_by_role("listitem")).to_have_count(5)
    cancel = page.get_by_role("button", name="Cancel")
    cancel.focus()
    widget.panel = panel_value(replace(BOOTING, seconds=13.0, now=13.0))
    expect(cancel).to_be_focused()
    cancel.press("Enter")
    widget.panel = panel_value(RUNNING)
    expect(page.get_by_role("toolbar", name="What to do with this machine")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Terminal")).to_be_focused()
    kernel = page.get_by_role("button", name="Kernel", exact=True)
    kernel.press("Enter")
    expect(mounted.root).to_contain_text("What kernel is for. Last line: last of kernel")
    widget.panel = panel_value(replace(RUNNING, seconds=19.0))
    expect(mounted.root).to_contain_text("What kernel is for.")
    kernel.click()
    expect(mounted.root).not_to_contain_text("What kernel is for.")
    expect(page.get_by_role("button", name="Pull the plug")).to_be_visible()
    expect(page.get_by_role("link", name="http://127.0.0.1:8080/")).to_be_visible()
    assert [verb for verb in said if verb != "look"] == ["cancel"]


def test_tabs_are_worked_by_keys_and_looked_into_while_shown(stage: Stage) -> None:
    widget, mounted, said = mount(stage, RUNNING, STAGED)
    page = stage.page
    page.get_by_role("tab", name="Boot").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Slots")).to_be_focused()
    new = page.get_by_role("group", name="USR-B")
    expect(new).to_contain_text("120.1.0")
    expect(new).to_contain_text("takes over at the next boot")
    expect(new).to_contain_text("tries1")
    expect(mounted.root).to_contain_text("USR-A runs; the next boot takes USR-B, with one try.")
    expect(page.get_by_role("progressbar")).to_be_hidden()
    assert widget.tab == "slots"
    assert "look" in said
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("list", name="the layers of /usr")).to_contain_text("refused: it is for SYSEXT_LEVEL")
    page.keyboard.press("ArrowRight")
    widget.usage = [["memory in use", "212 MiB of 960 MiB"]]
    facts = page.get_by_role("tabpanel", name="Facts")
    expect(facts).to_contain_text("512 MiB")
    expect(facts).to_contain_text("memory in use212 MiB of 960 MiB")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("log")).to_contain_text("Ignition finished")


def test_an_update_moves_in_the_slots(stage: Stage) -> None:
    status = UpdateStatus(
        last_checked=1, progress=0.43, operation=Operation.DOWNLOADING, new_version="120.1.0", new_size=9
    )
    before = replace(
        STAGED, update=status, versions={"USR-A": "110.2.0"},
        slots=(Slot(label="USR-A", priority=1, successful=True, running=True, next=True), Slot(label="USR-B")),
    )  # fmt: skip
    widget, mounted, _ = mount(stage, RUNNING, before)
    widget.tab = "slots"
    expect(mounted.root).to_contain_text("downloading, and writing to the slot that does not run (43%)")
    expect(stage.page.get_by_role("progressbar")).to_have_attribute("value", "0.43")
    widget.inside = as_value(STAGED)
    expect(stage.page.get_by_role("group", name="USR-B")).to_contain_text("→ verified")
    trial = (Slot(label="USR-A", priority=1, successful=True), Slot(label="USR-B", priority=2, running=True, next=True))
    widget.inside = as_value(replace(STAGED, slots=trial, update=None, version="120.1.0"))
    expect(mounted.root).to_contain_text("USR-B runs on trial")
    expect(stage.page.get_by_role("group", name="USR-A")).to_contain_text("the way back")


def test_a_failure_is_a_card_with_the_cure(stage: Stage) -> None:
    failed = replace(
        BOOTING, state="failed", job="", error="Ignition could not apply the config", hint="flatkit console web"
    )
    _, mounted, _ = mount(stage, failed)
    expect(mounted.root.get_by_role("alert")).to_contain_text("Ignition could not apply the config")
    expect(mounted.root.get_by_role("alert")).to_contain_text("Next: flatkit console web")


def test_a_flood_on_the_console_stays_bounded(stage: Stage) -> None:
    widget, mounted, _ = mount(stage, RUNNING)
    widget.tab = "console"
    for number in range(50):
        widget.console = [f"line {number * 60 + i}" for i in range(60)]
    expect(mounted.root.get_by_role("log")).to_contain_text("line 2999")
    assert mounted.root.get_by_role("log").inner_text().count("\n") < 60


def test_a_kernel_that_is_gone_is_said(stage: Stage) -> None:
    _, mounted, _ = mount(stage, RUNNING)
    mounted.kill_kernel()
    expect(mounted.root).to_contain_text("Run this cell again")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_is_readable_in_every_theme(staged: Callable[[str], Stage], axe: str, colours: str) -> None:
    stage = staged(colours)
    page = stage.page
    page.set_viewport_size({"width": 900, "height": 700})
    page.emulate_media(reduced_motion="reduce")
    failed = replace(
        BOOTING, state="failed", job="", error="Ignition could not apply the config", hint="flatkit console web"
    )
    for name, panel in (
        ("boot", RUNNING),
        ("slots", RUNNING),
        ("layers", RUNNING),
        ("facts", RUNNING),
        ("console", failed),
    ):
        widget, mounted, _ = mount(stage, panel, STAGED)
        widget.tab = name
        expect(mounted.root.get_by_role("tabpanel")).to_have_count(1)
        keep_screenshot(mounted.root, f"machine-{name}-{colours}")
    assert serious_faults(page, axe, "main") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
