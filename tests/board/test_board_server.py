"""The board over HTTP: seats post as themselves alone, trainers alone read, and nobody floods it or its page."""

from __future__ import annotations

import contextlib
import errno
import json
import re
import shutil
import socket
import time
from pathlib import Path

import pytest
from board_parts import ROOM, TRAINER, ask, join, joined, login, opened

from flatkit.board import passwords
from flatkit.board import server as board_server
from flatkit.board.handlers import PAGE
from flatkit.board.journal import Journal
from flatkit.board.ledger import Ledger
from flatkit.board.sender import Sender
from flatkit.board.server import BoardServer
from flatkit.board.talk import TalkLog
from flatkit.cli import main
from flatkit.errors import HostError
from flatkit.locks import locked

EVENT = {"n": 1, "at": 5, "kind": "joined"}


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(passwords, "_WRONG_COSTS", 0.01)
    with opened(tmp_path / "board.sqlite") as made:
        yield made


def read_stream(board: BoardServer, cookie: str, seconds: float = 120.0) -> dict:
    """The first state that the page gets."""
    with socket.create_connection(("127.0.0.1", board.port), timeout=seconds) as line:
        line.sendall(f"GET /stream HTTP/1.1\r\nHost: x\r\nCookie: {cookie}\r\n\r\n".encode())
        data = b""
        until = time.monotonic() + seconds
        while b"data: " not in data or not data.rstrip(b"\r\n").endswith(b"}"):
            assert time.monotonic() < until, data
            data += line.recv(65536)
    return json.loads(re.search(rb"data: (\{.*\})", data)[1])


def test_a_seat_joins_sends_and_is_seen_by_the_trainer(board: BoardServer, tmp_path: Path) -> None:
    journal = joined(board, "ada", tmp_path / "seat")
    journal.note("step", notebook="01-provision", step=3, steps=20)
    journal.note("flag", flag="help", word="it hangs")
    Sender(journal).flush()
    (row,) = read_stream(board, login(board))["rows"]
    assert (row["seat"], row["status"], row["where"], row["word"]) == ("ada", "help", "01-provision 3/20", "it hangs")

    cookie = login(board)
    assert (
        ask(board, "POST", "/say", {"seat": "ada", "kind": "coming", "text": "Grace is coming"}, cookie=cookie)[0]
        == 200
    )
    assert read_stream(board, cookie)["rows"][0]["coming"] == "Grace is coming"
    Sender(journal).flush()
    assert TalkLog(journal.folder).read().coming == "Grace is coming"
    assert ask(board, "POST", "/say", {"seat": "ada", "kind": "resolved"}, cookie=cookie)[0] == 200
    assert read_stream(board, cookie)["rows"][0]["flag"] == "none"
    Sender(journal).flush()
    Sender(journal).flush()
    assert [one.event.data["flag"] for one in board.ledger.events() if one.event.kind == "flag"] == ["help", "none"]


def test_an_answer_to_one_flag_does_not_take_the_next_one_down(board: BoardServer, tmp_path: Path) -> None:
    """Two trainers' pages; the second one has not drawn the new flag yet."""
    journal, cookie = joined(board, "ada", tmp_path / "seat"), login(board)
    journal.note("flag", flag="help", word="it hangs")
    Sender(journal).flush()
    old = read_stream(board, cookie)["rows"][0]["raised"]
    journal.note("flag", flag="help", word="it hangs again")
    Sender(journal).flush()
    for said in ({"kind": "resolved"}, {"kind": "coming", "text": "I am coming"}):
        assert ask(board, "POST", "/say", {"seat": "ada", "raised": old, **said}, cookie=cookie)[0] == 409
    (row,) = read_stream(board, cookie)["rows"]
    assert (row["flag"], row["word"], row["coming"]) == ("help", "it hangs again", "")
    said = {"seat": "ada", "kind": "resolved", "raised": row["raised"]}
    assert ask(board, "POST", "/say", said, cookie=cookie)[0] == 200
    assert read_stream(board, cookie)["rows"][0]["flag"] == "none"


@pytest.mark.parametrize("raised", ["1", [], {}, True, 1e999])
def test_a_time_that_no_flag_has_is_refused(board: BoardServer, tmp_path: Path, raised: object) -> None:
    joined(board, "ada", tmp_path / "seat")
    said = {"seat": "ada", "kind": "resolved", "raised": raised}
    assert ask(board, "POST", "/say", said, cookie=login(board))[0] in {400, 409}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"seat": "ada", "kind": "hint", "text": "x", "task": "02-mode", "file": "w.bu", "config": "a: 1\n"}, 200),
        ({"seat": "", "kind": "pause"}, 200),
        ({"seat": "", "kind": "room", "notebook": "03-immutable", "cell": "ex-command"}, 200),
        ({"seat": "", "kind": "room", "notebook": "//evil.example/x", "cell": ""}, 400),
        ({"seat": "", "kind": "room", "notebook": "03-immutable", "cell": "'><img src=x>"}, 400),
        ({"seat": "bob", "kind": "hint", "text": "x"}, 400),
        ({"seat": "", "kind": "hint", "text": "x"}, 400),
        ({"seat": "ada", "kind": "room", "text": "x"}, 400),
        ({"seat": "ada", "kind": "run", "text": "x"}, 400),
        ({"seat": ["ada"], "kind": "hint", "text": "x"}, 400),
        ({"seat": "ada", "kind": "hint", "file": "../w", "config": "x"}, 400),
    ],
)
def test_what_a_trainer_may_say_to_whom(board: BoardServer, said: dict[str, object], status: int) -> None:
    (_, ada), (_, eve) = join(board, "ada"), join(board, "eve")
    assert ask(board, "POST", "/say", said, token=ada)[0] == 403
    assert ask(board, "POST", "/say", said, cookie=login(board))[0] == status

    def heard(token: str, after: object = 0) -> list[dict[str, object]]:
        found = json.loads(
            ask(board, "POST", "/events", {"journal": "j", "events": [], "heard": after}, token=token)[2]
        )
        return found["messages"]

    assert len(heard(ada)) == (status == 200)
    assert heard(ada, 1) == heard(ada, "x") == heard(ada, -1) == []
    assert len(heard(eve)) == (status == 200 and said["seat"] == ""), "a hint is for its seat alone"


def test_a_board_that_is_opened_again_knows_what_was_said(tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board:
        journal = joined(board, "ada", tmp_path / "seat")
        journal.note("flag", flag="help", word="")
        Sender(journal).flush()
        cookie = login(board)
        ask(board, "POST", "/say", {"seat": "ada", "kind": "coming", "text": "Grace is coming"}, cookie=cookie)
        ask(board, "POST", "/say", {"seat": "", "kind": "room", "text": "lunch"}, cookie=cookie)
    with opened(tmp_path / "board.sqlite") as board:
        state = read_stream(board, login(board))
        assert (state["room"], state["rows"][0]["coming"]) == ("lunch", "Grace is coming")
        board.ledger.forget_before(2**40)
        assert board.ledger.said() == []


def test_only_the_rooms_password_lets_a_seat_join_and_a_name_belongs_to_the_first(board: BoardServer) -> None:
    assert join(board, "ada", password="guess") == (403, "")
    assert join(board, "ada", password=TRAINER) == (403, "")
    status, token = join(board, "ada")
    assert status == 200
    assert len(token) > 30
    assert join(board, "ada") == (409, "")
    assert join(board, "<script>") == (409, "")


def test_the_steps_to_lead_to_are_those_of_the_course(board: BoardServer) -> None:
    status, _, body = ask(board, "GET", "/places", cookie=login(board))
    assert status == 200
    steps = {one["notebook"]: one["steps"] for one in json.loads(body)["notebooks"]}
    assert len(steps) == 12
    assert steps["03-immutable"][5] == {"step": 6, "cell": "attack", "title": "Attack it from above"}


def test_a_participant_reads_nothing(board: BoardServer) -> None:
    _, token = join(board, "ada")
    assert login(board, ROOM) == ""
    for path in ("/stream", "/events", "/places"):
        assert ask(board, "GET", path, token=token)[0] in {403, 405}
        assert ask(board, "GET", path, cookie=f"flatkit-board={token}")[0] in {403, 405}
    assert b"Trainers' password" in ask(board, "GET", "/")[2]
    assert ask(board, "POST", "/say", {"seat": "ada", "kind": "coming", "text": "x"}, token=token)[0] == 403
    for path in ("/board.sqlite", "/../server.py", "/%2e%2e/server.py", "/board.js/../../server.py"):
        assert ask(board, "GET", path)[0] in {400, 403, 404}, path


@pytest.mark.parametrize("token", ["", "wrong", "wrong" * 20])
def test_nobody_posts_without_a_seats_secret(board: BoardServer, token: str) -> None:
    join(board, "ada")
    assert ask(board, "POST", "/events", {"journal": "j", "events": [EVENT]}, token=token)[0] == 403
    assert ask(board, "POST", "/leave", {}, token=token)[0] == 403
    assert list(board.ledger.events()) == []


def test_a_seat_posts_as_itself_alone(board: BoardServer) -> None:
    join(board, "ada")
    _, token = join(board, "mallory")
    assert ask(board, "POST", "/events", {"journal": "j", "events": [EVENT], "seat": "ada"}, token=token)[0] == 200
    assert (
        ask(board, "POST", "/events", {"journal": "j", "events": [{**EVENT, "n": 2, "seat": "ada"}]}, token=token)[0]
        == 400
    )
    assert {one.seat for one in board.ledger.events()} == {"mallory"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{}", b'{"journal": "j"}', b'{"journal": "j", "events": {}}', b'{"journal": "../x", "events": []}',
        b'{"journal": "j", "events": [{"n": "1"}]}', b"\xff\xfe", b'{"journal": ' + b"[" * 5000,
        b'{"journal": "j", "events": [{"n": 1, "at": 1e400, "kind": "joined"}]}',
    ],
)  # fmt: skip
def test_odd_bodies_are_refused_in_a_line(board: BoardServer, body: bytes) -> None:
    _, token = join(board, "ada")
    status, _, answer = ask(board, "POST", "/events", body, token=token)
    assert status == 400
    assert len(answer) < 500
    assert b"Traceback" not in answer


def test_floods_are_bounded(board: BoardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    _, token = join(board, "ada")
    many = [{"n": number, "at": 1, "kind": "joined"} for number in range(1, 300)]
    assert ask(board, "POST", "/events", {"journal": "j", "events": many}, token=token)[0] == 413
    with contextlib.suppress(ConnectionError):  # the rest of a body that is too long is not read
        assert ask(board, "POST", "/events", b" " * 200_000, token=token)[0] in {400, 413}
    monkeypatch.setattr("flatkit.board.ledger._EVENTS_MAX", 100)
    assert ask(board, "POST", "/events", {"journal": "j", "events": many[:150]}, token=token)[0] == 400
    assert ask(board, "POST", "/events", {"journal": "j", "events": many[:50]}, token=token)[0] == 200


def test_unfinished_requests_do_not_keep_a_seat_out(board: BoardServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_server, "_FROM_ONE_ADDRESS", 40)
    lines = []
    try:
        for _ in range(120):
            line = socket.create_connection(("127.0.0.1", board.port), timeout=120)
            line.sendall(b"POST /events HTTP/1.1\r\nHost: x\r\n")
            lines.append(line)
        with socket.create_connection(("127.0.0.1", board.port), timeout=120) as refused:
            refused.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                assert refused.recv(100) == b"", "an address that holds too many is refused"
    finally:
        for line in lines:
            line.close()
    until = time.monotonic() + 120
    while True:  # the board sees them go
        try:
            status, _ = join(board, "ada")
            break
        except OSError:
            assert time.monotonic() < until
    assert status == 200


def test_guessing_passwords_ends(board: BoardServer) -> None:
    statuses = [join(board, "ada", password=f"guess {number}")[0] for number in range(12)]
    assert statuses[:10] == [403] * 10
    assert statuses[10:] == [429] * 2
    assert join(board, "ada")[0] == 429
    assert login(board) == ""


def test_what_a_seat_sends_never_becomes_part_of_the_page(board: BoardServer, tmp_path: Path) -> None:
    journal = joined(board, "ada", tmp_path / "seat")
    journal.note("flag", flag="help", word="<img src=x onerror=alert(1)>\x1b]0;x\x07")
    Sender(journal).flush()
    (row,) = read_stream(board, login(board))["rows"]
    assert "\x1b" not in row["word"]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", (PAGE / "board.js").read_text())
    headers = ask(board, "GET", "/")[1]
    assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
    cookie = ask(board, "POST", "/login", f"password={TRAINER}".encode(), form=True)[1]["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_a_seat_that_leaves_is_deleted(board: BoardServer, tmp_path: Path) -> None:
    journal = joined(board, "ada", tmp_path / "seat")
    Sender(journal).flush()
    seat = journal.seat
    assert seat is not None
    assert ask(board, "POST", "/leave", {}, token=seat.token)[0] == 200
    assert list(board.ledger.events()) == []
    assert board.ledger.seats == {}
    assert board.overview.rows == {}


# By the command line


def test_a_learner_joins_asks_for_help_and_leaves(
    board: BoardServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    assert main(["flag", "help"]) == 2
    assert "reports to no board" in capsys.readouterr().err
    assert main(["join", board.url, "--seat", "ada", "--password", "wrong"]) == 1
    assert "the room's password is another one" in capsys.readouterr().err
    assert main(["join", board.url, "--seat", "ada", "--password", ROOM]) == 0
    assert main(["flag", "help", "it", "hangs"]) == 0
    assert board.overview.rows["ada"].word == "it hangs"
    journal = Journal(tmp_path / "state" / "board")
    assert main(["flag", "help", "it", "hangs"]) == 0
    assert [event.kind for event in journal.after(0)] == ["joined", "flag"], "typed twice is one flag"
    cookie = login(board)
    assert ask(board, "POST", "/say", {"seat": "ada", "kind": "resolved"}, cookie=cookie)[0] == 200
    assert main(["flag", "help", "it", "hangs"]) == 0
    assert board.overview.rows["ada"].flag == "help", "after a helper took it down, it is a new one"
    assert [event.data.get("flag") for event in journal.after(1)] == ["help", "none", "help"]
    assert main(["leave"]) == 0
    assert "what was sent is deleted" in capsys.readouterr().out
    assert board.ledger.seats == {}


def test_the_boards_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    assert main(["board"]) == 0
    assert "no seat has joined" in capsys.readouterr().out
    with opened(tmp_path / "seats-board" / "room" / "board.sqlite") as made:
        joined(made, "of-the-hub", tmp_path / "other")
    assert main(["board"]) == 0
    assert "of-the-hub" in capsys.readouterr().out, "where a hub has a board, that one is meant"
    shutil.rmtree(tmp_path / "seats-board")
    with opened(tmp_path / "room" / "board.sqlite") as made:
        journal = joined(made, "ada", tmp_path / "seat")
        journal.note("check", task="03-remount", verdict="wrong")
        journal.note("machine", machine="adas-own", state="running", image="lab")
        Sender(journal).flush()
    assert main(["board"]) == 0
    table = capsys.readouterr().out
    assert "ada" in table
    assert "✗" in table
    assert main(["board", "hard"]) == 0
    assert "03-remount" in capsys.readouterr().out
    assert main(["board", "export", "--format", "html"]) == 0
    assert '<th scope="row">03-remount</th>' in capsys.readouterr().out
    assert main(["board", "export"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["kind"] for line in lines] == ["joined", "check", "machine"]
    assert all(line["seat"] == "seat 1" for line in lines)
    assert "adas-own" not in json.dumps(lines)
    assert main(["board", "export", "--format", "csv", "--names"]) == 0
    assert "ada," in capsys.readouterr().out
    assert main(["board", "forget", "--seat", "bob"]) == 2
    assert main(["board", "forget", "--seat", "ada"]) == 0
    capsys.readouterr()
    assert main(["board"]) == 0
    assert "no seat has joined" in capsys.readouterr().out


def test_what_is_forgotten_while_the_board_is_served_is_gone_from_it(tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite"
    with opened(file) as board:
        cookie, journal = login(board), joined(board, "ada", tmp_path / "ada")
        joined(board, "bob", tmp_path / "bob")
        journal.note("flag", flag="help", word="my own words")
        Sender(journal).flush()
        assert ask(board, "POST", "/ask", {"seat": "ada", "kind": "look"}, cookie=cookie)[0] == 200
        other = Ledger(file)  # as flatkit board forget opens it
        other.remove_seat("ada")
        other.close()
        assert [row["seat"] for row in read_stream(board, cookie)["rows"]] == ["bob"]
        joined(board, "ada", tmp_path / "new")
        (row,) = (row for row in read_stream(board, cookie)["rows"] if row["seat"] == "ada")
        assert (row["flag"], row["word"], row["asks"]) == ("none", "", {})


def test_what_is_too_old_is_gone_from_the_page_too(tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board:
        cookie, journal = login(board), joined(board, "ada", tmp_path / "ada")
        journal.note("flag", flag="help", word="my own words")
        Sender(journal).flush()
        board.forget_before(board.clock() + 1)
        assert read_stream(board, cookie)["rows"][0]["word"] == ""


def test_one_board_of_an_account_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    (tmp_path / "room").mkdir()
    ledger = Ledger(tmp_path / "room" / "board.sqlite", clock=lambda: time.time() - 7200)
    ledger.add_seat("ada")
    ledger.add("ada", "j1", [{"n": 1, "at": 1.0, "kind": "joined"}])
    with locked(tmp_path / "room" / "serve.lock"):
        assert main(["board", "serve", "--listen", "127.0.0.1:0", "--keep", "1"]) == 2
    assert "board is served already" in capsys.readouterr().err
    assert len(list(ledger.events())) == 1, "the other one's time to keep counts"

    def end(*_: object, **__: object) -> BoardServer:
        raise HostError("that is far enough")

    monkeypatch.setattr(BoardServer, "start", end)
    assert main(["board", "serve", "--listen", "127.0.0.1:0", "--keep", "1"]) == 3
    assert list(ledger.events()) == []
    assert ledger._db.execute("select seconds from kept").fetchone() == (3600,)
    ledger.close()


def test_a_learner_who_joins_again_or_with_another_name_is_one_seat(
    board: BoardServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    assert main(["join", board.url, "--seat", "ada", "--password", ROOM]) == 0
    assert board.overview.rows["ada"].status(board.clock()) == "active", "not silent: it has just come"
    assert main(["flag", "help"]) == 0
    assert main(["join", board.url, "--seat", "ada", "--password", ROOM]) == 0
    assert board.overview.rows["ada"].flag == "help", "it is the seat that it was"
    capsys.readouterr()
    assert main(["join", board.url, "--seat", "grace h", "--password", ROOM]) == 0
    assert 'the seat "ada" has left' in capsys.readouterr().out
    assert list(board.ledger.seats) == list(board.overview.rows) == ["grace h"]
    board.ledger.remove_seat("grace h")
    assert main(["flag", "done"]) == 2
    assert f"flatkit join {board.url} --seat 'grace h'" in capsys.readouterr().err
    assert main(["join", board.url, "--seat", "grace h", "--password", ROOM]) == 0
    assert "has left" not in capsys.readouterr().out
    assert main(["flag", "done"]) == 0


@pytest.mark.parametrize(
    ("host", "fault", "hint"),
    [
        ("127.0.0.1", errno.EADDRINUSE, "--listen 127.0.0.1:8021"),
        ("::1", errno.EADDRINUSE, "--listen [::1]:8021"),
        ("192.0.2.1", errno.EADDRNOTAVAIL, "--listen 0.0.0.0"),
        ("nonsense", socket.EAI_NONAME, "--listen 0.0.0.0"),
    ],
)
def test_where_no_board_can_listen(
    board: BoardServer, monkeypatch: pytest.MonkeyPatch, host: str, fault: int, hint: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(fault, "refused here")

    monkeypatch.setattr("tornado.netutil.bind_sockets", refuse)
    with pytest.raises(HostError, match="refused here") as refused:
        BoardServer(board.ledger, board.door, host=host).start()
    assert refused.value.hint == f"flatkit board serve {hint}"


@pytest.mark.parametrize(
    ("host", "url"), [("0.0.0.0", "http://127.0.0.1:"), ("::1", "http://[::1]:"), ("::", "http://[::1]:")]
)
def test_a_boards_address_on_its_host(board: BoardServer, host: str, url: str) -> None:
    made = BoardServer(board.ledger, board.door, host=host, port=0).start()
    try:
        assert made.url == f"{url}{made.port}"
    finally:
        made.stop()


def test_hours_to_keep_are_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    assert main(["board", "serve", "--keep", "nan"]) == 2


def test_the_learners_log_is_there_while_the_board_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path / "state"))
    with opened(tmp_path / "board.sqlite") as board:
        assert main(["join", board.url, "--seat", "ada", "--password", ROOM]) == 0
        assert main(["flag", "help", "it", "hangs"]) == 0
    capsys.readouterr()
    assert main(["flag"]) == 0
    said = capsys.readouterr().out
    assert "your flag: help (it hangs)" in said
    assert "the board does not answer now" in said


def test_a_board_and_the_notebooks_servers_have_ports_of_their_own() -> None:
    """`flatkit board serve` and m.serve_extensions() on a trainer's laptop were both at 8010."""
    from flatkit.board import server
    from flatkit.packs import serve
    from flatkit.widgets import extension_server

    assert len({server.PORT, serve.PORT, extension_server.PORT}) == 3


@pytest.mark.parametrize("words", [["export"], ["hard"], ["show", "--json"]])
def test_what_is_too_old_is_gone_after_the_room_too(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A board that was closed on Monday kept its events for ever."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    (tmp_path / "room").mkdir()
    now = time.time()
    ledger = Ledger(tmp_path / "room" / "board.sqlite", clock=lambda: now - 7200)
    ledger.add_seat("ada")
    event = {"n": 1, "at": 1.0, "kind": "check", "task": "03-remount", "verdict": "wrong"}
    ledger.add("ada", "j1", [event])
    ledger.keep_for(float("inf"))
    ledger.close()
    assert main(["board", *words]) == 0
    assert "03-remount" in capsys.readouterr().out
    ledger = Ledger(tmp_path / "room" / "board.sqlite")
    ledger.keep_for(3600.0)
    ledger.close()
    assert main(["board", *words]) == 0
    assert "03-remount" not in capsys.readouterr().out
    ledger = Ledger(tmp_path / "room" / "board.sqlite")
    assert list(ledger.events()) == []
    ledger.close()
