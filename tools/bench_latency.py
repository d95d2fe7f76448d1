"""Measure the delay until flatkit notices a console line and an SSH server. For tools/bench_machines.py."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from pathlib import Path
from unittest.mock import patch

from flatkit.events import ConsoleLine, Event, Observer
from flatkit.machines.hypervisor import Activity, DomainState, Status
from flatkit.machines.ports import find_free_port
from flatkit.machines.ready import Booting, ReadyWait

_GLANCE = 0.002


class ConsoleWatch(Observer):
    """Polls a console file during the wait that observes the same boot; records each line's delay, in seconds."""

    def __init__(self, console: Path) -> None:
        self._console = console
        self._there: list[float] = []
        self._told: list[float] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> ConsoleWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def notify(self, event: Event) -> None:
        """Record when a line was reported; the lines come in the file's order."""
        if isinstance(event, ConsoleLine):
            self._told.append(time.monotonic())

    def _look(self) -> None:
        while not self._console.exists() and not self._over.is_set():
            time.sleep(_GLANCE)
        if self._over.is_set():
            return
        with self._console.open("rb", buffering=0) as file:
            while not self._over.is_set():
                self._there += [time.monotonic()] * file.read(1 << 20).count(b"\n")
                time.sleep(_GLANCE)

    @property
    def delays(self) -> list[float]:
        """Return the delays between a line's arrival and its event; at least 0, since both sides poll."""
        return [max(0.0, told - there) for there, told in zip(self._there, self._told, strict=False)]


def banner_delay() -> float:
    """Return the seconds from a server's banner to the end of flatkit's wait. The guest is only a port and a console file."""
    port = find_free_port()
    shown = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        time.sleep(0.5)
        shown.append(time.monotonic())
        connection.sendall(b"SSH-2.0-bench\r\n")

    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", port)) as listener:
        console = Path(name) / "console"
        console.write_text(f"SSH host key: SHA256:{'A' * 43} (ED25519)\n")
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        booting = Booting(
            name="bench",
            console=console,
            port=port,
            knock_port=None,
            status=lambda: Status(state=DomainState.RUNNING),
            activity=Activity,
        )
        # This duration is not a boot's usual time.
        with patch("flatkit.machines.ready.remember"):
            ready = ReadyWait(booting, observer=Observer()).wait()
        seen = time.monotonic()
        ready.connection.close()
    return seen - shown[0]
