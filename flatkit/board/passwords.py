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
        self.handlers: Sequence[tuple[str, type[Any]]] = (("join", _Join), ("login", _Login))

    async def find_seat(self, handler: BoardHandler) -> str | None:
        """Return the seat with the secret of this request."""
        word, _, token = handler.request.headers.get("Authorization", "").partition(" ")
        return self._ledger.find_seat(token) if word == "token" and token else None

    async def is_trainer(self, handler: BoardHandler) -> bool:
        """Return True for a browser that has logged in."""
        return handler.get_cookie(_COOKIE, "") in self.sessions

    async def is_trainers_program(self, handler: BoardHandler, secret: Any) -> bool:
        """Return True for the trainers' password."""
        return await self.check(handler, secret, self.trainer, "the trainers' password is another one")

    async def check(self, handler: BoardHandler, given: Any, wanted: str, said: str) -> bool:
        """Return True for the wanted password. Otherwise the request is answered, with `said` for another password."""
        if self.wrong.is_over(handler.address):
            handler.refuse(429, "too many wrong passwords: wait a minute")
            return False
        if not await self.is_right(handler, given, wanted):
            handler.refuse(403, said)
            return False
        return True

    async def is_right(self, handler: BoardHandler, given: Any, wanted: str) -> bool:
        """Compare a password in constant time. A wrong one costs time, and counts for its address."""
        if isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            return True
        self.wrong.add(handler.address)
        await asyncio.sleep(_WRONG_COSTS)
        return False

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


class _Join(_PasswordHandler):
    async def post(self) -> None:
        values, said = self.values(), "the room's password is another one: the trainer shows it"
        if await self.door.check(self, values.get("password"), self.door.room, said):
            self.join(values.get("seat"))


class _Login(_PasswordHandler):
    """The form of the login page, which has a text for each fragment."""

    async def post(self) -> None:
        if self.door.wrong.is_over(self.address):
            self.redirect("/#wait")
        elif await self.door.is_right(self, self.get_body_argument("password", ""), self.door.trainer):
            session = secrets.token_urlsafe(32)
            self.door.sessions.add(session)
            self.set_cookie(_COOKIE, session, httponly=True, samesite="Strict", path="/")
            self.redirect("/")
        else:
            self.redirect("/#wrong")
