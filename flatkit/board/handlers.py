"""The board's requests, by tornado: seats post, trainers look and speak. Nobody else reads anything."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import tornado.iostream
import tornado.web

from flatkit.board.ledger import Ledger
from flatkit.board.looks import AskRoom
from flatkit.board.overview import RoomOverview
from flatkit.board.places import course_steps
from flatkit.errors import FlatkitError
from flatkit.untrusted import parse_json, printable

PAGE = Path(__file__).resolve().parent / "page"
BODY_MAX = 128 * 1024
_BATCH_MAX = 200
_LOOK_SECONDS, _BEAT_SECONDS = 0.25, 5.0


class BoardDoor(Protocol):
    """Identifies seats and trainers. `prefix` is the board's path, `settings` are the application's, `handlers` its own requests.

    `mixins` go before each of these handlers.
    """

    prefix: str
    settings: Mapping[str, Any]
    handlers: Sequence[tuple[str, type[Any]]]
    mixins: tuple[type[Any], ...]

    async def find_seat(self, handler: BoardHandler) -> str | None:
        """Return the name of the seat that asks, by its secret."""

    async def is_trainer(self, handler: BoardHandler) -> bool:
        """Return True if a trainer asks."""

    async def is_trainers_program(self, handler: BoardHandler, secret: Any) -> bool:
        """Return True if a program has a trainer's secret. Otherwise the request is answered with the reason."""

    def show_login(self, handler: BoardHandler) -> None:
        """Answer who is not a trainer, or not yet."""


class LiveBoard:
    """The store, and the room as it is now. `changes` counts what is new since the start, for the open pages."""

    def __init__(self, ledger: Ledger, door: BoardDoor, clock: Callable[[], float]) -> None:
        self.ledger, self.door, self.clock = ledger, door, clock
        self._version, self.changes = -1, 0
        # Requests to seats are in memory alone; `key` lets the command line of this host ask.
        self.asks, self.key = AskRoom(), secrets.token_urlsafe(32)
        self.overview = RoomOverview()
        self.look_again()

    def look_again(self) -> None:
        """Read the store again if something was deleted from it: by another program, or because it was too old."""
        version, ledger = self.ledger.version, self.ledger
        if version == self._version:
            return
        gone = set(self.overview.rows).difference(ledger.seats)
        self._version = version
        self.overview = RoomOverview.replay(ledger.seats, ledger.events(), ledger.said())
        for seat in gone:
            self.asks.remove_seat(seat)
        self.changed()

    def forget_before(self, time: float) -> None:
        """Delete what came before this time. The next request reads the store again."""
        if self.ledger.forget_before(time):
            self._version = -1

    def as_dict(self) -> dict[str, Any]:
        """Return all that a page draws."""
        state = self.overview.as_dict(self.clock())
        for row in state["rows"]:
            row["asks"] = self.asks.for_page(row["seat"])
        return state

    def take_seat(self, name: str) -> None:
        """Add a seat that the hub knows, unless it is there. Raises InputError."""
        if name not in self.overview.rows:
            self.ledger.take_seat(name)
            self.overview.add_seat(name)
            self.changed()

    def changed(self) -> None:
        """Tell the open pages that there is something new."""
        self.changes += 1


def routes(board: LiveBoard, more: Sequence[tuple[str, type[Any]]], bare: Sequence[tuple[str, type[Any]]]) -> list[Any]:
    """Return what the board answers, by path. `more` are other modules' requests, `bare` those without the door's mixins."""
    found = (
        ("events", _Events), ("leave", _Leave), ("say", _Say), ("places", _Places), ("stream", _Stream), ("", _Page), *more,
    )  # fmt: skip
    prefix = board.door.prefix
    files = (rf"{prefix}(board\.(?:js|css)|look\.js)", tornado.web.StaticFileHandler, {"path": str(PAGE)})
    own = ((path, type(one.__name__, (*board.door.mixins, one), {})) for path, one in found)
    return [
        *((prefix + path, handler, {"board": board}) for path, handler in (*own, *bare, *board.door.handlers)),
        files,
    ]


class BoardHandler(tornado.web.RequestHandler):
    """A request to a board. `asked_by` is the user, where the door knows one."""

    asked_by = ""

    def initialize(self, board: LiveBoard) -> None:
        """Take the board."""
        self.board = board

    def prepare(self) -> None:
        """Forget what the store does not have any more."""
        self.board.look_again()

    def set_default_headers(self) -> None:
        """Let the page load nothing from elsewhere, and be in no other page."""
        self.set_header("Server", "flatkit")
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        )

    @property
    def address(self) -> str:
        """The address that asks."""
        return str(self.request.remote_ip)

    def values(self) -> dict[str, Any]:
        """Return the body's JSON object, or answer 400."""
        try:
            values = parse_json(self.request.body, limit=BODY_MAX)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise tornado.web.HTTPError(400)
        return values

    def show(self, page: str) -> None:
        """Answer with a page."""
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish((PAGE / page).read_bytes())

    def refuse(self, status: int, text: str) -> None:
        """Answer with the reason."""
        self.set_status(status)
        self.finish({"error": printable(text, limit=400)})

    def write_error(self, status_code: int, **_: Any) -> None:
        """Answer without a traceback."""
        self.finish({"error": f"status {status_code}"})

    async def seat(self) -> str:
        """Return the seat that asks, or answer 403."""
        found = await self.board.door.find_seat(self)
        if found is None:
            raise tornado.web.HTTPError(403)
        return found

    def join(self, name: Any) -> None:
        """Answer with the secret of a new seat, or with the reason."""
        try:
            token = self.board.ledger.add_seat(name)
        except FlatkitError as error:
            return self.refuse(409, error.message)
        self.board.overview.add_seat(name)
        self.board.changed()
        self.finish({"token": token})
        return None

    async def must_be_trainer(self) -> None:
        """Answer 403 to all others."""
        if not await self.board.door.is_trainer(self):
            raise tornado.web.HTTPError(403)


class _Events(BoardHandler):
    async def post(self) -> None:
        seat, values = await self.seat(), self.values()
        journal, events = values.get("journal"), values.get("events")
        if not isinstance(journal, str) or not journal.isalnum() or len(journal) > 64 or not isinstance(events, list):
            raise tornado.web.HTTPError(400)
        if len(events) > _BATCH_MAX:
            raise tornado.web.HTTPError(413)
        try:
            have, fresh = self.board.ledger.add(seat, journal, events)
        except FlatkitError as error:
            return self.refuse(400, error.message)
        if fresh:
            self.board.overview.take(fresh)
            self.board.changed()
        if isinstance(can := values.get("can"), list) and "answer" in can:
            self.board.asks.meet(seat)
        heard = values.get("heard", 0)
        said = self.board.ledger.messages(seat, after=heard) if type(heard) is int and 0 <= heard < 2**53 else []
        messages = [message.as_dict() for message in said]
        self.finish({"have": have, "messages": messages, "asks": self.board.asks.for_seat(seat)})
        return None


class _Leave(BoardHandler):
    """Removes the seat with all that it sent."""

    async def post(self) -> None:
        seat = await self.seat()
        self.board.ledger.remove_seat(seat)
        self.board.overview.remove_seat(seat)
        self.board.asks.remove_seat(seat)
        self.board.changed()
        self.finish({"removed": seat})


class _Page(BoardHandler):
    async def get(self) -> None:
        if await self.board.door.is_trainer(self):
            self.show("board.html")
        else:
            self.board.door.show_login(self)


class _Places(BoardHandler):
    """The course's notebooks with their steps, which a word to all seats may lead to."""

    async def get(self) -> None:
        await self.must_be_trainer()
        self.finish({"notebooks": course_steps()})


class _Stream(BoardHandler):
    """Server-sent events: the whole state at each change, and every few seconds for the clock."""

    async def get(self) -> None:
        await self.must_be_trainer()
        self.set_header("Content-Type", "text/event-stream")
        seen, sent = -1, 0.0
        try:
            while True:
                now = time.monotonic()
                self.board.look_again()
                if self.board.asks.sweep():
                    self.board.changed()
                if self.board.changes != seen or now - sent >= _BEAT_SECONDS:
                    seen, sent = self.board.changes, now
                    state = json.dumps(self.board.as_dict())
                    self.write(f"data: {state}\n\n")
                    await self.flush()
                await asyncio.sleep(_LOOK_SECONDS)
        except (tornado.iostream.StreamClosedError, asyncio.CancelledError):  # the page is closed, or the board
            return


class _Say(BoardHandler):
    """A trainer speaks to a seat, or to all. Another site's page cannot: the cookie is not sent along."""

    async def post(self) -> None:
        await self.must_be_trainer()
        values = self.values()
        seat, kind = values.get("seat"), values.get("kind")
        to_all = isinstance(kind, str) and kind in {"room", "pause"}
        if not isinstance(seat, str) or (seat != "" if to_all else seat not in self.board.overview.rows):
            raise tornado.web.HTTPError(400)
        # An answer to one flag must not take down the next one, which this trainer has not seen yet.
        if not to_all and values.pop("raised", None) not in (None, self.board.overview.rows[seat].flag_since):
            return self.refuse(409, f'the seat "{seat}" has raised or lowered its flag meanwhile')
        try:
            message = self.board.ledger.say(seat, values)
        except FlatkitError as error:
            return self.refuse(400, error.message)
        self.board.overview.take_message(seat, self.board.clock(), message)
        self.board.changed()
        self.finish({"number": message.number})
        return None
