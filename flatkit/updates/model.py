"""Data of the update server: releases, groups, machines, and their JSON form. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, TypeVar

from flatkit.fields import Fields, to_json
from flatkit.untrusted import printable
from flatkit.updates.omaha import BOARDS, REQUEST_LIMIT, Package, UpdateEvent

_T = TypeVar("_T")


class UpdateState(str, Enum):
    """Progress of a machine's update, as its events report it."""

    CURRENT = "current"
    OFFERED = "offered"
    DOWNLOADING = "downloading"
    DOWNLOADED = "downloaded"
    INSTALLED = "installed, waits for a reboot"
    FAILED = "failed"
    RECOVERED = "recovered"
    ROLLED_BACK = "rolled back"

    @classmethod
    def _missing_(cls, _: object) -> UpdateState:
        # A newer flatkit may know more states; the machine's next request reports its state again.
        return cls.CURRENT

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class PublishedRelease:
    """A version with its files; the first package is the OS. `allow_downgrade`: offered to newer machines too.

    `for_lab`: offered to lab machines only, so that one server can have both Flatcar's releases and the lab image's.
    """

    version: str
    packages: tuple[Package, ...]
    allow_downgrade: bool = False
    board: str = BOARDS[0]
    for_lab: bool = False

    @property
    def target(self) -> str:
        """The machines that it is made for: those of a board, or that board's lab machines."""
        return target_of(self.board, for_lab=self.for_lab)


def target_of(board: str, *, for_lab: bool) -> str:
    """Return the key for releases of a board, or of that board's lab machines."""
    return f"{board} lab" if for_lab else board


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group: machines with `GROUP=name` in update.conf follow `channel`; `version` pins them, `paused` stops all updates."""

    name: str
    channel: str
    version: str = ""
    paused: bool = False


@dataclass(frozen=True, kw_only=True)
class SeenEvent:
    """An event reported by a machine; `at` in Unix seconds, `version` is the one it was running."""

    at: float
    version: str
    event: UpdateEvent


@dataclass(frozen=True, kw_only=True)
class MachineSeen:
    """Record of a machine; times in Unix seconds. `offered` is the version of the last offer, "" for none.

    `group` is the name in its update.conf, `channel` the one that this group follows (mostly of the same name).
    `origin` is the address of its first request.
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
    state: UpdateState = UpdateState.CURRENT
    events: tuple[SeenEvent, ...] = ()

    @property
    def known_for(self) -> float:
        """Seconds between its first request and its last one."""
        return self.last_seen - self.first_seen

    @property
    def name(self) -> str:
        """Display name: its alias, else the start of its machine-id."""
        return self.alias or self.machine_id[:8]


@dataclass(kw_only=True)
class Book:
    """All state of the server. `offers`: target -> channel -> release; `known`: target -> version -> release."""

    offers: dict[str, dict[str, PublishedRelease]] = field(default_factory=dict)
    known: dict[str, dict[str, PublishedRelease]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    machines: dict[str, MachineSeen] = field(default_factory=dict)


def book_as_json(book: Book) -> dict[str, Any]:
    """Return the book as plain values."""
    # There may be thousands of machines and events, and those are plain values already.
    rest = to_json(replace(book, machines={}))
    return {"format": 1, **rest, "machines": {name: _plain(machine) for name, machine in book.machines.items()}}


def parse_book(data: Any) -> Book:
    """Return the book that `book_as_json` wrote, also an older or newer flatkit's.

    Missing fields get their defaults, and unknown fields are ignored. Raises ValueError for anything else.
    """
    fields = Fields(data)
    fields.number("format", least=1, most=1)
    return Book(
        offers=fields.table("offers", _offers),
        known=fields.table("known", lambda found: _named(_releases(found), "version")),
        groups=_named(fields.table("groups", lambda found: found.build(Group)), "name"),
        # A machine's texts are what it sent.
        machines=_named(
            Fields(data, limit=REQUEST_LIMIT).table("machines", lambda found: found.build(MachineSeen)), "machine_id"
        ),
    )


def _named(found: dict[str, _T], attribute: str) -> dict[str, _T]:
    """Refuse a table whose keys differ from the names of its values: programs look for one by the other."""
    for key, value in found.items():
        if getattr(value, attribute) != key:
            raise ValueError(f'"{printable(key, limit=60)}" has another {attribute}')
    return found


def _plain(machine: MachineSeen) -> dict[str, Any]:
    events = [{"at": seen.at, "version": seen.version, "event": vars(seen.event)} for seen in machine.events]
    return {**vars(machine), "events": events}


def _releases(fields: Fields) -> dict[str, PublishedRelease]:
    return {name: fields.inner(name, lambda found: found.build(PublishedRelease)) for name in fields.names()}


def _offers(fields: Fields) -> dict[str, PublishedRelease]:
    """Return the releases that have files: only those can be offered."""
    return {channel: release for channel, release in _releases(fields).items() if release.packages}
