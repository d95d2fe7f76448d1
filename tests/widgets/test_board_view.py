"""`fk.board()`: the board in a trainer's notebook, from this host's store or by address and password; never a learner's name."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest

import flatkit as fk
from flatkit.board.look import AddressLook, StoreLook
from flatkit.board.sender import Sender
from flatkit.cli import main
from flatkit.errors import FetchError, FlatkitError, InputError, UsageError
from flatkit.widgets import display
from flatkit.widgets.board_view import BoardView

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "board"))
from board_parts import ROOM, TRAINER, ask, joined, login, opened

STATE: dict[str, Any] = {"rows": [], "counts": {}, "middle": {}, "room": ""}
ROW: dict[str, Any] = {
    "seat": "ada", "status": "active", "where": "01 1/2", "here": 5, "results": [], "failing": "", "machine": "", "word": "",
    "hint": {},
}  # fmt: skip


def test_the_name_is_for_trainers_and_the_room_stays_a_module() -> None:
    import flatkit.board.events

    assert "board" not in fk.__all__
    assert callable(fk.board)
    assert isinstance(fk.board, types.ModuleType)
    assert fk.board.events is flatkit.board.events
    assert fk.board.__call__.__doc__


def test_a_host_without_a_board_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    with pytest.raises(UsageError, match="there is no board on this host") as caught:
        fk.board()
    assert "flatkit board serve" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_the_board_of_this_host_as_text_and_as_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    with opened(tmp_path / "room" / "board.sqlite") as board:
        journal = joined(board, "ada", tmp_path / "seat")
        Sender(journal).flush()
        view = fk.board()
        assert [row["status"] for row in view.rows] == ["active"]
        journal.note("step", notebook="01-provision", step=3, steps=20)
        journal.note("flag", flag="help", word="<img src=x onerror=alert(1)>")
        Sender(journal).flush()
        ask(board, "POST", "/say", {"seat": "ada", "kind": "hint", "text": "x"}, cookie=login(board))
        view.refresh()
        shown = view._as_html()
    assert main(["board"]) == 0
    table = capsys.readouterr().out.splitlines()
    head, *rest = repr(view).splitlines()
    assert rest == table
    assert "1 help; half the room is at 01-provision, step 3, or further" in head
    assert "sent 0 m ago" in rest[1]
    assert "<img" not in shown
    assert "◆ needs help: &lt;img src=x onerror=alert(1)&gt;" in shown
    assert 'scope="row">ada</th>' in shown


def test_a_board_elsewhere_by_its_address_and_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flatkit.board.passwords._WRONG_COSTS", 0.01)
    with opened(tmp_path / "board.sqlite") as board:
        Sender(joined(board, "ada", tmp_path / "seat")).flush()
        for wrong in ("guess", ROOM):
            with pytest.raises(InputError, match="the trainers' password is another one"):
                fk.board(board.url, wrong)
        view = fk.board(board.url, TRAINER)
        assert [row["seat"] for row in view.rows] == ["ada"]
        assert f'href="{board.url}/"' in view._as_html()
        assert ask(board, "POST", "/state", b"[]")[0] == 400
    view.refresh()
    assert "this is the room as it was then" in repr(view)
    assert "✗" in view._as_html()
    assert view.rows


@pytest.mark.parametrize(
    "answer",
    [
        b"", b"<html>", b"[]", b"{}", b'{"rows": {}}', {"rows": [3]}, {"rows": [{}]}, {"rows": [{**ROW, "seat": 1}]},
        {"rows": [{**ROW, "hint": {"shown": True}}]}, {"rows": [{**ROW, "results": [1]}]}, {"rows": [{**ROW, "here": "x"}]},
        {"middle": {"notebook": "x"}}, {"middle": 1}, {"counts": []}, {"room": 3},
    ],
)  # fmt: skip
def test_what_is_not_a_board_is_refused_in_words(answer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import json

    from flatkit import web

    data = answer if isinstance(answer, bytes) else json.dumps({**STATE, **answer}).encode()
    monkeypatch.setattr(web, "post", lambda url, *_, **__: web.Response(url=url, status=200, text="", data=data))
    with pytest.raises(FetchError):
        AddressLook("http://127.0.0.1:1", "x").state()


def test_a_good_answer_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    class Look:
        address = ""

        def state(self) -> dict[str, Any]:
            return {**STATE, "rows": [{**ROW, "status": "\x1b[2J<b>", "machine": "\x1b]0;x\x07"}], "room": "lunch"}

    view = BoardView(Look())
    assert "\x1b" not in repr(view)
    assert "\x1b" not in view._as_html()
    assert "<b>" not in view._as_html()
    assert "all seats see: lunch" in repr(view)


def test_a_store_that_has_not_changed_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path / "board.sqlite") as board:
        journal = joined(board, "ada", tmp_path / "seat")
        look = StoreLook(tmp_path / "board.sqlite")
        look.state()
        monkeypatch.setattr(look._ledger, "events", lambda: pytest.fail("it was read again"))
        look.state()
        monkeypatch.undo()
        journal.note("flag", flag="done", word="")
        Sender(journal).flush()
        assert look.state()["rows"][0]["flag"] == "done"


def test_a_view_is_live_until_another_one_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    class Look:
        address = ""
        seats = 0

        def state(self) -> dict[str, Any]:
            self.seats += 1
            if self.seats == 3:
                raise FlatkitError("the board is away")
            return {**STATE, "rows": [{**ROW, "seat": f"seat-{self.seats}"}]}

    monkeypatch.setattr("flatkit.widgets.board_view._EVERY", 0.01)
    monkeypatch.setattr(display, "can_replace", lambda: True)
    monkeypatch.setattr(display, "publish_live", lambda _, twin, ident="": drawn.append(f"{ident}: {twin}") or "one")
    first, second = BoardView(Look()), BoardView(Look())
    first._ipython_display_()
    stopped = first._stop
    while not any("seat-5" in text for text in drawn):
        stopped.wait(0.01)
    assert any("the board is away" in text and "seat-2" in text for text in drawn)
    second._ipython_display_()
    assert stopped.is_set()
    second.stop()
