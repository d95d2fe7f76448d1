"""HTTP between aiohttp and repository.py: routing of requests, and the deadlines of a connection.

aiohttp reads heads and bodies, keeps connections alive and refuses requests that are not HTTP. The kernel copies files
from disk to socket, so thirty downloads need no memory.
"""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO, NoReturn, Protocol
from urllib.parse import unquote

from aiohttp import HttpVersion10, web
from aiohttp.web_protocol import RequestHandler

from flatkit.errors import ImageError, InputError
from flatkit.untrusted import is_number, printable
from flatkit.updates import omaha
from flatkit.updates.connection_limits import Crowd, Limits, Visit, origin_of
from flatkit.updates.content import Content, Selection, select
from flatkit.updates.request_batches import Answer, Desk, UpdateRequest

_END_SECONDS = 2.0
_EOF_SECONDS = 0.2
PIECE = 512 * 1024
_LINE_MAX = 4096
_FIELD_MAX = 4096
_HEADERS_MAX = 32
_TARGET = re.compile(r"(?:https?://[^/?#]*)?(/[^?#]*)?(?:[?#].*)?", re.IGNORECASE | re.DOTALL)
_HOST = re.compile(r"(?:[0-9A-Za-z.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_TOO_OLD = b"HTTP/1.1 505 HTTP Version Not Supported\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_log = logging.getLogger("flatkit.updates")
# aiohttp writes a traceback for each request that is not HTTP: an attacker could fill a notebook with those.
_unheard = logging.getLogger("flatkit.updates.aiohttp")
_unheard.propagate = False
_unheard.addHandler(logging.NullHandler())


@dataclass(frozen=True, kw_only=True)
class Body:
    """A range of an open file to send."""

    file: BinaryIO
    start: int
    count: int


class Host(Protocol):
    """The part of the update server that `Reception` calls."""

    def before_answer(self, path: str) -> int: ...  # noqa: D102
    def alter_body(self, body: Body, *, path: str) -> Body: ...  # noqa: D102
    def find_content(self, path: str) -> Content | None: ...  # noqa: D102
    def answer_together(self, asked: Any) -> list[Answer]: ...  # noqa: D102


class _Connection(RequestHandler):
    """A connection. A client may close its side after sending its request; aiohttp would then not answer it any more."""

    __slots__ = ("at_eof",)
    at_eof: Callable[[], None]

    def eof_received(self) -> bool:  # type: ignore[override]
        """Stay open for the answer to a request that has just arrived."""
        self.at_eof()
        return True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,  # noqa: ARG002
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer a request that is not HTTP with one line. aiohttp would also log a traceback."""
        if request.writer.output_size:
            raise ConnectionResetError
        text = printable(" ".join((message or "").split()), limit=200)
        response = web.Response(status=status, text=f"{text}\n", headers={"Server": "flatkit"})
        response.force_close()
        return response


class Reception(web.Server):
    """An aiohttp server without a socket: the protocol factory for `create_server`. Make it inside the event loop."""

    def __init__(self, host: Host, *, limits: Limits) -> None:
        super().__init__(self._answer, handler_cancellation=True)
        self._host, self._limits = host, limits
        self._desk = Desk(host.answer_together)
        self._crowd, self._downloads = Crowd(limits.connections), Crowd(limits.downloads)
        self._of: dict[RequestHandler, Visit] = {}
        self._timers: dict[Visit, asyncio.TimerHandle] = {}

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return _Connection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]
            logger=_unheard,
            max_line_size=_LINE_MAX,
            max_field_size=_FIELD_MAX,
            max_headers=_HEADERS_MAX,
            read_bufsize=omaha.REQUEST_LIMIT,
            auto_decompress=False,
            lingering_time=0,
        )

    @property
    def open_connections(self) -> int:
        """The number of connections that are open."""
        return len(self._of)

    async def work(self) -> None:
        """Answer Omaha requests, until cancelled."""
        await self._desk.work()

    async def end_connections(self) -> None:
        """Close all connections, and wait until each one is gone."""
        for visit in tuple(self._of.values()):
            visit.end()
        await self.shutdown(_END_SECONDS)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Accept a connection, or drop one when there are too many: the new one, unless another one is a better choice."""
        super().connection_made(handler, transport)
        address = (transport.get_extra_info("peername") or ("",))[0]
        now = asyncio.get_running_loop().time()
        visit = Visit(origin=origin_of(str(address)), since=now, end=lambda: _hang_up(transport, busy=not visit.owes))
        self._of[handler] = visit
        self._timers[visit] = asyncio.get_running_loop().call_later(self._limits.head_seconds, visit.end)
        if isinstance(handler, _Connection):
            handler.at_eof = partial(self._end_soon, visit)
        if not _admit(visit, self._crowd):
            transport.write(_FULL)
            transport.close()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Forget a connection."""
        super().connection_lost(handler, exc)
        visit = self._of.pop(handler, None)
        if visit:
            self._crowd.leave(visit)
            self._downloads.leave(visit)
            self._timers.pop(visit).cancel()

    def _end_soon(self, visit: Visit) -> None:
        """Close the connection of a client that sends no further request, unless a request is being answered by then."""
        visit.is_last = True

        def end() -> None:
            if visit.owes:
                visit.end()

        asyncio.get_running_loop().call_later(_EOF_SECONDS, end)

    def _arm(self, visit: Visit, seconds: float) -> None:
        """Close the connection after so many seconds, unless this is called again."""
        if visit in self._timers:  # else it has ended
            self._timers[visit].cancel()
            self._timers[visit] = asyncio.get_running_loop().call_later(seconds, visit.end)

    def _enter(self, visit: Visit, *, owes: bool, seconds: float) -> None:
        visit.owes, visit.moved, visit.since = owes, 0, asyncio.get_running_loop().time()
        self._arm(visit, seconds)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        visit = self._of.get(request.protocol)
        if visit is None:
            raise ConnectionResetError
        self._enter(visit, owes=False, seconds=self._limits.stall_seconds)
        try:
            response = await self._answer_one(request, visit)
        except (OSError, asyncio.CancelledError):
            if request.transport and not request.transport.is_closing():
                visit.end()
            raise
        except Exception:  # noqa: BLE001  (aiohttp would answer, and log it where nobody looks)
            _log.exception("the update server failed to answer")
            response = await _say(request, 500, "the update server failed to answer", close=True)
        if visit.is_last:
            response.force_close()
        self._enter(visit, owes=True, seconds=self._limits.idle_seconds)
        self._downloads.leave(visit)
        if not _admit(visit, self._crowd):
            response.force_close()
        return response

    async def _answer_one(self, request: web.BaseRequest, visit: Visit) -> web.StreamResponse:
        if request.version < HttpVersion10:  # aiohttp would answer in this version
            _refuse(request, _TOO_OLD)
        path = _path_of(request.raw_path)
        if path is None:
            return await _say(request, 400, f'"{printable(request.raw_path, limit=200)}" is not a path', close=True)
        if request.method == "POST":
            return await self._answer_post(request, path, visit)
        if request.method in {"GET", "HEAD"}:
            return await self._answer_content(request, path, visit)
        return await _say(request, 501, "expected GET, HEAD or POST", close=True)

    async def _answer_post(self, request: web.BaseRequest, path: str, visit: Visit) -> web.StreamResponse:
        length = request.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > omaha.REQUEST_LIMIT:
            text = f"expected a body of at most {omaha.REQUEST_LIMIT} bytes, with its length"
            return await _say(request, 413 if is_number(length) else 411, text, close=True)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._enter(visit, owes=True, seconds=self._limits.body_seconds)
        try:
            data = await request.read()
        except web.HTTPException as error:
            return await _say(request, error.status, "the body cannot be read", close=True)
        self._enter(visit, owes=False, seconds=self._limits.stall_seconds)
        status = self._host.before_answer(path)
        if status:
            return await _say(request, status, "this answer was asked for by a test")
        if path.rstrip("/") != "/v1/update":
            return await _say(request, 404, f'nothing takes a POST at "{_shown(path)}"; expected /v1/update/')
        host = request.headers.get("Host") or _own_name(request)
        if not _HOST.fullmatch(host):
            return await _say(request, 400, "the header Host names no host")
        try:
            answer = await self._desk.answer(UpdateRequest(data=data, host=host, origin=visit.origin))
        except InputError as error:
            return await _say(request, 400, error.message)
        return await _reply(request, 200, answer, media_type="text/xml; charset=utf-8")

    async def _answer_content(self, request: web.BaseRequest, path: str, visit: Visit) -> web.StreamResponse:
        # An unread body must not be parsed as the next request.
        close = "Content-Length" in request.headers or "Transfer-Encoding" in request.headers
        loop = asyncio.get_running_loop()
        status = self._host.before_answer(path)
        content = None if status else await loop.run_in_executor(None, self._host.find_content, path)
        if content is None:
            return await _say(request, status or 404, f'"{_shown(path)}" is not published here', close=close)
        if content.path and request.method == "GET":
            self._crowd.leave(visit)
            if not _admit(visit, self._downloads):
                _refuse(request, _FULL)
        try:
            # Opening reads all of a file whose state has changed since it was published.
            file = await loop.run_in_executor(None, content.open)
        except ImageError as error:
            return await _say(request, 404, error.message, close=close)
        with file:
            asked = request.headers
            chosen = select(
                content,
                wanted=asked.get("Range", ""),
                if_range=asked.get("If-Range", ""),
                if_none_match=asked.get("If-None-Match", ""),
            )
            response = web.StreamResponse(status=chosen.status, headers=_headers(content, chosen))
            if close:
                response.force_close()
            writer = await response.prepare(request)
            if request.method == "GET" and chosen.count:
                body = self._host.alter_body(Body(file=file, start=chosen.start, count=chosen.count), path=path)
                if isinstance(body.file, BytesIO):
                    body.file.seek(body.start)
                    data = body.file.read(body.count)
                    await response.write(data)
                    visit.moved = len(data)
                else:
                    writer.send_headers()  # type: ignore[union-attr]
                    await self._send_file(request, body, visit)
                if visit.moved != chosen.count:  # the client notices missing bytes only when the connection ends
                    response.force_close()
            await response.write_eof()
            return response

    async def _send_file(self, request: web.BaseRequest, body: Body, visit: Visit) -> None:
        loop = asyncio.get_running_loop()
        while visit.moved < body.count:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError
            at, count = body.start + visit.moved, min(PIECE, body.count - visit.moved)
            sent = await loop.sendfile(request.transport, body.file, at, count)
            if not sent:  # the file has become shorter
                return
            visit.moved += sent
            visit.since = loop.time()
            self._arm(visit, self._limits.stall_seconds)


def _admit(visit: Visit, crowd: Crowd) -> bool:
    """Let a connection in, and drop another one for it when there are too many. Return whether it is in."""
    victim = crowd.enter(visit)
    if victim and victim is not visit:
        victim.end()
    return victim is not visit


def _hang_up(transport: asyncio.Transport, *, busy: bool) -> None:
    """Close a connection at once.

    Between two answers the kernel still delivers its buffer: a slow client's last megabytes. Otherwise all is dropped.
    """
    if not busy and not transport.get_write_buffer_size():
        transport.close()
        return
    connection = transport.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    # A `sendfile` that runs on the socket fails now. After `abort` it would wait forever.
    if not busy:
        transport.abort()


def _path_of(target: str) -> str | None:
    """Return the decoded path of a request's target, also of one with scheme and host; None for any other target."""
    match = _TARGET.fullmatch(target)
    return unquote(match[1] or "/") if match and target else None


def _shown(path: str) -> str:
    return printable(path, limit=200)


def _own_name(request: web.BaseRequest) -> str:
    name, port = request.get_extra_info("sockname")[:2]
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def _refuse(request: web.BaseRequest, answer: bytes) -> NoReturn:
    """Send an answer that is ready, and hang up. Raises ConnectionResetError, which ends the work for the request."""
    if request.transport:
        request.transport.write(answer)
        request.transport.close()
    raise ConnectionResetError


async def _say(request: web.BaseRequest, status: int, text: str, *, close: bool = False) -> web.StreamResponse:
    """Answer with a status and one line of text."""
    return await _reply(request, status, f"{text}\n".encode(), media_type="text/plain; charset=utf-8", close=close)


async def _reply(
    request: web.BaseRequest, status: int, data: bytes, *, media_type: str, close: bool = False
) -> web.StreamResponse:
    headers = {"Server": "flatkit", "Content-Type": media_type}
    response = web.Response(status=status, body=data, headers=headers)
    if close:
        response.force_close()
    await response.prepare(request)
    await response.write_eof()
    return response


def _headers(content: Content, chosen: Selection) -> dict[str, str]:
    headers = {
        "Server": "flatkit", "ETag": content.etag, "Accept-Ranges": "bytes", "Content-Type": content.media_type,
    }  # fmt: skip
    if chosen.status == 206:
        headers["Content-Range"] = f"bytes {chosen.start}-{chosen.start + chosen.count - 1}/{content.size}"
    elif chosen.status == 416:
        headers["Content-Range"] = f"bytes */{content.size}"
    if chosen.status != 304:
        headers["Content-Length"] = str(chosen.count)
    return headers
