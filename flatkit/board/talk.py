"""The learner's log of a board: the flags that they raised, and what the trainer said. All kernels of a seat share it.

<state>/board/talk.jsonl has a line for each, in order; `flatkit flag` prints it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flatkit.board.events import make_event
from flatkit.board.heard_asks import HeardAsks
from flatkit.board.journal import Journal
from flatkit.board.messages import BoardMessage, parse_message
from flatkit.errors import HostError, InputError
from flatkit.files import read_regular, save
from flatkit.locks import locked
from flatkit.untrusted import lines_of, parse_json

_LINES, _BYTES = 200, 1024 * 1024  # kept of the log
_LOCK_SECONDS = 5.0
# A board counts what trainers say to all of its seats from 1. A number further ahead is not one of its own, and would
# keep the next ones of a real trainer from this seat.
_AHEAD_MAX = 10_000


@dataclass(kw_only=True)
class SeatTalk:
    """The outcome of a log: the flag with its word, who is coming, the word to all seats, hints. `lines` are (time, text).

    `link`: the word to all seats has a link to a cell. `shown` are the numbers of the hints whose receipt is in the journal.
    """

    flag: str = "none"
    word: str = ""
    coming: str = ""
    room: str = ""
    link: BoardMessage | None = None
    hints: list[BoardMessage] = field(default_factory=list)
    last: int = 0
    shown: set[int] = field(default_factory=set)
    asks: HeardAsks = field(default_factory=HeardAsks)
    lines: list[tuple[float, str]] = field(default_factory=list)

    def take_flag(self, flag: str, word: str) -> str:
        """Take a flag of the learner in; return it in words."""
        self.flag, self.word, self.coming = flag, word, ""
        return f"your flag: {flag}" + (f" ({word})" if word else "")

    def take_shown(self, number: int) -> str:
        """Take in that a hint was shown; return it in words."""
        self.shown.add(make_event(1, 0.0, "shown", {"number": number}).data["number"])
        return "the trainer sees that the hint was shown"

    def take_message(self, message: BoardMessage) -> str:
        """Take what the trainer said in; return it in words."""
        self.last = max(self.last, message.number)
        if message.kind == "hint":
            self.hints.append(message)
            about = f" for {message.task}" if message.task else ""
            return f"a hint{about}: {message.text}" + (f" (with {message.file})" if message.file else "")
        if message.kind == "coming":
            self.coming = message.text
            return f"a helper: {message.text or 'not now'}"
        if message.kind == "resolved":
            self.flag, self.word, self.coming = "none", "", ""
            return "a helper took your flag down"
        self.room, self.link = message.room, message if message.notebook else None
        return f"to all: {message.room_and_place or 'go on'}"


def confirm_hints(journal: Journal, numbers: Iterable[object]) -> bool:
    """Note that these hints were shown, once each; return True if one is new. Only those whose board asks for it.

    The journal comes first: a program that is killed between the two notes it twice, and the board counts the first.
    """
    log, wanted = TalkLog(journal.folder), list(numbers)
    talk = log.read()
    asked = [one.number for one in talk.hints if one.receipt and one.number not in talk.shown and one.number in wanted]
    noted = [number for number in asked if journal.note("shown", number=number) is not None]
    log.add_shown(noted)
    return bool(noted)


class TalkLog:
    """The log in the folder of the journal. Nothing of it raises: a full disk never stops the learner."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self.file = folder / "talk.jsonl"
        self._clock = clock

    def read(self) -> SeatTalk:
        """Return what the log comes to."""
        return _fold(self._rows())

    def has_flag(self, flag: str, word: str) -> bool:
        """Return True if this is the flag now, with this word: a button pressed twice, a command typed twice."""
        now, data = self.read(), make_event(1, 0.0, "flag", {"flag": flag, "word": word}).data
        return (now.flag, now.word) == (data["flag"], data["word"])

    def add_flag(self, flag: str, word: str) -> None:
        """Add a flag of the learner."""
        self._add(lambda _: [{"flag": flag, "word": word}])

    def add_shown(self, numbers: Iterable[int]) -> None:
        """Add that these hints were shown."""
        self._add(lambda talk: [{"shown": number} for number in numbers if number not in talk.shown])

    def hear(self, messages: Iterable[BoardMessage]) -> list[BoardMessage]:
        """Add what the trainer said; return what this log did not have yet."""
        fresh: list[BoardMessage] = []

        def choose(talk: SeatTalk) -> list[dict[str, Any]]:
            fresh.extend(one for one in messages if talk.last < one.number <= talk.last + _AHEAD_MAX)
            return [one.as_dict() for one in fresh]

        return fresh if self._add(choose) else []

    def add(self, choose: Callable[[SeatTalk], list[dict[str, Any]]]) -> bool:
        """Add what `choose` returns for the log as it is then; return False if that is not possible."""
        return self._add(choose)

    def remove(self) -> None:
        """Remove the log. Raises HostError."""
        try:
            with self._locked():
                self.file.unlink(missing_ok=True)
        except OSError as error:  # TimeoutError, too: who has the lock would write the log again
            raise HostError(f'"{self.file}" cannot be changed: {error}', hint="flatkit leave") from None

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.file.with_suffix(".lock"), wait=_LOCK_SECONDS, mode=0o600)

    def _add(self, choose: Callable[[SeatTalk], list[dict[str, Any]]]) -> bool:
        try:
            with self._locked():
                rows = self._rows()
                new = [{"at": round(self._clock(), 3), **row} for row in choose(_fold(rows))]
                if new:
                    text = "".join(json.dumps(row) + "\n" for row in [*rows, *new][-_LINES:])
                    while len(text) > _BYTES:
                        text = text.partition("\n")[2]
                    save(self.file, text, mode=0o600)
            return True
        except (OSError, TimeoutError, InputError):
            return False

    def _rows(self) -> list[Mapping[str, Any]]:
        try:
            text = read_regular(self.file, limit=_BYTES).decode(errors="replace")
        except OSError:
            return []
        rows: list[Mapping[str, Any]] = []
        for line in lines_of(text):
            with suppress(ValueError):
                value = parse_json(line)
                rows += [value] if isinstance(value, dict) else []
        return rows


def _fold(rows: Iterable[Mapping[str, Any]]) -> SeatTalk:
    talk = SeatTalk()
    for row in rows:
        with suppress(InputError, KeyError, TypeError, ValueError):
            at = float(row["at"])
            if "flag" in row:
                data = make_event(1, 0.0, "flag", {"flag": row["flag"], "word": row["word"]}).data
                talk.lines.append((at, talk.take_flag(data["flag"], data["word"])))
            elif "ask" in row:
                talk.lines.append((at, talk.asks.take(at, row)))
            elif "shown" in row:
                talk.lines.append((at, talk.take_shown(row["shown"])))
            else:
                talk.lines.append((at, talk.take_message(parse_message(row))))
    return talk
