"""The trainer's board in a browser: thirty rows on a projector's 1280 x 720, live, by keys, and a helper who is coming."""

from __future__ import annotations

import sys
from pathlib import Path

from browser import keep_screenshot, open_context, serious_faults
from playwright.sync_api import Browser, expect

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "board"))
from board_parts import TRAINER, joined, opened

from flatkit.board.sender import Sender
from flatkit.board.talk import TalkLog


def test_a_trainer_sees_who_needs_help_and_tells_them(browser: Browser, axe: str, tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board, open_context(browser) as context:
        page = context.new_page()
        page.set_viewport_size({"width": 1280, "height": 720})
        page.goto(f"{board.url}/")
        page.get_by_label("Trainers' password").fill("a guess")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Trainers' password")).to_be_visible()
        page.get_by_label("Trainers' password").fill(TRAINER)
        page.keyboard.press("Enter")
        expect(page.get_by_text("No seat has joined yet")).to_be_visible()

        journals = [joined(board, f"seat-{number:02}", tmp_path / str(number)) for number in range(30)]
        for number, journal in enumerate(journals):
            journal.note("step", notebook=f"0{number % 4}-lesson", step=number % 17 + 1, steps=20)
            journal.note("check", task="03-remount", verdict="wrong" if number % 3 else "passed")
            journal.note("machine", machine="web", state="running", image="lab image 110.2.0")
            journal.note("quiz", task="03-recap", question=1, choice=number % 3, right=False)
        for _ in range(3):
            journals[4].note("check", task="02-mode", verdict="wrong")
        journals[7].note("flag", flag="help", word="<b>the machine hangs</b>")
        for journal in journals:
            Sender(journal).flush()

        rows = page.locator("#rows tr")
        expect(rows).to_have_count(30)
        expect(rows.nth(0)).to_contain_text("seat-07")
        expect(rows.nth(0)).to_contain_text("needs help now: <b>the machine hangs</b>")
        expect(rows.nth(1)).to_contain_text("seat-04")
        expect(rows.nth(1)).to_contain_text("02-mode ×3")
        last = rows.nth(29).bounding_box()
        assert last is not None
        assert last["y"] + last["height"] <= 720, "thirty rows are on the screen at once"
        keep_screenshot(page, "board-rows")
        page.evaluate(f"() => {{ {axe} }}")  # the page's own policy lets no other script in
        assert serious_faults(page, axe, "body") == []

        rows.nth(0).get_by_role("button").click()
        expect(rows.nth(0).get_by_role("button")).to_have_text("Done")
        Sender(journals[7]).flush()
        assert TalkLog(journals[7].folder).read().coming == "a helper is coming"
        rows.nth(0).get_by_role("button").click()
        expect(rows.nth(0)).to_contain_text("seat-04")

        page.keyboard.press("p")
        expect(page.get_by_role("region", name="seats")).to_be_hidden()
        expect(page.locator("body")).not_to_contain_text("seat-07", use_inner_text=True)
        expect(page.get_by_text("Half the room is at")).to_be_visible()
        keep_screenshot(page, "board-projector")
        assert serious_faults(page, axe, "body") == []
