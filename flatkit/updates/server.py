"""The update server, and the only listening socket of flatkit: HTTP/1.1 for the contents of repository.py.

An event loop runs it in its own thread, so a notebook can start and stop it. http_app.py answers the requests. Answers
contain the server's name from the request (Host), since a guest reaches this host by another address (10.0.2.2) than
the host does.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from flatkit.errors import HostError, UsageError
from flatkit.listening import explain_bind, find_loopback_fault
from flatkit.updates.channels import Channels
from flatkit.updates.connection_limits import Limits
from flatkit.updates.repository import Site

if TYPE_CHECKING:
    from flatkit.updates.http_app import Body

GUEST_ADDRESS = "10.0.2.2"  # this host's loopback, seen from a guest on QEMU's user network

_BACKLOG = 128
_ACCEPTED_AT_ONCE = 16  # then heads are read: else a crowd of newcomers drops a client whose request has arrived
_UNSENT_BYTES = 128 * 1024
_WORKERS = 4
_STOP_SECONDS = 5.0
_log = logging.getLogger("flatkit.updates")


class UpdateServer(Site):
    """Listens and answers in its own thread until the block ends: `with UpdateServer() as server:`.

    `listen` is the address, 127.0.0.1 by default. Port 0 takes a free one. `limits` bounds the clients' use of it.
    """

    def __init__(
        self,
        *,
        listen: str = "127.0.0.1",
        port: int = 0,
        channels: Channels | None = None,
        limits: Limits | None = None,
    ) -> None:
        super().__init__(channels=channels)
        self._listen, self._wanted_port, self._limits = listen, port, limits or Limits()
        self._running: _Running | None = None

    def start(self) -> None:
        """Listen. A second call does nothing. Raises HostError when the address or port is not available."""
        if self._running:
            return
        try:
            listener = _bound(self._listen, self._wanted_port)
        except HostError:
            raise
        except (OSError, OverflowError) as error:
            refusal = explain_bind(error, self._listen, self._wanted_port)
            another = "choose another port, or 0 for any free one" if refusal.is_of_port else ""
            raise HostError(
                f'the update server cannot listen on "{self._listen}", port {self._wanted_port}: {refusal.words}',
                hint=another or refusal.cure,
            ) from None
        self._running = _Running(self, listener, self._limits)

    def stop(self) -> None:
        """Stop listening and close the open connections. Does nothing when it is not running."""
        running, self._running = self._running, None
        if running:
            running.stop()

    def __enter__(self) -> UpdateServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that it listens on. Raises UsageError when it is not running."""
        if not self._running:
            raise UsageError("the update server is not running", hint="use it in a `with` block, or call start()")
        return self._running.port

    @property
    def open_connections(self) -> int:
        """The number of open connections."""
        return self._running.open_connections if self._running else 0

    @property
    def url(self) -> str:
        """Address for this host, without a slash at the end."""
        own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._listen, self._listen)  # noqa: S104  (compared, not bound)
        return f"http://[{own}]:{self.port}" if ":" in own else f"http://{own}:{self.port}"

    @property
    def guest_url(self) -> str:
        """Address for a guest on QEMU's user network, without a slash at the end."""
        return f"http://{GUEST_ADDRESS}:{self.port}"

    def before_answer(self, path: str) -> int:  # noqa: ARG002
        """Return a status to answer instead, or 0. Called before each answer; only tests override it, to break the server."""
        return 0

    def alter_body(self, body: Body, *, path: str) -> Body:  # noqa: ARG002
        """Return what to send in place of a range of an open file. Only tests override it, to break the server."""
        return body


class _Running:
    """A started server: its listening socket, and the event loop in a thread."""

    def __init__(self, owner: UpdateServer, listener: socket.socket, limits: Limits) -> None:
        self.port = int(listener.getsockname()[1])
        self._owner, self._listener, self._limits = owner, listener, limits
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="flatkit-update-server", daemon=True)
        self._thread.start()
        self._started.result()

    @property
    def open_connections(self) -> int:
        return self._reception.open_connections

    def stop(self) -> None:
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  (the thread that started it raises it)
            if self._started.done():
                _log.exception("the update server ended")
            else:
                self._started.set_exception(error)
        finally:
            self._listener.close()

    async def _serve(self) -> None:
        from flatkit.updates.http_app import Reception

        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self._loop.set_exception_handler(_note)
        self._loop.set_default_executor(ThreadPoolExecutor(_WORKERS, thread_name_prefix="flatkit-update-server"))
        self._reception = Reception(self._owner, limits=self._limits)
        listening = await self._loop.create_server(self._reception, sock=self._listener, backlog=_ACCEPTED_AT_ONCE)
        self._listener.listen(_BACKLOG)
        work = asyncio.create_task(self._reception.work())
        self._started.set_result(None)
        await self._ending.wait()
        listening.close()
        work.cancel()
        await asyncio.wait([work])
        await self._reception.end_connections()


def _bound(listen: str, port: int) -> socket.socket:
    if fault := find_loopback_fault(listen):
        raise HostError(f'the server cannot listen on "{listen}": {fault.words}', hint=fault.cure)
    listener = socket.socket(socket.AF_INET6 if ":" in listen else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # A slow client's unsent bytes remain here, so that what was handed over is what the client's side took.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_BYTES)
        listener.bind((listen, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _note(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an error in one line. A client that disconnects is normal."""
    error = context.get("exception")
    level = logging.DEBUG if isinstance(error, OSError) else logging.ERROR
    _log.log(level, "the update server: %s: %r", context.get("message"), error)
