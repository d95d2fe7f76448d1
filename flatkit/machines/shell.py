"""An interactive login on a machine: a shell with its own terminal, over the machine's existing SSH connection."""

from __future__ import annotations

from typing import Protocol

from flatkit.machines.ssh import Connection

_CHUNK = 64 * 1024


class ShellChannel(Protocol):
    """The part of paramiko's channel that flatkit uses."""

    def sendall(self, data: bytes) -> None:
        """Send all of the data."""

    def recv(self, nbytes: int) -> bytes:
        """Receive data; empty at the end."""

    def resize_pty(self, width: int = 80, height: int = 24) -> None:
        """Change the terminal's size."""

    def close(self) -> None:
        """Close the channel."""


class Shell:
    """An open shell. One thread may receive while others send. Sending to a shell that has ended raises OSError."""

    def __init__(self, channel: ShellChannel) -> None:
        self._channel = channel

    def send(self, text: str) -> None:
        """Send text, as if it was typed."""
        self._channel.sendall(text.encode())

    def receive(self) -> bytes:
        """Wait for output and return it; empty if the session has ended."""
        try:
            return self._channel.recv(_CHUNK)
        except OSError:
            return b""

    def resize(self, columns: int, rows: int) -> None:
        """Set the terminal's number of columns and rows."""
        self._channel.resize_pty(width=columns, height=rows)

    def close(self) -> None:
        """Close the shell."""
        self._channel.close()


def open_shell(connection: Connection, *, columns: int = 80, rows: int = 24) -> Shell:
    """Open a login shell for the user. Raises MachineError."""
    return Shell(connection.open_shell(columns=columns, rows=rows))
