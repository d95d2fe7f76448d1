"""Exercises and quizzes on a page: not tried, waiting, wrong because, passed; hints one by one; by keys, and on a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import keep_screenshot, serious_faults
from learner_days import LINES, take_line
from playwright.sync_api import expect
from stage import Mounted, Stage

pytest.importorskip("anywidget")

import flatkit as fk
from flatkit.widgets import check_card, prediction_card


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A learner who begins."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    check_card._cards.clear()
    prediction_card._cards.clear()


def mount(stage: Stage, name: str) -> Mounted:
    return stage.mount(fk.check(name).page)


def hold_answers(mounted: Mounted) -> None:
    """Answers of Python wait in `model.late`; `model.hear` takes one."""
    mounted.model("""(model) => {
      model.late = [];
      model.hear = model.receive;
      model.receive = (message) => model.late.push(message);
    }""")


def test_an_exercise_from_not_tried_to_passed(stage: Stage, folder: Path) -> None:
    mounted, page = mount(stage, "00-name"), stage.page
    card = mounted.root.get_by_role("region", name="exercise 00-name")
    title = card.get_by_role("status").first
    expect(title).to_contain_text("○ not tried")
    page.get_by_role("button", name="Hint (2 left)").press("Enter")
    hints = card.get_by_role("list", name="Hints").get_by_role("listitem")
    expect(hints).to_have_count(1)
    expect(page.get_by_role("button", name="Hint (1 left)")).to_be_focused()
    (folder / "first.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    page.get_by_role("button", name="Check again").click()
    expect(title).to_contain_text("✗ wrong")
    expect(card).to_contain_text("files in your config: none")
    expect(card).to_contain_text("look closer: ")
    page.get_by_role("button", name="Show me").click()
    expect(title).to_contain_text("◐ shown")
    expect(card.get_by_role("region", name="what came of %%butane first.bu")).to_contain_text("/etc/hostname")
    expect(card).to_contain_text("this was done for you")
    page.get_by_role("button", name="Start over").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Start over")).to_have_text("Start over")
    page.get_by_role("button", name="Start over").click()
    expect(title).to_contain_text("◐ shown")
    page.get_by_role("button", name="Start over? Your text is kept as first.bu~").click()
    expect(title).to_contain_text("○ not tried")
    page.get_by_role("button", name="Check again").click()
    expect(card).to_contain_text("nothing has changed")
    expect(hints).to_have_count(0)


def test_a_quiz_by_keys_and_on_a_stage(stage: Stage) -> None:
    mounted, page = mount(stage, "00-recap"), stage.page
    quiz = mounted.root.get_by_role("region", name="quiz 00-recap")
    first = quiz.get_by_role("group", name="1. What does Flatcar treat")
    first.get_by_role("radio").first.press("Space")
    expect(first.get_by_role("status")).to_contain_text("✗ no: ")
    page.keyboard.press("ArrowDown")
    expect(first.get_by_role("radio").nth(1)).to_be_checked()
    expect(first.get_by_role("radio").nth(1)).to_be_focused()
    expect(first.get_by_role("status")).to_contain_text("✓ right: ")
    small = quiz.evaluate("el => parseFloat(getComputedStyle(el).fontSize)")
    page.get_by_role("button", name="Full screen").click()
    expect(page.get_by_role("button", name="Leave full screen")).to_be_visible()
    assert quiz.evaluate("el => parseFloat(getComputedStyle(el).fontSize)") > 1.4 * small
    keep_screenshot(page, "quiz-stage")
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Full screen")).to_be_visible()
    for number in (2, 3):
        quiz.get_by_role("group", name=f"{number}. ").get_by_role("radio").nth(1).click()
    expect(quiz.get_by_role("status").first).to_contain_text("✓ passed")


def test_a_late_answer_does_not_take_a_choice_back(stage: Stage) -> None:
    mounted, page = mount(stage, "00-recap"), stage.page
    first = mounted.root.get_by_role("group", name="1. ")
    radios, verdict = first.get_by_role("radio"), first.get_by_role("status")
    radios.first.focus()
    hold_answers(mounted)
    for key in ("Space", "ArrowDown", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    page.wait_for_function("flatkitMounted[0].model.late.length >= 4")
    chosen = "({ state: { state } }) => state?.questions[0].chosen"
    assert page.evaluate(f"flatkitMounted[0].model.late.map({chosen}).filter(one => one !== undefined)") == [0, 1, 2, 1]
    for _ in range(3):
        page.evaluate("() => { const { model } = flatkitMounted[0]; model.hear(model.late.shift()); }")
        expect(radios.nth(1)).to_be_checked()
    page.evaluate("() => { const { model } = flatkitMounted[0]; model.late.forEach((one) => model.hear(one)); }")
    expect(verdict).to_contain_text("✓ right: ")
    page.keyboard.press("Tab")
    expect(mounted.root.get_by_role("group", name="2. ").get_by_role("radio").first).to_be_focused()


def test_a_prediction_by_keys(stage: Stage) -> None:
    mounted, page = mount(stage, "03-predict-read"), stage.page
    card = mounted.root.get_by_role("region", name="prediction 03-predict-read")
    choices = card.get_by_role("group", name="One byte of the disk").get_by_role("button")
    expect(card).to_contain_text("Nothing is graded")
    choices.first.focus()
    page.keyboard.press("ArrowDown")
    expect(choices.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(choices.nth(1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("1")
    expect(choices.first).to_have_attribute("aria-pressed", "true")
    expect(choices.nth(1)).to_have_attribute("aria-pressed", "false")
    expect(card).to_contain_text("Your guess is kept")
    page.get_by_role("button", name="Show what happens").press("Enter")
    expect(card).to_contain_text("You thought: The changed byte comes")
    expect(card).to_contain_text("→ An ordinary disk would do that.")
    page.keyboard.press("2")
    expect(choices.nth(1)).to_have_attribute("aria-disabled", "true")
    expect(choices.first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Ask me again").click()
    expect(card).to_contain_text("not chosen yet")


def test_lines_are_put_in_order_by_keys_and_by_mouse(stage: Stage, folder: Path) -> None:
    mounted, page = mount(stage, "02-script"), stage.page
    for left in (3, 2, 1):
        mounted.root.get_by_role("button", name=f"Hint ({left} left)").click()
    hint = mounted.root.get_by_role("list", name="Hints")
    rest, config = hint.get_by_role("list", name="Lines that are left"), hint.get_by_role("list", name="Your config")
    for text in LINES:
        take_line(hint, text)
    expect(hint).to_contain_text("7 of 8 lines are placed")
    take_line(hint, "mode: 755")
    expect(hint).to_contain_text("means 01363")
    page.keyboard.press("Enter")  # back again
    expect(rest.get_by_role("button", name="mode: 755")).to_be_focused()
    take_line(hint, "echo Hello from $(hostname)")
    expect(hint).to_contain_text("not yet")
    config.get_by_role("button", name="mode: 0755").focus()
    page.keyboard.press("Alt+ArrowUp")
    expect(config.get_by_role("button").nth(3)).to_have_text("      mode: 0755")
    expect(config.get_by_role("button").nth(3)).to_be_focused()
    expect(hint).to_contain_text("✓ these lines are a config that passes")
    page.keyboard.press("ArrowUp")
    expect(config.get_by_role("button").nth(2)).to_be_focused()
    config.get_by_role("button").nth(7).drag_to(config.get_by_role("button").first)
    expect(hint).to_contain_text("not yet")
    config.get_by_role("button").first.drag_to(config.get_by_role("button").nth(7), target_position={"x": 20, "y": 22})
    keep_screenshot(page, "lines")
    hint.get_by_role("button", name="Write it to greet.bu").press("Enter")
    expect(mounted.root.get_by_role("status").first).to_contain_text("✓ passed")
    assert "mode: 0755" in (folder / "greet.bu").read_text()


def test_lines_that_are_taken_faster_than_the_answers_come_are_all_taken(stage: Stage) -> None:
    mounted, page = mount(stage, "02-script"), stage.page
    for left in (3, 2, 1):
        mounted.root.get_by_role("button", name=f"Hint ({left} left)").click()
    hint = mounted.root.get_by_role("list", name="Hints")
    rest, config = hint.get_by_role("list", name="Lines that are left"), hint.get_by_role("list", name="Your config")
    expect(rest.get_by_role("button").first).to_be_visible()
    expect(mounted.root.get_by_role("button", name="Check again")).to_be_enabled()
    hold_answers(mounted)
    for text in LINES[:3]:
        rest.get_by_role("button", name=text, exact=True).press("Enter")
    page.wait_for_function("flatkitMounted[0].model.late.length >= 3")
    for count in (1, 2, 3):
        page.evaluate("() => { const { model } = flatkitMounted[0]; model.hear(model.late.shift()); }")
        expect(config.get_by_role("button")).to_have_count(count)
        expect(hint.get_by_role("button", name=LINES[2], exact=True)).to_be_focused()
    page.keyboard.press("Alt+ArrowUp")
    page.keyboard.press("Alt+ArrowUp")
    page.wait_for_function("flatkitMounted[0].model.late.length >= 2")
    page.evaluate("() => { const { model } = flatkitMounted[0]; model.late.forEach((one) => model.hear(one)); }")
    expect(config.get_by_role("button")).to_have_text([LINES[2], LINES[0], LINES[1]])
    expect(config.get_by_role("button").first).to_be_focused()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_they_are_readable_in_every_theme(staged: Callable[[str], Stage], axe: str, colours: str) -> None:
    stage = staged(colours)
    stage.page.set_viewport_size({"width": 900, "height": 900})
    exercise, quiz = mount(stage, "00-name"), mount(stage, "00-recap")
    stage.page.get_by_role("button", name="Hint (2 left)").click()
    stage.page.get_by_role("button", name="Show me").click()
    expect(exercise.root).to_contain_text("◐ shown")
    quiz.root.get_by_role("radio").first.click()
    expect(quiz.root).to_contain_text("✗ no: ")
    order, guess = mount(stage, "02-script"), mount(stage, "00-predict")
    gaps = mount(stage, "02-service")
    for left in (3, 2, 1):
        order.root.get_by_role("button", name=f"Hint ({left} left)").click()
        gaps.root.get_by_role("button", name=f"Hint ({left} left)").click()
    order.root.get_by_role("button", name="storage:").click()
    guess.root.get_by_role("button", name="1  ").click()
    guess.root.get_by_role("button", name="Show what happens").click()
    expect(guess.root).to_contain_text("You thought: ")
    stage.page.set_viewport_size({"width": 900, "height": 2200})
    keep_screenshot(stage.page, f"tasks-{colours}")
    assert serious_faults(stage.page, axe, "main") == []
    assert stage.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
