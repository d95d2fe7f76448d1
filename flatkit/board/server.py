"""The board's HTTP server, by tornado: it listens in a thread, and bounds connections, bodies and waits.

The requests are in `handlers`. Who may do what decides a `BoardDoor`: passwords and secrets in a room, else the hub.
"""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

import tornado.httpserver
import tornado.iostream
import tornado.netutil
import tornado.web

from flatkit.board.ask_handlers import ASK_ROUTES, DESK_ROUTES
from flatkit.board.handlers import BODY_MAX, BoardDoor, LiveBoard, routes
from flatkit.board.ledger import Ledger
from flatkit.errors import HostError

PORT = 8020
_EVERYWHERE = "0.0.0.0"  # noqa: S104  (a hint)
_HEADER_MAX = 16 * 1024
_HEAD_SECONDS = 15.0
_CONNECTIONS_MAX, _FROM_ONE_ADDRESS = 600, 120  # a room behind one router has one address


class BoardServer(LiveBoard):
    """Listens in a thread until `stop`. `port` 0 finds a free one; `from_one` bounds the connections of one address."""

    def __init__(
        self,
        ledger: Ledger,
        door: BoardDoor,
        *,
        host: str = "127.0.0.1",
        port: int = PORT,
        from_one: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(ledger, door, clock)
        self._host, self._wanted_port, self._from_one = host, port, from_one
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._server: _Limited | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """The address on this host."""
        own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104  (compared, not bound)
        return f"http://{f'[{own}]' if ':' in own else own}:{self.port}"

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
                host = f"[{self._host}]" if ":" in self._host else self._host
                other = f"{host}:{self._wanted_port + 1}" if error.errno == errno.EADDRINUSE else _EVERYWHERE
                started.set_exception(HostError(
                    f'the board cannot listen on "{self._host}:{self._wanted_port}": {error.strerror}',
                    hint=f"flatkit board serve --listen {other}",
                ))  # fmt: skip
                return
            except Exception as error:  # noqa: BLE001  (raised where the board was started)
                started.set_exception(error)
                return
            loop.run_forever()
            loop.run_until_complete(self._close())
        finally:
            loop.close()

    async def _listen(self) -> int:
        paths = routes(self, ASK_ROUTES, DESK_ROUTES)
        made = tornado.web.Application(paths, log_function=lambda _: None, **self.door.settings)
        self._server = _Limited(
            made, max_body_size=BODY_MAX, max_header_size=_HEADER_MAX, idle_connection_timeout=_HEAD_SECONDS,
            body_timeout=_HEAD_SECONDS, decompress_request=False,
        )  # fmt: skip
        self._server.from_one = self._from_one or _FROM_ONE_ADDRESS
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


class _Limited(tornado.httpserver.HTTPServer):
    """Refuses connections beyond what a room needs: nobody can use up the files that this process may open."""

    from_one = _FROM_ONE_ADDRESS

    def handle_stream(self, stream: tornado.iostream.IOStream, address: tuple[Any, ...]) -> None:
        """Take a connection, or close it."""
        here = Counter(_address_of(connection) for connection in self._connections)
        if here.total() >= _CONNECTIONS_MAX or here[address[0]] >= self.from_one:
            stream.close()
            return
        super().handle_stream(stream, address)


def _address_of(connection: Any) -> str:
    return str(connection.context.address[0])
