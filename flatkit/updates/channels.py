"""Which channel has which version, who is offered it, and what the machines that asked have told. No network here.

As with Flatcar's server the decision is made here alone: a client takes what it is offered and does not compare.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from flatkit.errors import UsageError
from flatkit.updates.omaha import AppRequest, Package, UpdateEvent

_MACHINES_MAX = 1000
_EVENTS_MAX = 50


class MachineState(str, Enum):
    """How far a machine is with its update, as far as it has told."""

    CURRENT = "current"
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    INSTALLED = "installed, waits for a reboot"
    FAILED = "failed"
    ROLLED_BACK = "rolled back"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Release:
    """A version with its files; the first package is the OS. `allow_downgrade`: offered to newer machines too."""

    version: str
    packages: tuple[Package, ...]
    allow_downgrade: bool = False


@dataclass(frozen=True, kw_only=True)
class SeenEvent:
    """An event that a machine reported; `at` in Unix seconds, `version` is what it was running."""

    at: float
    version: str
    event: UpdateEvent


@dataclass(frozen=True, kw_only=True)
class MachineSeen:
    """What a machine has told so far; times in Unix seconds. `offered` is the version of the last offer, "" for none."""

    machine_id: str
    version: str
    channel: str
    board: str = ""
    oem: str = ""
    alias: str = ""
    first_seen: float
    last_seen: float
    checks: int = 0
    offered: str = ""
    state: MachineState = MachineState.CURRENT
    events: tuple[SeenEvent, ...] = ()


def version_key(version: str) -> tuple[int, int, int]:
    """How versions sort: by their three numbers. What is no version sorts below all of them."""
    match = re.match(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})(?![0-9])", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (-1, 0, 0)


class Channels:
    """The table of channels and the machines seen. Its methods may be called from any thread."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._releases: dict[str, Release] = {}
        self._machines: dict[str, MachineSeen] = {}

    @property
    def releases(self) -> dict[str, Release]:
        """The release of each channel that has one."""
        with self._lock:
            return dict(self._releases)

    @property
    def machines(self) -> tuple[MachineSeen, ...]:
        """The machines that have asked, in the order of their first request."""
        with self._lock:
            return tuple(self._machines.values())

    def publish(self, channel: str, release: Release) -> None:
        """Let a channel offer a release from now on. Raises UsageError for what is no channel's name."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", channel):
            raise UsageError(f'"{channel}" is no name of a channel; expected one such as "stable" or "lts-2024"')
        with self._lock:
            self._releases[channel] = release

    def promote(self, channel: str, *, to: str) -> Release:
        """Let the channel `to` offer what `channel` offers. Raises UsageError when that is nothing."""
        release = self.releases.get(channel)
        if release is None:
            known = ", ".join(sorted(self.releases)) or "none"
            raise UsageError(
                f'the channel "{channel}" offers nothing that could be promoted; channels with a release: {known}'
            )
        self.publish(to, release)
        return release

    def withdraw(self, channel: str) -> None:
        """Let a channel offer nothing; nothing happens when it already does."""
        with self._lock:
            self._releases.pop(channel, None)

    def answer(self, app: AppRequest) -> Release | None:
        """What a Flatcar machine is offered, None for no update; what it told is kept."""
        with self._lock:
            release = self._releases.get(app.channel) if app.is_update_check else None
            offer = release if release and _wants(release, app.version) else None
            if app.machine_id:
                self._note(app, offer)
            return offer

    def _note(self, app: AppRequest, offer: Release | None) -> None:
        now = self._clock()
        before = self._machines.get(app.machine_id) or MachineSeen(
            machine_id=app.machine_id, version=app.version, channel=app.channel, first_seen=now, last_seen=now
        )
        if app.machine_id not in self._machines and len(self._machines) >= _MACHINES_MAX:
            del self._machines[min(self._machines.values(), key=lambda machine: machine.last_seen).machine_id]
        events = tuple(SeenEvent(at=now, version=app.version, event=event) for event in app.events)
        offered = (offer.version if offer else "") if app.is_update_check else before.offered
        self._machines[app.machine_id] = replace(
            before,
            version=app.version,
            channel=app.channel,
            board=app.board or before.board,
            oem=app.oem or before.oem,
            alias=app.alias or before.alias,
            last_seen=now,
            checks=before.checks + app.is_update_check,
            offered=offered,
            state=_state(before.state, app, is_offered=bool(offer)),
            events=(before.events + events)[-_EVENTS_MAX:],
        )


def _wants(release: Release, version: str) -> bool:
    """Whether a release is for a machine that runs `version`: never the same one, a lower one only where it is allowed."""
    wanted, running = version_key(release.version), version_key(version)
    if release.version == version:
        return False
    return wanted > running or (release.allow_downgrade and wanted != running)


def _state(before: MachineState, app: AppRequest, *, is_offered: bool) -> MachineState:
    state = before
    for event in app.events:
        if event.is_rollback:
            state = MachineState.ROLLED_BACK
        elif event.result == 0:
            state = MachineState.FAILED
        elif event.type == 13:
            state = MachineState.DOWNLOADING
        elif event.type == 14:
            state = MachineState.DOWNLOADED
        elif event.type == 3:  # with result 2 it is told by the first check after the reboot
            state = MachineState.CURRENT if event.result == 2 else MachineState.INSTALLED
    if app.is_update_check:
        if is_offered:
            return MachineState.OFFERED
        if state not in {MachineState.FAILED, MachineState.ROLLED_BACK}:
            return MachineState.CURRENT
    return state
