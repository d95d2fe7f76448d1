"""The board's store: each seat's events, once and in their order, in one SQLite file that survives a kill -9."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flatkit.board.events import SeatEvent, check_seat, parse_event
from flatkit.board.messages import BoardMessage, parse_message
from flatkit.errors import HostError, InputError, UsageError

SEATS_MAX = 500
_EVENTS_MAX = 20_000  # of one seat: ten days of work; a seat that sends more is not believed
_TABLES = """
create table if not exists seats(name text primary key, token text not null, joined real not null);
create table if not exists events(
  seat text not null, journal text not null, n integer not null, at real not null, received real not null,
  kind text not null, data text not null, primary key(seat, journal, n)) without rowid;
create table if not exists journals(seat text not null, journal text not null, have integer not null, begun real not null,
  primary key(seat, journal)) without rowid;
create table if not exists messages(
  number integer primary key autoincrement, seat text not null, at real not null, data text not null);
create table if not exists kept(seconds real not null);
"""
_MESSAGES = 5  # in one answer: each may have a config


@dataclass(frozen=True, kw_only=True)
class Received:
    """An event with its seat and the board's clock when it came (seconds since 1970)."""

    seat: str
    received: float
    event: SeatEvent


class Ledger:
    """Thread-safe. `clock` is the board's: a seat's own clock may be wrong."""

    def __init__(self, file: Path | str, *, clock: Callable[[], float] = time.time) -> None:
        """Open or make the store. Raises HostError for a file that is not a store, or cannot be written."""
        self._clock = clock
        self._lock = threading.RLock()
        try:
            if isinstance(file, Path):
                file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.touch(mode=0o600)
            self._db = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
            self._db.execute("pragma journal_mode=wal")
            self._db.execute("pragma synchronous=full")
            self._db.executescript(_TABLES)
        except (sqlite3.Error, OSError) as error:
            raise HostError(
                f'the board\'s store "{file}" cannot be used: {error}', hint=f"mv {file} {file}.old"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @property
    def version(self) -> int:
        """A number that is another one when a program has changed the store since the last look."""
        with self._lock:
            return int(self._db.execute("pragma data_version").fetchone()[0])

    # Seats

    def add_seat(self, name: str) -> str:
        """Add a seat and return its secret. Raises InputError for a name that is taken or unusable, or when the room is full."""
        check_seat(name)
        token = secrets.token_urlsafe(32)
        with self._lock:
            if name in self.seats:
                raise UsageError(
                    f'the seat "{name}" is taken: it was joined from another account', hint="choose another name"
                )
            if len(self.seats) >= SEATS_MAX:
                raise InputError(f"the room is full: it has {SEATS_MAX} seats")
            self._db.execute(
                "insert into seats(name, token, joined) values(?, ?, ?)", (name, _digest(token), self._clock())
            )
        return token

    def take_seat(self, name: str) -> None:
        """Add a seat that the hub knows, unless it is there; nobody has a secret for it. Raises InputError."""
        if name not in self.seats:
            self.add_seat(name)

    def find_seat(self, token: str) -> str | None:
        """Return the name of the seat with this secret."""
        with self._lock:
            row = self._db.execute("select name from seats where token = ?", (_digest(token),)).fetchone()
        return str(row[0]) if row else None

    @property
    def seats(self) -> dict[str, float]:
        """Each seat's name, and when it joined."""
        with self._lock:
            return dict(self._db.execute("select name, joined from seats order by name").fetchall())

    def remove_seat(self, name: str) -> None:
        """Remove a seat with all that it sent."""
        with self._lock, self._transaction():
            for table in ("events", "journals", "messages"):
                self._db.execute(f"delete from {table} where seat = ?", (name,))  # noqa: S608  (names of ours)
            self._db.execute("delete from seats where name = ?", (name,))

    def say(self, seat: str, values: Any) -> BoardMessage:
        """Store what a trainer says to a seat ("" for all). Raises InputError for what cannot be said."""
        message = parse_message(values, number=0)
        message = replace(message, receipt=message.kind == "hint")
        data = json.dumps(message.as_dict())
        with self._lock:
            row = self._db.execute("insert into messages(seat, at, data) values(?, ?, ?)", (seat, self._clock(), data))
        return replace(message, number=row.lastrowid or 0)

    def messages(self, seat: str, *, after: int) -> list[BoardMessage]:
        """Return the next messages to a seat, and to all, behind this number."""
        return [
            one
            for _, _, one in self._said(
                "seat in (?, '') and number > ? order by number limit ?", seat, after, _MESSAGES
            )
        ]

    def said(self) -> list[tuple[str, float, BoardMessage]]:
        """Return all that was said: to which seat, when, what."""
        return self._said("1 order by number")

    def _said(self, where: str, *values: object) -> list[tuple[str, float, BoardMessage]]:
        with self._lock:
            rows = self._db.execute(f"select number, seat, at, data from messages where {where}", values).fetchall()  # noqa: S608
        return [(seat, at, parse_message(json.loads(data), number=number)) for number, seat, at, data in rows]

    # Events

    def add(self, seat: str, journal: str, values: Sequence[Any]) -> tuple[int, list[Received]]:
        """Store a batch of a seat's journal; return the last number stored, and what was new.

        Events that are there already are ignored. A batch that leaves a gap is not stored: the answer tells the seat to
        begin earlier. Raises InputError when an event is not usable, or the seat has sent too many.
        """
        events = [parse_event(value) for value in values]
        now, fresh = self._clock(), []
        with self._lock, self._transaction():
            row = self._db.execute(
                "select have from journals where seat = ? and journal = ?", (seat, journal)
            ).fetchone()
            # A journal that was forgotten here continues where the seat is: what the board had once is not sent again.
            have = int(row[0]) if row else events[0].number - 1 if events else 0
            for event in events:
                if event.number == have + 1:
                    fresh.append(Received(seat=seat, received=now, event=event))
                    have += 1
            if fresh:  # a seat that posts nothing, each time for another journal, leaves nothing behind
                count = self._db.execute("select count(*) from events where seat = ?", (seat,)).fetchone()[0]
                if count + len(fresh) > _EVENTS_MAX:
                    raise InputError(f'the seat "{seat}" has sent {count} events; expected at most {_EVENTS_MAX}')
                self._db.execute(
                    "insert into journals values(?, ?, ?, ?) on conflict do update set have = excluded.have",
                    (seat, journal, have, now),
                )
            self._db.executemany(
                "insert into events values(?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        seat,
                        journal,
                        one.event.number,
                        one.event.at,
                        now,
                        one.event.kind,
                        json.dumps(dict(one.event.data)),
                    )
                    for one in fresh
                ],
            )
        return have, fresh

    def events(self, seat: str | None = None) -> Iterator[Received]:
        """Yield the stored events: by journal in their order, journals in the order in which they began."""
        where, values = ("where seat = ?", (seat,)) if seat is not None else ("", ())
        query = (
            "select seat, n, at, received, kind, data from events join journals using(seat, journal) "  # noqa: S608
            f"{where} order by seat, begun, journal, n"
        )
        with self._lock:
            rows = self._db.execute(query, values).fetchall()
        for name, number, at, received, kind, data in rows:
            event = SeatEvent(number=number, at=at, kind=kind, data=json.loads(data))
            yield Received(seat=name, received=received, event=event)

    def forget_before(self, time: float) -> int:
        """Delete what came before this time (seconds since 1970); return how many events."""
        with self._lock, self._transaction():
            self._db.execute("delete from messages where at < ?", (time,))
            return int(self._db.execute("delete from events where received < ?", (time,)).rowcount)

    def keep_for(self, seconds: float) -> None:
        """Store how long events are kept, for the programs that look at them after the room."""
        with self._lock, self._transaction():
            self._db.execute("delete from kept")
            self._db.execute("insert into kept values (?)", (seconds,))

    def forget_old(self) -> int:
        """Delete what is older than the stored time; return how many events."""
        with self._lock:
            row = self._db.execute("select seconds from kept").fetchone()
        return self.forget_before(self._clock() - row[0]) if row else 0

    def forget_all(self) -> None:
        """Delete every seat and all that was sent."""
        with self._lock, self._transaction():
            for table in ("events", "journals", "seats", "messages"):
                self._db.execute(f"delete from {table}")  # noqa: S608  (names of ours)

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)


class _Transaction:
    """All or nothing, and on disk when the block ends."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("begin immediate")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("commit" if kind is None else "rollback")


def _digest(token: str) -> str:
    """Only a digest is kept: who reads the store cannot post as a seat."""
    return hashlib.sha256(token.encode()).hexdigest()
