"""Wait for an SSH server's banner through QEMU's user network, at no cost to the guest.

QEMU accepts a forwarded connection at once, even if the guest is not up yet. The connection's first packet is then lost
and repeated seconds later. Many quick attempts would not help. A guest that starts one sshd per connection would start
a dozen, just when it is busiest.

So flatkit knocks first: it connects to a guest port where nothing listens. A guest that is on the network refuses this
at once, in its kernel. Only then does flatkit try the server's own port.
"""

from __future__ import annotations

import select
import socket
import time
from contextlib import suppress
from typing import Self

_LONGEST_PATIENCE = 20.0
_LONGEST_GREETING = 1024


class _Tries:
    """Connections to one port that are started one after the other and may hang."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.open: dict[socket.socket, float] = {}
        self.last = -1000.0
        self.refused = False

    def begin(self) -> None:
        """Start another connection; `refused` is set if nothing is behind the port at all."""
        self.last = time.monotonic()
        try:
            connection = socket.create_connection(("127.0.0.1", self._port), timeout=1)
        except OSError:
            self.refused = True
            return
        self.refused = False
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        self.open[connection] = self.last

    def drop(self, connection: socket.socket) -> None:
        """Close one connection."""
        del self.open[connection]
        connection.close()

    def drop_older(self, seconds: float) -> int:
        """Close the connections that have hung for so many seconds, and return their number."""
        now = time.monotonic()
        old = [connection for connection, began in self.open.items() if now - began > seconds]
        for connection in old:
            self.drop(connection)
        return len(old)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self.open):
            self.drop(connection)


class BannerProbe:
    """Probe for an SSH server: call `poll` until it returns a socket whose server has sent its banner.

    The banner is still unread on that socket. `knock_port` leads to a guest port where nothing listens; it is None if
    there is no such forward. A guest that drops packets instead of refusing them is tried every `blind_spacing`
    seconds. A guest whose network is not up yet is tried too, and starts an sshd for each of these tries later.
    """

    def __init__(
        self,
        port: int,
        *,
        knock_port: int | None = None,
        knock_spacing: float = 0.2,
        blind_spacing: float = 4.0,
        patience: float = 5.0,
    ) -> None:
        self._tries = _Tries(port)
        self._knocks = _Tries(knock_port) if knock_port else None
        self._knock_spacing, self._patience = knock_spacing, patience
        self._blind_spacing = blind_spacing
        self._began = 0.0
        self._not_before = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop every connection that is still open."""
        self._tries.close()
        if self._knocks:
            self._knocks.close()

    def slow_down(self, seconds: float) -> None:
        """Give a slow guest at least so much time between tries, and for each of them (within limits)."""
        self._blind_spacing = max(self._blind_spacing, seconds)
        self._patience = max(self._patience, min(seconds, _LONGEST_PATIENCE))

    @property
    def is_up(self) -> bool:
        """True once the guest has refused a knock: it is on the network. Always True without a `knock_port`."""
        return self._knocks is None

    def poll(self, wait: float = 0.05) -> socket.socket | None:
        """Wait at most `wait` seconds; return the connection whose server sent its banner (still unread), or None."""
        self._begin()
        knocks = self._knocks.open if self._knocks else {}
        watched = [*self._tries.open, *knocks]
        readable, _, _ = select.select(watched, [], [], wait)
        if self._knocks and (self._knocks.refused or any(connection in knocks for connection in readable)):
            self._knocks.close()
            self._knocks = None
            # Their first packet was lost. A new connection is answered at once.
            self._tries.close()
        for connection in readable:
            if connection in self._tries.open and self._shows_banner(connection):
                del self._tries.open[connection]
                connection.setblocking(True)
                return connection
        if any(connection in self._tries.open for connection in readable):
            # A partial greeting stays readable. Without a pause, this loop would keep a processor busy.
            time.sleep(min(wait, 0.05))
        if self._tries.drop_older(self._patience):
            self._patience = min(_LONGEST_PATIENCE, self._patience * 1.5)
        return None

    def _begin(self) -> None:
        now = time.monotonic()
        self._began = self._began or now
        if self._knocks:
            self._knocks.drop_older(1.0)
            if now - self._knocks.last >= self._knock_spacing:
                self._knocks.begin()
            if now - max(self._began, self._tries.last) >= self._blind_spacing:
                self._tries.begin()
        elif not self._tries.open and now >= self._not_before:
            self._tries.begin()
            self._not_before = now + 0.1

    def _shows_banner(self, connection: socket.socket) -> bool:
        try:
            seen = connection.recv(_LONGEST_GREETING, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            seen = b""
        if not seen:
            self._tries.drop(connection)  # refused by the guest: nothing listens there yet
            return False
        # A server may send other lines before its banner (RFC 4253, section 4.2).
        if any(line.startswith(b"SSH-") for line in seen.split(b"\n")):
            return True
        if len(seen) == _LONGEST_GREETING:
            self._tries.drop(connection)  # a peek would never show more than this
        return False
