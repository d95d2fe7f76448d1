"""The machine panel on a page: drawn in place, worked by keys, readable without colours."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from browser import keep_screenshot, serious_faults
from playwright.sync_api import expect
from stage import Stage

pytest.importorskip("anywidget")


from flatkit.demos.facts import Layer
from flatkit.updates.slots import Slot
from flatkit.updates.status import Operation, UpdateStatus
from flatkit.widgets.card import Page, page_type
from flatkit.widgets.guest_state import Inside, inside_state
from flatkit.widgets.panel import Panel, panel_state
from flatkit.widgets.progress import PhaseRow

ROWS = tuple(
    PhaseRow(
        name=name,
        title=title,
        began=began,
        seconds=seconds,
        typical=3.0,
        says=f"What {name} is for.",
        line=f"last of {name}",
    )
    for name, title, began, seconds in (
        ("firmware", "Firmware and boot loader", 0.0, 2.8),
        ("slot", "Slot choice: which /usr, with which kernel", 2.8, 1.4),
        ("kernel", "Kernel", 4.2, 1.5),
        ("ignition", "Ignition: the config becomes files, users and units", 5.7, 3.3),
    )
)
BOOTING = Panel(
    name="web", state="booting", job="booting", badge="lab image 110.2.0: same mechanics, not Flatcar", seconds=12.0, now=12.0,
    phases=(*ROWS, PhaseRow(name="userspace", title="Userspace: systemd starts the units", began=9.0, typical=6.0)),
)  # fmt: skip
RUNNING = replace(
    BOOTING, state="running", job="", seconds=18.3, facts=(("memory", "512 MiB"), ("log in", "flatkit ssh web")),
    urls=(("http://127.0.0.1:8080/", 80),),
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

CONSOLE = [
    "[    0.000000] Linux version 6.1",
    "[    5.3] ignition[1]: INFO : Ignition finished successfully",
]


class Shown:
    """A panel on a stage: what it shows can be set, what it asks for is kept."""

    def __init__(self, stage: Stage, panel: Panel, inside: Inside | None = None) -> None:
        self.said: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {"inside": None, "usage": [], "console": CONSOLE, "tab": "boot"}
        self.page: Page = page_type("machine")(self._set(panel, inside), self.said.append)
        self.mounted = stage.mount(self.page)
        self.root = self.mounted.root

    def _set(self, panel: Panel | None = None, inside: Inside | None = None, **more: Any) -> dict[str, Any]:
        changed: dict[str, Any] = {**panel_state(panel)} if panel else {}
        if inside:
            changed["inside"] = inside_state(inside)
        self.state = {**self.state, **changed, **more}
        return self.state

    def set(self, panel: Panel | None = None, inside: Inside | None = None, **more: Any) -> None:
        self.page.state = self._set(panel, inside, **more)

    def heard(self, tab: str) -> None:
        """Wait until the page has this answer."""
        self.root.page.wait_for_function(f"flatkitMounted[0].model.get('state').tab === '{tab}'")

    @property
    def verbs(self) -> list[str]:
        return [message["verb"] for message in self.said]


def test_a_boot_is_drawn_while_it_happens_and_focus_stays(stage: Stage) -> None:
    shown = Shown(stage, BOOTING)
    page = stage.page
    expect(shown.root.get_by_role("status").first).to_contain_text("booting")
    expect(shown.root.get_by_role("listitem")).to_have_count(5)
    cancel = page.get_by_role("button", name="Cancel")
    cancel.focus()
    shown.set(replace(BOOTING, seconds=13.0, now=13.0))
    expect(cancel).to_be_focused()
    cancel.press("Enter")
    shown.set(RUNNING)
    expect(page.get_by_role("toolbar", name="What to do with this machine")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Terminal")).to_be_focused()
    kernel = page.get_by_role("button", name="Kernel", exact=True)
    kernel.press("Enter")
    expect(shown.root).to_contain_text("What kernel is for. Last line: last of kernel")
    shown.set(replace(RUNNING, seconds=19.0))
    expect(shown.root).to_contain_text("What kernel is for.")
    kernel.click()
    expect(shown.root).not_to_contain_text("What kernel is for.")
    kept = replace(ROWS[2], note="kept from an earlier boot")
    shown.set(replace(RUNNING, phases=(kept, *RUNNING.phases[3:])))
    expect(shown.root).to_contain_text("kept from an earlier boot")
    kernel.click()
    expect(shown.root).to_contain_text("kept from an earlier boot. What kernel is for.")
    kernel.click()
    expect(shown.root).not_to_contain_text("What kernel is for.")
    expect(shown.root).to_contain_text("kept from an earlier boot")
    expect(page.get_by_role("button", name="Pull the plug")).to_be_visible()
    expect(page.get_by_role("link", name="http://127.0.0.1:8080/")).to_be_visible()
    shown.mounted.wait_until_heard()
    assert [verb for verb in shown.verbs if verb != "look"] == ["cancel"]


def test_tabs_are_worked_by_keys_and_looked_into_while_shown(stage: Stage) -> None:
    shown = Shown(stage, RUNNING, STAGED)
    page = stage.page
    page.get_by_role("tab", name="Boot").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Slots")).to_be_focused()
    new = page.get_by_role("group", name="USR-B")
    expect(new).to_contain_text("120.1.0")
    expect(new).to_contain_text("takes over at the next boot")
    expect(new).to_contain_text("tries1")
    expect(shown.root).to_contain_text("USR-A runs; the next boot takes USR-B, with one try.")
    expect(page.get_by_role("progressbar")).to_be_hidden()
    shown.mounted.wait_until_heard()
    assert shown.said[-1] == {"verb": "look", "tab": "slots"}
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("list", name="the layers of /usr")).to_contain_text("refused: it is for SYSEXT_LEVEL")
    page.keyboard.press("ArrowRight")
    shown.set(usage=[{"name": "memory in use", "value": "212 MiB of 960 MiB"}])
    facts = page.get_by_role("tabpanel", name="Facts")
    expect(facts).to_contain_text("512 MiB")
    expect(facts).to_contain_text("memory in use212 MiB of 960 MiB")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("log")).to_contain_text("Ignition finished")


def test_a_late_answer_does_not_turn_the_page_back(stage: Stage) -> None:
    shown = Shown(stage, RUNNING, STAGED)
    tab = {name: stage.page.get_by_role("tab", name=name) for name in ("Boot", "Slots", "Layers", "Facts")}
    tab["Slots"].click()
    tab["Layers"].click()
    shown.mounted.wait_until_heard()
    assert [message["tab"] for message in shown.said if message["verb"] == "look"][-1] == "layers"
    for answer in ("slots", "layers"):
        shown.set(tab=answer)
        shown.heard(answer)
        expect(tab["Layers"]).to_have_attribute("aria-selected", "true")
    shown.set(tab="facts")  # another view of this machine
    expect(tab["Facts"]).to_have_attribute("aria-selected", "true")


def test_an_update_moves_in_the_slots(stage: Stage) -> None:
    status = UpdateStatus(
        last_checked=1, progress=0.43, operation=Operation.DOWNLOADING, new_version="120.1.0", new_size=9
    )
    before = replace(
        STAGED, update=status, versions={"USR-A": "110.2.0"},
        slots=(Slot(label="USR-A", priority=1, successful=True, running=True, next=True), Slot(label="USR-B")),
    )  # fmt: skip
    shown = Shown(stage, RUNNING, before)
    shown.set(tab="slots")
    expect(shown.root).to_contain_text("downloading, and writing to the slot that does not run (43%)")
    expect(stage.page.get_by_role("progressbar")).to_have_attribute("value", "0.43")
    shown.set(inside=STAGED)
    expect(stage.page.get_by_role("group", name="USR-B")).to_contain_text("→ verified")
    trial = (Slot(label="USR-A", priority=1, successful=True), Slot(label="USR-B", priority=2, running=True, next=True))
    shown.set(inside=replace(STAGED, slots=trial, update=None, version="120.1.0"))
    expect(shown.root).to_contain_text("USR-B runs on trial")
    expect(stage.page.get_by_role("group", name="USR-A")).to_contain_text("the way back")


def test_a_failure_is_a_card_with_the_cure(stage: Stage) -> None:
    failed = replace(
        BOOTING, state="failed", job="", error="Ignition could not apply the config", hint="flatkit console web"
    )
    shown = Shown(stage, failed)
    expect(shown.root.get_by_role("alert")).to_contain_text("Ignition could not apply the config")
    expect(shown.root.get_by_role("alert")).to_contain_text("Next: flatkit console web")


def test_a_flood_on_the_console_stays_bounded(stage: Stage) -> None:
    shown = Shown(stage, RUNNING)
    shown.set(tab="console")
    for number in range(50):
        shown.set(console=[f"line {number * 60 + i}" for i in range(60)])
    expect(shown.root.get_by_role("log")).to_contain_text("line 2999")
    assert shown.root.get_by_role("log").inner_text().count("\n") < 60


def test_a_kernel_that_is_gone_is_said(stage: Stage) -> None:
    shown = Shown(stage, RUNNING)
    shown.mounted.kill_kernel()
    expect(shown.root).to_contain_text("Run this cell again")


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
        shown = Shown(stage, panel, STAGED)
        shown.set(tab=name)
        expect(shown.root.get_by_role("tabpanel")).to_have_count(1)
        keep_screenshot(shown.root, f"machine-{name}-{colours}")
    assert serious_faults(page, axe, "main") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_boot_is_a_waterfall_compared_with_the_usual(stage: Stage) -> None:
    Shown(stage, RUNNING)
    bars = stage.page.locator(".fk-phases li").evaluate_all(
        """rows => rows.map(row => [...row.querySelectorAll("i")].map(bar => {
             const { left, right } = bar.getBoundingClientRect(); return [Math.round(left), Math.round(right)]; }))"""
    )
    assert len(bars) == 5
    for (earlier, _), (later, _) in itertools.pairwise(bars):
        assert abs(earlier[1] - later[0]) <= 3, "each begins where the one before ended"
    firmware, slot = bars[0], bars[1]
    assert firmware[1][1] > firmware[0][1], "it usually takes longer"
    assert slot[1][0] == slot[0][0], "the usual length begins with the phase"
