"""A server that sends what a test tells it, byte by byte if need be, and knows nothing of HTTP's rules."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class HostileServer:
    """`with HostileServer(behave) as server:` calls `behave(connection, server)` for each connection, in a thread.

    `seen` is set when a request came (without `reads`: a connection), `over` when the test is over.
    """

    def __init__(self, behave: Callable[[socket.socket, HostileServer], None], *, reads: bool = True) -> None:
        self._behave, self._reads = behave, reads
        self.seen, self.over = threading.Event(), threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> HostileServer:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in list(self._threads):
            thread.join()

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            if self._reads:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = connection.recv(4096)
                    if not piece:
                        return
                    head += piece
            self.seen.set()
            self._behave(connection, self)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"


def silent(connection: socket.socket, server: HostileServer) -> None:
    """Never answer."""
    server.over.wait()


def saying(data: bytes) -> Callable[[socket.socket, HostileServer], None]:
    """Send this, and hang up."""
    return lambda connection, server: connection.sendall(data)


def dripping(before: bytes, drop: bytes, *, every: float = 0.05) -> Callable[[socket.socket, HostileServer], None]:
    """Send the beginning at once, then a drop after each pause, for ever."""

    def behave(connection: socket.socket, server: HostileServer) -> None:
        connection.sendall(before)
        while not server.over.wait(every):
            connection.sendall(drop)

    return behave


def flooding(before: bytes, wave: bytes) -> Callable[[socket.socket, HostileServer], None]:
    """Send the beginning, then the wave again and again, as fast as it is taken."""

    def behave(connection: socket.socket, server: HostileServer) -> None:
        connection.sendall(before)
        while not server.over.is_set():
            connection.sendall(wave)

    return behave


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
# Each part of an answer that a server can make last: none of them is covered by a timeout for each wait on the network.
DRIPS = {
    "status line": dripping(b"HTTP/1.1 200 O", b"K"),
    "header": dripping(HEAD + b"X-Slow: ", b"x"),
    "headers": dripping(HEAD, b"X: x\r\n"),
    "interim answers": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "body": dripping(HEAD + b"\r\n", b"x"),
    "body of a length": dripping(HEAD + b"Content-Length: 100000\r\n\r\n", b"x"),
    "length of a chunk": dripping(CHUNKED, b"0"),
    "chunks": dripping(CHUNKED, b"1\r\nx\r\n"),
    "trailer": dripping(CHUNKED + b"1\r\nx\r\n0\r\n", b"X: x\r\n"),
}
