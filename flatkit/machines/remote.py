"""Another host whose libvirt runs the machines, reached by the same `ssh` that libvirt uses.

The user's SSH configuration for that host in ~/.ssh/config (user, key, jump host) applies to both. The SSH options in
libvirt's URI apply too.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from flatkit.errors import CommandFailed, HostError
from flatkit.run import Result, run, stream
from flatkit.untrusted import lines_of, printable, shell_word

_TIMEOUT = 60.0
# libvirt's drivers that run flatkit's machines (test: in its tests), and their transports.
_SCHEME = re.compile(r"(qemu|test)(\+[a-z0-9]+)?")
_PATHS = ("/session", "/system", "/embed")
# Neither may begin like an ssh option. An IPv6 address has no letters besides its digits and a zone.
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*|[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
_USER = re.compile(r"[A-Za-z0-9_.+=@\\][A-Za-z0-9_.+=@\\$-]*")
_SSH_SAID = re.compile(r"ssh: |Permission denied \(|Host key verification|kex_exchange|No route to host|known_hosts")
# What flatkit asks of ssh; the options of the URI follow.
_OPTIONS = ("-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-T")
# ssh's exit status for "no connection".
_NO_CONNECTION = 255
# Image files are sparse. Each line of output is a chance to stop.
_SEND = 'tar -C "$1" --checkpoint=500 --checkpoint-action=echo -cSf - "$2" | { shift 2; exec "$@"; }'
_TAKE = 'umask 022; mkdir -p "$1" && tar -C "$1" -xSf - && mv "$1" "$2"'


@dataclass(frozen=True, kw_only=True)
class RemoteHost:
    """A host reached by SSH: `ssh` is the program with its options, `target` the SSH destination."""

    ssh: tuple[str, ...]
    target: str

    def argv(self, script: str, *words: str, options: Sequence[str] = ()) -> list[str]:
        """Return the command that runs a shell script on the host; `words` are its $1, $2 and so on."""
        return [*self.ssh, *options, "--", self.target, shlex.join(["sh", "-c", script, "flatkit", *words])]

    def run(self, script: str, *words: str, check: bool = True, text: str = "", timeout: float = _TIMEOUT) -> Result:
        """Run a shell script on the host; `text` is its standard input. Raises HostError, CommandFailed, WaitTimeout."""
        done = run(self.argv(script, *words), check=False, input=text, timeout=timeout)
        if done.status == _NO_CONNECTION:
            raise self.unreachable(done.stderr)
        if check and done.status:
            said = lines_of((done.stderr or done.stdout).strip())
            raise CommandFailed(
                f'"{words[0] if words else script}" failed on "{self.target}" with status {done.status}: '
                f"{said[-1] if said else 'it said nothing'}",
                details=done.stderr or done.stdout,
            )
        return done

    def send(self, source: Path, folder: str, *, on_piece: Callable[[str], None]) -> None:
        """Copy a file into a new folder on the host, completely or not at all. Raises HostError, CommandFailed."""
        part = f"{folder}.part"
        self.run('rm -rf "$1"', part)
        there = self.argv(_TAKE, part, folder)
        try:
            stream(["sh", "-c", _SEND, "sh", str(source.parent), source.name, *there], on_piece)
        except CommandFailed as error:
            if error.details.rstrip().endswith("closed"):
                raise self.unreachable(error.details) from None
            raise

    def way(self, program: str = "") -> str:
        """Return the command line with which the user reaches the host: with the port, the key and so on of the URI."""
        words = [program or self.ssh[0], *self.ssh[1 + len(_OPTIONS) :], self.target]
        return " ".join(shell_word(word) for word in words)

    @staticmethod
    def is_to_blame(said: str) -> bool:
        """Return True if the message is from ssh, not from a libvirt that ssh has reached."""
        return bool(_SSH_SAID.search(said))

    def unreachable(self, said: str) -> HostError:
        """Return the error for a host that cannot be reached."""
        lines = lines_of(said.removeprefix("Cannot recv data: ").strip())
        return HostError(
            f'the host "{self.target}" of LIBVIRT_DEFAULT_URI cannot be reached by SSH: '
            f"{lines[-1] if lines else 'the connection was lost'}",
            hint=f"{self.way()} true   (it must work without a password: {self.way('ssh-copy-id')})",
            details=said,
        )


def is_remote(uri: str) -> bool:
    """Return True if a libvirt URI leads to another host: `driver+ssh://HOST/...`, or `driver://HOST/...`.

    Raises HostError for an invalid URI.
    """
    return bool(urlsplit(check_uri(uri)).netloc)


def check_uri(uri: str) -> str:
    """Return a libvirt URI if flatkit can use it. Raises HostError."""
    try:
        parts = urlsplit(uri)
        _ = parts.port  # raises for a port that is not a number
        why = _find_fault(uri, parts)
    except ValueError as error:
        why = f"it is not an URI: {printable(error)}"
    if why:
        raise HostError(
            f'libvirt cannot be reached by the URI "{printable(uri)}" of LIBVIRT_DEFAULT_URI: {why}; '
            "expected qemu:///session, qemu:///system or qemu+ssh://HOST/system",
            hint="unset LIBVIRT_DEFAULT_URI   (your own session is used then)",
        )
    return uri


def _find_fault(uri: str, parts: SplitResult) -> str:
    """Return the fault of a URI; "" for a valid one."""
    if not uri.isascii() or not uri.isprintable() or " " in uri:
        return "it has a character that must be percent-encoded"
    if (meant := unquote(uri)) != printable(meant, limit=len(uri)):
        return "it has a hidden character"
    if "://" not in uri:
        return 'it has no "://"'
    if parts.scheme and not uri.startswith(parts.scheme):
        return f'"{printable(uri[: len(parts.scheme)])}" is not in small letters'
    if not uri.startswith(f"{parts.scheme}://") or not _SCHEME.fullmatch(parts.scheme):
        return f'"{printable(parts.scheme or uri)}" is not a driver that flatkit knows'
    if parts.netloc and not _HOST.fullmatch(parts.hostname or ""):
        return f'"{printable(parts.hostname or parts.netloc)}" cannot be a host'
    if parts.username is not None and not _USER.fullmatch(parts.username):
        return f'"{printable(parts.username)}" cannot be a user'
    if parts.scheme.startswith("qemu") and parts.path not in _PATHS:
        return f'its path is "{printable(parts.path)}"'
    transport = parts.scheme.partition("+")[2]
    if not parts.netloc and transport not in {"", "unix"}:
        return f'"{transport}" leads to another host, and it names none'
    if (
        parts.scheme.startswith("test")
        and not parts.netloc
        and parts.path != "/default"
        and not Path(parts.path).is_file()
    ):
        return f'its path is "{printable(parts.path)}"'
    return ""


def find_remote(uri: str) -> RemoteHost | None:
    """Return the other host that a libvirt URI leads to; None for this host.

    Raises HostError for an invalid URI, or for another host without SSH.
    """
    if not is_remote(uri):
        return None
    parts = urlsplit(uri)
    if not parts.scheme.endswith("+ssh") or not parts.hostname:
        raise HostError(
            f'libvirt at "{printable(uri)}" is on another host, and flatkit goes there by SSH alone: expected qemu+ssh://HOST/session',
            hint=f"export LIBVIRT_DEFAULT_URI=qemu+ssh://{parts.hostname or 'HOST'}/session",
        )
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    options = [*_OPTIONS]
    if parts.port:
        options += ["-p", str(parts.port)]
    if "keyfile" in asked:
        options += ["-i", asked["keyfile"]]
    if "known_hosts" in asked:
        options += ["-o", f"UserKnownHostsFile={asked['known_hosts']}"]
    if asked.get("no_verify") == "1":
        options += ["-o", "StrictHostKeyChecking=no"]
    target = f"{parts.username}@{parts.hostname}" if parts.username else parts.hostname
    return RemoteHost(ssh=(asked.get("command", "ssh"), *options), target=target)
