"""The flag for the trainer's board on the cards: hidden without a board, raised by keys, offered and never raised by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import keep_screenshot, serious_faults
from playwright.sync_api import expect
from stage import Stage, wait_until

pytest.importorskip("anywidget")

import flatkit as fk
from flatkit.board import seat
from flatkit.board.journal import Journal
from flatkit.board.messages import BoardMessage
from flatkit.board.talk import TalkLog
from flatkit.widgets import check_card, live_machine, prediction_card


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A learner who has joined no board yet; no board answers."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(seat, "_send", lambda _: None)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    check_card._cards.clear()
    prediction_card._cards.clear()


def join() -> Journal:
    journal = Journal()
    journal.join("http://127.0.0.1:1", "ada", "secret")
    return journal


def hear(journal: Journal, number: int, kind: str, text: str = "", **more: str) -> None:
    TalkLog(journal.folder).hear([BoardMessage(number=number, kind=kind, text=text, **more)])
    seat._look()


def test_without_a_board_there_is_nothing_and_with_one_a_flag_on_every_card(stage: Stage) -> None:
    names = ("00-name", "00-recap", "00-predict")
    cards = [stage.mount(fk.check(name).page).root for name in names]
    cards.append(stage.mount(live_machine.get("web").card.page).root)
    for card in cards:
        expect(card.locator(".fk-widget")).to_be_visible()
        expect(card.get_by_role("group", name="Tell the trainer")).to_be_hidden()
    journal = join()
    seat._changed()
    for card in cards:
        expect(card.get_by_role("button", name="I need help")).to_be_visible()
    journal.leave()
    seat._changed()
    for card in cards:
        expect(card.get_by_role("button", name="I need help")).to_be_hidden()


def test_a_flag_by_keys_with_a_word_and_who_is_coming(stage: Stage) -> None:
    journal = join()
    card, other = (stage.mount(fk.check(name).page).root for name in ("00-name", "00-recap"))
    flag = card.get_by_role("group", name="Tell the trainer")
    help_button, done = flag.get_by_role("button", name="I need help"), flag.get_by_role("button", name="Done")
    help_button.press("Enter")
    expect(help_button).to_have_attribute("aria-pressed", "true")
    expect(help_button).to_be_focused()
    expect(flag.get_by_role("status")).to_have_text("the trainer sees that you want help")
    expect(other.get_by_role("button", name="I need help")).to_have_attribute("aria-pressed", "true")
    stage.page.keyboard.press("Tab")
    stage.page.keyboard.press("Tab")
    expect(flag.get_by_label("What is it about?")).to_be_focused()
    stage.page.keyboard.type("if it hangs")  # f is the key of the full screen elsewhere
    stage.page.keyboard.press("Enter")
    expect(flag.get_by_role("status")).to_have_text("the trainer sees that you want help (if it hangs)")
    expect(card.get_by_role("button", name="Full screen")).to_be_visible()
    hear(journal, 1, "coming", "<b>Grace</b> is coming")
    expect(flag.get_by_role("status")).to_have_text("a helper saw it: <b>Grace</b> is coming (if it hangs)")
    hear(journal, 2, "resolved")
    expect(help_button).to_have_attribute("aria-pressed", "false")
    done.press("Space")
    expect(done).to_have_attribute("aria-pressed", "true")
    expect(flag.get_by_role("status")).to_have_text("the trainer sees that you are done")
    done.press("Space")
    expect(done).to_have_attribute("aria-pressed", "false")
    sent = [(one.data["flag"], one.data["word"]) for one in journal.after(0) if one.kind == "flag"]
    assert sent == [("help", ""), ("help", "if it hangs"), ("done", ""), ("none", "")]


def test_three_failures_offer_a_helper_and_raise_nothing(stage: Stage, folder: Path) -> None:
    journal = join()
    card = stage.mount(fk.check("00-name").page).root
    (folder / "first.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    again, offer = card.get_by_role("button", name="Check again"), card.get_by_text("Do you want a helper?")
    again.click()
    expect(card.get_by_text("✗ wrong")).to_be_visible()
    fk.check("00-name")
    expect(card.get_by_text("nothing has changed")).to_be_visible()
    expect(offer).to_be_hidden()
    fk.check("00-name")
    expect(offer).to_be_visible()
    card.get_by_role("button", name="Not now").click()
    expect(offer).to_be_hidden()
    for _ in range(3):
        fk.check("00-name")
    expect(offer).to_be_visible()
    assert [one for one in journal.after(0) if one.kind == "flag"] == []
    card.get_by_role("button", name="I need help").click()
    expect(offer).to_be_hidden()
    assert [one.data["flag"] for one in journal.after(0) if one.kind == "flag"] == ["help"]


def test_a_hint_is_beside_its_exercise_and_changes_nothing(stage: Stage, folder: Path) -> None:
    journal = join()
    name, quiz = (stage.mount(fk.check(task).page).root for task in ("00-name", "00-recap"))
    own = "variant: flatcar\nversion: 1.0.0\n"
    (folder / "first.bu").write_text(own)
    config = "variant: flatcar\nversion: 1.1.0\n# <img src=x onerror=alert(1)>\n"
    hear(
        journal, 1, "hint", "<script>alert(1)</script> mind the version", task="00-name", file="first.bu", config=config
    )
    hints = name.get_by_role("list", name="Hints of the trainer")
    expect(hints).to_contain_text("The trainer: <script>alert(1)</script> mind the version (for first.bu, to look at")
    change = name.get_by_role("region", name="the trainer's change to first.bu")
    expect(change).to_contain_text("-version: 1.0.0\n+version: 1.1.0\n+# <img src=x onerror=alert(1)>")
    assert name.locator("script, img").count() == 0
    expect(quiz).to_contain_text("The trainer has sent a hint for 00-name: see its card")
    expect(quiz.get_by_role("region", name="the trainer's change")).to_have_count(0)
    assert (folder / "first.bu").read_text() == own
    hear(journal, 2, "hint", "for everybody's eyes", file="none.bu", config="a\n")
    expect(quiz.get_by_role("list", name="Hints of the trainer")).to_contain_text("for everybody's eyes")
    expect(quiz.get_by_role("region", name="the trainer's change to none.bu")).to_contain_text("+a")
    for number in range(3, 9):
        hear(journal, number, "hint", f"hint {number}")
    expect(name.get_by_role("listitem").filter(has_text="The trainer: ")).to_have_count(3)


def test_a_hint_counts_as_shown_when_it_is_in_view(stage: Stage) -> None:
    journal = join()
    top, below = (stage.mount(fk.check(task).page).root for task in ("00-name", "00-recap"))
    below.evaluate("root => { root.style.marginTop = '4000px'; }")

    def confirmed() -> list[int]:
        return [one.data["number"] for one in journal.after(0) if one.kind == "shown"]

    def hint(number: int, task: str) -> None:
        said = BoardMessage(number=number, kind="hint", text=f"hint {number}", task=task, receipt=True)
        TalkLog(journal.folder).hear([said])
        seat._look()

    hint(1, "00-recap")
    expect(below).to_contain_text("hint 1")
    hint(2, "00-name")
    top.get_by_text("The trainer: hint 2").scroll_into_view_if_needed()
    wait_until(stage, lambda: confirmed() == [2])
    below.get_by_text("The trainer: hint 1").scroll_into_view_if_needed()
    wait_until(stage, lambda: confirmed() == [2, 1])


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_is_readable_in_every_theme(staged: Callable[[str], Stage], axe: str, colours: str, folder: Path) -> None:
    journal, stage = join(), staged(colours)
    stage.page.set_viewport_size({"width": 1280, "height": 720})
    fk.check("00-name")
    (folder / "first.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    for _ in range(2):
        fk.check("00-name")
    exercise, guess = (stage.mount(fk.check(name).page).root for name in ("00-name", "00-predict"))
    panel = stage.mount(live_machine.get("web").card.page).root
    expect(exercise.get_by_text("Do you want a helper?")).to_be_visible()
    hear(journal, 1, "pause", "we look at the board together")
    expect(panel.get_by_text("The trainer: pause here: we look")).to_be_visible()
    keep_screenshot(stage.page, f"flag-offer-{colours}")
    assert serious_faults(stage.page, axe, "main") == []
    guess.get_by_role("button", name="I need help").click()
    expect(panel.get_by_label("What is it about?")).to_be_visible()
    hear(journal, 2, "coming", "Grace is coming")
    expect(guess.get_by_text("a helper saw it: Grace is coming")).to_be_visible()
    keep_screenshot(stage.page, f"flag-help-{colours}")
    assert serious_faults(stage.page, axe, "main") == []
    hint = {"task": "00-name", "file": "first.bu", "config": "variant: flatcar\nversion: 1.1.0\n"}
    hear(journal, 3, "hint", "look at the version, and at what it allows", **hint)
    expect(exercise.get_by_text("+version: 1.1.0")).to_be_visible()
    keep_screenshot(stage.page, f"flag-hint-{colours}")
    assert serious_faults(stage.page, axe, "main") == []
    panel.get_by_role("button", name="Done").click()
    expect(guess.get_by_role("button", name="Done")).to_have_attribute("aria-pressed", "true")
    keep_screenshot(stage.page, f"flag-done-{colours}")
    assert serious_faults(stage.page, axe, "main") == []
