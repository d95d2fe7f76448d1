"""What may be sent to a board, and what a seat's journal keeps through kills and power cuts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.board import journal as journal_module
from flatkit.board.events import KINDS, check_seat, make_event, parse_event
from flatkit.board.journal import Journal
from flatkit.errors import FlatkitError, InputError
from flatkit.locks import try_lock

CHECK = {"task": "03-remount", "verdict": "wrong"}
DATA: dict[str, Any] = {str: "text", int: 1, bool: True}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_to_json_and_back(kind: str) -> None:
    data = {name: "help" if name == "flag" else DATA[wanted] for name, wanted in KINDS[kind].items()}
    event = make_event(7, 1764450000.5, kind, data)
    assert parse_event(json.loads(event.as_json())) == event


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("check", {**CHECK, "output": "secret"}, "has the fields output, task, verdict; expected task, verdict"),
        ("check", {"task": "x"}, "expected task, verdict"),
        ("check", {"task": 3, "verdict": "wrong"}, '"task" of an event "check" is not of the type str'),
        ("hint", {"task": "x", "number": True}, "not of the type int"),
        ("hint", {"task": "x", "number": 2**60}, "out of range"),
        ("flag", {"flag": "red", "word": ""}, 'the flag is "red"; expected none, help, done'),
        ("keylog", {}, '"keylog" is not a kind of event'),
    ],
)
def test_what_is_not_listed_is_refused(kind: str, data: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said.replace("(", r"\(")):
        make_event(1, 0.0, kind, data)


def test_texts_are_shown_safely_and_bounded() -> None:
    event = make_event(1, 0.0, "flag", {"flag": "help", "word": "\x1b[2J" + "w" * 500})
    assert "\x1b" not in event.data["word"]
    assert len(event.data["word"]) <= 83


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_no_json_value_is_a_traceback(value: Any) -> None:
    with pytest.raises(FlatkitError):
        parse_event(value)


@pytest.mark.parametrize("name", ["ada", "seat-12", "Ada L.", "7"])
def test_names_of_seats(name: str) -> None:
    assert check_seat(name) == name


@pytest.mark.parametrize("name", ["", " ada", "<b>", "a\nb", "a" * 41, "../x", "ada\x00", "ада"])
def test_a_name_that_a_page_could_not_show_safely_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="cannot be a seat's name"):
        check_seat(name)


# The journal


def test_without_a_seat_nothing_is_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "board")
    assert journal.note("check", **CHECK) is None
    assert not (tmp_path / "board").exists()


def test_events_are_numbered_through_kernels(tmp_path: Path) -> None:
    Journal(tmp_path).join("http://127.0.0.1:1", "ada", "secret")
    for number in (2, 3):
        event = Journal(tmp_path).note("check", **CHECK)
        assert event is not None
        assert event.number == number
    assert [event.number for event in Journal(tmp_path).after(1)] == [2, 3]
    assert (tmp_path / "seat.json").stat().st_mode & 0o077 == 0
    assert (tmp_path / "journal.jsonl").stat().st_mode & 0o077 == 0


def test_a_half_written_line_costs_that_event_alone(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")
    journal.note("check", **CHECK)
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(b'{"n": 3, "at": 12')  # the power is cut here
    event = journal.note("check", **CHECK)
    assert event is not None
    assert event.number == 3
    assert [one.number for one in journal.after(0)] == [1, 2, 3]


def test_a_long_journal_drops_what_the_board_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatkit.board.journal._JOURNAL_MAX", 2000)
    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")
    for _ in range(30):
        journal.note("check", **CHECK)
    journal.advance(25)
    event = journal.note("check", **CHECK)
    assert event is not None
    assert event.number == 32
    assert [one.number for one in journal.after(0)] == list(range(26, 33))


def test_a_disk_that_is_full_never_stops_the_learner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flatkit.board.journal.os.open", full)
    assert journal.note("check", **CHECK) is None


def test_leaving_forgets_everything(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")
    journal.advance(1)
    journal.leave()
    assert journal.seat is None
    assert journal.cursor == 0
    assert journal.after(0) == []
    assert journal.note("check", **CHECK) is None


def test_a_hubs_seat_joins_its_board_and_stores_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path / "board")
    for name, value in (("SEAT", "ada"), ("BOARD", "http://127.0.0.1:1/services/board")):
        monkeypatch.setenv(f"FLATKIT_{name}", value)
    assert journal.seat is None, "a hub without tokens has no board"
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "first-token")
    first = journal.seat
    assert first is not None
    assert (first.name, first.token) == ("ada", "first-token")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "second-token")  # another start of the seat's server
    assert journal.seat == replace(first, token="second-token")
    assert 'token": "hub' in (tmp_path / "board" / "seat.json").read_text()
    assert [event.kind for event in journal.after(0)] == ["joined"]
    monkeypatch.delenv("FLATKIT_BOARD")
    assert journal.seat is None, "without the hub nobody is there to hear it"
    monkeypatch.setenv("FLATKIT_BOARD", "http://127.0.0.1:1/services/board")
    journal.leave()
    assert journal.seat is None, "who has left does not join again by itself"
    assert journal.note("check", **CHECK) is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 1, "name": "a", "token": "t", "journal": "j"}', "\xff"])
def test_an_unusable_seat_is_no_seat(tmp_path: Path, text: str) -> None:
    (tmp_path / "seat.json").write_text(text, encoding="latin-1")
    assert Journal(tmp_path).seat is None


@pytest.mark.parametrize("is_held", [False, True])
def test_nothing_is_noted_after_a_seat_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_held: bool) -> None:
    """The seat leaves after a kernel found that it is there, and before the kernel has the lock; with `is_held` one hangs."""
    journal, locked = Journal(tmp_path), journal_module.locked
    journal.join("http://127.0.0.1:1", "ada", "secret")

    def late(*given: Any, **options: Any) -> Any:
        monkeypatch.setattr(journal_module, "locked", locked)
        Journal(tmp_path).leave()
        return locked(*given, **options)

    if is_held:
        monkeypatch.setattr(journal_module, "_LOCK_SECONDS", 0.0)
        with locked(tmp_path / "journal.lock"):
            journal.leave()
    else:
        monkeypatch.setattr(journal_module, "locked", late)
    assert journal.note("check", **CHECK) is None
    assert not (tmp_path / "journal.jsonl").exists()


def test_the_journal_is_deleted_under_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a kernel that writes an event at that moment ends first."""
    journal, free = Journal(tmp_path), []
    monkeypatch.setattr(Journal, "_forget", lambda _: free.append(try_lock(tmp_path / "journal.lock", mode=0o600)))
    journal.join("http://127.0.0.1:1", "ada", "secret")
    journal.leave()
    assert free == [None, None]
