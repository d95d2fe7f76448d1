"""Data of the update server: releases, groups, machines; and their form as JSON. Pure."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from typing import Any

from flatkit.updates.omaha import BOARDS, Package, UpdateEvent


class MachineState(str, Enum):
    """Progress of a machine's update, as its events report it."""

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
    """A version with its files; the first package is the OS. `allow_downgrade`: offered to newer machines too.

    `for_lab`: offered to lab machines alone, so that one server has Flatcar's releases beside the lab image's.
    """

    version: str
    packages: tuple[Package, ...]
    allow_downgrade: bool = False
    board: str = BOARDS[0]
    for_lab: bool = False

    @property
    def target(self) -> str:
        """Which machines it is made for: those of a board, or the lab machines of it."""
        return target_of(self.board, for_lab=self.for_lab)


def target_of(board: str, *, for_lab: bool) -> str:
    """The key of what is made for a board, or for the lab machines of it."""
    return f"{board} lab" if for_lab else board


@dataclass(frozen=True, kw_only=True)
class Group:
    """Machines with `GROUP=name` in update.conf follow `channel`; `version` pins them, `paused` keeps all updates back."""

    name: str
    channel: str
    version: str = ""
    paused: bool = False


@dataclass(frozen=True, kw_only=True)
class SeenEvent:
    """An event that a machine reported; `at` in Unix seconds, `version` is what it was running."""

    at: float
    version: str
    event: UpdateEvent


@dataclass(frozen=True, kw_only=True)
class MachineSeen:
    """Record of a machine; times in Unix seconds. `offered` is the version of the last offer, "" for none.

    `group` is what its update.conf names, `channel` the one that this group follows (mostly of the same name).
    `origin` is the address that its first request came from.
    """

    machine_id: str
    version: str
    channel: str
    group: str = ""
    board: str = ""
    oem: str = ""
    alias: str = ""
    origin: str = ""
    first_seen: float
    last_seen: float
    checks: int = 0
    offered: str = ""
    state: MachineState = MachineState.CURRENT
    events: tuple[SeenEvent, ...] = ()

    @property
    def known_for(self) -> float:
        """Seconds between its first request and its last one."""
        return self.last_seen - self.first_seen

    @property
    def name(self) -> str:
        """Name for a screen: its alias, else the start of its machine-id."""
        return self.alias or self.machine_id[:8]


@dataclass(kw_only=True)
class Book:
    """All that is known. `offers`: target -> channel -> release; `known`: target -> version -> release."""

    offers: dict[str, dict[str, Release]] = field(default_factory=dict)
    known: dict[str, dict[str, Release]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    machines: dict[str, MachineSeen] = field(default_factory=dict)


def version_key(version: str) -> tuple[int, int, int]:
    """Sort key of a version: its three numbers. Other text sorts below all versions."""
    match = re.match(r"([0-9]{1,9})\.([0-9]{1,9})\.([0-9]{1,9})(?![0-9])", version)
    return (int(match[1]), int(match[2]), int(match[3])) if match else (-1, 0, 0)


def book_as_json(book: Book) -> dict[str, Any]:
    """The book as plain values."""
    # asdict copies deeply and slowly: of machines and their events there may be thousands.
    rest = asdict(replace(book, machines={}))
    return {"format": 1, **rest, "machines": {name: _plain(machine) for name, machine in book.machines.items()}}


def parse_book(data: Any) -> Book:
    """The book that `book_as_json` wrote. Raises ValueError for anything else."""
    try:
        if data["format"] != 1:
            raise ValueError(data["format"])
        return Book(
            offers={target: _releases(found) for target, found in data["offers"].items()},
            known={target: _releases(found) for target, found in data["known"].items()},
            groups={name: Group(**found) for name, found in data["groups"].items()},
            machines={name: _machine(found) for name, found in data["machines"].items()},
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(str(error)) from None


def _releases(data: dict[str, Any]) -> dict[str, Release]:
    found = {}
    for name, values in data.items():
        packages = tuple(Package(**package) for package in values["packages"])
        found[name] = Release(**{**values, "packages": packages})
    return found


def _plain(machine: MachineSeen) -> dict[str, Any]:
    events = [{"at": seen.at, "version": seen.version, "event": vars(seen.event)} for seen in machine.events]
    return {**vars(machine), "events": events}


def _machine(data: dict[str, Any]) -> MachineSeen:
    events = tuple(SeenEvent(**{**seen, "event": UpdateEvent(**seen["event"])}) for seen in data["events"])
    return MachineSeen(**{**data, "state": MachineState(data["state"]), "events": events})
