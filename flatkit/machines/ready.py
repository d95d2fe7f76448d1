"""Waits until a machine is ready, and tells at once when it will never be.

Ready means: the console has shown the SSH host key (or an earlier boot has), and the server has sent the first line of
its banner. There is no fixed death after so many seconds: while the console grows or the processor works, it waits.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from flatkit.errors import BootFailed, HostError, WaitTimeout
from flatkit.events import ConsoleLine, Observer
from flatkit.machines.banner import BannerProbe
from flatkit.machines.console import ConsoleReader
from flatkit.machines.hypervisor import DomainState, Status
from flatkit.machines.keys import HostKey, parse_host_key
from flatkit.machines.phases import Timeline
from flatkit.machines.store import check_cancel

_LOOK_EVERY = 0.05
_STATE_EVERY = 0.25
_SILENT_CONSOLE = 5.0
_DAEMON_AWAY = 20.0
# A machine that restarts may come up from its other slot; one that failed so often would go on for ever.
_FAILED_BOOTS = 3


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait, in seconds, before calling a boot failed.

    `overall` is a generous bound for everything; `stalled` without a line on the console while the processor idles;
    `after_failure` without a line after one that shows a known failure, unless the kernel said that it will restart.
    """

    overall: float = 1200.0
    stalled: float = 120.0
    after_failure: float = 8.0


@dataclass(frozen=True, kw_only=True)
class Booting:
    """What is waited for: a machine that has just been started."""

    name: str
    console: Path
    port: int
    knock_port: int | None
    status: Callable[[], Status]
    cpu_seconds: Callable[[], float]
    offset: int = 0
    known_keys: tuple[HostKey, ...] = ()
    slowdown: float = 1.0
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A machine whose SSH server answers: its host keys, a connection with the banner unread, and where time went."""

    host_keys: tuple[HostKey, ...]
    connection: socket.socket
    seconds: float
    phases: dict[str, float]


class ReadyWait:
    """One wait. `wait` may be called once."""

    def __init__(self, booting: Booting, *, observer: Observer, cancel: threading.Event | None = None) -> None:
        self._booting = booting
        self._observer = observer
        self._cancel = cancel
        self._timeline = Timeline(observer, slowdown=booting.slowdown)
        self._reader = ConsoleReader(booting.console, offset=booting.offset)
        self._shown: list[HostKey] = []
        self._began = self._moved = self._answered = time.monotonic()
        self._cpu = 0.0
        self._next_look = 0.0

    def wait(self) -> Ready:
        """Wait until the machine is ready. Raises BootFailed, WaitTimeout, Cancelled."""
        self._timeline.start(self._began)
        ok = False
        try:
            with self._reader, BannerProbe(self._booting.port, knock_port=self._booting.knock_port) as probe:
                while True:
                    check_cancel(self._cancel)
                    self._take_lines()
                    if not self._may_probe():
                        self._pause()
                    elif connection := probe.poll(_LOOK_EVERY):
                        self._take_lines()
                        ok = True
                        return self._ready(self._keys(), connection)
                    self._look_at_domain()
        finally:
            self._timeline.finish(ok=ok)

    def _may_probe(self) -> bool:
        """Whether an answer may be expected: too early a connection hangs in QEMU and costs the guest time later."""
        if self._shown:
            return True
        # A console that does not show the key again must not keep a known machine from being ready.
        silent = time.monotonic() - self._moved > _SILENT_CONSOLE
        return bool(self._booting.known_keys) and (self._timeline.phase in {"userspace", "ssh"} or silent)

    def _keys(self) -> tuple[HostKey, ...]:
        """What this boot has shown counts more than what an earlier one did: keys are made anew after a reset."""
        return tuple(self._shown) or self._booting.known_keys

    def _ready(self, keys: tuple[HostKey, ...], connection: socket.socket) -> Ready:
        self._timeline.finish()
        seconds = time.monotonic() - self._began
        return Ready(host_keys=keys, connection=connection, seconds=seconds, phases=dict(self._timeline.spent))

    def _pause(self) -> None:
        if self._cancel is not None:
            self._cancel.wait(_LOOK_EVERY)
        else:
            time.sleep(_LOOK_EVERY)

    def _take_lines(self) -> None:
        while lines := self._reader.read():
            self._moved = lines[-1].at
            for line in lines:
                self._timeline.feed(line.text, line.at)
                key = parse_host_key(line.text)
                if key and key not in self._shown:
                    self._shown.append(key)
                self._observer.notify(ConsoleLine(machine=self._booting.name, text=line.text, at=line.at))

    def _look_at_domain(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _STATE_EVERY
        try:
            status = self._booting.status()
        except HostError:
            # libvirt's daemon may be restarted below a machine that runs on without it.
            if now - self._answered > _DAEMON_AWAY:
                raise
            return
        self._answered = now
        if status.state is not DomainState.RUNNING:
            self._take_lines()
            raise self._failed(_ended(status))
        self._check_patience(now)

    def _check_patience(self, now: float) -> None:
        patience, failure = self._booting.patience, self._timeline.failure
        may_restart = self._timeline.will_restart and self._timeline.failed_boots < _FAILED_BOOTS
        if failure and not may_restart and now - self._moved > patience.after_failure:
            raise self._failed(failure.cause, cure=failure.cure)
        silent = now - self._moved
        cpu = self._booting.cpu_seconds()
        if silent <= _STATE_EVERY:
            self._cpu = cpu
        if silent > patience.stalled:
            # A guest that idles uses a few percent of a processor; one that works silently, far more.
            if cpu - self._cpu < 0.2 * silent:
                raise self._timeout(f"nothing moved on it for {patience.stalled:g} s")
            self._moved, self._cpu = now, cpu
        if now - self._began > patience.overall:
            raise self._timeout(f"it did not come up within {patience.overall:g} s")

    def _failed(self, cause: str, *, cure: str = "") -> BootFailed:
        name = self._booting.name
        known = self._timeline.failure
        if known and known.cause not in cause:
            cause, cure = f"{known.cause}; {cause}", cure or known.cure
        return BootFailed(
            f'the machine "{name}" did not become ready: {cause}',
            hint=_next_moves(name, cure),
            details="\n".join(self.tail()),
        )

    def _timeout(self, why: str) -> WaitTimeout:
        name, phase = self._booting.name, self._timeline.phase or "start"
        return WaitTimeout(
            f'the machine "{name}" is not ready: {why} (phase "{phase}")',
            hint=_next_moves(name, ""),
            details="\n".join(self.tail()),
        )

    def tail(self) -> list[str]:
        """The console's last lines, the unfinished one too."""
        return [line for line in (*self._reader.tail, self._reader.partial) if line][-20:]


def _ended(status: Status) -> str:
    if status.state is DomainState.UNDEFINED:
        return "its domain was removed from outside"
    return status.reason or f"its domain is {status.state}"


def _next_moves(name: str, cure: str) -> str:
    look = f"flatkit console {name}   shows its console; flatkit down {name}   removes it"
    return f"{cure}; {look}" if cure else look
