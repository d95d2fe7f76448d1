"""A rehearsal: simulated beginners sit down at a board, as seats do, and leave it again with all that they sent.

Each has a journal in a folder of its own and a sender, as the kernels of a seat have them; the board knows no difference.
A trainer may answer: hints are confirmed, and a flag that is resolved comes down.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from flatkit.board.beginner import play_beginner
from flatkit.board.events import REHEARSED
from flatkit.board.journal import Journal
from flatkit.board.messages import BoardMessage
from flatkit.board.sender import Sender, ask_for_seat, give_up_seat
from flatkit.board.talk import confirm_hints
from flatkit.errors import FlatkitError

# All come from one address, of which a board takes at most 120 connections.
REHEARSED_MAX = 100
_PAUSE = 0.5
_PATIENCE = 60.0  # until the last events are on the board
_MINUTE = 60.0
_EVENTS_MAX = 10_000  # of one seat


@dataclass(frozen=True, kw_only=True)
class Played:
    """The end of a rehearsal: the events that the board has, those that it lacks, and what was heard of the trainer."""

    arrived: int
    missing: int
    heard: Counter[str]


class Rehearsal:
    """Seats named rehearsal-01 and so on, from `with` to its end. Raises FlatkitError when the board refuses one."""

    def __init__(self, url: str, password: str, *, seats: int, folder: Path) -> None:
        self._url, self._password, self._folder = url, password, folder
        self._names = [f"{REHEARSED}{number:02}" for number in range(1, seats + 1)]
        self._journals: list[Journal] = []
        self._senders: list[Sender] = []
        self._heard: Counter[str] = Counter()
        self.left_over: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        try:
            for name in self._names:
                self._sit_down(name)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def play(self, *, speed: float, minutes: float, tell: Callable[[int, Counter[str]], object]) -> Played:
        """Play so many minutes of a room, `speed` times as fast; `tell` hears of each minute, and the events until then."""
        noted, minute, begun = Counter[str](), 0, time.monotonic()
        scripts = ([(event.at, seat, event) for event in play_beginner(name)] for seat, name in enumerate(self._names))
        for at, seat, event in heapq.merge(*scripts, key=lambda row: row[:2]):
            if at > minutes * _MINUTE:
                break
            time.sleep(max(0.0, begun + at / speed - time.monotonic()))
            while minute < at // _MINUTE:
                minute += 1
                tell(minute, noted)
            if self._journals[seat].note(event.kind, **event.data) is not None:
                noted[event.kind] += 1
                self._senders[seat].wake()
        self._wait_for_the_board()
        arrived = {journal: journal.cursor for journal in self._journals}
        missing = sum(len(journal.after(cursor, most=_EVENTS_MAX)) for journal, cursor in arrived.items())
        return Played(arrived=sum(arrived.values()), missing=missing, heard=self._heard)

    def _sit_down(self, name: str) -> None:
        token = ask_for_seat(self._url, name, self._password)
        journal = Journal(self._folder / name)
        journal.join(self._url, name, token)
        sender = Sender(journal, heard=lambda message: self._hear(journal, message), pause=_PAUSE)
        sender.start()
        self._journals.append(journal)
        self._senders.append(sender)

    def _hear(self, journal: Journal, message: BoardMessage) -> None:
        self._heard[message.kind] += 1
        if message.kind == "hint":
            confirm_hints(journal, [message.number])

    def _wait_for_the_board(self) -> None:
        until = time.monotonic() + _PATIENCE
        while any(journal.after(journal.cursor, most=1) for journal in self._journals):
            if time.monotonic() > until:
                return
            time.sleep(0.05)

    def _leave(self) -> None:
        """Let the board delete each seat; the names that it did not delete are `left_over`."""
        for sender in self._senders:
            sender.stop(0.0)
        left = []
        for sender, journal in zip(self._senders, self._journals, strict=True):
            sender.stop()
            seat = journal.seat
            with suppress(FlatkitError, OSError):
                if seat is not None and not give_up_seat(seat):
                    left.append(seat.name)
        self.left_over = tuple(left)
