"""The board over HTTP, by tornado: seats join and post, trainers look. The only module that imports tornado.

A seat proves itself by the secret that it got when it joined, and so posts as itself alone. A trainer logs in with a
password of the trainers' own. Nobody else reads anything.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import tornado.httpserver
import tornado.iostream
import tornado.netutil
import tornado.web

from flatkit.board.ledger import Ledger
from flatkit.board.overview import RoomOverview
from flatkit.errors import FlatkitError, HostError
from flatkit.untrusted import parse_json, printable

PORT = 8010
PAGE = Path(__file__).resolve().parent / "page"
_BODY_MAX = 128 * 1024
_HEADER_MAX = 16 * 1024
_BATCH_MAX = 200
_HEAD_SECONDS = 15.0
_CONNECTIONS_MAX, _FROM_ONE_ADDRESS = 600, 120  # a room behind one router has one address
_TRIES, _TRIES_WITHIN = 10, 60.0  # wrong passwords of one address, and the seconds after which they are forgotten
_WRONG_COSTS = 0.5
_LOOK_SECONDS, _BEAT_SECONDS = 0.25, 5.0
_COOKIE = "flatkit-board"


@dataclass(frozen=True, kw_only=True)
class BoardPasswords:
    """The room's password lets a seat join, the trainers' one shows the board."""

    room: str
    trainer: str


class BoardServer:
    """Listens in a thread until `stop`. `port` 0 finds a free one."""

    def __init__(
        self,
        ledger: Ledger,
        passwords: BoardPasswords,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.ledger, self.passwords, self.clock = ledger, passwords, clock
        self.overview = RoomOverview(ledger.seats)
        self.overview.take(ledger.events())
        for said in ledger.said():
            self.overview.take_message(*said)
        self.changes = 0
        self.sessions: set[str] = set()
        self.wrong = _Tries()
        self._host, self._wanted_port = host, port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: tornado.httpserver.HTTPServer | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The address on this host."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self.port}"

    def start(self) -> Self:
        """Listen. Raises HostError when the address is taken or is not this host's."""
        started: Future[int] = Future()
        self._thread = threading.Thread(target=self._work, args=(started,), name="flatkit: board", daemon=True)
        self._thread.start()
        self.port = started.result()
        return self

    def stop(self) -> None:
        """Close the socket and every connection."""
        loop, thread = self._loop, self._thread
        if loop is not None and thread is not None and thread.is_alive():
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def _work(self, started: Future[int]) -> None:
        self._loop = loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            try:
                started.set_result(loop.run_until_complete(self._listen()))
            except OSError as error:
                started.set_exception(HostError(
                    f'the board cannot listen on "{self._host}:{self._wanted_port}": {error.strerror}',
                    hint=f"flatkit board serve --listen {self._host}:{self._wanted_port + 1}",
                ))  # fmt: skip
                return
            loop.run_forever()
            loop.run_until_complete(self._close())
        finally:
            loop.close()

    async def _listen(self) -> int:
        made = tornado.web.Application(
            [
                (r"/join", _Join, {"board": self}),
                (r"/events", _Events, {"board": self}),
                (r"/leave", _Leave, {"board": self}),
                (r"/", _Page, {"board": self}),
                (r"/login", _Login, {"board": self}),
                (r"/stream", _Stream, {"board": self}),
                (r"/say", _Say, {"board": self}),
                (r"/(board\.(?:js|css))", tornado.web.StaticFileHandler, {"path": str(PAGE)}),
            ],
            log_function=lambda _: None,
        )
        self._server = _Limited(
            made, max_body_size=_BODY_MAX, max_header_size=_HEADER_MAX, idle_connection_timeout=_HEAD_SECONDS,
            body_timeout=_HEAD_SECONDS, decompress_request=False,
        )  # fmt: skip
        sockets = tornado.netutil.bind_sockets(self._wanted_port, self._host)
        self._server.add_sockets(sockets)
        return int(sockets[0].getsockname()[1])

    async def _close(self) -> None:
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def changed(self) -> None:
        """Tell the open pages that there is something new."""
        self.changes += 1


class _Limited(tornado.httpserver.HTTPServer):
    """Refuses connections beyond what a room needs: nobody can use up the files that this process may open."""

    def handle_stream(self, stream: tornado.iostream.IOStream, address: tuple[Any, ...]) -> None:
        """Take a connection, or close it."""
        here = Counter(_address_of(connection) for connection in self._connections)
        if here.total() >= _CONNECTIONS_MAX or here[address[0]] >= _FROM_ONE_ADDRESS:
            stream.close()
            return
        super().handle_stream(stream, address)


def _address_of(connection: Any) -> str:
    return str(connection.context.address[0])


class _Tries:
    """Counts wrong passwords by address."""

    def __init__(self) -> None:
        self._wrong: dict[str, list[float]] = {}

    def is_over(self, address: str) -> bool:
        """Return True if this address has had its tries."""
        now = time.monotonic()
        if len(self._wrong) > _CONNECTIONS_MAX:
            self._wrong = {key: times for key, times in self._wrong.items() if now - times[-1] < _TRIES_WITHIN}
        return len([at for at in self._wrong.get(address, []) if now - at < _TRIES_WITHIN]) >= _TRIES

    def add(self, address: str) -> None:
        """Count a wrong one."""
        self._wrong[address] = [*self._wrong.get(address, []), time.monotonic()][-_TRIES:]


class _Handler(tornado.web.RequestHandler):
    def initialize(self, board: BoardServer) -> None:
        self.board = board

    def set_default_headers(self) -> None:
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
        return str(self.request.remote_ip)

    @property
    def is_trainer(self) -> bool:
        return self.get_cookie(_COOKIE, "") in self.board.sessions

    def values(self) -> dict[str, Any]:
        """Return the body's JSON object, or answer 400."""
        try:
            values = parse_json(self.request.body, limit=_BODY_MAX)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise tornado.web.HTTPError(400)
        return values

    def refuse(self, status: int, text: str) -> None:
        self.set_status(status)
        self.finish({"error": printable(text, limit=400)})

    def write_error(self, status_code: int, **_: Any) -> None:
        self.finish({"error": f"status {status_code}"})

    async def is_password(self, given: Any, wanted: str) -> bool:
        """Compare a password in constant time. A wrong one costs time, and counts for its address."""
        if isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            return True
        self.board.wrong.add(self.address)
        await asyncio.sleep(_WRONG_COSTS)
        return False


class _Join(_Handler):
    async def post(self) -> None:
        if self.board.wrong.is_over(self.address):
            return self.refuse(429, "too many wrong passwords: wait a minute")
        values = self.values()
        if not await self.is_password(values.get("password"), self.board.passwords.room):
            return self.refuse(403, "the room's password is another one: the trainer shows it")
        try:
            token = self.board.ledger.add_seat(values.get("seat", ""))
        except FlatkitError as error:
            return self.refuse(409, error.message)
        self.board.overview.add_seat(str(values["seat"]))
        self.board.changed()
        self.finish({"token": token})
        return None


class _SeatHandler(_Handler):
    """Knows the seat by its secret, or answers 403."""

    def seat(self) -> str:
        word, _, token = self.request.headers.get("Authorization", "").partition(" ")
        found = self.board.ledger.find_seat(token) if word == "token" and token else None
        if found is None:
            raise tornado.web.HTTPError(403)
        return found


class _Events(_SeatHandler):
    def post(self) -> None:
        seat, values = self.seat(), self.values()
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
        heard = values.get("heard", 0)
        said = self.board.ledger.messages(seat, after=heard) if type(heard) is int and 0 <= heard < 2**53 else []
        self.finish({"have": have, "messages": [message.as_dict() for message in said]})
        return None


class _Leave(_SeatHandler):
    """Removes the seat with all that it sent."""

    def post(self) -> None:
        seat = self.seat()
        self.board.ledger.remove_seat(seat)
        self.board.overview.remove_seat(seat)
        self.board.changed()
        self.finish({"removed": seat})


class _Page(_Handler):
    def get(self) -> None:
        name = "board.html" if self.is_trainer else "login.html"
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.finish((PAGE / name).read_bytes())


class _Login(_Handler):
    async def post(self) -> None:
        if self.board.wrong.is_over(self.address):
            return self.refuse(429, "too many wrong passwords: wait a minute")
        if await self.is_password(self.get_body_argument("password", ""), self.board.passwords.trainer):
            session = secrets.token_urlsafe(32)
            self.board.sessions.add(session)
            self.set_cookie(_COOKIE, session, httponly=True, samesite="Strict", path="/")
        self.redirect("/")
        return None


class _Stream(_Handler):
    """Server-sent events: the whole state at each change, and every few seconds for the clock."""

    async def get(self) -> None:
        if not self.is_trainer:
            raise tornado.web.HTTPError(403)
        self.set_header("Content-Type", "text/event-stream")
        seen, sent = -1, 0.0
        try:
            while True:
                now = time.monotonic()
                if self.board.changes != seen or now - sent >= _BEAT_SECONDS:
                    seen, sent = self.board.changes, now
                    state = json.dumps(self.board.overview.as_dict(self.board.clock()))
                    self.write(f"data: {state}\n\n")
                    await self.flush()
                await asyncio.sleep(_LOOK_SECONDS)
        except (tornado.iostream.StreamClosedError, asyncio.CancelledError):  # the page is closed, or the board
            return


class _Say(_Handler):
    """A trainer speaks to a seat, or to all. Another site's page cannot: the cookie is not sent along."""

    def post(self) -> None:
        if not self.is_trainer:
            raise tornado.web.HTTPError(403)
        values = self.values()
        seat = values.get("seat")
        to_all = values.get("kind") in {"room", "pause"}
        if not isinstance(seat, str) or (seat != "" if to_all else seat not in self.board.overview.rows):
            raise tornado.web.HTTPError(400)
        try:
            message = self.board.ledger.say(seat, values)
        except FlatkitError as error:
            return self.refuse(400, error.message)
        self.board.overview.take_message(seat, self.board.clock(), message)
        self.board.changed()
        self.finish({"number": message.number})
        return None
