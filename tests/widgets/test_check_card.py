"""`fk.check`: the card of an exercise and of a quiz, over its buttons and as text."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

import flatkit as fk
from flatkit.lessons import get_task, session
from flatkit.lessons.course.start import HELLO
from flatkit.lessons.exercise import Exercise, Finding
from flatkit.testing.bench import PretendedMachine, Reply
from flatkit.testing.front import FakeFront
from flatkit.widgets.check_card import CheckCard
from flatkit.widgets.quiz_card import QuizCard


def test_the_card_checks_and_says(folder: Path) -> None:
    card = fk.check("00-name")
    assert isinstance(card, CheckCard)
    assert "○ 00-name  Give it a name of your own: not tried" in repr(card)
    (folder / "first.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    assert fk.check("00-name") is card, "one card, however often the cell is run"
    assert "✗ 00-name" in repr(card)
    assert "files in your config: none" in repr(card)
    assert not card.ok
    assert not card.solve().ok, "shown is not passed"
    assert "◐ 00-name" in repr(card)
    assert "this was done for you" in repr(card)


def test_the_buttons_do_it(folder: Path) -> None:
    card = fk.check("02-script")
    assert isinstance(card, CheckCard)
    front = FakeFront(card.page)

    def press(verb: str) -> dict[str, Any]:
        front.send({"verb": verb})
        card.wait(60)
        return dict(card.page.state)

    assert card.page.state["state"] == "not tried"
    task = press("hint")
    assert (len(task["hints"]), task["left"]) == (1, 2)
    task = press("solve")
    assert (task["state"], task["mark"], task["working"]) == ("shown", "◐", False)
    assert "#!/bin/bash" in str(task["done"])
    task = press("over")
    assert (task["state"], task["hints"], task["done"]) == ("not tried", [], [])
    (folder / "greet.bu").unlink(missing_ok=True)
    assert "there is no file" in press("check")["found"]
    assert press("no-such-verb") == card.page.state


def test_a_text_that_is_replaced_is_said_to_be_kept_with_its_file(folder: Path) -> None:
    card = fk.check("00-name")
    assert isinstance(card, CheckCard)
    assert card.page.state["files"] == ["first.bu"]
    (folder / "first.bu").write_text("variant: flatcar\nversion: 1.0.0\n# mine\n")
    assert "do it yourself; your text is kept as first.bu~" in repr(card.solve())
    assert "kept as" not in repr(card.solve()), "flatkit's own text is not kept"
    (folder / "first.bu").write_text("# mine again\n")
    assert "your text is kept as first.bu~" in repr(card.start_over())
    assert (folder / "first.bu~").read_text() == "# mine again\n"


def test_looked_at_again_it_does_not_say_not_tried(folder: Path) -> None:
    card = fk.check("00-name")
    assert isinstance(card, CheckCard)
    assert card.page.state["state"] == "not tried"
    assert card.again().page.state["state"] == "not solved yet"
    assert "not tried" not in repr(card)


def test_it_looks_at_the_machine_that_it_is_given(folder: Path) -> None:
    exercise = get_task("00-hello")
    assert isinstance(exercise, Exercise)
    machine = PretendedMachine(exercise, {HELLO: (Reply("none\n"), Reply("text\nhi\n"))})
    assert "was given none" in str(fk.check("00-hello").standing.finding)  # type: ignore[union-attr]
    assert "there is no /home/core/hello" in repr(fk.check("00-hello", machine))
    machine.run("echo hi > /home/core/hello")
    assert fk.check("00-hello", machine).ok
    assert fk.check("00-hello").ok, "the machine is remembered"


def test_a_state_that_cannot_be_kept_is_said_on_the_card(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state" / "progress.json.lock").mkdir(parents=True)  # in the place of the lock
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    card = fk.check("00-name")
    assert "your progress cannot be written" in repr(card)


def test_a_quiz_is_answered_by_clicks(folder: Path) -> None:
    card = fk.check("00-recap")
    assert isinstance(card, QuizCard)
    assert 'card.answer(1, "a")' in repr(card)
    front = FakeFront(card.page)
    front.send({"verb": "answer", "number": 1, "choice": 0})
    assert card.page.state["questions"][0]["said"].startswith("✗ no: ")
    front.send({"verb": "answer", "number": 1, "choice": 1})
    assert card.page.state["questions"][0]["said"].startswith("✓ right: ")
    card.answer(2, "b").answer(3, "b")
    assert card.page.state["questions"][2]["chosen"] == 1
    assert card.page.state["state"] == "passed"
    assert card.ok
    front.send({"verb": "answer", "number": 9, "choice": 0})
    assert card.page.state["mark"] == "✗", "what cannot be answered is said"


def test_cards_show_themselves_in_a_notebook(shell: Any) -> None:
    shell.run_cell('fk.check("01-user")').raise_error()
    shell.run_cell('fk.check("01-recap")').raise_error()
    first, second = shell.shown.bundles
    assert "01-user" in first["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in first
    assert "1. When does Ignition" in second["text/plain"]
    shell.run_cell('fk.check("01-usr")')
    assert len(shell.shown.bundles) == 2


def test_a_button_does_not_wait_for_a_check_that_is_under_way(folder: Path) -> None:
    """It would hold up the kernel."""
    asked, answer = threading.Event(), threading.Event()

    class SlowMachine:
        def run(self, _: str) -> Reply:
            asked.set()
            answer.wait(300)
            return Reply("none\n")

    card = fk.check("00-hello")
    assert isinstance(card, CheckCard)
    card.use(SlowMachine())
    front = FakeFront(card.page)
    front.send({"verb": "check"})
    assert asked.wait(120)
    again = threading.Thread(target=front.send, args=({"verb": "check"},))
    again.start()
    again.join(60)
    is_held_up = again.is_alive()
    answer.set()
    again.join(120)
    card.wait(120)
    assert not is_held_up


def test_a_line_is_placed_while_a_check_is_under_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page sends it to the kernel's main thread, which must not wait; and the check's answer keeps it."""
    card = fk.check("07-unit")
    assert isinstance(card, CheckCard)
    for _ in card.exercise.hints:
        card.hint()
    front, looking, answer = FakeFront(card.page), threading.Event(), threading.Event()
    judge = session.judge

    def slow_judge(*words: Any, **more: Any) -> Finding:
        looking.set()
        answer.wait(300)
        return judge(*words, **more)

    monkeypatch.setattr(session, "judge", slow_judge)
    front.send({"verb": "check"})
    assert looking.wait(120)
    page = threading.Thread(target=front.send, args=({"verb": "place", "placed": [1]},))
    page.start()
    page.join(60)
    is_held_up = page.is_alive()
    answer.set()
    page.join(120)
    card.wait(120)
    assert not is_held_up
    assert card.standing.placed == (1,)
    assert card.standing.finding is not None
