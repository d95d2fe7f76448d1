"""A login on a machine for a person's keys: a shell with a terminal of its own, over the machine's kept connection."""

from __future__ import annotations

from typing import Protocol

from flatkit.machines.ssh import Connection

_CHUNK = 64 * 1024


class Channel(Protocol):
    """The part of paramiko's channel that is used."""

    def sendall(self, data: bytes) -> None:
        """Send all of it."""

    def recv(self, nbytes: int) -> bytes:
        """What came; empty at the end."""

    def resize_pty(self, width: int = 80, height: int = 24) -> None:
        """Change the terminal's size."""

    def close(self) -> None:
        """Hang up."""


class Shell:
    """An open shell. One thread may receive while others send. Sending to one that has ended raises OSError."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def send(self, text: str) -> None:
        """Type."""
        self._channel.sendall(text.encode())

    def receive(self) -> bytes:
        """What the machine said since; waits for something, empty when the session has ended."""
        try:
            return self._channel.recv(_CHUNK)
        except OSError:
            return b""

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has this many columns and rows now."""
        self._channel.resize_pty(width=columns, height=rows)

    def close(self) -> None:
        """Hang up."""
        self._channel.close()


def open_shell(connection: Connection, *, columns: int = 80, rows: int = 24) -> Shell:
    """Log in for a person. Raises MachineError."""
    return Shell(connection.open_shell(columns=columns, rows=rows))
