"""Looks and verbs by consent: asked, answered by the seat alone, over by themselves, bounded, and never on disk."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest
from board_parts import ROOM, TRAINER, ask, join, joined, login, opened
from hypothesis import given
from hypothesis import strategies as st

from flatkit import files, web
from flatkit.board import looks, seat
from flatkit.board.asks import PIECE_MAX, SeatAnswer, TrainerAsk, make_piece, parse_answer, parse_ask, parse_piece
from flatkit.board.consent import Consent
from flatkit.board.desk import BoardDesk, open_desk
from flatkit.board.feed import LookFeed
from flatkit.board.handlers import BODY_MAX
from flatkit.board.heard_asks import HeardAsk
from flatkit.board.journal import JoinedSeat, Journal
from flatkit.board.looks import ASK_SECONDS, AskRoom, OpenAsk
from flatkit.board.messages import parse_message
from flatkit.board.sender import BoardAnswer, Sender
from flatkit.board.server import BoardServer
from flatkit.board.talk import SeatTalk, TalkLog
from flatkit.cli import main
from flatkit.errors import FetchError, FlatkitError, HostError, InputError, UsageError
from flatkit.locks import locked
from flatkit.seat_env import BOARD, SEAT
from flatkit.untrusted import escape_hidden

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def room(clock: Clock) -> AskRoom:
    """A room with two seats that understand requests."""
    made = AskRoom(clock)
    made.meet("ada")
    made.meet("bob")
    return made


def yes(one: OpenAsk, seconds: int = 300) -> SeatAnswer:
    return SeatAnswer(ident=one.ident, answer="yes", seconds=seconds)


def shown(room: AskRoom, seat: str = "ada") -> list[str]:
    return [one["text"] for one in room.look(seat)["pieces"]]


# Pure


def test_a_look_is_allowed_seen_and_ends_by_itself(room: AskRoom, clock: Clock) -> None:
    one = room.ask("ada", "look")
    assert not room.show("ada", one.ident, [make_piece("output", "n", "before the yes")])
    assert room.answer("ada", yes(one))
    assert room.show(
        "ada", one.ident, [make_piece("cell", "01-first", "print(1)"), make_piece("output", "01-first", "1")]
    )
    assert shown(room) == ["print(1)", "1"]
    assert room.look("ada", after=1)["pieces"][0]["text"] == "1"
    clock.now += 299
    assert room.for_page("ada")["look"]["left"] == 1
    clock.now += 1
    assert room.sweep()
    assert (shown(room), len(one.pieces), one.state) == ([], 0, "over")
    assert not room.show("ada", one.ident, [make_piece("output", "n", "too late")])
    assert room.for_seat("ada") == []


@pytest.mark.parametrize("end", ["learner", "trainer", "seat"])
def test_a_look_that_is_ended_is_forgotten(room: AskRoom, end: str) -> None:
    one = room.ask("ada", "look")
    room.answer("ada", yes(one))
    room.show("ada", one.ident, [make_piece("output", "n", "x"), make_piece("screen", "t", "$ ls")])
    if end == "learner":
        assert room.answer("ada", SeatAnswer(ident=one.ident, answer="end"))
    elif end == "trainer":
        room.withdraw("ada", "look")
    else:
        room.remove_seat("ada")
    assert (one.is_open, shown(room), room.look("ada")["screens"]) == (end == "seat", [], [])
    assert not room.show("ada", one.ident, [make_piece("output", "n", "x")])


def test_a_no_stays_a_no_and_a_yes_is_for_one_request(room: AskRoom) -> None:
    first = room.ask("ada", "look")
    assert room.answer("ada", SeatAnswer(ident=first.ident, answer="no"))
    assert not room.answer("ada", yes(first))
    second = room.ask("ada", "look")
    assert not room.answer("ada", yes(first)), "a late yes does not allow what was asked later"
    assert not room.answer("ada", yes(second, 0))
    assert not room.answer("bob", yes(second)), "another seat's answer"
    assert second.state == "asked"


def test_a_request_without_an_answer_expires(room: AskRoom, clock: Clock) -> None:
    one = room.ask("ada", "rewind", "web")
    assert room.ask("ada", "rewind", "web") is one
    with pytest.raises(UsageError, match="has not answered yet: rewind"):
        room.ask("ada", "restart", "web")
    clock.now += ASK_SECONDS
    assert room.for_seat("ada") == []
    assert room.for_page("ada")["verb"]["state"] == "expired"
    assert not room.answer("ada", yes(one))


def test_a_verb_is_allowed_done_and_told(room: AskRoom) -> None:
    one = room.ask("ada", "restart", "web")
    assert room.answer("ada", yes(one, 0))
    room.withdraw("ada", "restart")
    assert one.state == "allowed", "what is under way is not stopped half way"
    assert room.answer("ada", SeatAnswer(ident=one.ident, answer="done", text="it runs again"))
    assert (one.state, one.text) == ("done", "it runs again")
    assert not room.answer("ada", SeatAnswer(ident=one.ident, answer="failed", text="x"))


def test_an_older_seat_is_not_asked(room: AskRoom) -> None:
    with pytest.raises(UsageError, match="older flatkit"):
        room.ask("eve", "look")
    for kind, machine in (("run", ""), ("rewind", "../web"), ("rewind", "-rf"), (None, ""), ("look", 3)):
        with pytest.raises(InputError):
            room.ask("ada", kind, machine)


def test_what_is_kept_of_a_look_is_bounded(room: AskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    one = room.ask("ada", "look")
    room.answer("ada", yes(one))
    for number in range(100):
        room.show(
            "ada", one.ident, [make_piece("output", "n", "x" * PIECE_MAX), make_piece("screen", f"t{number}", "y")]
        )
    assert sum(len(piece.text) for _, piece in one.pieces) <= looks._TEXT_MAX
    assert list(one.screens) == ["t96", "t97", "t98", "t99"]
    monkeypatch.setattr(looks, "LOOKS_MAX", 1)
    with pytest.raises(UsageError, match="1 looks are open"):
        room.ask("bob", "look")


@given(ANY_JSON)
def test_no_json_value_is_a_traceback(values: Any) -> None:
    for parse in (parse_ask, parse_answer, parse_piece):
        with pytest.raises(InputError):
            parse(values)


@given(st.text(max_size=3000), st.text(max_size=100))
def test_a_piece_is_safe_to_show_and_bounded(text: str, source: str) -> None:
    piece = make_piece("output", source, text)
    assert escape_hidden(piece.text) == piece.text
    assert escape_hidden(piece.source) == piece.source
    assert len(piece.text) <= PIECE_MAX
    assert make_piece("output", piece.source, piece.text).text[:PIECE_MAX] == piece.text


def test_a_feed_takes_nothing_outside_of_the_allowed_time(clock: Clock) -> None:
    sent: list[dict[str, Any]] = []

    def post(_: str, body: bytes, **__: Any) -> web.Response:
        sent.append(json.loads(body))
        return web.Response(url="", final_url="", status=200, headers={}, data=b"{}", text="{}")

    feed, seat = LookFeed(post=post, clock=clock), JoinedSeat(url="u", name="ada", token="t", journal="j")
    assert not feed.take("output", "n", "before")
    feed.follow(HeardAsk(ident="a" * 16, kind="look", machine="", state="yes", began=clock.now, seconds=300))
    assert feed.take("output", "n", "one")
    assert feed.take("output", "n", "two")
    assert feed.take("screen", "t", "$")
    assert not feed.take("screen", "t", "$"), "a screen that has not changed"
    assert feed.send(seat) == 2
    assert [one["text"] for one in sent[0]["pieces"]] == ["$", "one\ntwo"]
    feed.take("output", "n", "not sent in time")
    clock.now += 300
    assert not feed.take("output", "n", "after")
    assert feed.send(seat) == 0
    clock.now -= 4000
    assert not feed.is_open, "a clock that is set back does not make it longer"


def test_a_feed_that_cannot_send_is_bounded_and_keeps_the_newest(clock: Clock) -> None:
    def post(*_: Any, **__: Any) -> web.Response:
        raise FetchError("away")

    feed, seat = LookFeed(post=post, clock=clock), JoinedSeat(url="u", name="ada", token="t", journal="j")
    feed.follow(HeardAsk(ident="a" * 16, kind="look", machine="", state="yes", began=clock.now, seconds=300))
    for number in range(60):
        feed.take("cell", "n", f"{number} " + "x" * 8000)
    with pytest.raises(FetchError):
        feed.send(seat)
    assert sum(len(one.text) for one in feed._pieces) <= 128 * 1024
    assert feed._pieces[-1].text.startswith("59 ")
    assert feed._next_batch()[0] is not None


def test_what_a_feed_sends_at_once_is_small_enough_for_the_board(clock: Clock) -> None:
    sent: list[bytes] = []

    def post(_: str, body: bytes, **__: Any) -> web.Response:
        sent.append(body)
        return web.Response(url="", final_url="", status=200, headers={}, data=b"{}", text="{}")

    feed, seat = LookFeed(post=post, clock=clock), JoinedSeat(url="u", name="ada", token="t", journal="j")
    feed.follow(HeardAsk(ident="a" * 16, kind="look", machine="", state="yes", began=clock.now, seconds=300))
    for number in range(60):  # each character has six bytes in JSON
        feed.take("screen", f"terminal {number}", f"{number} " + "\n".join(["─" * 99] * 80))
    feed.take("output", "n", "─" * 300)
    counts = list(iter(lambda: feed.send(seat), 0))
    assert sum(counts) == 61
    assert len(counts) == len(sent)
    assert max(map(len, sent)) < BODY_MAX
    assert [one["text"][:3] for one in json.loads(sent[0])["pieces"]] == ["0 ─"]
    assert json.loads(sent[-1])["pieces"][-1]["kind"] == "output"


# Over HTTP


@pytest.fixture
def board(tmp_path: Path):
    with opened(tmp_path / "board.sqlite") as made:
        yield made


def say(board: BoardServer, cookie: str, seat: str, kind: str, **more: Any) -> int:
    return ask(board, "POST", "/ask", {"seat": seat, "kind": kind, **more}, cookie=cookie)[0]


def seen(board: BoardServer, cookie: str, seat: str) -> dict[str, Any]:
    status, _, body = ask(board, "GET", f"/look?seat={seat}&after=0", cookie=cookie)
    assert status == 200
    return json.loads(body)


def open_ask(journal: Journal) -> HeardAsk:
    return next(TalkLog(journal.folder).read().asks.open())


def lines(journal: Journal) -> list[str]:
    return [text for _, text in TalkLog(journal.folder).read().lines]


def send_shown(journal: Journal, *texts: str) -> int:
    feed, seat = LookFeed(), journal.seat
    assert seat is not None
    feed.follow(TalkLog(journal.folder).read().asks.find_look(time.time()))
    for text in texts:
        feed.take("output", "01-first", text)
    return feed.send(seat)


def test_from_the_request_to_the_end_of_a_look(board: BoardServer, tmp_path: Path) -> None:
    journal, cookie = joined(board, "ada", tmp_path / "ada"), login(board)
    assert say(board, cookie, "ada", "look") == 400, "it has not been there yet"
    Sender(journal).flush()
    assert say(board, cookie, "ada", "look") == 200
    Sender(journal).flush()
    consent, one = Consent(journal), open_ask(journal)
    with pytest.raises(UsageError, match="expected 5 or 15"):
        consent.allow(one.ident, 600)
    consent.allow(one.ident, 5)
    assert send_shown(journal, "not yet") == 0, "the board has no yes yet"
    Sender(journal).flush()
    assert 290 <= seen(board, cookie, "ada")["asks"]["look"]["left"] <= 300
    assert send_shown(journal, "\x1b]0;x\x07<img src=x onerror=alert(1)>") == 1
    (piece,) = seen(board, cookie, "ada")["pieces"]
    assert piece["text"] == r"\x1b]0;x\x07<img src=x onerror=alert(1)>"
    on_disk = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert b"onerror" not in on_disk, "neither the board nor the seat stores it"
    assert consent.end()
    assert send_shown(journal, "after the end") == 0
    Sender(journal).flush()
    assert (seen(board, cookie, "ada")["pieces"], seen(board, cookie, "ada")["asks"]["look"]["state"]) == ([], "over")
    assert lines(journal) == [
        "the trainer asks to look at what your cells and terminals show",
        "you allowed it: the trainer sees what your cells and terminals show, for 5 min",
        "you ended the look",
    ]


def test_a_look_that_the_trainer_takes_back_is_over_at_the_seat(board: BoardServer, tmp_path: Path) -> None:
    journal, cookie = joined(board, "ada", tmp_path / "ada"), login(board)
    sender = Sender(journal)
    sender.flush()
    say(board, cookie, "ada", "look")
    sender.flush()
    Consent(journal).allow(open_ask(journal).ident, 15)
    sender.flush()
    assert say(board, cookie, "ada", "look", back=True) == 200
    sender.flush()
    sender.flush()
    assert lines(journal)[-1] == "the look is over"
    assert TalkLog(journal.folder).read().asks.find_look(time.time()) is None


def test_the_board_restarts_and_no_look_goes_on(tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board:
        journal, cookie, port = joined(board, "ada", tmp_path / "ada"), login(board), board.port
        Sender(journal).flush()
        say(board, cookie, "ada", "look")
        Sender(journal).flush()
        Consent(journal).allow(open_ask(journal).ident, 5)
        Sender(journal).flush()
    with opened(tmp_path / "board.sqlite", port=port) as board:
        sender = Sender(journal)
        assert send_shown(journal, "x") == 0
        sender.flush()
        sender.flush()
        assert lines(journal)[-1] == "the look is over"


def test_a_participant_neither_asks_nor_looks_nor_answers_for_another(board: BoardServer, tmp_path: Path) -> None:
    journal, cookie = joined(board, "ada", tmp_path / "ada"), login(board)
    _, eve = join(board, "eve")
    ask(board, "POST", "/events", {"journal": "e", "events": [], "can": ["answer"]}, token=eve)
    Sender(journal).flush()
    body = {"seat": "ada", "kind": "look"}
    for way in ({"token": eve}, {"cookie": f"flatkit-board={eve}"}, {}):
        assert ask(board, "POST", "/ask", body, **way)[0] == 403
        assert ask(board, "GET", "/look?seat=ada&after=0", **way)[0] == 403
        for path in ("/desk/ask", "/desk/look"):
            assert ask(board, "POST", path, {**body, "after": 0}, **way)[0] == 403
    say(board, cookie, "ada", "look")
    ident = board.asks.for_seat("ada")[0]["ask"]
    answer = {"ask": ident, "answer": "yes", "seconds": 300, "seat": "ada"}
    assert ask(board, "POST", "/answer", answer, token=eve)[0] == 200
    assert ask(board, "POST", "/answer", answer)[0] == 403
    assert ask(board, "POST", "/answer", answer, cookie=cookie)[0] == 403, "nor does the trainer say yes for a learner"
    assert board.asks.for_seat("ada")[0]["state"] == "asked"
    Sender(journal).flush()
    Consent(journal).allow(ident, 5)
    Sender(journal).flush()
    forged = {"ask": ident, "pieces": [{"kind": "output", "source": "n", "text": "mallory was here"}]}
    assert ask(board, "POST", "/show", forged, token=eve)[0] == 409
    assert ask(board, "POST", "/show", forged)[0] == 403
    assert seen(board, cookie, "ada")["pieces"] == []
    assert [one["ask"] for one in board.asks.for_seat("eve")] == []
    events = json.loads(ask(board, "POST", "/events", {"journal": "e", "events": []}, token=eve)[2])
    assert events["asks"] == [], "a seat hears of its own requests alone"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("answer", {}), ("answer", {"ask": "../x", "answer": "yes"}), ("answer", {"ask": "a" * 16, "answer": "run"}),
        ("answer", {"ask": "a" * 16, "answer": "yes", "seconds": 10**9}), ("answer", {"ask": ["a"], "answer": ["yes"]}),
        ("show", {}), ("show", {"ask": 3, "pieces": []}), ("show", {"ask": "a" * 16, "pieces": {}}),
    ],
)  # fmt: skip
def test_odd_answers_are_refused_in_a_line(board: BoardServer, path: str, body: dict[str, Any]) -> None:
    _, token = join(board, "ada")
    status, _, answer = ask(board, "POST", f"/{path}", body, token=token)
    assert status == 400
    assert len(answer) < 500
    assert b"Traceback" not in answer


def test_a_flood_of_shown_text_is_bounded(board: BoardServer, tmp_path: Path) -> None:
    journal, cookie = joined(board, "ada", tmp_path / "ada"), login(board)
    Sender(journal).flush()
    say(board, cookie, "ada", "look")
    Sender(journal).flush()
    Consent(journal).allow(open_ask(journal).ident, 5)
    Sender(journal).flush()
    seat, ident = journal.seat, board.asks.for_seat("ada")[0]["ask"]
    assert seat is not None
    small = {"kind": "output", "source": "n", "text": "x"}
    assert ask(board, "POST", "/show", {"ask": ident, "pieces": [small] * 51}, token=seat.token)[0] == 413
    piece = {**small, "text": "x" * 8000}
    for _ in range(8):
        assert ask(board, "POST", "/show", {"ask": ident, "pieces": [piece] * 10}, token=seat.token)[0] == 200
    assert sum(len(one["text"]) for one in seen(board, cookie, "ada")["pieces"]) <= looks._TEXT_MAX
    for odd in (1, {"kind": "run", "source": "", "text": ""}, {"kind": "output", "source": "", "text": ["x"]}):
        assert ask(board, "POST", "/show", {"ask": ident, "pieces": [odd]}, token=seat.token)[0] == 400


def test_a_look_ends_at_the_seat_while_the_board_is_away(tmp_path: Path) -> None:
    clock, journal = Clock(), Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")
    consent = Consent(journal, post=lambda *_, **__: web.Response(url="", status=200, text=""), clock=clock)
    consent.hear([TrainerAsk(ident="a" * 16, kind="look")])
    consent.allow("a" * 16, 5)
    consent.sweep()
    assert TalkLog(tmp_path).read().asks.find_look(clock.now)
    clock.now += 300
    consent.sweep()
    consent.sweep()
    assert lines(journal)[1:] == [
        "you allowed it: the trainer sees what your cells and terminals show, for 5 min", "the look is over",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="answered already, or over"):
        consent.allow("a" * 16, 5)


def test_a_verb_whose_kernel_was_killed_is_over_once_the_board_does_not_ask(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")
    consent = Consent(journal, post=lambda *_, **__: web.Response(url="", status=200, text=""))
    consent.hear([TrainerAsk(ident="a" * 16, kind="restart")])
    consent.allow("a" * 16)
    consent.hear([TrainerAsk(ident="a" * 16, kind="restart", state="allowed")])
    assert [one.state for one in TalkLog(tmp_path).read().asks.open()] == ["yes"]
    consent.hear([])
    consent.hear([])
    assert list(TalkLog(tmp_path).read().asks.open()) == []
    consent.report("a" * 16, ok=True, text="late, and said all the same")
    assert lines(journal)[-2:] == ["the request is over", "restart is done: late, and said all the same"]


def test_a_board_that_asks_again_and_again_fills_no_log(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")
    consent = Consent(journal)
    asks = [TrainerAsk(ident=f"{number:016x}", kind="look") for number in range(50)]
    consent.hear(asks)
    for one in asks:
        consent.hear([one, TrainerAsk(ident="f" * 16, kind="rewind")])
    assert sum("asks to look" in line for line in lines(journal)) <= 25
    assert sum("asks to rewind" in line for line in lines(journal)) == 1
    assert sum(1 for _ in TalkLog(tmp_path).read().asks.open()) <= 2


# Answers that meet each other, and a log that cannot be written


class FullDisk:
    """Lets every write of a whole file fail, as a full disk does; another seat of the host may fill it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def fill(self) -> None:
        def write(*_: Any, **__: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        self._patch.setattr(files, "write_atomic", write)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> FullDisk:
    return FullDisk(monkeypatch)


def asked(folder: Path, *asks: TrainerAsk) -> Consent:
    journal = Journal(folder)
    journal.join("http://127.0.0.1:1", "ada", "secret")
    consent = Consent(journal, post=lambda *_, **__: web.Response(url="", status=200, text=""))
    consent.hear(asks)
    return consent


@pytest.mark.parametrize("first", ["yes", "no"])
def test_of_two_answers_at_once_only_the_first_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    consent = asked(tmp_path, TrainerAsk(ident="a" * 16, kind="rewind"))
    looked_up = Consent._asked

    def other_window(self: Consent, ident: str) -> HeardAsk:
        found = looked_up(self, ident)
        monkeypatch.setattr(Consent, "_asked", looked_up)
        consent.allow(ident) if first == "yes" else consent.refuse(ident)
        return found

    monkeypatch.setattr(Consent, "_asked", other_window)
    with pytest.raises(UsageError, match="answered already, or over"):
        consent.allow("a" * 16)
    said = "you allowed it: rewind" if first == "yes" else "you refused it"
    assert lines(Journal(tmp_path))[1:] == [said]


def test_a_yes_that_the_log_does_not_have_allows_nothing(tmp_path: Path, disk: FullDisk) -> None:
    consent = asked(tmp_path, TrainerAsk(ident="a" * 16, kind="rewind"), TrainerAsk(ident="b" * 16, kind="look"))
    disk.fill()
    for ident, minutes in (("a" * 16, 0), ("b" * 16, 5)):
        with pytest.raises(HostError, match="cannot be kept"):
            consent.allow(ident, minutes)
    with pytest.raises(HostError, match="cannot be kept"):
        consent.refuse("a" * 16)
    assert [one.state for one in TalkLog(tmp_path).read().asks.open()] == ["asked", "asked"]


def test_a_look_ends_on_a_full_disk(tmp_path: Path, disk: FullDisk) -> None:
    consent = asked(tmp_path, TrainerAsk(ident="a" * 16, kind="look"))
    consent.allow("a" * 16, 15)
    disk.fill()
    assert consent.end()
    assert TalkLog(tmp_path).read().asks.find_look(time.time()) is None
    consent.hear([TrainerAsk(ident="a" * 16, kind="look", state="allowed")])
    assert TalkLog(tmp_path).read().asks.find_look(time.time()) is None


def test_an_end_that_cannot_be_kept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process of the seat is in the middle of a write: it would bring the yes back."""
    consent = asked(tmp_path, TrainerAsk(ident="a" * 16, kind="look"))
    consent.allow("a" * 16, 15)
    monkeypatch.setattr("flatkit.board.talk._LOCK_SECONDS", 0.0)
    with (
        locked(tmp_path / "talk.lock", wait=0.0, mode=0o600),
        pytest.raises(HostError, match="cannot be changed") as no,
    ):
        consent.end()
    assert no.value.hint == "flatkit leave"
    assert TalkLog(tmp_path).read().asks.find_look(time.time())
    assert consent.end()
    assert TalkLog(tmp_path).read().asks.find_look(time.time()) is None


def test_a_seat_of_a_hub_leaves_on_a_full_disk(tmp_path: Path, disk: FullDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ((BOARD, "http://127.0.0.1:1"), (SEAT, "ada"), ("JUPYTERHUB_API_TOKEN", "secret")):
        monkeypatch.setenv(name, value)
    journal = Journal(tmp_path)
    assert journal.seat is not None
    disk.fill()
    journal.leave()
    assert journal.seat is None
    assert (journal.note("joined"), Journal(tmp_path).seat) == (None, None)


def test_a_full_disk_stops_no_flag_and_no_message(tmp_path: Path, disk: FullDisk) -> None:
    asked(tmp_path)
    disk.fill()
    log = TalkLog(tmp_path)
    log.add_flag("help", "")
    assert log.hear([parse_message({"kind": "room", "text": "go on"}, number=1)]) == []


def test_a_look_that_is_ended_elsewhere_ends_while_a_cell_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process in the board's place takes everything, and the cell prints more in the meantime."""
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    folder = tmp_path / "board"
    consent, sent = asked(folder, TrainerAsk(ident="a" * 16, kind="look")), []
    consent.allow("a" * 16, 15)

    def post(*_: Any, **__: Any) -> web.Response:
        sent.append("")
        if len(sent) == 3:
            consent.end()  # in a terminal of the seat: this kernel has only the log
        assert len(sent) < 100, "it goes on after the end"
        feed.take("output", "n", "more")
        return web.Response(url="", final_url="", status=200, headers={}, data=b"{}", text="{}")

    feed = LookFeed(post=post)
    monkeypatch.setattr(seat, "feed", feed)
    feed.follow(TalkLog(folder).read().asks.find_look(time.time()))
    feed.take("output", "n", "first")
    seat._look()
    assert len(sent) == 3


def test_a_look_that_was_ended_is_not_opened_again_by_a_thread_that_read_the_log_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    folder = tmp_path / "board"
    consent, feed = asked(folder, TrainerAsk(ident="a" * 16, kind="look")), LookFeed()
    consent.allow("a" * 16, 15)
    monkeypatch.setattr(seat, "feed", feed)
    has_read, ended = threading.Event(), threading.Event()
    talk = seat.talk

    def slow_talk() -> SeatTalk | None:
        said = talk()
        if threading.current_thread() is sender:
            has_read.set()
            ended.wait(1)  # with the fix the end has to wait for this thread
        return said

    monkeypatch.setattr(seat, "talk", slow_talk)
    sender = threading.Thread(target=seat._follow)
    sender.start()
    assert has_read.wait(120)
    consent.end()  # the learner's button, in the kernel's main thread
    seat._follow()
    ended.set()
    sender.join(120)
    assert not feed.is_open


def test_a_thread_with_an_older_log_keeps_no_newer_one_from_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = SeatTalk(flag="help")

    class Sign:
        """The log has not changed; meanwhile another thread stores what it read before."""

        def __ne__(self, other: object) -> bool:
            seat._read = (None, SeatTalk())
            return False

    monkeypatch.setattr(seat, "_signature", lambda _: Sign())
    monkeypatch.setattr(seat, "_read", (Sign(), newer))
    assert seat.talk() is newer


def test_a_card_that_appears_while_the_others_are_listed_ends_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    class Watcher:
        def draw(self) -> None:
            drawn.append(self)

    class Watchers(WeakSet[Any]):
        def __iter__(self) -> Iterator[Any]:
            for one in super().__iter__():
                listing.set()
                added.wait(1)  # with the fix the other thread waits for this one
                yield one

    def add() -> None:
        listing.wait(120)
        seat.attend(late)
        added.set()

    drawn: list[Any] = []
    listing, added, late, held = threading.Event(), threading.Event(), Watcher(), [Watcher(), Watcher()]
    monkeypatch.setattr(seat, "_watchers", Watchers(held))
    thread = threading.Thread(target=add)
    thread.start()
    seat._changed()
    thread.join(120)
    assert set(drawn) == set(held)


@pytest.mark.parametrize("odd", [[], {}, [[]], 1, None])
@pytest.mark.parametrize("name", ["ask", "kind", "machine", "state"])
def test_a_request_of_other_types_is_refused(name: str, odd: object) -> None:
    values = {"ask": "a" * 16, "kind": "look", "machine": "", "state": "asked"}
    with pytest.raises(InputError):
        parse_ask({**values, name: odd})


def test_a_trainers_page_of_other_types_is_refused(board: BoardServer, caplog: pytest.LogCaptureFixture) -> None:
    cookie = login(board)
    join(board, "ada")
    for odd in ([], {}, [[]], 1, None, "x"):
        for path in ("/say", "/ask"):
            for name in ("seat", "kind", "text", "machine", "task", "file", "config", "notebook", "cell"):
                values = {"seat": "ada", "kind": "hint" if path == "/say" else "look", "text": "x", name: odd}
                status = ask(board, "POST", path, values, cookie=cookie)[0]
                assert status in {200, 400}, (path, name, odd, status)
    assert "Uncaught exception" not in caplog.text


# Older boards and seats


def test_an_older_board_asks_nothing_and_an_older_seat_is_not_asked(board: BoardServer, tmp_path: Path) -> None:
    journal = joined(board, "ada", tmp_path / "ada")
    Sender(journal, post=lambda *_, **__: BoardAnswer(have=1)).flush()
    assert TalkLog(journal.folder).read().asks.held == {}
    _, older = join(board, "old")
    status, _, body = ask(board, "POST", "/events", {"journal": "o", "events": [], "heard": 0}, token=older)
    assert (status, {"have", "messages"} <= set(json.loads(body))) == (200, True)
    status, _, body = ask(board, "POST", "/ask", {"seat": "old", "kind": "look"}, cookie=login(board))
    assert (status, "older flatkit" in json.loads(body)["error"]) == (400, True)


def test_an_answer_waits_for_a_board_that_is_away(tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board:
        journal, cookie = joined(board, "ada", tmp_path / "ada"), login(board)
        Sender(journal).flush()
        say(board, cookie, "ada", "rewind", machine="web")
        Sender(journal).flush()
        away = Consent(journal, post=lambda *_, **__: (_ for _ in ()).throw(FetchError("away")))
        away.refuse(open_ask(journal).ident)
        assert board.asks.for_page("ada")["verb"]["state"] == "asked"
        Sender(journal).flush()
        assert board.asks.for_page("ada")["verb"]["state"] == "refused"
        assert lines(journal) == [
            'the trainer asks to rewind your machine "web" (what was changed on it is lost)', "you refused it",
        ]  # fmt: skip


# The command line on the board's host


def test_the_desk_asks_with_its_key_alone(board: BoardServer, tmp_path: Path) -> None:
    store = tmp_path / "board.sqlite"
    with pytest.raises(UsageError, match="no board is served"):
        BoardDesk.open(store)
    file = open_desk(store, board.url, board.key)
    assert file.stat().st_mode & 0o077 == 0
    journal, desk = joined(board, "ada", tmp_path / "ada"), BoardDesk.open(store)
    with pytest.raises(InputError, match="cannot be asked"):
        desk.ask("ada", "look")
    with pytest.raises(UsageError, match='no seat "bob"'):
        desk.ask("bob", "look")
    Sender(journal).flush()
    assert desk.ask("ada", "look")["look"]["state"] == "asked"
    assert desk.look("ada", 0)["pieces"] == []
    with pytest.raises(FlatkitError):
        BoardDesk(url=board.url, key="guess").look("ada", 0)


def test_a_trainer_asks_from_another_host_with_the_password(
    board: BoardServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Sender(joined(board, "ada", tmp_path / "ada")).flush()
    desk = BoardDesk.at(f"{board.url}/", TRAINER)
    assert desk.ask("ada", "look")["look"]["state"] == "asked"
    assert desk.look("ada", 0)["pieces"] == []
    assert desk.ask("ada", "look", back=True)["look"]["state"] == "withdrawn"
    with pytest.raises(InputError, match="the trainers' password is another one"):
        BoardDesk.at(board.url, ROOM).ask("ada", "look")
    monkeypatch.delenv("FLATKIT_TRAINER_PASSWORD", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(["board", "look", "ada", "--board", board.url]) == 2
    assert "the trainers' password, or a token of its hub is missing" in capsys.readouterr().err
    monkeypatch.setenv("FLATKIT_TRAINER_PASSWORD", TRAINER)
    assert main(["board", "show", "--board", board.url]) == 0
    assert "ada" in capsys.readouterr().out
    assert main(["board", "rewind", "eve", "--board", board.url]) == 2
    assert 'there is no seat "eve"' in capsys.readouterr().err
    board.ledger.remove_seat("ada")
    board.overview.remove_seat("ada")
    assert main(["board", "show", "--board", board.url]) == 0
    assert capsys.readouterr().out == "no seat has joined\n"
    monkeypatch.setenv("FLATKIT_TRAINER_PASSWORD", "guess")
    assert main(["board", "show", "--json", "--board", board.url]) == 1
    assert "the trainers' password is another one" in capsys.readouterr().err


def test_a_child_by_fork_shows_nothing_and_waits_for_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell that forks during a look: the sender's thread may hold the locks at that moment."""
    feed = LookFeed()
    feed.follow(HeardAsk(ident="a" * 16, kind="look", machine="", state="yes", began=time.time(), seconds=300))
    monkeypatch.setattr(seat, "feed", feed)
    held, forked = threading.Event(), threading.Event()

    def hold() -> None:
        with feed._lock, seat._guard:
            held.set()
            forked.wait(60)

    sender = threading.Thread(target=hold)
    sender.start()
    assert held.wait(60)
    child = multiprocessing.get_context("fork").Process(target=seat.show, args=("output", "n", "of the child"))
    child.start()
    forked.set()
    sender.join(60)
    child.join(60)
    if child.exitcode is None:
        child.kill()
        child.join(60)
    assert child.exitcode == 0
    assert not feed.send(JoinedSeat(url="u", name="ada", token="t", journal="j"))
