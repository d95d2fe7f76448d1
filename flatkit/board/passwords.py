"""The door of a board of a room's own: a seat has a secret from joining, trainers have a password."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from flatkit.board.handlers import BoardHandler
from flatkit.board.ledger import Ledger
from flatkit.errors import FlatkitError

_ADDRESSES_MAX = 600
_TRIES, _TRIES_WITHIN = 10, 60.0  # wrong passwords of one address, and the seconds after which they are forgotten
_WRONG_COSTS = 0.5
_COOKIE = "flatkit-board"
# Without letters that are mistaken for others when they are read off a wall.
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def make_password(length: int) -> str:
    """Return a password of so many letters and digits."""
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


class PasswordDoor:
    """A `BoardDoor`. The room's password lets a seat join, the trainers' one shows the board."""

    prefix = "/"
    settings: Mapping[str, Any] = MappingProxyType({})
    mixins: tuple[type[Any], ...] = ()

    def __init__(self, ledger: Ledger, *, room: str, trainer: str) -> None:
        self._ledger, self.room, self.trainer = ledger, room, trainer
        self.sessions: set[str] = set()
        self.wrong = _Tries()
        self.handlers: Sequence[tuple[str, type[Any]]] = (("join", _Join), ("login", _Login), ("state", _State))

    async def find_seat(self, handler: BoardHandler) -> str | None:
        """Return the seat with the secret of this request."""
        word, _, token = handler.request.headers.get("Authorization", "").partition(" ")
        return self._ledger.find_seat(token) if word == "token" and token else None

    async def is_trainer(self, handler: BoardHandler) -> bool:
        """Return True for a browser that has logged in."""
        return handler.get_cookie(_COOKIE, "") in self.sessions

    def show_login(self, handler: BoardHandler) -> None:
        """Ask for the trainers' password."""
        handler.show("login.html")


class _Tries:
    """Counts wrong passwords by address."""

    def __init__(self) -> None:
        self._wrong: dict[str, list[float]] = {}

    def is_over(self, address: str) -> bool:
        """Return True if this address has had its tries."""
        now = time.monotonic()
        if len(self._wrong) > _ADDRESSES_MAX:
            self._wrong = {key: times for key, times in self._wrong.items() if now - times[-1] < _TRIES_WITHIN}
        return len([at for at in self._wrong.get(address, []) if now - at < _TRIES_WITHIN]) >= _TRIES

    def add(self, address: str) -> None:
        """Count a wrong one."""
        self._wrong[address] = [*self._wrong.get(address, []), time.monotonic()][-_TRIES:]


class _PasswordHandler(BoardHandler):
    @property
    def door(self) -> PasswordDoor:
        found = self.board.door
        assert isinstance(found, PasswordDoor)
        return found

    async def is_password(self, given: Any, wanted: str) -> bool:
        """Compare a password in constant time. A wrong one costs time, and counts for its address."""
        if isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            return True
        self.door.wrong.add(self.address)
        await asyncio.sleep(_WRONG_COSTS)
        return False


class _Join(_PasswordHandler):
    async def post(self) -> None:
        if self.door.wrong.is_over(self.address):
            return self.refuse(429, "too many wrong passwords: wait a minute")
        values = self.values()
        if not await self.is_password(values.get("password"), self.door.room):
            return self.refuse(403, "the room's password is another one: the trainer shows it")
        try:
            token = self.board.ledger.add_seat(values.get("seat", ""))
        except FlatkitError as error:
            return self.refuse(409, error.message)
        self.board.overview.add_seat(str(values["seat"]))
        self.board.changed()
        self.finish({"token": token})
        return None


class _Login(_PasswordHandler):
    async def post(self) -> None:
        if self.door.wrong.is_over(self.address):
            return self.refuse(429, "too many wrong passwords: wait a minute")
        if await self.is_password(self.get_body_argument("password", ""), self.door.trainer):
            session = secrets.token_urlsafe(32)
            self.door.sessions.add(session)
            self.set_cookie(_COOKIE, session, httponly=True, samesite="Strict", path="/")
        self.redirect("/")
        return None


class _State(_PasswordHandler):
    """The room as it is now, for a trainer's program."""

    async def post(self) -> None:
        if self.door.wrong.is_over(self.address):
            return self.refuse(429, "too many wrong passwords: wait a minute")
        if not await self.is_password(self.values().get("password"), self.door.trainer):
            return self.refuse(403, "the trainers' password is another one")
        self.finish(self.board.overview.as_dict(self.board.clock()))
        return None
