"""The update server, and the only listening socket of flatkit: HTTP/1.1 over what site.py publishes.

In an answer the server calls itself as the client called it (Host), since a guest reaches this host by another address
(10.0.2.2) than the host does. Files go from disk to socket inside the kernel, so thirty downloads need no memory.
"""

from __future__ import annotations

import logging
import re
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from flatkit.errors import HostError, ImageError, InputError, UsageError
from flatkit.untrusted import is_number
from flatkit.updates import omaha
from flatkit.updates.channels import Channels
from flatkit.updates.content import Content, Selection, select
from flatkit.updates.site import Site

GUEST_ADDRESS = "10.0.2.2"  # this host's loopback, seen from a guest on QEMU's user network

_CONNECTIONS_MAX = 256
_IDLE_SECONDS = 60.0
_STOP_SECONDS = 5.0
_log = logging.getLogger("flatkit.updates")


class UpdateServer(Site):
    """`with UpdateServer() as server:` listens and answers in threads of its own until the block ends.

    `listen` is the address: 127.0.0.1 unless told otherwise; port 0 takes a free one.
    """

    def __init__(self, *, listen: str = "127.0.0.1", port: int = 0, channels: Channels | None = None) -> None:
        super().__init__(channels=channels)
        self._listen, self._wanted_port = listen, port
        self._socket: _Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; nothing happens when it already does. Raises HostError when the address or the port is not to be had."""
        if self._socket:
            return
        try:
            self._socket = _Listener(self, self._listen, self._wanted_port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise HostError(
                f'the update server cannot listen on "{self._listen}", port {self._wanted_port}: {reason}',
                hint="choose another port, or 0 for any free one",
            ) from None
        self._thread = threading.Thread(
            target=self._socket.serve_forever, args=(0.05,), name="flatkit-update-server", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and end the open connections; nothing happens when it does not run."""
        listener, thread = self._socket, self._thread
        self._socket = self._thread = None
        if listener and thread:
            listener.shutdown()
            listener.server_close()
            listener.end_connections()
            thread.join(_STOP_SECONDS)

    def __enter__(self) -> UpdateServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port that it listens on. Raises UsageError when it does not."""
        if not self._socket:
            raise UsageError("the update server is not running", hint="use it in a `with` block, or call start()")
        return int(self._socket.server_address[1])

    @property
    def url(self) -> str:
        """Where this host reaches it, without a slash at the end."""
        own = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._listen, self._listen)  # noqa: S104  (compared, not bound)
        return f"http://[{own}]:{self.port}" if ":" in own else f"http://{own}:{self.port}"

    @property
    def guest_url(self) -> str:
        """Where a guest on QEMU's user network reaches it, without a slash at the end."""
        return f"http://{GUEST_ADDRESS}:{self.port}"

    def before_answer(self, path: str) -> int:  # noqa: ARG002
        """Called before each answer: a status to answer instead, or 0. Tests break the server here; nothing else does."""
        return 0

    def send_body(self, connection: socket.socket, file: BinaryIO, *, path: str, start: int, count: int) -> int:  # noqa: ARG002
        """Send a stretch of an open file and return how many bytes went out. Tests break the server here, too."""
        return connection.sendfile(file, start, count)


class _Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One thread a connection, and an upper bound of them."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, owner: UpdateServer, listen: str, port: int) -> None:
        self.owner = owner
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        self.address_family = socket.AF_INET6 if ":" in listen else socket.AF_INET
        super().__init__((listen, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, or turn it away at once when there are too many."""
        with self._changed:
            full = len(self._open) >= _CONNECTIONS_MAX
            if not full:
                self._open.add(request)
        if full:
            try:
                request.settimeout(1.0)
                request.sendall(b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
            except OSError:
                _log.debug("a connection that was turned away is gone")
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread to be had
            self._forget(request)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._forget(request)

    def _forget(self, request: socket.socket) -> None:
        with self._changed:
            self._open.discard(request)
            self._changed.notify_all()

    def end_connections(self) -> None:
        """Hang up on everyone and wait until the last thread is done."""
        with self._changed:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    _log.debug("a connection was gone already")
            self._changed.wait_for(lambda: not self._open, timeout=_STOP_SECONDS)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """A client that goes away is everyday life; anything else is worth a line in the log."""
        import sys

        if not isinstance(sys.exception(), OSError):
            _log.exception("the update server failed to answer")


class _Handler(BaseHTTPRequestHandler):
    """One connection: HTTP/1.1, kept alive until it idles."""

    server: _Listener
    protocol_version = "HTTP/1.1"
    server_version = "flatkit"
    sys_version = ""
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer with a content, a stretch of it, or 404."""
        self._answer_content(with_body=True)

    def do_HEAD(self) -> None:
        """Answer as GET does, without the body."""
        self._answer_content(with_body=False)

    def do_POST(self) -> None:
        """Omaha, and nothing else."""
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length) or int(length) > omaha.REQUEST_LIMIT:
            self.close_connection = True  # the body stays unread
            self._say(413 if is_number(length) else 411, f"expected a body of at most {omaha.REQUEST_LIMIT} bytes")
            return
        data = self.rfile.read(int(length))
        path = self._path()
        status = self.server.owner.before_answer(path)
        if status:
            self._say(status, "this answer was asked for by a test")
        elif path.rstrip("/") != "/v1/update":
            self._say(404, f'nothing takes a POST at "{path}"; expected /v1/update/')
        else:
            self._answer_omaha(data)

    def _answer_omaha(self, data: bytes) -> None:
        host = self.headers.get("Host") or "{}:{}".format(*self.connection.getsockname()[:2])
        if not re.fullmatch(r"[0-9A-Za-z.-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?", host):
            self._say(400, "the header Host names no host")
            return
        try:
            answer = self.server.owner.answer_omaha(data, host=host)
        except InputError as error:
            self._say(400, error.message)
            return
        self._head(200, {"Content-Type": "text/xml; charset=utf-8", "Content-Length": str(len(answer))})
        self.wfile.write(answer)

    def _answer_content(self, *, with_body: bool) -> None:
        owner, path = self.server.owner, self._path()
        if "Content-Length" in self.headers or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # a body that nobody reads must not be taken for the next request
        status = owner.before_answer(path)
        content = None if status else owner.find_content(path)
        if content is None:
            self._say(status or 404, f'"{path}" is not published here', with_body=with_body)
            return
        try:
            file = content.open()
        except ImageError as error:
            self._say(404, error.message, with_body=with_body)
            return
        with file:
            asked = self.headers
            chosen = select(
                content,
                wanted=asked.get("Range", ""),
                if_range=asked.get("If-Range", ""),
                if_none_match=asked.get("If-None-Match", ""),
            )
            self._head(chosen.status, _headers(content, chosen))
            if with_body and chosen.count:
                self.close_connection, keep = True, self.close_connection
                sent = owner.send_body(self.connection, file, path=path, start=chosen.start, count=chosen.count)
                # A client sees that bytes are missing only when the connection ends.
                self.close_connection = keep or sent != chosen.count

    def _path(self) -> str:
        return unquote(urlsplit(self.path).path)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _say(self, status: int, text: str, *, with_body: bool = True) -> None:
        """A status with one line of text."""
        data = f"{text}\n".encode()
        self._head(status, {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(data))})
        if with_body:
            self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """To the logger, not to standard error: a notebook shows that."""
        _log.debug(format, *args)


def _headers(content: Content, chosen: Selection) -> dict[str, str]:
    headers = {"ETag": content.etag, "Accept-Ranges": "bytes", "Content-Type": content.media_type}
    if chosen.status == 206:
        headers["Content-Range"] = f"bytes {chosen.start}-{chosen.start + chosen.count - 1}/{content.size}"
    elif chosen.status == 416:
        headers["Content-Range"] = f"bytes */{content.size}"
    if chosen.status != 304:
        headers["Content-Length"] = str(chosen.count)
    return headers
