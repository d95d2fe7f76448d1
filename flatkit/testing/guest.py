"""A fake guest: writes a console and answers SSH, so that the room of machines is tested without booting any.

The SSH server is a real one (paramiko's), on 127.0.0.1; commands are answered from a function.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from flatkit.machines.keys import fingerprint_of
from flatkit.machines.ssh import load_paramiko

BOOT = (
    "[    0.000000] Linux version 6.12.0-fake (flatkit)",
    "[    1.000000] lab-initrd: started",
    "[    1.500000] lab-initrd: Ignition stage files",
    "[    2.000000] lab-initrd: switching to the root file system",
)

# command -> (standard output, standard error, status)
Answer = Callable[[str], tuple[str, str, int]]


def echo(command: str) -> tuple[str, str, int]:
    """The default answer: the command itself."""
    return f"{command}\n", "", 0


class FakeGuest:
    """Act out a power-on: the lines of `boot`, then the host key, then an SSH server on `port`.

    `shows_key` False keeps the host key off the console, `serves` False the server away. A command that contains
    `hang_up_on` is answered by dropping the connection.
    """

    def __init__(
        self,
        *,
        boot: Sequence[str] = BOOT,
        answer: Answer = echo,
        shows_key: bool = True,
        serves: bool = True,
    ) -> None:
        module = load_paramiko()
        self.key = module.ECDSAKey.generate()
        self.boot = tuple(boot)
        self.answer = answer
        self.shows_key = shows_key
        self.serves = serves
        self.connections = self.logins = 0
        self.commands: list[str] = []
        self.hang_up_on = ""
        self._listener: socket.socket | None = None
        self._transports: list[Any] = []

    @property
    def key_line(self) -> str:
        """The console's lines about the host key."""
        return f"SSH host key: {fingerprint_of(self.key.asbytes())} (ECDSA)"

    def power_on(self, console: Path, port: int) -> None:
        """Write the console and serve SSH; returns at once."""
        lines = [*self.boot, *([self.key_line] if self.shows_key else [])]
        with console.open("a") as file:
            file.write("".join(f"{line}\r\n" for line in lines))
        if self.serves:
            self.serve(port)

    def serve(self, port: int) -> None:
        """Begin to answer SSH."""
        self._listener = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True, name="fake-guest").start()

    def power_off(self) -> None:
        """Hang up on everyone."""
        listener, self._listener = self._listener, None
        if listener:
            # A thread that waits in accept() is woken by this, and not by close() alone.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.hang_up()

    def hang_up(self) -> None:
        """Drop every connection, and go on serving."""
        while self._transports:
            self._transports.pop().close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self._serve(connection)
            if self._listener is not listener:  # it was switched off meanwhile: nobody else hangs up on this one
                self.hang_up()

    def _serve(self, connection: socket.socket) -> None:
        module = load_paramiko()
        transport = module.Transport(connection)
        transport.set_log_channel("flatkit.machines.ssh.transport")
        transport.add_server_key(self.key)
        self._transports.append(transport)
        with suppress(module.SSHException, EOFError, OSError):
            transport.start_server(event=threading.Event(), server=_server(module, self))


def _server(module: Any, guest: FakeGuest) -> Any:
    class Server(module.ServerInterface):  # type: ignore[misc]
        """Lets everyone in, and answers each command in a thread of its own."""

        def check_auth_publickey(self, username: str, key: object) -> int:  # noqa: ARG002
            guest.logins += 1
            return int(module.AUTH_SUCCESSFUL)

        def get_allowed_auths(self, username: str) -> str:  # noqa: ARG002
            return "publickey"

        def check_channel_request(self, kind: str, chanid: int) -> int:  # noqa: ARG002
            return int(module.OPEN_SUCCEEDED)

        def check_channel_exec_request(self, channel: Any, command: bytes) -> bool:
            threading.Thread(target=_answer, args=(guest, channel, command.decode()), daemon=True).start()
            return True

        def check_channel_pty_request(self, channel: Any, *details: Any) -> bool:  # noqa: ARG002
            return True

        def check_channel_shell_request(self, channel: Any) -> bool:
            threading.Thread(target=_type, args=(channel,), daemon=True).start()
            return True

        def check_channel_window_change_request(self, channel: Any, width: int, height: int, *pixels: int) -> bool:  # noqa: ARG002
            channel.send(f"<{width}x{height}>".encode())
            return True

    return Server()


def _type(channel: Any) -> None:
    """A shell that says back what is typed, and ends with "exit"."""
    with suppress(OSError, EOFError):
        channel.sendall(b"welcome\r\n")
        while (typed := channel.recv(1024)) and typed != b"exit\r":
            channel.sendall(b"typed:" + typed)
    channel.close()


def _answer(guest: FakeGuest, channel: Any, command: str) -> None:
    guest.commands.append(command)
    # The client may close the connection at any moment.
    with suppress(OSError, EOFError, load_paramiko().SSHException):
        # Real servers say yes to the request before the command ends; the client's end of input comes after that.
        channel.recv(1)
        if guest.hang_up_on and guest.hang_up_on in command:
            channel.send(b"half an ans")
            guest.hang_up()
            return
        stdout, stderr, status = guest.answer(command)
        channel.sendall(stdout.encode())
        channel.sendall_stderr(stderr.encode())
        channel.send_exit_status(status)
        channel.shutdown_write()
        channel.close()
