"""A trainer's hint and its receipt: sent, shown once, never lost, and only believed of the seat that has the hint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from board_parts import ask, join, joined, login, opened

from flatkit.board.ledger import Ledger
from flatkit.board.messages import parse_message
from flatkit.board.overview import SILENT
from flatkit.board.sender import BoardAnswer, Sender
from flatkit.board.server import BoardServer
from flatkit.board.talk import TalkLog, confirm_hints
from flatkit.cli import join as join_cli
from flatkit.cli import main
from flatkit.errors import FetchError


def hint(server: BoardServer, seat: str, text: str = "mind the mode") -> int:
    body = {"seat": seat, "kind": "hint", "text": text}
    status, _, answer = ask(server, "POST", "/say", body, cookie=login(server))
    assert status == 200
    return int(json.loads(answer)["number"])


def shown(server: BoardServer, seat: str) -> bool:
    return bool(server.overview.rows[seat].as_dict(server.clock())["hint"]["shown"])


def test_a_receipt_waits_for_a_board_that_was_away_and_survives_its_restart(tmp_path: Path) -> None:
    file = tmp_path / "board.db"
    with opened(file) as server:
        journal, port = joined(server, "ada", tmp_path / "ada"), server.port
        number = hint(server, "ada")
        Sender(journal).flush()
        assert not shown(server, "ada")
    assert confirm_hints(journal, [number])
    with pytest.raises(FetchError):
        Sender(journal).flush()
    with opened(file, port=port) as server:
        assert not shown(server, "ada")
        Sender(journal).flush()
        assert shown(server, "ada")
    with opened(file) as server:
        assert shown(server, "ada")
        row = server.overview.rows["ada"]
        later = row.as_dict(row.hints[number].shown + 130)
        assert later["hint"] == {"shown": True, "ago": 130}


def test_a_hint_is_confirmed_once_by_all_kernels(tmp_path: Path) -> None:
    with opened(tmp_path / "board.db") as server:
        journal = joined(server, "ada", tmp_path / "ada")
        number = hint(server, "ada")
        assert not confirm_hints(journal, [number]), "a hint that did not come cannot be shown"
        Sender(journal).flush()
        assert not confirm_hints(journal, [number + 1, "x", None, [], True + number])
        assert confirm_hints(journal, [number])
        assert not confirm_hints(journal, [number])
        assert [one.data for one in journal.after(0) if one.kind == "shown"] == [{"number": number}]
        assert TalkLog(journal.folder).read().lines[-1][1] == "the trainer sees that the hint was shown"


def test_a_receipt_that_could_not_be_noted_is_noted_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "board.db") as server:
        journal = joined(server, "ada", tmp_path / "ada")
        number = hint(server, "ada")
        Sender(journal).flush()
        with monkeypatch.context() as full:
            full.setattr(journal, "note", lambda *_, **__: None)
            assert not confirm_hints(journal, [number])
        assert confirm_hints(journal, [number])


def test_an_older_board_is_sent_no_receipt(tmp_path: Path) -> None:
    with opened(tmp_path / "board.db") as server:
        journal = joined(server, "ada", tmp_path / "ada")
    older = {"number": 1, "kind": "hint", "text": "look", "task": "", "file": "", "config": ""}
    Sender(journal, post=lambda *_, **__: BoardAnswer(have=1, messages=(parse_message(older),))).flush()
    assert [one.text for one in TalkLog(journal.folder).read().hints] == ["look"]
    assert not confirm_hints(journal, [1])
    assert [one.kind for one in journal.after(0)] == ["joined"]


def test_an_older_seat_reads_the_hint_and_stays_at_sent(tmp_path: Path) -> None:
    with opened(tmp_path / "board.db") as server:
        _, token = join(server, "ada")
        number = hint(server, "ada")
        _, _, body = ask(server, "POST", "/events", {"journal": "a1", "events": [], "heard": 0}, token=token)
        (said,) = json.loads(body)["messages"]
        assert {**said, "receipt": 0} == {
            "number": number, "kind": "hint", "text": "mind the mode", "task": "", "file": "", "config": "", "receipt": 0,
        }  # fmt: skip
        assert server.overview.rows["ada"].as_dict(server.clock())["hint"]["shown"] is False


@pytest.mark.parametrize("number", [0, -1, 2**53, "1", None, True, 1.5, [], {"a": 1}, "<img src=x onerror=alert(1)>"])
def test_a_receipt_of_no_hint_changes_nothing(tmp_path: Path, number: Any) -> None:
    with opened(tmp_path / "board.db") as server:
        _, token = join(server, "ada")
        hint(server, "ada")
        event = {"n": 1, "at": 1.0, "kind": "shown", "number": number}
        status, _, _ = ask(server, "POST", "/events", {"journal": "a1", "events": [event]}, token=token)
        assert status == (200 if type(number) is int else 400)
        assert not shown(server, "ada")


def test_a_seat_cannot_confirm_what_was_sent_to_another(tmp_path: Path) -> None:
    with opened(tmp_path / "board.db") as server:
        join(server, "ada")
        _, eve = join(server, "eve")
        event = {"n": 1, "at": 1.0, "kind": "shown", "number": hint(server, "ada")}
        assert ask(server, "POST", "/events", {"journal": "e1", "events": [event]}, token=eve)[0] == 200
        assert not shown(server, "ada")
        assert server.overview.rows["eve"].hints == {}


def test_a_page_that_shows_a_hint_is_no_sign_of_the_learner(tmp_path: Path) -> None:
    with opened(tmp_path / "board.db") as server:
        _, token = join(server, "ada")
        number, row = hint(server, "ada"), server.overview.rows["ada"]
        events = [{"n": 1, "at": 1.0, "kind": "joined"}, {"n": 2, "at": 1.0, "kind": "shown", "number": number}]
        ask(server, "POST", "/events", {"journal": "a1", "events": events[:1]}, token=token)
        seen = row.seen
        ask(server, "POST", "/events", {"journal": "a1", "events": events[1:]}, token=token)
        assert shown(server, "ada")
        assert (row.seen, row.status(seen + SILENT)) == (seen, "silent")


def test_a_room_of_many_hints_keeps_the_last_of_each_seat(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "board.db")
    ledger.add_seat("ada")
    for number in range(40):
        ledger.say("ada", {"kind": "hint", "text": str(number)})
    with opened(tmp_path / "board.db") as server:
        assert list(server.overview.rows["ada"].hints) == [36, 37, 38, 39, 40]
    ledger.close()


def test_a_receipt_is_asked_for_by_hints_alone() -> None:
    assert parse_message({"kind": "hint", "text": "x", "receipt": True}, number=1).receipt
    for values in ({"kind": "room", "receipt": True}, {"kind": "hint", "receipt": "yes"}, {"kind": "hint"}):
        assert not parse_message({"text": "x", **values}, number=1).receipt


def test_the_log_in_a_terminal_confirms_what_it_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    with opened(tmp_path / "board.db") as server:
        joined(server, "ada", tmp_path / "state" / "board")
        hint(server, "ada")
        assert join_cli.run(["flag"]) == 0
        assert "a hint: mind the mode" in capsys.readouterr().out
        assert shown(server, "ada")


def test_the_text_of_the_board_has_the_hint_that_was_sent_and_then_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "trainer"))

    def printed() -> dict[str, str]:
        """The column of the hints, by seat."""
        assert main(["board"]) == 0
        head, *lines = capsys.readouterr().out.splitlines()
        begin, end = head.index("HINT"), head.index("MACHINE")
        return {line.split()[0]: line[begin:end].strip() for line in lines}

    with opened(tmp_path / "trainer" / "room" / "board.sqlite") as server:
        journal, _ = joined(server, "ada", tmp_path / "ada"), joined(server, "bob", tmp_path / "bob")
        assert printed() == {"ada": "", "bob": ""}
        number = hint(server, "ada")
        Sender(journal).flush()
        assert printed() == {"ada": "sent 0 m ago", "bob": ""}
        confirm_hints(journal, [number])
        Sender(journal).flush()
        assert printed() == {"ada": "✓ shown 0 m ago", "bob": ""}
