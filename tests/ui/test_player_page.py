"""The step player on a page: worked by mouse and keys, in large type on a stage, and focus stays where it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser import keep_screenshot, serious_faults
from playwright.sync_api import expect
from stage import Mounted, Stage

pytest.importorskip("anywidget")

from flatkit.widgets.card import Page, page_type

WHY = "The client downloads the new system, and writes it to the slot that does not run."


def step(number: int, state: str, **more: Any) -> dict[str, Any]:
    titles = {1: "A machine", 2: "Take the update", 3: "Reboot"}
    mark = {"ok": "✓", "failed": "✗", "running": "…", "next": "▶"}.get(state, "·")
    return {
        "number": number, "title": titles[number], "why": WHY, "prompt": "core@machine$", "command": f"command {number}",
        "state": state, "mark": mark, "output": "", "found": "", "hint": "", "seconds": 0, "doing": "", "share": None,
        "move": {"ok": "rewind", "failed": "rewind", "waiting": "jump"}.get(state, ""), **more,
    }  # fmt: skip


def demo(*states: str, **more: Any) -> dict[str, Any]:
    played = [number for number, state in enumerate(states, start=1) if state in {"ok", "failed"}]
    said = {"output": "CURRENT_OP=UPDATE_STATUS_IDLE", "found": "found IDLE", "seconds": 2.5}
    steps = [step(number, state, **(said if state == "ok" else {})) for number, state in enumerate(states, start=1)]
    return {
        "name": "update", "title": "A whole new system", "verdict": "1 of 3 steps played", "kind": "dim", "banner": "",
        "over": False, "working": False, "running": True, "recordable": True, "again": True, "skip": True,
        "last": played[-1] if played else 0,
        "picture": None, "steps": steps, **more,
    }  # fmt: skip


def mount(stage: Stage, value: dict[str, Any]) -> tuple[Page, Mounted, list[str]]:
    said: list[str] = []
    widget = page_type("player")(value, lambda message: said.append(message["verb"]))
    return widget, stage.mount(widget), said


def test_steps_follow_the_play_and_open_by_hand(stage: Stage) -> None:
    widget, mounted, said = mount(stage, demo("next", "waiting", "waiting", running=False))
    page = stage.page
    expect(mounted.root).to_contain_text("core@machine$ command 1")
    expect(page.get_by_text("core@machine$ command 2")).to_be_hidden()
    play = page.get_by_role("button", name="Play this step")
    play.click()
    widget.state = demo("running", "waiting", "waiting", working=True)
    expect(play).to_be_disabled()
    expect(play).to_be_focused()  # who plays by keys goes on with the same key
    play.press("Enter")  # nothing comes of it
    widget.state = demo("ok", "next", "waiting")
    expect(play).to_be_enabled()
    expect(mounted.root).to_contain_text("✓ found IDLE")
    expect(mounted.root).to_contain_text("core@machine$ command 2")
    widget.state = demo("ok", "ok", "next")
    first = page.get_by_role("button", name="1/3 A machine")
    expect(first).to_have_attribute("aria-expanded", "false")
    first.press("Enter")
    expect(first).to_have_attribute("aria-expanded", "true")
    widget.state = demo("ok", "ok", "ok", verdict="every check passed", kind="ok", over=True, running=False)
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(first).to_be_focused()
    expect(page.get_by_role("button", name="Play again")).to_be_enabled()
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    mounted.wait_until_heard()
    assert said == ["next"]


def test_keys_play_and_a_stage_is_large(stage: Stage) -> None:
    widget, mounted, said = mount(stage, demo("ok", "next", "waiting"))
    page = stage.page
    player = mounted.root.get_by_role("region", name="demo update")
    player.focus()
    page.keyboard.press("n")
    page.keyboard.press("a")
    page.keyboard.press("r")
    page.keyboard.press("e")
    expect(page.get_by_text(WHY).first).to_be_hidden()
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Explanations")).to_have_attribute("aria-pressed", "true")
    small = player.evaluate("el => parseFloat(getComputedStyle(el).fontSize)")
    page.get_by_role("button", name="Full screen").click()
    expect(page.get_by_role("button", name="Leave full screen")).to_be_visible()
    assert player.evaluate("el => parseFloat(getComputedStyle(el).fontSize)") > 1.4 * small
    page.keyboard.press("PageDown")
    # The audience sees no notes, unless they are asked for.
    expect(page.get_by_text(WHY).first).to_be_hidden()
    keep_screenshot(page, "player-stage")
    page.keyboard.press("e")
    expect(page.get_by_text(WHY).first).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Full screen")).to_be_visible()
    expect(page.get_by_text(WHY).first).to_be_visible()
    widget.state = demo("ok", "running", "waiting", working=True)
    expect(page.get_by_role("button", name="Play all")).to_be_disabled()
    player.focus()
    page.keyboard.press("n")
    mounted.wait_until_heard()
    assert said == ["next", "all", "recorded", "next"], "a key does what its button may do, and no more"


def test_a_presenter_looks_back_runs_again_skips_rewinds_and_jumps(stage: Stage) -> None:
    asked: list[dict[str, Any]] = []
    widget = page_type("player")(demo("ok", "next", "waiting"), asked.append)
    mounted = stage.mount(widget)
    page = stage.page
    player = mounted.root.get_by_role("region", name="demo update")
    first = page.get_by_role("button", name="1/3 A machine")
    player.focus()
    page.keyboard.press("b")
    expect(first).to_be_focused()
    expect(first).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("button", name="Rewind to before this step")).to_be_visible()
    keep_screenshot(mounted.root, "player-moves")
    page.keyboard.press("w")
    page.keyboard.press("j")  # nothing: this step was played
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    mounted.wait_until_heard()
    moves = [{"verb": "rewind", "step": 1}, {"verb": "again"}, {"verb": "skip"}, {"verb": "jump", "step": 3}]
    assert asked == moves
    widget.state = demo("ok", "running", "waiting", working=True, again=False, skip=False)
    for name in ("Again", "Skip"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()


def test_arrows_and_space_play_and_move(stage: Stage) -> None:
    widget, mounted, said = mount(stage, demo("ok", "next", "waiting"))
    page = stage.page
    player = mounted.root.get_by_role("region", name="demo update")
    player.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("button", name="2/3 Take the update")).to_be_focused()
    mounted.wait_until_heard()
    assert said == ["next", "next"]
    page.keyboard.press("ArrowDown")
    third = page.get_by_role("button", name="3/3 Reboot")
    expect(third).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(third).to_be_focused()
    page.keyboard.press(" ")  # opens the step, and plays nothing
    expect(third).to_have_attribute("aria-expanded", "true")
    mounted.wait_until_heard()
    assert said == ["next", "next"]
    running = demo("ok", "running", "waiting", working=True)
    running["steps"][1].update(doing="… 10 s, usually 40 s", share=0.25, output="CURRENT_OP=DOWNLOADING")
    widget.state = running
    expect(page.get_by_role("progressbar", name="how much of the usual time is over")).to_have_attribute(
        "value", "0.25"
    )
    expect(mounted.root).to_contain_text("… 10 s, usually 40 s")
    keep_screenshot(mounted.root, "player-waiting")
    widget.state = demo("ok", "ok", "next")
    expect(page.get_by_role("progressbar")).to_have_count(0)


def test_a_recorded_run_says_so_and_a_failure_has_its_hint(stage: Stage) -> None:
    failed = demo("ok", "failed", "waiting", verdict="a step failed", kind="bad", banner="recorded on 24 November 2026")
    failed["steps"][1].update(found="found nothing", hint="journalctl -u update-engine")
    _, mounted, _ = mount(stage, failed)
    expect(mounted.root).to_contain_text("● recorded on 24 November 2026")
    expect(mounted.root).to_contain_text("✗ found nothing")
    expect(mounted.root).to_contain_text("Next: journalctl -u update-engine")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_is_readable_in_every_theme(staged: Callable[[str], Stage], axe: str, colours: str) -> None:
    stage = staged(colours)
    stage.page.set_viewport_size({"width": 900, "height": 700})
    value = demo("ok", "next", "waiting", banner="recorded on 24 November 2026")
    _, mounted, _ = mount(stage, value)
    expect(mounted.root.get_by_role("listitem")).to_have_count(3)
    keep_screenshot(mounted.root, f"player-{colours}")
    assert serious_faults(stage.page, axe, "main") == []


def slot(label: str, **more: Any) -> dict[str, Any]:
    return {
        "label": label, "version": "", "priority": 0, "tries": 0, "successful": False, "running": False, "next": False,
        "state": "empty", **more,
    }  # fmt: skip


def inside(**more: Any) -> dict[str, Any]:
    return {
        "version": "4593.1.0", "story": "USR-A runs, and the next boot takes it again.", "doing": "", "progress": None,
        "verity": "", "trouble": "", "added": [], "removed": [], "layers": [],
        "slots": [
            slot("USR-A", version="4593.1.0", priority=1, successful=True, running=True, next=True, state="running, marked good"),
            slot("USR-B"),
        ], **more,
    }  # fmt: skip


NOTHING = {"story": "", "inside": None, "offers": [], "machines": [], "parts": []}


def test_the_picture_moves_with_the_steps(stage: Stage, axe: str) -> None:
    widget, _, _ = mount(stage, demo("next", "waiting", "waiting", picture=None))
    picture = stage.page.get_by_role("group", name="what the demo has changed")
    expect(picture).to_be_hidden()

    widget.state = demo("ok", "next", "waiting", picture={**NOTHING, "kind": "slots", "inside": inside()})
    expect(picture.get_by_role("group", name="USR-A: running, marked good")).to_contain_text("4593.1.0")
    staged = slot(
        "USR-B", version="4628.0.0", priority=2, tries=1, next=True, state="verified, takes over at the next boot"
    )
    two = [{**inside()["slots"][0], "next": False}, staged]
    told = inside(slots=two, story="USR-A runs; the next boot takes USR-B, with one try.")
    widget.state = demo("ok", "ok", "next", picture={**NOTHING, "kind": "slots", "inside": told})
    expect(picture.get_by_role("group", name="USR-B: verified, takes over at the next boot")).to_contain_text("tries1")
    expect(picture.get_by_role("status")).to_contain_text("the next boot takes USR-B, with one try")
    keep_screenshot(stage.page, "player-slots")
    assert serious_faults(stage.page, axe, ".fk-player") == []

    rows = [{"name": "canary", "group": "beta", "version": "4628.0.0", "state": "rolled back"}]
    offers = [["beta", "4593.1.0"], ["stable", "4593.1.0"]]
    widget.state = demo(
        "ok", "ok", "ok", over=True, picture={**NOTHING, "kind": "channels", "offers": offers, "machines": rows}
    )
    channels = picture.get_by_role("list", name="the channels, and the machines that follow them")
    expect(channels.locator("> li").first).to_contain_text("canary runs 4628.0.0")
    expect(channels.locator("> li").last).not_to_contain_text("canary")
    expect(picture).not_to_contain_text("USR-A")

    parts = [
        {"label": "USR-A", "size": "512M", "role": "one of the two systems, read-only", "written": False},
        {"label": "ROOT", "size": "5G", "role": "everything else: /etc, /var, /home", "written": True},
    ]
    widget.state = demo(
        "ok", "ok", "ok", over=True, picture={**NOTHING, "kind": "disk", "parts": parts, "story": "Applied."}
    )
    expect(picture.get_by_role("list", name="the partitions of the disk")).to_contain_text("ROOT 5G")
    keep_screenshot(stage.page, "player-disk")
    assert serious_faults(stage.page, axe, ".fk-player") == []
