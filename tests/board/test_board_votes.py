"""The room's answers to a prediction, read from the board's store while the board runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.board.ledger import Ledger
from flatkit.board.votes import count_votes


def prediction(number: int, choice: int, task: str = "04-predict") -> dict[str, object]:
    return {"n": number, "at": 1.0, "kind": "prediction", "task": task, "question": 1, "choice": choice}


def test_each_seats_latest_answer_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    assert count_votes("04-predict", 4) is None
    ledger = Ledger(tmp_path / "room" / "board.sqlite")
    for seat, choices in {"ada": [0, 2], "bob": [2], "cy": [1]}.items():
        ledger.add_seat(seat)
        ledger.add(seat, "j", [prediction(number, choice) for number, choice in enumerate(choices, start=1)])
    ledger.add("cy", "j", [prediction(2, 3, "05-predict")])
    assert count_votes("04-predict", 4) == (0, 1, 2, 0)
    ledger.add("cy", "j", [prediction(3, 9)])
    assert count_votes("04-predict", 4) == (0, 0, 2, 0), "an answer that there is not counts for none"
    assert count_votes("06-predict", 3) == (0, 0, 0)
    ledger.close()


def test_a_store_that_cannot_be_read_gives_no_answers(tmp_path: Path) -> None:
    broken = tmp_path / "board.sqlite"
    broken.write_text("no store of ours, and longer than the header of one: " * 20)
    assert count_votes("04-predict", 4, store=broken) is None
