"""SSH tunnel to a machine on another host: its ports lead there, and its console arrives here.

Each machine has one `ssh` in the background, which its control socket identifies. It outlives the program that opened
it, as the machine does, and the next flatkit finds it. If it was cut, the next use opens it again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatkit.errors import HostError, MachineError
from flatkit.files import read_regular, save
from flatkit.machines.remote import RemoteHost
from flatkit.machines.spec import Forward
from flatkit.machines.store import Folder, holding
from flatkit.plain_names import TUNNEL_MAX, plain
from flatkit.run import run
from flatkit.untrusted import is_number
from flatkit.waiting import wait_until

# Address where QEMU listens on the other host. Ports have the same numbers as here, without conflicts with programs of
# that host.
THERE = "127.0.0.2"

_EXIT_SECONDS = 5.0
_PORTS_MAX = 64 * 1024
_TAKEN = re.compile(r"bind \[127\.0\.0\.1\]:(\d+): Address already in use|cannot listen to port: (\d+)")
# `-f`: ssh returns when the forwards are ready. The shell redirects the console's text to a file, so that nothing keeps
# our own streams open.
_BEGIN = 'umask 077; out="$1" said="$2"; shift 2; exec "$@" </dev/null >>"$out" 2>"$said"'
# The reader ends with the connection.
_FOLLOW = 'tail -c "+$1" -F "$2" 2>/dev/null'
_SIZE = 'stat -c %s "$1" 2>/dev/null || echo 0'


@dataclass(frozen=True, kw_only=True)
class SshTunnel:
    """Tunnel to the machine of a folder; `console` is the path of its console on the other host."""

    host: RemoteHost
    folder: Folder
    console: str

    @property
    def is_open(self) -> bool:
        """True if the tunnel is open now."""
        return (self.folder.path / "line").exists() and self._tell("check") == 0

    def open(self, forwards: Sequence[Forward]) -> None:
        """Open the tunnel, unless it is open with these ports.

        Raises HostError, MachineError for a port that is taken.
        """
        wanted = " ".join(str(forward) for forward in forwards)
        with holding(self.folder.path / ".line.lock", what="the line to it", wait=30.0):
            if self.is_open and self._ports_of_line() == wanted:
                return
            # An ssh that died silently leaves its socket, and no other ssh could create it.
            self.close()
            said = self.host.run(_SIZE, self.console).stdout.strip()
            there = int(said) if is_number(said) else 0
            here = self.folder.console.stat().st_size if self.folder.console.exists() else 0
            if there > here:
                # Earlier output is complete when this returns, not soon after.
                self._begin(self.host.argv('tail -c "+$1" "$2"', str(here + 1), self.console))
            self._connect(forwards, begin=there + 1)
            save(self._ports, wanted, mode=0o600)

    def _connect(self, forwards: Sequence[Forward], *, begin: int) -> None:
        options = ["-f", "-M", "-S", self._socket, "-o", "ControlPersist=no", "-o", "ExitOnForwardFailure=yes"]
        options += ["-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=4"]
        for forward in forwards:
            options += ["-L", f"127.0.0.1:{forward.host}:{THERE}:{forward.host}"]
        self._begin(self.host.argv(_FOLLOW, str(begin), self.console, options=options))

    def _begin(self, argv: Sequence[str]) -> None:
        said = self.folder.path / "line.said"
        done = run(["sh", "-c", _BEGIN, "sh", self.folder.console, said, *argv], check=False, timeout=60)
        if done.status == 0:
            return
        text = said.read_text(errors="replace")
        if found := _TAKEN.search(text):
            # QEMU's own words for the same error, which the code that chooses another port recognises.
            rule = f"host forwarding rule 'tcp:127.0.0.1:{found[1] or found[2]}-'"
            raise MachineError(f"{rule} cannot be set up: the port is taken on this host", hint="flatkit up again")
        raise self.host.unreachable(text)

    def lend(self, port: int) -> None:
        """Let guests on that host reach a server on this host's port, as guests here do. Raises HostError."""
        argv = [*self.host.ssh, "-S", self._socket, "-O", "forward", "-R", f"127.0.0.1:{port}:127.0.0.1:{port}"]
        done = run([*argv, "--", self.host.target], check=False, timeout=30)
        if done.status:
            raise HostError(
                f'port "{port}" of this host cannot be forwarded to "{self.host.target}": {done.stderr.strip()}',
                hint="flatkit list",
            )

    def close(self) -> None:
        """Close the tunnel, if there is one."""
        socket = self.folder.path / "line"
        if not socket.exists():
            return
        self._tell("exit")
        # ssh confirms before it is gone. Opening the tunnel meanwhile would find the old one.
        wait_until(lambda: not socket.exists(), seconds=_EXIT_SECONDS, pause=0.02)
        socket.unlink(missing_ok=True)

    def _tell(self, what: str) -> int:
        argv = [*self.host.ssh, "-S", self._socket, "-O", what, "--", self.host.target]
        return run(argv, check=False, timeout=15).status

    @property
    def _socket(self) -> str:
        return str(plain(self.folder.path, limit=TUNNEL_MAX) / "line")

    def _ports_of_line(self) -> str:
        try:
            return read_regular(self._ports, limit=_PORTS_MAX).decode()
        except (OSError, ValueError):
            return ""

    @property
    def _ports(self) -> Path:
        return self.folder.path / "line.ports"
