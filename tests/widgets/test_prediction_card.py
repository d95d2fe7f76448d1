"""Predictions in a notebook: an open one stops Run All without a traceback, and the guess is put beside what happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flatkit as fk
from flatkit.errors import MachineError, UsageError
from flatkit.lessons import get_task
from flatkit.lessons.exercise import Prediction
from flatkit.lessons.prediction import Guessing
from flatkit.lessons.progress import Progress, TaskRecord
from flatkit.testing.front import FakeFront
from flatkit.widgets.prediction_card import PredictionCard

ASK = 'fk.check("03-predict-read")'


def get(name: str) -> PredictionCard:
    card = fk.check(name)
    assert isinstance(card, PredictionCard)
    return card


def test_a_click_is_kept_and_may_be_changed_until_it_is_seen(folder: Path) -> None:
    card = get("03-predict-read")
    front = FakeFront(card.page)
    assert (card.page.state["chosen"], card.page.state["state"]) == (None, "not chosen yet")
    assert "Nothing is graded" in card.page.state["note"]
    front.send({"verb": "choose", "choice": 0})
    front.send({"verb": "choose", "choice": 2})
    assert (card.page.state["chosen"], card.page.state["comparison"]) == (2, [])
    front.send({"verb": "see"})
    front.send({"verb": "choose", "choice": 0})
    assert card.page.state["chosen"] == 2, "a guess whose answer was seen stays"
    assert card.page.state["comparison"][0] == "You thought: The whole machine stops and restarts"
    front.send({"verb": "again"})
    assert card.page.state["chosen"] is None
    front.send({"verb": "choose", "choice": 9})
    assert "expected a to c" in card.page.state["note"]
    with pytest.raises(UsageError, match="expected a to c"):
        card.choose("x")


def test_an_open_question_stops_the_notebook(shell: Any) -> None:
    result = run(shell, ASK)
    assert not result.success
    assert "is not answered yet" in str(result.error_in_exec)
    assert "The notebook waits here" in shell.shown.texts[-1]
    assert 'answer with: fk.check("03-predict-read").choose("a")' in shell.shown.texts[0]
    get("03-predict-read").choose("a")
    assert shell.shown.texts[-1] == "Now run the next cell.", "in the place of the line that it waits"
    run(shell, f'{ASK}.choose("b")').raise_error()
    run(shell, ASK).raise_error()


def test_the_guess_is_put_beside_what_happens(shell: Any) -> None:
    read = 'm.run("sudo tail -c 4M /dev/mapper/usr | wc -c")'
    shell.user_ns["m"] = type("M", (), {"run": lambda self, command: fail(command)})()
    run(shell, f'{ASK}.choose("b")').raise_error()
    shown = len(shell.shown.texts)
    run(shell, read.replace("m.run", "undefined.run"))
    run(shell, "1 + 1")
    assert len(shell.shown.texts) == shown, "neither a cell that failed otherwise nor another one is the answer"
    run(shell, read)
    assert shell.shown.texts[-1].startswith("You thought: The command fails, and the machine runs on\nWhat happens: ")
    assert get("03-predict-read").guess.is_seen
    shown = len(shell.shown.texts)
    run(shell, read)
    assert len(shell.shown.texts) == shown, "once; the card keeps it"


def test_a_cell_that_fails_shows_no_answer(shell: Any) -> None:
    run(shell, 'fk.check("06-predict").choose("a")').raise_error()
    shown = len(shell.shown.texts)
    run(shell, "%%on nobody\ntree --version")
    assert len(shell.shown.texts) == shown
    assert not get("06-predict").guess.is_seen


def test_a_demo_that_went_wrong_shows_no_answer(shell: Any) -> None:
    shell.user_ns["Player"] = type("Player", (), {"is_over": True, "ok": False})
    run(shell, 'fk.check("04-predict").choose("a")').raise_error()
    run(shell, "update = Player(); update  # await update").raise_error()
    assert not get("04-predict").guess.is_seen
    run(shell, "Player.ok = True; update  # await update").raise_error()
    assert get("04-predict").guess.is_seen


def fail(command: str) -> None:
    raise MachineError(f'the connection was lost during "{command}"')


def run(shell: Any, source: str) -> Any:
    """Run a cell as a notebook does: with a number of its own."""
    return shell.run_cell(source, store_history=True)


def test_a_click_while_the_answer_is_shown_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The click has begun, and the cell below shows the answer before the click is stored."""
    del folder
    prediction = get_task("00-predict")
    assert isinstance(prediction, Prediction)
    guessing = Guessing(prediction)
    guessing.choose("a")
    change = Progress.change

    def seen_first(self: Progress, task: str, change_record: Callable[[TaskRecord], TaskRecord]) -> TaskRecord:
        monkeypatch.setattr(Progress, "change", change)
        guessing.see()
        return change(self, task, change_record)

    monkeypatch.setattr(Progress, "change", seen_first)
    guess = guessing.choose("b")
    assert guess.is_seen
    assert guess.at == 0
