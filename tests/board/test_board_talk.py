"""What learner and trainer say to each other: cleaned, bounded, once each, the same in all kernels of a seat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.board import seat
from flatkit.board.journal import Journal
from flatkit.board.messages import CONFIG_MAX, TEXT_MAX, BoardMessage, parse_message
from flatkit.board.talk import TalkLog
from flatkit.errors import InputError
from flatkit.untrusted import escape_hidden
from flatkit.widgets import board_flag

CONFIG = "variant: flatcar\nversion: 1.1.0\n"


def message(number: int, kind: str, text: str = "", **more: str) -> BoardMessage:
    return BoardMessage(number=number, kind=kind, text=text, **more)


@pytest.fixture
def joined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    """A seat whose board does not answer."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    monkeypatch.setattr(seat, "_send", lambda _: None)
    journal = Journal()
    journal.join("http://127.0.0.1:1", "ada", "secret")
    return journal


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "coming", "text": "Grace"},
        {"kind": "hint", "text": "look at the mode", "task": "02-mode", "file": "web.bu", "config": CONFIG},
        {"kind": "pause", "text": ""},
        {"kind": "room", "text": "look", "notebook": "03-immutable", "cell": "ex-command"},
        {"kind": "pause", "text": "", "notebook": "my.own_lesson-1"},
    ],
)
def test_a_message_goes_to_json_and_back(values: dict[str, Any]) -> None:
    found = parse_message(values, number=3)
    assert parse_message(json.loads(json.dumps(found.as_dict()))) == found


@pytest.mark.parametrize(
    "values",
    [
        {"kind": "run", "text": "rm -rf /"}, {"kind": "hint", "text": 3}, {"kind": "hint", "config": CONFIG},
        {"kind": "hint", "file": "web.bu"}, {"kind": "hint", "file": "../.ssh/id", "config": CONFIG},
        {"kind": "hint", "file": "/etc/passwd", "config": CONFIG}, {"kind": "hint", "file": "w\n", "config": CONFIG},
        {"kind": "hint", "file": "web.bu", "config": "x" * (CONFIG_MAX + 1)},
        {"kind": "hint", "text": "x", "notebook": "03-immutable"}, {"kind": "coming", "text": "x", "cell": "a"},
        {"kind": "room", "text": "x", "cell": "a"}, {"kind": "room", "notebook": "../x"}, {"kind": "room", "notebook": 3},
        {"kind": "room", "notebook": "https://evil.example/x"}, {"kind": "room", "notebook": "javascript:alert(1)//"},
        {"kind": "room", "notebook": "a b"}, {"kind": "room", "notebook": "x\n"}, {"kind": "room", "notebook": "x" * 81},
        {"kind": "room", "notebook": "x", "cell": '"><script>'}, {"kind": "room", "notebook": "x", "cell": "y" * 65},
        {"kind": "room", "notebook": "x", "cell": ["a"]}, {"kind": "room", "notebook": "x", "cell": "a&b"},
    ],
)  # fmt: skip
def test_what_cannot_be_said(values: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        parse_message(values, number=1)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda i: st.dictionaries(st.text(), i)))
def test_no_json_value_is_a_traceback(values: Any) -> None:
    with pytest.raises(InputError):
        parse_message(values)


@given(st.text(max_size=900), st.text(max_size=900))
def test_texts_are_safe_to_show_and_bounded(text: str, config: str) -> None:
    found = parse_message({"kind": "hint", "text": text, "file": "w.bu", "config": config or "x"}, number=1)
    assert escape_hidden(found.text) == found.text
    assert not set(found.text) & set("\r\n\t")
    assert len(found.text) <= TEXT_MAX + 3
    assert escape_hidden(found.config) == found.config


def test_all_kernels_share_one_log_and_hear_each_message_once(tmp_path: Path) -> None:
    first, second = TalkLog(tmp_path), TalkLog(tmp_path)
    first.add_flag("help", "it hangs")
    said = [message(1, "coming", "Grace is coming"), message(2, "room", "lunch at noon")]
    assert first.hear(said) == said
    assert second.hear(said) == []
    talk = second.read()
    assert (talk.flag, talk.word, talk.coming, talk.room, talk.last) == (
        "help",
        "it hangs",
        "Grace is coming",
        "lunch at noon",
        2,
    )
    assert [text for _, text in talk.lines] == [
        "your flag: help (it hangs)", "a helper: Grace is coming", "to all: lunch at noon",
    ]  # fmt: skip
    second.hear([message(3, "resolved"), message(4, "pause"), message(5, "hint", "look", task="02-mode")])
    talk = first.read()
    assert (talk.flag, talk.coming, talk.room, talk.hints[0].task) == ("none", "", "pause here", "02-mode")
    first.hear([message(6, "room")])
    assert first.read().room == ""
    first.add_flag("help", "")
    assert first.read().coming == "", "who came before does not come again"


def test_a_word_to_all_leads_to_a_cell_of_a_notebook_that_is_here(
    joined: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = joined.folder.parent / "course"
    folder.mkdir()
    monkeypatch.chdir(folder)
    told = {"kind": "room", "notebook": "03-immutable", "cell": "ex-command"}
    TalkLog(joined.folder).hear([parse_message(told, number=1)])
    state = board_flag.state_of(object())
    assert state
    assert (state["room"], state["link"]) == ("open 03-immutable", None), "that notebook is not in this folder"
    (folder / "03-immutable.ipynb").write_text("{}")
    state = board_flag.state_of(object())
    assert state
    assert state["link"] == {
        "words": '03-immutable, under "Your turn"', "address": "03-immutable.ipynb#cell-id=ex-command",
        "path": "03-immutable.ipynb", "fragment": "#cell-id=ex-command",
    }  # fmt: skip
    log = TalkLog(joined.folder)
    assert log.read().lines[-1][1] == 'to all: open 03-immutable (03-immutable, under "Your turn")'
    log.file.write_text(log.file.read_text().replace("03-immutable", "../../etc/passwd"))
    assert log.read().link is None, "what is in the log is checked as well"
    log.hear([parse_message(told, number=2), message(3, "room")])
    assert (log.read().room, log.read().link) == ("", None)


def test_a_log_that_grows_keeps_the_newest(tmp_path: Path) -> None:
    log = TalkLog(tmp_path)
    for number in range(1, 30):
        log.hear([message(number, "hint", "x" * 400, file="w.bu", config="é" * CONFIG_MAX)])
    assert log.file.stat().st_size <= 1024 * 1024
    assert log.read().last == 29
    log.file.write_bytes(b'{"flag": "red"}\nnot json\n[]\n{"at": 1, "kind": "run"}\n\xff')
    assert log.read().lines == []


def test_without_a_board_there_is_no_flag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    seat.raise_flag("help")
    assert seat.talk() is None
    assert board_flag.state_of(object()) is None
    assert list(tmp_path.iterdir()) == []


def test_a_button_that_is_pressed_twice_raises_one_flag(joined: Journal) -> None:
    for flag, word in (("help", "a"), ("help", "a"), ("help", "b"), ("none", ""), ("none", ""), ("help", "b")):
        seat.raise_flag(flag, word)
    noted = [(one.data["flag"], one.data["word"]) for one in joined.after(1)]
    assert noted == [("help", "a"), ("help", "b"), ("none", ""), ("help", "b")]
    assert len(TalkLog(joined.folder).read().lines) == len(noted)


def test_a_flag_is_in_the_log_and_goes_to_the_board(joined: Journal) -> None:
    seat.raise_flag("help", "\x1b[2Jit hangs")
    assert [(one.kind, one.data.get("flag")) for one in joined.after(1)] == [("flag", "help")]
    state = board_flag.state_of(object())
    assert state
    assert (state["flag"], state["word"], state["said"]) == (
        "help", r"\x1b[2Jit hangs", "the trainer sees that you want help",
    )  # fmt: skip
    TalkLog(joined.folder).hear([message(1, "coming", "Grace is coming")])
    state = board_flag.state_of(object())
    assert state
    assert state["said"] == "a helper saw it: Grace is coming"
    with pytest.raises(InputError):
        seat.raise_flag("red")
    joined.leave()
    assert seat.talk() is None


def test_a_card_draws_what_another_kernel_wrote(joined: Journal) -> None:
    drawn: list[str] = []

    class Watcher:
        def draw(self) -> None:
            talk = seat.talk()
            drawn.append(talk.flag if talk else "")

    watcher = Watcher()
    seat.watch(watcher)
    TalkLog(joined.folder).add_flag("done", "")
    seat._look()
    seat._look()
    assert drawn == ["done"]
    del watcher
    TalkLog(joined.folder).add_flag("none", "")
    seat._look()
    assert drawn == ["done"], "a card that is gone is not held"
