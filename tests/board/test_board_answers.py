"""Requests of a trainer by the command line: `flatkit board look`, and the learner's `flatkit flag yes`, `no`, `end`."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from board_parts import joined, opened

from flatkit import web
from flatkit.board import machine_verbs
from flatkit.board.asks import SeatAnswer
from flatkit.board.consent import Consent
from flatkit.board.desk import open_desk
from flatkit.board.feed import LookFeed
from flatkit.board.journal import Journal
from flatkit.board.sender import Sender
from flatkit.board.server import BoardServer
from flatkit.board.talk import TalkLog
from flatkit.board.tmux_view import TmuxPane
from flatkit.cli import answer, board_ask, main
from flatkit.errors import MachineError, UsageError
from flatkit.waiting import wait_until


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BoardServer]:
    """A board that the command line of this host finds; seat and board share the account."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    for name in ("TMUX", "TMUX_PANE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(board_ask, "_EVERY", 0.05)
    store = tmp_path / "state" / "room" / "board.sqlite"
    with opened(store) as made:
        open_desk(store, made.url, made.key)
        yield made


@pytest.fixture
def journal(board: BoardServer, tmp_path: Path) -> Journal:
    made = joined(board, "ada", tmp_path / "state" / "board")
    Sender(made).flush()
    return made


def wait_for(what: Callable[[], Any]) -> None:
    assert wait_until(what, seconds=120)


def lines(journal: Journal) -> list[str]:
    return [text for _, text in TalkLog(journal.folder).read().lines]


def test_a_learner_answers_a_look_in_a_terminal(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flag", "yes", "5"]) == 2
    assert "the trainer asks for nothing now" in capsys.readouterr().err
    ask = board.asks.ask("ada", "look")
    assert main(["flag"]) == 0
    said = capsys.readouterr().out
    assert "the trainer asks to look at what your cells and terminals show: flatkit flag yes 5" in said
    assert main(["flag", "yes", "60"]) == 2
    assert "expected 5 or 15" in capsys.readouterr().err
    assert ask.state == "asked"
    assert main(["flag", "yes", "15"]) == 0
    assert "for 15 min" in capsys.readouterr().out
    assert ask.state == "allowed"
    assert main(["flag"]) == 0
    assert "15 min more: flatkit flag end" in capsys.readouterr().out
    assert main(["flag", "end"]) == 0
    assert ask.state == "over"
    assert main(["flag", "end"]) == 0
    assert "no look is allowed now" in capsys.readouterr().out
    ask = board.asks.ask("ada", "look")
    assert main(["flag", "no"]) == 0
    assert ask.state == "refused"


@pytest.mark.parametrize("is_well", [True, False])
def test_a_verb_is_done_at_the_seat_after_a_yes(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, is_well: bool
) -> None:  # fmt: skip
    done: list[tuple[str, str]] = []

    def verb(kind: str, name: str) -> str:
        done.append((kind, name))
        if not is_well:
            raise MachineError('there is no machine "web"')
        return 'the machine "web" runs again'

    monkeypatch.setattr(answer, "run_verb", verb)
    rewind = board.asks.ask("ada", "rewind", "web")
    look = board.asks.ask("ada", "look")
    assert main(["flag", "yes"]) == 2
    assert "expected which one" in capsys.readouterr().err
    assert main(["flag", "no", "look"]) == 0
    assert (look.state, rewind.state, done) == ("refused", "asked", [])
    assert main(["flag", "yes", "rewind"]) == (0 if is_well else 1)
    assert done == [("rewind", "web")]
    assert (rewind.state, rewind.text) == (
        ("done", 'the machine "web" runs again') if is_well else ("failed", 'there is no machine "web"')
    )
    assert lines(journal)[-2:] == [
        "you allowed it: rewind",
        f"rewind {'is done' if is_well else 'failed'}: {rewind.text}",
    ]


@pytest.mark.parametrize("words", [["5"], ["15"], []])
def test_a_yes_to_a_look_allows_no_verb_that_was_asked_for_instead(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    words: list[str],
) -> None:  # fmt: skip
    done: list[str] = []
    monkeypatch.setattr(answer, "run_verb", lambda kind, _: str(done.append(kind)))
    board.asks.ask("ada", "look")
    assert main(["flag"]) == 0
    assert "flatkit flag yes 5" in capsys.readouterr().out
    board.asks.withdraw("ada", "look")
    rewind = board.asks.ask("ada", "rewind", "web")
    sender = Sender(journal)  # of a kernel that runs meanwhile
    for _ in range(3):
        sender.flush()
    assert main(["flag", "yes", *words]) == 2
    assert "flatkit flag yes rewind web" in capsys.readouterr().err
    assert (done, rewind.state) == ([], "asked")


def test_a_yes_is_for_the_machine_that_it_names(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(answer, "run_verb", lambda _, name: str(done.append(name)))
    asked = board.asks.ask("ada", "rewind", "db")
    assert main(["flag"]) == 0
    assert "flatkit flag yes rewind db, or flatkit flag no rewind" in capsys.readouterr().out
    assert main(["flag", "yes", "rewind", "web"]) == 2
    assert main(["flag", "yes", "rewind", "\x1b[31m"]) == 2
    assert "\x1b" not in capsys.readouterr().err
    assert (done, asked.state) == ([], "asked")
    assert main(["flag", "yes", "rewind", "db"]) == 0
    assert done == ["db"]


def test_an_end_on_a_full_disk_ends_the_look(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = board.asks.ask("ada", "look")
    assert main(["flag", "yes", "15"]) == 0
    feed = LookFeed()
    feed.follow(TalkLog(journal.folder).read().asks.find_look(time.time()))
    assert feed.is_open

    def write(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("flatkit.files.write_atomic", write)
    assert main(["flag", "end"]) == 0
    assert "the look is over" in capsys.readouterr().out
    feed.follow(TalkLog(journal.folder).read().asks.find_look(time.time()))
    assert not feed.is_open
    assert ask.state == "allowed", "the board hears of it, or its time is over"


@pytest.mark.parametrize("status", [200, 403, 500])
def test_an_end_does_not_wait_for_the_board(
    board: BoardServer, journal: Journal, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """A process in the board's place may answer late, or refuse the seat."""
    board.asks.ask("ada", "look")
    assert main(["flag", "yes", "15"]) == 0
    allowed: list[bool] = []

    def post(*_: Any, **__: Any) -> web.Response:
        allowed.append(TalkLog(journal.folder).read().asks.find_look(time.time()) is not None)
        return web.Response(url="", final_url="", status=status, headers={}, data=b"{}", text="{}")

    monkeypatch.setattr(web, "post", post)
    main(["flag", "end"])
    assert allowed
    assert not any(allowed)


def test_a_seat_has_left_before_the_board_is_told(
    board: BoardServer, journal: Journal, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else a kernel may report again after the deletion, and a board that answers late keeps the seat."""
    here: list[object] = []

    def post(url: str, *_: Any, **__: Any) -> web.Response:
        here.append((url.rpartition("/")[2], journal.seat))
        raise KeyboardInterrupt

    monkeypatch.setattr(web, "post", post)
    assert main(["leave"]) == 0
    assert here == [("leave", None)]
    assert "ask the trainer for flatkit board forget --seat ada" in capsys.readouterr().out


def test_a_look_in_a_terminal_ends_when_the_board_refuses_the_seat(
    board: BoardServer, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.asks.ask("ada", "look")
    monkeypatch.setattr(answer, "find_pane", lambda: TmuxPane(ident="%0", title="tmux 0.0"))

    def screen(_: TmuxPane) -> str:
        board.ledger.remove_seat("ada")
        return "$"

    monkeypatch.setattr(answer, "screen_of", screen)
    assert main(["flag", "yes", "5"]) == 2
    assert TalkLog(journal.folder).read().asks.find_look(time.time()) is None


@pytest.mark.parametrize(
    "answered",
    [
        {"asks": {"look": [1]}}, {"asks": {"look": "x"}}, {"asks": []}, {"asks": {"look": {"state": ["x"]}}},
        {"asks": {"look": {"state": "allowed", "left": "x"}}, "pieces": 7, "screens": {"x": 1}, "last": "x"},
        {"asks": {"look": {"state": "allowed", "left": 1e999}}, "pieces": [7, None, {}], "screens": [[]]},
        {"asks": {"look": {"state": "allowed", "left": -(10**400)}}},
        {"asks": {"look": {"state": "done", "text": "\x1b]0;x\x07"}}}, {"error": {}}, [], 1, None,
    ],
)  # fmt: skip
def test_a_process_in_the_boards_place_only_ends_the_trainers_look(
    answered: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    monkeypatch.setattr(board_ask, "_EVERY", 0.0)
    (tmp_path / "room").mkdir()
    open_desk(tmp_path / "room" / "board.sqlite", "http://127.0.0.1:1", "key")
    bodies = [b"{}", json.dumps(answered).encode(), b"{}"]

    def post(*_: Any, **__: Any) -> web.Response:
        data = bodies.pop(0)
        return web.Response(url="", final_url="", status=200, headers={}, data=data, text=data.decode())

    monkeypatch.setattr(web, "post", post)
    assert main(["board", "look", "ada"]) in {0, 1}
    found = capsys.readouterr()
    assert found.err == ""
    assert "\x1b" not in found.out


def test_a_verb_needs_one_machine_or_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    monkeypatch.setattr("flatkit.machines.list_machines", list)
    assert machine_verbs.choose_machine("web") == "web"
    with pytest.raises(MachineError, match="no machine"):
        machine_verbs.choose_machine("")


def test_the_trainer_looks_in_a_terminal(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    def learner() -> None:
        sender, feed, seat = Sender(journal), LookFeed(), journal.seat
        wait_for(lambda: sender.flush() or list(TalkLog(journal.folder).read().asks.open()))
        Consent(journal).allow(next(TalkLog(journal.folder).read().asks.open()).ident, 5)
        sender.flush()
        feed.follow(TalkLog(journal.folder).read().asks.find_look(time.time()))
        feed.take("cell", "01-first", "%%on m\nhostname")
        feed.take("output", "01-first", "web\x1b]0;x\x07")
        assert seat is not None
        feed.send(seat)
        wait_for(lambda: "web" in capsys.readouterr().out)
        Consent(journal).end()
        sender.flush()

    work = threading.Thread(target=learner)
    work.start()
    printed: list[str] = []
    read, guard = capsys.readouterr, threading.Lock()

    def keep() -> Any:
        with guard:
            found = read()
            printed.append(found.out)
            return found

    capsys.readouterr = keep  # type: ignore[method-assign]
    assert main(["board", "look", "ada"]) == 0
    work.join()
    said = "".join(printed) + read().out
    assert 'asked "ada": look; its learner answers' in said
    assert "01-first > %%on m\n01-first > hostname\nweb\\x1b]0;x\\x07\n" in said
    assert "the look is over" in said


@pytest.mark.parametrize(
    ("kind", "is_allowed", "said"),
    [
        ("look", False, "the request is taken back"),
        ("look", True, "the look is over"),
        ("restart", False, "the request is taken back"),
        ("restart", True, "the learner said yes before, and it is under way"),
    ],
)
def test_ctrl_c_of_the_trainer_says_what_came_of_the_request(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    kind: str, is_allowed: bool, said: str,
) -> None:  # fmt: skip
    def press(_: float) -> None:
        if is_allowed:
            ident = board.asks.for_seat("ada")[0]["ask"]
            board.asks.answer("ada", SeatAnswer(ident=ident, answer="yes", seconds=300 if kind == "look" else 0))
        raise KeyboardInterrupt

    monkeypatch.setattr("flatkit.cli.board_ask.time", SimpleNamespace(sleep=press))  # of no other thread
    assert main(["board", kind, "ada"]) == 130
    assert capsys.readouterr().out.splitlines()[-1] == said
    assert [one["state"] for one in board.asks.for_seat("ada")] == (["allowed"] if "under way" in said else [])


def test_ctrl_c_of_the_trainer_while_the_board_is_away(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def press(_: float) -> None:
        board.stop()
        raise KeyboardInterrupt

    monkeypatch.setattr("flatkit.cli.board_ask.time", SimpleNamespace(sleep=press))  # of no other thread
    assert main(["board", "rewind", "ada"]) == 130
    assert capsys.readouterr().out.splitlines()[-1].startswith("the request is not taken back: ")


def test_an_answer_that_cannot_be_kept_is_not_said_to_be_given(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = board.asks.ask("ada", "look")
    Sender(journal).flush()
    monkeypatch.setattr("flatkit.board.talk.save", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "full")))
    assert main(["flag", "yes", "5"]) == 3
    found = capsys.readouterr()
    assert "the answer cannot be kept" in found.err
    assert "the trainer sees" not in found.out
    assert ask.state == "asked"


def test_a_verb_is_done_once_when_two_windows_allow_it(
    board: BoardServer, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    board.asks.ask("ada", "restart")
    Sender(journal).flush()
    one, other = Consent(journal), Consent(journal)
    ident = next(TalkLog(journal.folder).read().asks.open()).ident
    known = one._asked(ident)
    other.allow(ident)
    monkeypatch.setattr(one, "_asked", lambda _: known)  # both had looked before either answered
    with pytest.raises(UsageError, match="answered already"):
        one.allow(ident)
    with pytest.raises(UsageError, match="answered already"):
        one.refuse(ident)


def test_the_trainer_asks_for_what_cannot_be(
    board: BoardServer, journal: Journal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["board", "look", "bob"]) == 2
    assert 'there is no seat "bob"' in capsys.readouterr().err
    assert main(["board", "rewind", "ada", "--machine", "../x"]) == 1
    assert '"../x" cannot be a machine' in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not there")
def test_a_tmux_session_is_shown_by_the_pane_that_allowed_it(
    board: BoardServer, journal: Journal, tmp_path: Path
) -> None:
    def tmux(*words: str) -> str:
        kept = {
            "PATH": os.environ["PATH"],
            "FLATKIT_STATE": str(tmp_path / "state"),
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
        }
        line = ["tmux", "-S", str(tmp_path / "tmux"), "-f", "/dev/null", *words]
        return subprocess.run(line, env=kept, check=True, capture_output=True, text=True, timeout=120).stdout

    def screens() -> str:
        return "\n".join(one["text"] for one in board.asks.look("ada")["screens"])

    ask = board.asks.ask("ada", "look")
    tmux("new-session", "-d", "-x", "90", "-y", "30", "-s", "learner", "sh")
    try:
        tmux("send-keys", "-t", "learner:0.0", "echo my-own-$((40+2))", "Enter")
        tmux("split-window", "-t", "learner:0.0", f"{sys.executable} -m flatkit flag yes 5; exec cat")
        wait_for(lambda: "my-own-42" in screens())
        tmux("send-keys", "-t", "learner:0.0", "echo later-$((40+3))", "Enter")
        wait_for(lambda: "later-43" in screens())
        tmux("send-keys", "-t", "learner:0.1", "C-c")
        wait_for(lambda: ask.state == "over")
        assert screens() == ""
        assert lines(journal)[-1] == "you ended the look"
    finally:
        tmux("kill-server")
