"""Wrapper for paramiko: wait for a machine's SSH server, and run commands over a connection that is kept.

No other module imports paramiko. "SSH ready" is the first line of the server's banner. flatkit peeks at it without
consuming it (MSG_PEEK), so that the same connection continues with the login. A login costs an emulated machine more
than a second.
"""

from __future__ import annotations

import codecs
import logging
import select
import socket
import sys
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from flatkit.errors import CommandFailed, MachineError, WaitTimeout
from flatkit.files import save
from flatkit.machines.banner import BannerProbe
from flatkit.machines.keys import HostKey, algorithms_for, fingerprint_of
from flatkit.plain_names import plain
from flatkit.untrusted import lines_of, printable

if TYPE_CHECKING:
    import paramiko

_CHUNK = 32 * 1024
_OUTPUT_MAX = 256 * 1024 * 1024  # bytes of a command's output, which is kept in memory
_LOG = "flatkit.machines.ssh.transport"
# Seconds between keepalives. A machine that panics goes silent; after its restart it refuses them, which ends the connection.
_KEEP_ASKING = 3
_LOOK_AGAIN = 2.0  # seconds: while no server answers, check at this interval that one still can


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Output and status of a command on a machine; `seconds` is its run time without the login."""

    command: str
    stdout: str
    stderr: str
    status: int
    seconds: float

    @property
    def ok(self) -> bool:
        """True if the command ended with status 0."""
        return self.status == 0

    def __str__(self) -> str:
        return self.stdout + self.stderr

    def check(self) -> RunResult:
        """Return this result if the command succeeded. Raises CommandFailed."""
        if not self.ok:
            said = lines_of((self.stderr or self.stdout).strip())
            raise CommandFailed(
                f'"{self.command}" ended with status {self.status}: {said[-1] if said else "it said nothing"}',
                details=self.stderr or self.stdout,
            )
        return self


def load_paramiko() -> ModuleType:
    """Import paramiko without the developer warnings and log messages of it and its libraries."""
    if "paramiko" not in sys.modules:
        # For good: `catch_warnings` would put the filters back that another thread, a notebook's cell, has changed since.
        warnings.filterwarnings("ignore", module=r"paramiko\b")
    import paramiko as module

    log = logging.getLogger(_LOG)
    log.propagate = False
    if not log.handlers:
        # Without a handler, Python prints a dropped connection's traceback. The raised error already reports it.
        log.addHandler(logging.NullHandler())
    return module


def preload() -> None:
    """Import paramiko in the background, which takes a third of a second, while a machine does its own work."""
    threading.Thread(target=load_paramiko, daemon=True).start()


class _HandshakeFailed(MachineError):
    """Error for a session that was not established, though a server was there and refused nobody."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Address of a machine's SSH server, with the user, the key, and the host keys that its console showed."""

    name: str
    port: int
    user: str
    key_file: Path
    host_keys: tuple[HostKey, ...]
    known_hosts: Path

    @property
    def alias(self) -> str:
        """The host's name in known_hosts: ports change, the machine's name stays."""
        return f"flatkit-{self.name}"

    def argv(self, command: Sequence[str] = ()) -> list[str]:
        """Return the equivalent `ssh` command; known_hosts must exist before it runs. Raises HostError."""
        options = {
            "UserKnownHostsFile": str(plain(self.known_hosts.parent) / self.known_hosts.name),
            "GlobalKnownHostsFile": "/dev/null",
            "HostKeyAlias": self.alias,
            "StrictHostKeyChecking": "yes",
            "IdentitiesOnly": "yes",
            "IdentityFile": str(plain(self.key_file)),
            "LogLevel": "ERROR",
        }
        words = ["ssh", "-F", "none", "-p", str(self.port)]
        for key, value in options.items():
            quoted = f'"{value}"' if " " in value else value
            words += ["-o", f"{key}={quoted}"]
        return [*words, f"{self.user}@127.0.0.1", *(["--", *command] if command else [])]


class Connection:
    """A connection to one machine: opened on first use, kept, and opened again after a drop. Thread-safe.

    `check` is called at intervals while no server answers. It raises MachineError if none ever will.
    """

    def __init__(self, endpoint: Endpoint, *, check: Callable[[], None] | None = None) -> None:
        self.endpoint = endpoint
        self._check = check
        self._lock = threading.RLock()
        self._transport: paramiko.Transport | None = None
        self._waiting: socket.socket | None = None
        self._unused: weakref.finalize[..., Connection] | None = None

    def __del__(self) -> None:
        # Handles to machines come and go in a notebook; their connections must not stay behind.
        self.close()

    def adopt(self, connection: socket.socket) -> None:
        """Use this socket, whose banner is still unread, for the next login."""
        with self._lock:
            self._take_waiting(close=True)
            self._waiting = connection
            # In a reference cycle (a traceback, for example), __del__ may run after the socket is finalized.
            self._unused = weakref.finalize(self, connection.close)

    def close(self) -> None:
        """Close the connection; the next command opens another."""
        with self._lock:
            transport, self._transport = self._transport, None
            self._take_waiting(close=True)
        if transport:
            transport.close()

    def _take_waiting(self, *, close: bool = False) -> socket.socket | None:
        connection, self._waiting = self._waiting, None
        if self._unused:
            self._unused.detach()
            self._unused = None
        if close and connection:
            connection.close()
        return connection

    def open(self, *, timeout: float = 60.0) -> paramiko.Transport:
        """Return a logged-in transport. Raises MachineError if the server is not the machine's, or refuses the key."""
        with self._lock:
            if self._transport is None or not self._transport.is_active():
                if self._transport:
                    self._transport.close()
                began = time.monotonic()
                try:
                    self._transport = self._log_in(timeout)
                except _HandshakeFailed:
                    # paramiko measures its timeouts by the wall clock. A clock that jumped ends a handshake that went
                    # well.
                    if time.monotonic() - began > timeout / 2:
                        raise
                    self._transport = self._log_in(timeout)
            return self._transport

    def pin(self, *, timeout: float = 60.0) -> None:
        """Make sure that known_hosts contains the machine's key, for the plain `ssh` program."""
        if not self.endpoint.known_hosts.exists():
            self.open(timeout=timeout)

    def run(
        self,
        command: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[str], None] | None = None,
    ) -> RunResult:
        """Run a command line with the user's shell on the machine, and return its result, whatever its status.

        `on_output` gets each piece of output, and "" several times a second while none comes. A command never runs twice:
        a connection that was dropped before it began is opened again, a drop during the command is an error. Raises
        WaitTimeout after `timeout` seconds, MachineError if the connection fails.
        """
        channel = self._channel()
        began = time.monotonic()
        try:
            channel.exec_command(command)
            channel.shutdown_write()
            stdout, stderr = _collect(channel, command, began, timeout, on_output)
            status = channel.recv_exit_status()
        except (OSError, EOFError, load_paramiko().SSHException) as error:
            if isinstance(error, WaitTimeout):
                raise
            raise self._dropped(command, printable(error)) from None
        finally:
            channel.close()
        if status == -1:
            # No status: a signal ended the command, or the connection is gone.
            if not self.is_active:
                raise self._dropped(command, "it closed without a status")
            status = 255
        return RunResult(command=command, stdout=stdout, stderr=stderr, status=status, seconds=time.monotonic() - began)

    def open_shell(self, *, columns: int, rows: int) -> paramiko.Channel:
        """Open a login shell with a terminal of this size. Raises MachineError."""
        channel = self._channel()
        try:
            channel.get_pty("xterm-256color", columns, rows)
            channel.invoke_shell()
        except (OSError, EOFError, load_paramiko().SSHException) as error:
            channel.close()
            raise self._dropped("login", str(error)) from None
        return channel

    @property
    def is_active(self) -> bool:
        """True if the connection is logged in, or has a socket that is ready for the login."""
        if self._waiting is not None:
            return True
        transport = self._transport
        return transport is not None and transport.is_active()

    def _dropped(self, command: str, why: str) -> MachineError:
        self.close()
        return MachineError(
            f'the connection to "{self.endpoint.name}" was lost while "{command}" ran: {why or "it was closed"}',
            hint=f"flatkit list, or look at the machine: flatkit console {self.endpoint.name}",
        )

    def _channel(self) -> paramiko.Channel:
        failures = (load_paramiko().SSHException, OSError, EOFError)
        try:
            return self.open().open_session(timeout=20)
        except MachineError:
            raise
        except failures:
            self.close()  # it looked alive and was not: the machine was rebooted or rewound
        try:
            return self.open().open_session(timeout=20)
        except MachineError:
            raise
        except failures as error:
            raise MachineError(
                f'the machine "{self.endpoint.name}" opens no session: {error}',
                hint=f"flatkit console {self.endpoint.name}",
            ) from None

    def _log_in(self, timeout: float) -> paramiko.Transport:
        module = load_paramiko()
        endpoint = self.endpoint
        connection = self._take_waiting()
        try:
            if connection is None:
                connection = _wait_for_socket(endpoint, timeout, self._check)
            transport: paramiko.Transport = module.Transport(connection)
        except OSError as error:
            if isinstance(error, WaitTimeout):
                raise
            raise MachineError(f'the SSH server of "{endpoint.name}" cannot be reached: {error}') from None
        try:
            transport.set_log_channel(_LOG)
            transport.banner_timeout = transport.auth_timeout = transport.handshake_timeout = timeout
            known = algorithms_for(endpoint.host_keys)
            options = transport.get_security_options()
            options.key_types = tuple(name for name in known if name in options.key_types) or options.key_types
            transport.start_client(timeout=timeout)
            self._check_host_key(transport)
            transport.auth_publickey(endpoint.user, _load_key(module, endpoint.key_file))
            transport.set_keepalive(_KEEP_ASKING)
        except module.AuthenticationException as error:
            transport.close()
            if "timeout" in str(error).lower():
                raise _HandshakeFailed(f'the login to "{endpoint.name}" did not end in time') from None
            raise MachineError(
                f'the machine "{endpoint.name}" refuses the key "{endpoint.key_file}" for user "{endpoint.user}"',
                hint="make the machine again: flatkit adds its key to the config itself",
            ) from None
        except MachineError:
            transport.close()
            raise
        except Exception as error:  # noqa: BLE001  (data from the other side can make paramiko raise anything)
            transport.close()
            raise _HandshakeFailed(
                f'no SSH session with "{endpoint.name}" came about: {printable(error) or "it was closed"}',
                hint=f"flatkit console {endpoint.name}",
            ) from None
        except BaseException:
            transport.close()
            raise
        return transport

    def _check_host_key(self, transport: paramiko.Transport) -> None:
        endpoint = self.endpoint
        key = transport.get_remote_server_key()
        shown = fingerprint_of(key.asbytes())
        if shown not in {known.fingerprint for known in endpoint.host_keys}:
            expected = (
                ", ".join(known.fingerprint for known in endpoint.host_keys) or "none: the console showed no key yet"
            )
            raise MachineError(
                f'what answers on port {endpoint.port} is not the machine "{endpoint.name}": '
                f'its host key is "{shown}", expected {expected}',
                hint=f"flatkit down {endpoint.name}, then boot it again",
            )
        save(endpoint.known_hosts, f"{endpoint.alias} {key.get_name()} {key.get_base64()}\n", mode=0o600)


def _load_key(module: ModuleType, path: Path) -> paramiko.PKey:
    try:
        key: paramiko.PKey = module.PKey.from_path(path)
    except (OSError, ValueError, TypeError, module.SSHException) as error:
        raise MachineError(
            f'the SSH key "{path}" cannot be used: {error}', hint="ssh-keygen -t ed25519 -f FILE -N ''"
        ) from None
    return key


def _wait_for_socket(endpoint: Endpoint, timeout: float, check: Callable[[], None] | None) -> socket.socket:
    deadline = time.monotonic() + timeout
    look = time.monotonic() + _LOOK_AGAIN
    with BannerProbe(endpoint.port) as probe:
        while time.monotonic() < deadline:
            if connection := probe.poll():
                return connection
            if check and time.monotonic() > look:
                check()
                look = time.monotonic() + _LOOK_AGAIN
    raise WaitTimeout(
        f'the SSH server of "{endpoint.name}" did not answer within {timeout:g} s',
        hint=f"flatkit console {endpoint.name}",
    )


def _collect(
    channel: paramiko.Channel,
    command: str,
    began: float,
    timeout: float | None,
    on_output: Callable[[str], None] | None,
) -> tuple[str, str]:
    """Read both streams to their end."""
    parts: dict[str, list[str]] = {"out": [], "err": []}
    # A chunk may end in the middle of a character.
    decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in parts}
    # Both streams share one notification. A short timeout on it allows a deadline without a thread.
    channel.settimeout(0.0)
    size = 0
    while True:
        took = False
        for name, ready, receive in (
            ("out", channel.recv_ready, channel.recv),
            ("err", channel.recv_stderr_ready, channel.recv_stderr),
        ):
            while ready() and (data := receive(_CHUNK)):
                took = True
                size += len(data)
                if size > _OUTPUT_MAX:
                    raise MachineError(
                        f'"{command}" said more than {_OUTPUT_MAX // 2**20} MiB, which is not kept',
                        hint="let it write to a file on the machine",
                    )
                text = decoders[name].decode(data)
                parts[name].append(text)
                if on_output and text:
                    on_output(text)
        if not took and channel.exit_status_ready() and (channel.eof_received or channel.closed):
            break
        if not took and channel.closed:
            break
        if timeout is not None and time.monotonic() - began > timeout:
            raise WaitTimeout(f'"{command}" did not end within {timeout:g} s', hint="give it a longer timeout")
        if not took:
            if on_output:
                on_output("")
            select.select([channel], [], [], 0.05)
    return "".join(parts["out"]), "".join(parts["err"])
