"""A seat's journal: what happened there, numbered, in a file that outlives kernels, power cuts and the network.

<state>/board/journal.jsonl has a line an event, <state>/board/seat.json says which board it goes to. Without seat.json
nothing is written: a learner who has not joined is not recorded.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from flatkit import paths
from flatkit.board.events import SeatEvent, make_event, parse_event
from flatkit.errors import FlatkitError, InputError
from flatkit.files import open_regular, read_regular, save
from flatkit.locks import locked
from flatkit.seat_env import hub_board
from flatkit.untrusted import parse_json

_SEAT_MAX = 64 * 1024
# In the place of a secret: the hub gives a new one to each server of a seat, in its environment.
FROM_HUB = "hub"
_LINE_MAX = 4096
# The journal is cut when it is this long and the board has all of it; a day of work has about 2,000 events, 300 kB.
_JOURNAL_MAX = 4 * 1024 * 1024
_LOCK_SECONDS = 5.0
_TAIL = 8192


@dataclass(frozen=True, kw_only=True)
class JoinedSeat:
    """The board that the journal goes to: its `url`, the seat's name there, the secret that proves it, the journal's own id."""

    url: str
    name: str
    token: str
    journal: str


class Journal:
    """The journal of one account. Safe for several kernels."""

    def __init__(self, folder: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.folder = folder or paths.state_dir() / "board"
        self._clock = clock

    @property
    def _file(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def seat(self) -> JoinedSeat | None:
        """The seat that was joined; None without one, or for an unusable file. A hub's seat joins the hub's board by itself."""
        hub = hub_board()
        try:
            if hub and not (self.folder / "seat.json").exists():
                self._sit_down(hub)
            values = parse_json(read_regular(self.folder / "seat.json", limit=_SEAT_MAX))
            seat = JoinedSeat(**{name: values[name] for name in ("url", "name", "token", "journal")})
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not all(isinstance(value, str) and value for value in asdict(seat).values()):
            return None
        if seat.token != FROM_HUB:
            return seat
        return replace(seat, url=hub[0], name=hub[1], token=hub[2]) if hub else None

    def _sit_down(self, hub: tuple[str, str, str]) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.folder / "join.lock", wait=_LOCK_SECONDS, mode=0o600):
            if not (self.folder / "seat.json").exists():  # another kernel may have been first
                self.join(hub[0], hub[1], FROM_HUB)

    def join(self, url: str, name: str, token: str) -> JoinedSeat:
        """Keep which board this seat reports to, and begin a journal. Raises OSError."""
        seat = JoinedSeat(url=url, name=name, token=token, journal=uuid.uuid4().hex)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock():
            self._forget()
            save(self.folder / "seat.json", json.dumps(asdict(seat)) + "\n", mode=0o600)
        self.note("joined")
        return seat

    def leave(self) -> None:
        """Forget the board and what was noted; a hub's seat does not join again by itself. Raises OSError."""
        if hub_board():
            try:
                save(self.folder / "seat.json", "{}\n", mode=0o600)
            except OSError:  # an empty file says the same, and needs no room on a full disk
                os.truncate(self.folder / "seat.json", 0)
        else:
            (self.folder / "seat.json").unlink(missing_ok=True)
        with ExitStack() as held:
            with suppress(OSError):  # a kernel that hangs with the lock must not keep a learner in the room
                held.enter_context(self._lock())  # one that writes an event now ends first; a later one finds no seat
            self._forget()

    def _lock(self) -> AbstractContextManager[object]:
        return locked(self.folder / "journal.lock", wait=_LOCK_SECONDS, mode=0o600)

    def _forget(self) -> None:
        for name in ("journal.jsonl", "cursor", "talk.jsonl"):
            (self.folder / name).unlink(missing_ok=True)

    def note(self, kind: str, **data: Any) -> SeatEvent | None:
        """Append an event. Without a seat, on a full disk or a lock that is held, nothing is noted, and the learner works on."""
        if self.seat is None:
            return None
        try:
            with self._lock():
                if self.seat is None:  # the learner left while this waited
                    return None
                self._make_room()
                event = make_event(self._last() + 1, self._clock(), kind, data)
                descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "ab") as file:
                    # A line that a power cut left half written is closed, and skipped when it is read.
                    file.write(b"" if self._ends_well() else b"\n")
                    file.write(event.as_json().encode() + b"\n")
                return event
        except (OSError, TimeoutError, FlatkitError):
            return None

    def after(self, number: int, *, most: int = 100) -> list[SeatEvent]:
        """Return the events behind this number, in order, at most `most`."""
        found: list[SeatEvent] = []
        for event in self._events():
            if event.number > number:
                found.append(event)
                if len(found) == most:
                    break
        return found

    @property
    def cursor(self) -> int:
        """The last number that the board has."""
        with suppress(OSError, ValueError):
            return max(0, int(read_regular(self.folder / "cursor", limit=64)))
        return 0

    def advance(self, number: int) -> None:
        """Keep the last number that the board has; one that this journal never gave is ignored. Raises OSError."""
        if self.cursor < number <= self._last():
            save(self.folder / "cursor", f"{number}\n", mode=0o600)

    def _events(self) -> Iterator[SeatEvent]:
        try:
            file = open_regular(self._file)
        except OSError:
            return
        with file:
            while line := file.readline(_LINE_MAX):
                with suppress(ValueError, InputError):
                    yield parse_event(parse_json(line, limit=_LINE_MAX))

    def _last(self) -> int:
        """Return the last number: that of the file's end, else the cursor."""
        try:
            with open_regular(self._file) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _TAIL))
                tail = file.read(_TAIL)
        except OSError:
            return self.cursor
        for line in reversed(tail.split(b"\n")):
            with suppress(ValueError, InputError):
                return max(parse_event(parse_json(line, limit=_LINE_MAX)).number, self.cursor)
        return self.cursor

    def _ends_well(self) -> bool:
        try:
            with open_regular(self._file) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - 1))
                return size == 0 or file.read(1) == b"\n"
        except OSError:
            return True

    def _make_room(self) -> None:
        """Drop what the board has, once the file is long."""
        with suppress(OSError):
            if self._file.stat().st_size > _JOURNAL_MAX:
                cursor = self.cursor
                kept = [event.as_json() + "\n" for event in self._events() if event.number > cursor]
                save(self._file, "".join(kept), mode=0o600)
