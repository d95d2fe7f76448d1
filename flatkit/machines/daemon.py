"""The libvirt daemon that a machine is under: its URI and, for a user's own session, the folder of its socket.

One user has as many session daemons as runtime directories: XDG_RUNTIME_DIR differs between a desktop, an SSH login,
cron and a spawner, and without it the cache folder is used (GLib's g_get_user_runtime_dir, which libvirt calls). Each
daemon knows only the machines that it started itself, although all read the same definitions from ~/.config/libvirt.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from flatkit.accounts import my_uid

_DAEMONS = frozenset({"libvirtd", "virtqemud"})


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """`runtime` is the XDG_RUNTIME_DIR that leads to a user's session daemon; "" for every other daemon."""

    uri: str = ""
    runtime: str = ""

    @property
    def host(self) -> str:
        """The other host of its URI, with the port if there is one; "" for this host. Raises ValueError for a bad port."""
        parts = urlsplit(self.uri)
        return f"{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"

    @property
    def is_session(self) -> bool:
        """True for a session daemon of a user on this host."""
        parts = urlsplit(self.uri)
        return parts.scheme.startswith("qemu") and not parts.netloc and parts.path == "/session" and my_uid() != 0

    def leads_to(self, other: Daemon) -> bool:
        """Return True if both are the same daemon. For root, the session's URI is another name of the system's daemon."""
        return self.host == other.host and self._path == other._path and self.runtime == other.runtime

    @property
    def _path(self) -> str:
        parts = urlsplit(self.uri)
        is_roots = parts.path == "/session" and not parts.netloc and my_uid() == 0
        return f"{parts.scheme.partition('+')[0]}:{'/system' if is_roots else parts.path}?{parts.query}"

    def way(self, command: str) -> str:
        """Return the command with the assignments that lead to this daemon, such as "XDG_RUNTIME_DIR=/run/user/1000"."""
        words = [f"LIBVIRT_DEFAULT_URI={shlex.quote(self.uri)}"] if self.uri != default_uri() else []
        words += [f"XDG_RUNTIME_DIR={shlex.quote(self.runtime)}"] if self.runtime else []
        return " ".join([*words, command])


# That of a record that names none.
UNKNOWN = Daemon()


def default_uri() -> str:
    """Return the URI of LIBVIRT_DEFAULT_URI, else that of the user's own session."""
    return os.environ.get("LIBVIRT_DEFAULT_URI") or "qemu:///session"


def daemon_of(uri: str) -> Daemon:
    """Return the daemon that a URI leads to in this process's environment."""
    found = Daemon(uri=uri)
    return Daemon(uri=uri, runtime=str(runtime_folder())) if found.is_session else found


def runtime_folder() -> Path:
    """Return the folder in which a session daemon has its folder `libvirt`: XDG_RUNTIME_DIR, else the cache folder."""
    return _runtime_of(dict(os.environ))


def _runtime_of(environment: dict[str, str]) -> Path:
    if given := environment.get("XDG_RUNTIME_DIR"):
        return Path(given)
    if cache := environment.get("XDG_CACHE_HOME"):
        return Path(cache)
    # PTH111: a user without a home has "~", where nothing is.
    return Path(environment.get("HOME") or os.path.expanduser("~"), ".cache")  # noqa: PTH111


def find_session(domain: str, pid: int, *, known: str = "", proc: Path = Path("/proc")) -> Daemon | None:
    """Return the user's session daemon that started the QEMU with this process ID, by the file where libvirt keeps it.

    `known` is a runtime directory to look at first. Return None if no daemon of this user has such a file.
    """
    for runtime in dict.fromkeys([*([Path(known)] if known else []), *_candidates(proc)]):
        with suppress(OSError, ValueError):
            if int((runtime / f"libvirt/qemu/run/{domain}.pid").read_text()) == pid:
                return Daemon(uri="qemu:///session", runtime=str(runtime))
    return None


def _candidates(proc: Path) -> Iterator[Path]:
    """Yield the runtime directories of the user's own daemons, then the usual ones."""
    for path in proc.glob("[0-9]*/comm"):
        with suppress(OSError):
            if path.read_text().strip() in _DAEMONS and path.parent.stat().st_uid == my_uid():
                words = (path.parent / "environ").read_bytes().decode(errors="surrogateescape").split("\0")
                yield _runtime_of(dict(word.split("=", 1) for word in words if "=" in word))
    yield Path(f"/run/user/{my_uid()}")
    yield _runtime_of({"HOME": os.environ.get("HOME", "")})
