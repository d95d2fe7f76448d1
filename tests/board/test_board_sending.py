"""Events are never lost: the network away, the board killed, a clock that jumps; stored once, and in their order."""

from __future__ import annotations

import resource
import threading
from pathlib import Path
from typing import Any

import pytest
from board_parts import join, joined, opened

from flatkit.board.events import make_event
from flatkit.board.journal import JoinedSeat, Journal
from flatkit.board.ledger import Ledger
from flatkit.board.messages import BoardMessage
from flatkit.board.sender import BoardAnswer, Sender, post_events
from flatkit.board.talk import TalkLog
from flatkit.cli.board import _open_for_hub
from flatkit.errors import FetchError, FlatkitError, InputError, UsageError

COMING = BoardMessage(number=1, kind="coming", text="Grace is coming")


def note(journal: Journal, number: int) -> None:
    assert journal.note("hint", task="03-remount", number=number) is not None


def stored(file: Path, seat: str) -> list[int]:
    ledger = Ledger(file)
    try:
        return [one.event.data["number"] for one in ledger.events(seat) if one.event.kind == "hint"]
    finally:
        ledger.close()


def test_what_was_noted_while_the_board_was_away_arrives_in_order(tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite"
    with opened(file) as board:
        port = board.port
        journal = joined(board, "ada", tmp_path / "seat")
        note(journal, 0)
        assert Sender(journal).flush() == 2
    for number in range(1, 250):  # more than a batch
        note(journal, number)
    with pytest.raises(FetchError):
        Sender(journal).flush()
    with opened(file, port=port):
        assert Sender(journal).flush() == 249
        assert Sender(journal).flush() == 0
    assert stored(file, "ada") == list(range(250))


def test_an_answer_that_was_lost_stores_nothing_twice(tmp_path: Path) -> None:
    file = tmp_path / "board.sqlite"
    with opened(file) as board:
        journal = joined(board, "ada", tmp_path / "seat")
        for number in range(5):
            note(journal, number)

        def cut(seat: JoinedSeat, lines: list[str], **more: Any) -> BoardAnswer:
            post_events(seat, lines, **more)
            raise FetchError("the connection was cut before the answer came")

        with pytest.raises(FetchError):
            Sender(journal, post=cut).flush()
        assert journal.cursor == 0
        assert Sender(journal).flush() == 6
    assert stored(file, "ada") == list(range(5))


def test_a_thread_sends_by_itself_after_the_network_is_back(tmp_path: Path) -> None:
    away, arrived = threading.Event(), threading.Event()
    away.set()
    sent: list[str] = []

    def post(seat: JoinedSeat, lines: list[str], **_: Any) -> BoardAnswer:
        if away.is_set():
            raise FetchError("no route")
        sent.extend(lines)
        arrived.set()
        return BoardAnswer(have=Journal(tmp_path).cursor + len(lines), messages=(COMING,))

    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")
    heard: list[BoardMessage] = []
    sender = Sender(journal, post=post, heard=heard.append, pause=0.01)
    sender.start()
    note(journal, 1)
    sender.wake()
    away.clear()
    assert arrived.wait(120)
    sender.stop(120)  # it may still be writing its cursor to a busy disk
    assert len(sent) == 2
    assert heard == [COMING], "once, however often the board says it"
    assert journal.cursor == 2


def test_a_seat_that_the_board_does_not_know_is_told(tmp_path: Path) -> None:
    with opened(tmp_path / "board.sqlite") as board:
        journal = joined(board, "ada", tmp_path / "seat")
        board.ledger.remove_seat("ada")
        note(journal, 1)
        with pytest.raises(UsageError, match="does not know this seat any more"):
            Sender(journal).flush()


def test_cards_look_again_when_the_board_is_away_and_when_the_learner_has_left(tmp_path: Path) -> None:
    """Another kernel, or a terminal, may have raised a flag or left."""
    looks = threading.Semaphore(0)
    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")

    def away(*_: Any, **__: Any) -> BoardAnswer:
        raise FetchError("no route")

    sender = Sender(journal, post=away, looked=looks.release, pause=0.01)
    sender.start()
    assert looks.acquire(timeout=120)
    journal.leave()
    assert all(looks.acquire(timeout=120) for _ in range(3))
    sender.stop()


def test_a_ledger_takes_no_gap_and_says_what_it_has(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "board.sqlite")
    ledger.add_seat("ada")
    values = [make_event(number, 5.0, "joined", {}) for number in (1, 2, 3, 5)]
    rows = [{"n": event.number, "at": event.at, "kind": event.kind} for event in values]
    assert ledger.add("ada", "j1", rows)[0] == 3
    assert ledger.add("ada", "j1", rows[3:])[0] == 3
    assert ledger.add("ada", "j1", rows[:2])[0] == 3
    assert ledger.add("ada", "j2", rows[:1])[0] == 1  # the account was made anew: another journal
    assert [one.event.number for one in ledger.events("ada")] == [1, 2, 3, 1]
    with pytest.raises(InputError):
        ledger.add("ada", "j1", [{"n": 4, "at": 0, "kind": "unknown"}])
    assert ledger.add("ada", "j1", [])[0] == 3
    before = ledger._db.execute("select count(*) from journals").fetchone()
    assert [ledger.add("ada", f"empty{number}", [])[0] for number in range(9)] == [0] * 9
    assert ledger._db.execute("select count(*) from journals").fetchone() == before, (
        "the store grew with each empty batch"
    )
    ledger.close()


def test_a_journal_that_the_board_has_forgotten_goes_on(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "board.sqlite")
    ledger.take_seat("ada")
    ledger.take_seat("ada")
    rows = [{"n": number, "at": 5.0, "kind": "joined"} for number in (7, 8)]
    assert ledger.add("ada", "j1", rows)[0] == 8, "what was deleted is not asked for again"
    assert ledger.add("ada", "j1", [{"n": 10, "at": 5.0, "kind": "joined"}])[0] == 8
    ledger.close()


def test_a_hubs_board_puts_a_broken_store_aside(tmp_path: Path) -> None:
    store = tmp_path / "board.sqlite"
    store.write_text("not a database, though long enough to be looked at" * 40)
    _open_for_hub(store).close()
    assert len(list(tmp_path.glob("board.sqlite.broken-*"))) == 1


def test_a_file_that_is_no_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "board.sqlite").write_text("not a database, though long enough to be looked at" * 40)
    with pytest.raises(FlatkitError, match="cannot be used"):
        Ledger(tmp_path / "board.sqlite")


def test_thirty_seats_through_cuts_and_a_killed_board(tmp_path: Path) -> None:
    """Each seat notes 40 events while the board is opened and closed four times; the seats' clocks jump."""
    file, seats, each = tmp_path / "board.sqlite", 30, 40
    with opened(file) as board:
        port = board.port
        tokens = {f"seat-{number}": join(board, f"seat-{number}")[1] for number in range(seats)}
        url = board.url
    journals: dict[str, Journal] = {}
    for number, (name, token) in enumerate(tokens.items()):
        clock = iter([1000.0 * (1 + (step * (number + 1)) % 7) for step in range(each + 2)])
        journals[name] = Journal(tmp_path / name, clock=lambda clock=clock: next(clock))
        journals[name].join(url, name, token)
    senders = [Sender(journal, pause=0.01) for journal in journals.values()]
    for sender in senders:
        sender.start()
    for part in range(4):
        with opened(file, port=port) as board:
            for step in range(each // 4):
                for journal in journals.values():
                    note(journal, part * (each // 4) + step)
            for sender in senders:
                sender.wake()
            del board
    with opened(file, port=port) as board:
        for journal in journals.values():
            Sender(journal).flush()
        rows = board.overview.as_dict(0.0)["rows"]
        assert len(rows) == seats
    for sender in senders:
        sender.stop()
    for name in journals:
        assert stored(file, name) == list(range(each)), name


def test_the_overviews_memory_does_not_grow_with_the_events(tmp_path: Path) -> None:
    from flatkit.board.ledger import Received
    from flatkit.board.overview import RoomOverview

    overview = RoomOverview(["ada"])

    def feed(count: int) -> None:
        for number in range(1, count):
            event = make_event(number, 1.0, "check", {"task": f"task-{number % 40}", "verdict": "wrong"})
            overview.take([Received(seat="ada", received=float(number), event=event)])

    feed(20_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    feed(60_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000, "kilobytes"
    assert len(overview.rows["ada"].results) == 5


def test_an_answer_about_an_earlier_journal_moves_no_cursor(tmp_path: Path) -> None:
    """The learner joins with another name while a kernel sends."""
    journal = Journal(tmp_path)
    journal.join("http://127.0.0.1:1", "ada", "secret")

    def post(*_: Any, **__: Any) -> BoardAnswer:
        journal.join("http://127.0.0.1:1", "grace", "other")
        return BoardAnswer(have=7, messages=(COMING,))

    assert Sender(journal, post=post).flush() == 0
    assert (journal.cursor, TalkLog(tmp_path).read().lines) == (0, [])
    assert [event.kind for event in journal.after(0)] == ["joined"]


@pytest.mark.parametrize("have", [10**30, 2**53, 1000, 7])
def test_a_number_that_the_seat_never_sent_neither_loses_nor_doubles_events(have: int, tmp_path: Path) -> None:
    """A process in the board's place: the cursor was beyond every number, so that nothing was sent, or noted, any more."""
    file = tmp_path / "board.sqlite"
    with opened(file) as board:
        journal = joined(board, "ada", tmp_path / "seat")
        note(journal, 0)

        def cut(seat: JoinedSeat, lines: list[str], **more: Any) -> BoardAnswer:
            post_events(seat, lines, **more)
            raise FetchError("the connection was cut before the answer came")

        with pytest.raises(FetchError):
            Sender(journal, post=cut).flush()
        for number in range(1, 4):
            note(journal, number)
        pretended = Sender(journal, post=lambda *_, **__: BoardAnswer(have=have))
        assert [pretended.flush(), pretended.flush()] == [0, 0]
        note(journal, 4)
        assert Sender(journal).flush() == 6
    assert stored(file, "ada") == list(range(5))


def test_a_message_with_an_impossible_number_keeps_no_later_one_away(tmp_path: Path) -> None:
    """A process in the board's place: every later word of the trainer counted as heard."""
    with opened(tmp_path / "board.sqlite") as board:
        journal = joined(board, "ada", tmp_path / "seat")
        for number in (10**30, 2**53 - 1, 10**6):
            false = BoardMessage(number=number, kind="room", text="go home")
            assert (
                Sender(journal, post=lambda *_, false=false, **__: BoardAnswer(have=0, messages=(false,))).flush() == 0
            )
        board.ledger.say("ada", {"kind": "coming", "text": "Grace is coming"})
        Sender(journal).flush()
        assert TalkLog(journal.folder).read().coming == "Grace is coming"
