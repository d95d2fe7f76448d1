"""A rehearsal: simulated beginners at a board. They are seats like others, and leave nothing behind."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from board_parts import ROOM, ask, join, login, opened

from flatkit.board.beginner import PlayedEvent, play_beginner
from flatkit.board.events import make_event
from flatkit.board.rehearse import Rehearsal
from flatkit.board.server import BoardServer
from flatkit.cli import main
from flatkit.errors import InputError
from flatkit.lessons.glossary import plan
from tools.write_rehearsal import TARGET, text


def beginners(count: int) -> list[list[PlayedEvent]]:
    return [list(play_beginner(f"rehearsal-{number:02}")) for number in range(1, count + 1)]


def test_the_mistakes_are_those_that_the_tests_of_the_checks_play() -> None:
    assert TARGET.read_text(encoding="utf-8") == text(), "python tools/write_rehearsal.py"


def test_a_beginner_goes_through_the_core_path_in_order() -> None:
    seen = Counter[str]()
    for events in beginners(30):
        assert [event.at for event in events] == sorted(event.at for event in events)
        opened_notebooks = [event.data["notebook"] for event in events if event.kind == "opened"]
        assert opened_notebooks == [one.name for one in plan() if one.core]
        passed = {event.data["task"] for event in events if event.data.get("verdict") in {"passed", "shown"}}
        assert len(passed) == 10, "two exercises of each notebook"
        for event in events:
            make_event(1, 0.0, event.kind, event.data)
            seen[event.kind] += 1
            seen[event.data.get("verdict", event.data.get("flag", ""))] += 1
    assert {"prediction", "quiz", "check", "hint", "boot", "machine", "flag", "wrong", "help", "done"} <= set(seen)
    assert beginners(2)[0] == beginners(2)[0], "the same room again"
    assert beginners(2)[0] != beginners(2)[1]


@pytest.mark.parametrize("command", ["board", "room"])
def test_a_rehearsal_has_a_board_of_its_own(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    assert main([command, "rehearse", "--seats", "4", "--speed", "10000", "--minutes", "31"]) == 0
    said = capsys.readouterr().out
    assert "a board for this rehearsal: http://127.0.0.1:" in said
    assert "minute 30: " in said
    assert "the board has nothing of them any more" in said
    assert list(tmp_path.iterdir()) == [], "the board of the room is not touched"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seats", "0"], 'the seats are "0"; expected 1 to 100'),
        (["--seats", "101"], 'the seats are "101"'),
        (["--speed", "nan"], 'the speed is "nan"'),
        (["--minutes", "inf"], 'the minutes are "inf"'),
        (["http://127.0.0.1:1"], "the room's password, or a token of its hub is missing"),
    ],
)
def test_what_cannot_be_rehearsed(options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["board", "rehearse", *options]) == 2
    assert said in capsys.readouterr().err


def rehearsal(board: BoardServer, folder: Path, seats: int = 3) -> Rehearsal:
    return Rehearsal(board.url, ROOM, seats=seats, folder=folder)


def test_at_a_board_that_is_used_the_trainer_answers_and_other_seats_stay(tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board:
        join(board, "ada")
        cookie, told = login(board), list[int]()

        def tell(minute: int, _: Counter[str]) -> None:
            said = {"seat": "rehearsal-02", "kind": "hint", "text": "mind the mode"}
            if minute == 5 and ask(board, "POST", "/say", said, cookie=cookie)[0] == 200:
                told.append(minute)

        with rehearsal(board, tmp_path / "seats") as played:
            done = played.play(speed=2000, minutes=12, tell=tell)
            assert told == [5]
            assert (done.missing, done.heard) == (0, {"hint": 1})
            kinds = Counter(one.event.kind for one in board.ledger.events())
            assert kinds.total() == done.arrived
            assert kinds["shown"] == 1
        assert played.left_over == ()
        assert list(board.ledger.seats) == ["ada"]
        assert list(board.overview.rows) == ["ada"]
        assert list(board.ledger.events()) == []


def test_a_rehearsal_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with opened(tmp_path / "board.sqlite") as board:
        with pytest.raises(KeyboardInterrupt), rehearsal(board, tmp_path / "seats") as played:
            played.play(speed=10000, minutes=5, tell=stop)
        assert board.ledger.seats == {}
        join(board, "rehearsal-02")
        with pytest.raises(InputError, match='"rehearsal-02" is taken'), rehearsal(board, tmp_path / "again"):
            pass
        assert list(board.ledger.seats) == ["rehearsal-02"], "a seat of this name that was there stays"
