"""Wait until a machine is ready, and report at once if it never will be.

Ready means that the console has shown the SSH host key (or an earlier boot has), and that the server has sent the first
line of its banner. There is no fixed timeout. It keeps waiting while the console grows, the processor works or a disk
moves, and reports every second what it waits for. Before it reports a timeout, it checks the machine once more.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from flatkit.errors import BootFailed, BootStalled, HostError, KernelPanicked, WaitTimeout
from flatkit.events import ConsoleLine, Observer, Said, Waiting
from flatkit.machines.activity import ActivityWatch
from flatkit.machines.banner import BannerProbe
from flatkit.machines.boot_times import BootKind, recall, remember
from flatkit.machines.console import ConsoleReader
from flatkit.machines.failures import Failure, telling_lines
from flatkit.machines.hypervisor import Activity
from flatkit.machines.ignition_log import find_fetching, find_trouble
from flatkit.machines.keys import HostKey, parse_host_key
from flatkit.machines.states import DomainState, Status
from flatkit.machines.timeline import Timeline
from flatkit.waiting import check_cancel

# Longest delay before a phase is reported, in seconds, besides the time that libvirt's log daemon takes to write a
# line.
_LOOK_EVERY = 0.05
# virtlogd keeps 2 MiB in one file, which is 32 chunks.
_CHUNKS_AT_ONCE = 64
# A server has three keys. Only the first ones count.
_MOST_KEYS = 8
_STATE_EVERY = 0.25
_TELL_EVERY = 1.0
_ATTEND_EVERY = 3.0
_SILENT_CONSOLE = 5.0
_DAEMON_AWAY = 20.0
# Length of the last check before a timeout, in seconds.
_LAST_LOOK = 2.0
# A machine that restarts may come up from its other slot. After this many failed boots, it would restart for ever.
_FAILED_BOOTS = 3
# Longest time that emulated firmware and boot loader take before the first line of another boot, in seconds.
_RESTART_TAKES = 45.0
# Before a restart, a panicked kernel waits a minute at most, an emergency shell five minutes; in seconds.
_LONG_DELAY = 120.0


@dataclass(frozen=True, kw_only=True)
class Patience:
    """Waiting times in seconds before a boot counts as failed.

    `stalled`: without activity of console, processor and disk. `after_failure`: without a line after one that shows a
    known failure, unless the machine announced a restart.
    """

    stalled: float = 120.0
    after_failure: float = 8.0


@dataclass(frozen=True, kw_only=True)
class Booting:
    """A machine that has just been started, to wait for. `activity` returns the guest's usage so far.

    `attend` makes sure that ports and console of a machine on another host still arrive here, since the tunnel can be
    cut. `template` is when the machine's template was made, "" without one.
    """

    name: str
    console: Path
    port: int
    knock_port: int | None
    status: Callable[[], Status]
    activity: Callable[[], Activity]
    attend: Callable[[], None] = lambda: None
    offset: int = 0
    known_keys: tuple[HostKey, ...] = ()
    template: str = ""
    kind: BootKind = field(default_factory=BootKind)
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A machine whose SSH server answers: its host keys, a connection with the banner unread, and the seconds by phase."""

    host_keys: tuple[HostKey, ...]
    connection: socket.socket
    seconds: float
    phases: dict[str, float]


class ReadyWait:
    """A single wait. `wait` may be called once."""

    def __init__(self, booting: Booting, *, observer: Observer, cancel: threading.Event | None = None) -> None:
        self._booting = booting
        self._observer = observer
        self._cancel = cancel
        kind = booting.kind
        self._timeline = Timeline(
            observer,
            emulated=kind.is_emulated,
            first=kind.is_first,
            usual=recall(kind),
            template=booting.template,
        )
        self._reader = ConsoleReader(booting.console, offset=booting.offset)
        self._shown: list[HostKey] = []
        self._began = self._answered = self._told = time.monotonic()
        self._pulse = ActivityWatch(self._began)
        self._next_look = 0.0
        self._next_attend = self._began + _ATTEND_EVERY
        self._last_look = 0.0
        self._symptom: Failure | None = None

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
                        # What was slow so far has a slow network too, and takes its time to start an sshd.
                        probe.slow_down((time.monotonic() - self._began) / 2)
                    elif connection := probe.poll(_LOOK_EVERY):
                        self._take_lines()
                        ok = True
                        return self._ready(self._keys(), connection)
                    self._look_at_domain()
        finally:
            self._timeline.finish(ok=ok)

    def _may_probe(self) -> bool:
        """Return True if an answer is likely.

        A connection that is too early hangs in QEMU and costs the guest time later.
        """
        if self._shown or self._last_look:
            return True
        # A console that does not show the key again must not prevent a known machine from becoming ready.
        silent = time.monotonic() - self._pulse.line > _SILENT_CONSOLE
        return bool(self._booting.known_keys) and (self._timeline.phase in {"units", "ssh"} or silent)

    def _keys(self) -> tuple[HostKey, ...]:
        """Return the keys that this boot has shown, else the known ones: a reset creates new keys."""
        return tuple(self._shown) or self._booting.known_keys

    def _ready(self, keys: tuple[HostKey, ...], connection: socket.socket) -> Ready:
        self._timeline.finish()
        seconds = time.monotonic() - self._began
        phases = dict(self._timeline.spent)
        if not self._timeline.failed_boots:
            remember(self._booting.kind, phases)
        return Ready(host_keys=keys, connection=connection, seconds=seconds, phases=phases)

    def _pause(self) -> None:
        if self._cancel is not None:
            self._cancel.wait(_LOOK_EVERY)
        else:
            time.sleep(_LOOK_EVERY)

    def _take_lines(self) -> None:
        for _ in range(_CHUNKS_AT_ONCE):
            if not (lines := self._reader.read()):
                # A long line may be unfinished.
                return
            # A guest that never stops printing must not prevent the user from cancelling or from seeing reports.
            check_cancel(self._cancel)
            self._pulse.take_line(lines[-1].at)
            for line in lines:
                self._timeline.feed(line.text, line.at)
                key = parse_host_key(line.text)
                if key and key not in self._shown and len(self._shown) < _MOST_KEYS:
                    self._shown.append(key)
                self._observer.notify(ConsoleLine(machine=self._booting.name, text=line.text, at=line.at))
                self._tell_symptom()

    def _tell_symptom(self) -> None:
        """Report once a problem that a boot may survive, such as an address that does not answer."""
        symptom = self._timeline.symptom
        if symptom is self._symptom:
            return
        self._symptom = symptom
        if symptom:
            seen = find_fetching(self.tail()) if symptom.name == "fetching" else None
            what = f"{symptom.cause} ({seen.what}: {seen.why})" if seen else symptom.cause
            self._observer.notify(Said(text=f"{what}. Cure: {symptom.cure}"))

    def _look_at_domain(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _STATE_EVERY
        try:
            status = self._booting.status()
            self._pulse.take(self._booting.activity(), now)
            if now > self._next_attend:
                self._next_attend = now + _ATTEND_EVERY
                self._booting.attend()
        except HostError:
            # libvirt's daemon may restart while the machine keeps running.
            if now - self._answered > _DAEMON_AWAY:
                raise
            return
        self._answered = now
        if status.state is not DomainState.RUNNING:
            self._take_lines()
            raise self._failed(status.ending)
        self._tell(now)
        self._check_patience(now)

    def _tell(self, now: float) -> None:
        if now - self._told < _TELL_EVERY:
            return
        self._told = now
        timeline = self._timeline
        self._observer.notify(
            Waiting(
                machine=self._booting.name, phase=timeline.phase, title=timeline.title, elapsed=timeline.elapsed(now),
                typical=timeline.typical, remaining=timeline.remaining(now), quiet=self._pulse.quiet(now),
                line=timeline.last_line, at=now,
            )
        )  # fmt: skip

    def _check_patience(self, now: float) -> None:
        patience, timeline = self._booting.patience, self._timeline
        if timeline.failure:
            if self._is_given_up(now):
                raise self._failed(timeline.failure.cause, cure=timeline.failure.cure)
            return
        if self._pulse.quiet(now) <= patience.stalled:
            self._last_look = 0.0
        elif not self._last_look:
            # Before giving up, ask for its banner once more, and take a new reading meanwhile.
            self._last_look = now
        elif now - self._last_look > _LAST_LOOK:
            self._pulse.take(self._booting.activity(), now, at_once=True)
            if self._pulse.quiet(now) > patience.stalled:
                raise self._timeout(now)

    def _is_given_up(self, now: float) -> bool:
        """Return True if no recovery is expected after a failure.

        A panicked kernel counts its seconds by keeping the processor busy, and an emulated one may count six times too
        slowly. Until it has restarted as announced, only a machine without activity is given up.
        """
        timeline = self._timeline
        # Five minutes in an emergency shell change nothing on the first boot, which has no slot to fall back to. They change
        # nothing after a failure of Ignition either (after flatcar-reset, too): the same config fails again.
        is_ignition = timeline.failure is not None and timeline.failure.name == "ignition"
        in_vain = (self._booting.kind.is_first or is_ignition) and timeline.restart_delay >= _LONG_DELAY
        if timeline.will_restart and not in_vain and timeline.failed_boots < _FAILED_BOOTS:
            return self._pulse.quiet(now) > timeline.restart_delay + _RESTART_TAKES
        return now - self._pulse.line > self._booting.patience.after_failure

    def _failed(self, cause: str, *, cure: str = "") -> BootFailed:
        name = self._booting.name
        known = self._timeline.failure or self._timeline.symptom
        if known and known.cause not in cause:
            cause, cure = f"{known.cause}; {cause}", cure or known.cure
        trouble = find_trouble(self.tail())
        if trouble and known and known.name == "ignition":
            cause = cause.replace(known.cause, str(trouble))
        where = f' (phase "{self._timeline.title}")' if self._timeline.phase and not known else ""
        kind = KernelPanicked if known and known.name == "panic" else BootFailed
        return kind(
            f'the machine "{name}" did not become ready: {cause}{where}',
            hint=_next_moves(name, cure),
            details="\n".join(telling_lines(self.tail())),
        )

    def _timeout(self, now: float) -> WaitTimeout:
        name, timeline = self._booting.name, self._timeline
        symptom = f"; {timeline.symptom.cause}" if timeline.symptom else ""
        kind = WaitTimeout if timeline.symptom else BootStalled
        return kind(
            f'the machine "{name}" is not ready after {now - self._began:.0f} s, and nothing has moved on it for '
            f'{self._pulse.quiet(now):.0f} s{symptom} (phase "{timeline.title}"). Looked at once more: '
            f"it is running, {self._pulse.words(now)}, and its SSH server does not answer",
            hint=_next_moves(name, timeline.symptom.cure if timeline.symptom else ""),
            details="\n".join(telling_lines(self.tail())),
        )

    def tail(self) -> list[str]:
        """Return the console's last lines, including the unfinished one."""
        return [line for line in (*self._reader.tail, self._reader.partial) if line]


def _next_moves(name: str, cure: str) -> str:
    look = f"flatkit console {name}   shows its console; flatkit down {name}   removes it"
    return f"{cure}; {look}" if cure else look
