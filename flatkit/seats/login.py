"""The decision about a login: the room's password, the name of a seat, a PIN. Pure but for the file of PINs.

Who says a name first owns it: the PIN is stored as a bcrypt hash and required from then on. Wrong tries are bounded for
each address, and for each name. An address from which the owner has come before is not held up by others' wrong tries.
"""

from __future__ import annotations

import errno
import math
import os
import sqlite3
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from flatkit.errors import FlatkitError, HostError, UsageError
from flatkit.seats.names import TRAINER, parse_name
from flatkit.seats.settings import Settings, is_password
from flatkit.usage import FULL, disk_full

# Wrong tries that an address (a whole room may be behind one) and a name have at once, and seconds until each comes back.
_OF_ADDRESS, _OF_NAME = (30, 2.0), (5, 10.0)
_KEYS_MAX = 5000
_PIN_LEAST, _PIN_BYTES = 4, 72  # bcrypt reads no more than 72 bytes
_ROUNDS = 10


class Refused(FlatkitError):
    """A login that is refused; the message is shown on the login page. `wait` is in seconds, 0 if that does not help."""

    def __init__(self, message: str, *, wait: float = 0.0, hint: str = "", details: str = "") -> None:
        super().__init__(message, hint=hint, details=details)
        self.wait = wait


@dataclass(kw_only=True)
class Throttle:
    """Counts wrong tries by key: `most` at once, and one comes back every `seconds`. Memory is bounded."""

    most: int
    seconds: float
    _used: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def wait(self, key: str, now: float) -> float:
        """Return the seconds until the next try is allowed; 0 if it is now."""
        used = self._left(key, now)
        return 0.0 if used <= self.most - 1 else (used - self.most + 1) * self.seconds

    def count(self, key: str, now: float) -> None:
        """Count a wrong try."""
        self._used[key] = (self._left(key, now) + 1, now)
        self._used.move_to_end(key)
        while len(self._used) > _KEYS_MAX:
            self._used.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Take one counted try back."""
        if key in self._used:
            used, since = self._used[key]
            self._used[key] = (max(0.0, used - 1), since)

    def _left(self, key: str, now: float) -> float:
        used, since = self._used.get(key, (0.0, now))
        return max(0.0, used - (now - since) / self.seconds)


class Pins:
    """The owners of names: a bcrypt hash of each PIN, in a file that only root reads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("create table if not exists pins (name text primary key, pin blob not null)")
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from None
        self._path = path

    def names(self) -> list[str]:
        """Return the names that are owned. Raises HostError."""
        with self._lock, self._told():
            return [row[0] for row in self._db.execute("select name from pins order by name")]

    def get(self, name: str) -> bytes | None:
        """Return the hash of a name's PIN."""
        with self._lock:
            row = self._db.execute("select pin from pins where name = ?", (name,)).fetchone()
        return row[0] if row else None

    def claim(self, name: str, hashed: bytes, *, most: int) -> bool:
        """Store the first PIN of a name, while there are free seats. Return False if nothing was stored: all are taken."""
        with self._lock:
            statement = "insert into pins select ?, ? where (select count(*) from pins) < ? on conflict do nothing"
            return self._db.execute(statement, (name, hashed, most)).rowcount == 1

    def replace(self, name: str, pin: str) -> None:
        """Give a name another PIN: its owner has forgotten it. Raises UsageError for a name without an owner, HostError."""
        with self._lock, self._told():
            done = self._db.execute("update pins set pin = ? where name = ?", (hash_pin(pin), name))
        if not done.rowcount:
            raise UsageError(f'nobody has the seat "{name}"', hint="flatkit seats status   (lists the seats)")

    def keep(self, names: Iterable[str]) -> None:
        """Forget the owners of all other names. Raises HostError."""
        gone = set(self.names()).difference(names)
        with self._lock, self._told():
            self._db.executemany("delete from pins where name = ?", [(name,) for name in gone])

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from None


def _unusable(path: Path, error: OSError | sqlite3.Error) -> HostError:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in FULL:
        return disk_full(path.parent, OSError(errno.ENOSPC, str(error)))
    return HostError(
        f'the file of PINs "{path}" cannot be used: {error}',
        hint="flatkit seats reset   (archives the work of all learners, and begins again)",
    )


def hash_pin(pin: str) -> bytes:
    """Return the bcrypt hash of a PIN."""
    import bcrypt

    return bcrypt.hashpw(_raw(pin), bcrypt.gensalt(rounds=_ROUNDS))


def _fits(pin: str, hashed: bytes) -> bool:
    import bcrypt

    try:
        return bcrypt.checkpw(_raw(pin), hashed)
    except ValueError:
        return False


def _raw(pin: str) -> bytes:
    return pin.encode(errors="replace")[:_PIN_BYTES]


class Door:
    """Decides about logins. `enter` hashes, so call it in a thread."""

    def __init__(self, settings: Settings, pins: Pins, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._pins, self._clock = settings, pins, clock
        self._addresses = Throttle(most=max(_OF_ADDRESS[0], 2 * settings.seats), seconds=_OF_ADDRESS[1])
        self._names = Throttle(most=_OF_NAME[0], seconds=_OF_NAME[1])
        # (name, address) of earlier logins.
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._counting = threading.Lock()

    def enter(self, *, name: str, room: str, pin: str, address: str) -> str:
        """Return the name of the seat that this login opens. Raises Refused."""
        try:
            seat = parse_name(name)
        except UsageError as error:
            raise Refused(error.message) from None
        with self._counting:
            now = self._clock()
            wait = self._addresses.wait(address, now)
            # An address that the owner came from has a count of its own, so that guesses from elsewhere lock nobody out.
            key = f"{seat}@{address}" if (seat, address) in self._known else seat
            wait = max(wait, self._names.wait(key, now))
            if wait:
                raise Refused(f"there were too many wrong tries: wait {math.ceil(wait)} s, then try again", wait=wait)
            # Counted first: tries at the same time must not all pass.
            self._addresses.count(address, now)
            self._names.count(key, now)
        try:
            self._check(seat, room, pin)
        except sqlite3.Error as error:
            with self._counting:  # it was not wrong
                self._forgive(address, key)
            raise Refused(
                f"this host cannot read or write its list of seats ({error}); tell the trainer: seats that are open go on"
            ) from None
        with self._counting:
            self._undo(seat, address, key)
        return seat

    def _check(self, seat: str, room: str, pin: str) -> None:
        if seat == TRAINER:
            if not is_password(pin, self._settings.trainer_hash):
                raise Refused("the trainer's password is wrong")
            return
        if not is_password(room.strip().lower(), self._settings.room_hash):
            raise Refused("the room's password is wrong; the trainer shows it")
        known = self._pins.get(seat)
        if known is None:
            if len(pin) < _PIN_LEAST:
                raise Refused(f"the PIN is too short; expected {_PIN_LEAST} characters or more")
            if self._pins.claim(seat, hash_pin(pin), most=self._settings.seats):
                return
            known = self._pins.get(seat)  # somebody else was first, at the same time
        if known is None:
            raise Refused(f"all {self._settings.seats} seats are taken; ask the trainer")
        if not _fits(pin, known):
            raise Refused(
                f'the seat "{seat}" belongs to somebody, and this is not its PIN; take another name, or ask the trainer'
            )

    def _forgive(self, address: str, key: str) -> None:
        self._addresses.forgive(address)
        self._names.forgive(key)

    def _undo(self, seat: str, address: str, key: str) -> None:
        """Forget what was counted for a try that was right."""
        self._forgive(address, key)
        self._known[seat, address] = None
        while len(self._known) > _KEYS_MAX:
            self._known.popitem(last=False)
