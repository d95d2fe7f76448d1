"""The version of each channel, its offer to each machine, and the machines' reports. No network here.

As with Flatcar's server, only this side decides: a client accepts every offer without comparing versions. All of it is in one
small file, which a notebook beside the server also reads and changes. A lock serializes changes, and a change replaces the file
whole: a reader sees the state before or after it. An invalid file is reported and never overwritten.
"""

from __future__ import annotations

import difflib
import json
import logging
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

from flatkit import paths
from flatkit.accounts import REFUSALS, why_refused
from flatkit.errors import HostError, UsageError
from flatkit.files import read_regular, remove_partials, write_atomic
from flatkit.locks import locked
from flatkit.untrusted import parse_json, printable
from flatkit.updates.machine_registry import note
from flatkit.updates.model import (
    Book,
    Group,
    MachineSeen,
    PublishedRelease,
    book_as_json,
    parse_book,
    target_of,
)
from flatkit.updates.omaha import BOARDS, AppRequest, Refusal
from flatkit.version_numbers import precedence

STATE_MAX = 64 * 1024 * 1024
_LOCK_SECONDS = 30.0
_SHOWN_MAX = 40
# Groups that Flatcar's own server knows. One of them without a release has no update; an unknown group is an error.
_FLATCARS = re.compile(r"alpha|beta|stable|edge|lts(-[0-9]{4})?")
_USUAL = ("alpha", "beta", "stable", "edge", "lts")
_log = logging.getLogger("flatkit.updates")


class Channels:
    """The table of channels and groups, and the machines seen. Its methods are thread-safe.

    With `store` (a file) the table outlives this process, and other processes with the same file see and change it. So
    a notebook can promote releases of `flatkit room serve`. Methods then raise HostError when the file is unusable.
    """

    def __init__(self, *, store: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._store = Store(store) if store else None
        self._book = Book()

    def _read(self) -> Book:
        if self._store:
            self._book = self._store.read() or self._book
        return self._book

    @contextmanager
    def _changing(self) -> Iterator[Book]:
        with self._lock, self._store.locked() if self._store else nullcontext():
            yield self._read()
            if self._store:
                self._store.write(self._book)

    @property
    def releases(self) -> dict[str, PublishedRelease]:
        """The release of each channel that has one, for amd64; Flatcar's release comes before the lab's."""
        return {**self.releases_for(BOARDS[0], for_lab=True), **self.releases_for(BOARDS[0])}

    def releases_for(self, board: str, *, for_lab: bool = False) -> dict[str, PublishedRelease]:
        """Return the release of each channel that has one for a board such as "arm64-usr", or for that board's lab machines."""
        with self._lock:
            return dict(self._read().offers.get(target_of(board, for_lab=for_lab), {}))

    def get_release(self, version: str, *, board: str = BOARDS[0], for_lab: bool = False) -> PublishedRelease:
        """Return a published release, offered or not. Raises UsageError."""
        with self._lock:
            known = self._read().known.get(target_of(board, for_lab=for_lab), {})
        if version not in known:
            listed = ", ".join(sorted(known, key=precedence)) or "none"
            raise UsageError(f'there is no release "{version}" for {board}; published are: {listed}')
        return known[version]

    @property
    def groups(self) -> dict[str, Group]:
        """The groups made with `set_group`; each channel is also a group by itself."""
        with self._lock:
            return dict(self._read().groups)

    @property
    def machines(self) -> tuple[MachineSeen, ...]:
        """The machines seen, in the order of their first request."""
        with self._lock:
            return tuple(self._read().machines.values())

    def publish(self, channel: str, release: PublishedRelease) -> None:
        """Let a channel offer a release from now on. Raises UsageError for an invalid channel name."""
        _checked(channel)
        with self._changing() as book:
            _not_a_slip(channel, book)
            book.known.setdefault(release.target, {})[release.version] = release
            book.offers.setdefault(release.target, {})[channel] = release

    def add(self, release: PublishedRelease) -> None:
        """Register a release that no channel offers yet: groups can be pinned to it."""
        with self._changing() as book:
            book.known.setdefault(release.target, {})[release.version] = release

    def promote(self, channel: str, *, to: str) -> PublishedRelease:
        """Let the channel `to` offer the releases of `channel`, for all machines.

        Raises UsageError when there are none, and for a `to` that is nearly the name of a channel.
        """
        _checked(to)
        with self._changing() as book:
            found = [offers for offers in book.offers.values() if channel in offers]
            if not found:
                known = sorted({name for offers in book.offers.values() for name in offers})
                raise UsageError(
                    f'the channel "{printable(channel, limit=_SHOWN_MAX)}" offers nothing that could be promoted; channels '
                    f"with a release: {', '.join(known) or 'none'}",
                    hint=_did_you_mean(channel, known),
                )
            _not_a_slip(to, book)
            for offers in found:
                offers[to] = offers[channel]
            return found[0][channel]

    def withdraw(self, channel: str) -> None:
        """Let a channel offer nothing. Withdrawing twice is fine."""
        with self._changing() as book:
            for offers in book.offers.values():
                offers.pop(channel, None)

    def set_group(self, name: str, *, channel: str, version: str = "", paused: bool = False) -> Group:
        """Make or change a group of machines (`GROUP=name` in their update.conf).

        Raises UsageError for an invalid name, or a version that was never published.
        """
        group = Group(name=_checked(name), channel=_checked(channel), version=version, paused=paused)
        with self._changing() as book:
            _not_a_slip(channel, book)
            known = sorted({number for releases in book.known.values() for number in releases}, key=precedence)
            if version and version not in known:
                raise UsageError(
                    f'the group "{name}" cannot be pinned to "{version}"; published are: {", ".join(known) or "none"}'
                )
            book.groups[name] = group
        return group

    def remove_group(self, name: str) -> None:
        """Remove a group, if there is one."""
        with self._changing() as book:
            book.groups.pop(name, None)

    def forget_machines(self) -> None:
        """Forget the machines seen, for a new room."""
        with self._changing() as book:
            book.machines.clear()

    def answer(self, app: AppRequest, *, origin: str = "") -> PublishedRelease | Refusal | None:
        """Return the offer to a Flatcar machine, None for no update. Its report is stored; `origin` is its address."""
        return self.answer_all([(app, origin)])[0]

    def answer_all(self, apps: Sequence[tuple[AppRequest, str]]) -> list[PublishedRelease | Refusal | None]:
        """Return the offer to each of several machines, as `answer` does. The state is written once."""
        if not apps:
            return []
        with self._lock:
            found: list[PublishedRelease | Refusal | None] = []
            try:
                with self._changing() as book:
                    found += [self._answer(book, app, origin) for app, origin in apps]
            except HostError as error:  # a full disk must not stop the updates of all machines
                _log.warning("%s", error.message)
            return found or [self._answer(self._book, app, origin) for app, origin in apps]

    def _answer(self, book: Book, app: AppRequest, origin: str) -> PublishedRelease | Refusal | None:
        group = book.groups.get(app.group) or Group(name=app.group, channel=app.group)
        offers, known = _made_for(book.offers, app), _made_for(book.known, app)
        is_known = app.group in book.groups or app.group in offers or bool(_FLATCARS.fullmatch(app.group))
        release = offers.get(group.channel)
        if group.version:
            release = known.get(group.version)
        is_offered = app.is_update_check and app.is_registrable and not group.paused
        offer = release if release and is_offered and _wants(release, app.version) else None
        if app.machine_id and app.fits:
            note(book.machines, app, group=group, offer=offer, now=self._clock(), origin=origin)
        if not is_known:
            return Refusal.UNKNOWN
        if app.is_update_check and not app.is_registrable:
            return Refusal.REGISTRATION
        return Refusal.PAUSED if group.paused and app.is_update_check else offer

    def __str__(self) -> str:
        now = self._clock()
        rows: list[tuple[str, ...]] = [("channel", "offers")]
        rows += [(name, release.version) for name, release in sorted(self.releases_for(BOARDS[0]).items())]
        lab = self.releases_for(BOARDS[0], for_lab=True)
        rows += [(name, f"{release.version} for lab machines") for name, release in sorted(lab.items())]
        rows += [
            (name, f"as {group.channel}{', paused' * group.paused}{group.version and f', pinned to {group.version}'}")
            for name, group in sorted(self.groups.items())
        ]
        seen: list[tuple[str, ...]] = [("machine", "group", "runs", "state", "seen")]
        seen += [
            (
                *(printable(text, limit=_SHOWN_MAX) for text in (found.name, found.group, found.version)),
                str(found.state),
                f"{now - found.last_seen:.0f} s ago",
            )
            for found in self.machines
        ]
        return f"{_table(rows)}\n\n{_table(seen) if len(seen) > 1 else 'no machine has asked yet'}"


def _made_for(releases: dict[str, dict[str, PublishedRelease]], app: AppRequest) -> dict[str, PublishedRelease]:
    """Return the releases that fit the machine: those of its board, and for a lab machine first those made for such."""
    found = releases.get(app.known_board, {})
    return {**found, **releases.get(target_of(app.known_board, for_lab=True), {})} if app.is_lab else found


def _table(rows: list[tuple[str, ...]]) -> str:
    rows = [tuple(map(printable, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _checked(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name):
        raise UsageError(
            f'"{name}" is not the name of a channel or a group; expected one such as "stable" or "lts-2024"'
        )
    return name


def _not_a_slip(name: str, book: Book) -> None:
    """Raise UsageError for a new name that is nearly a known one: machines that follow the right one would get nothing."""
    known = {channel for offers in book.offers.values() for channel in offers} | set(_USUAL)
    if name not in known and not _FLATCARS.fullmatch(name) and name not in book.groups and name.isalpha():
        hint = _did_you_mean(name, sorted(known))
        if hint:
            raise UsageError(f'there is no channel "{name}"; channels: {", ".join(sorted(known))}', hint=hint)


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.75)
    return f'did you mean "{near[0]}"?' if near else ""


def _wants(release: PublishedRelease, version: str) -> bool:
    """Return whether a release is for a machine that runs `version`: another one, and a lower one only where allowed."""
    wanted, running = precedence(release.version), precedence(version)
    return wanted > running or (wanted < running and release.allow_downgrade)


class Store:
    """The file at `path`; its folder is created by the first write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that all changes use. Raises HostError when the folder is unusable."""
        with ExitStack() as held:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                held.enter_context(locked(self._path.with_name(f"{self._path.name}.lock"), wait=_LOCK_SECONDS))
            except OSError as error:  # TimeoutError is one
                raise self._fault(error) from None
            yield

    def read(self) -> Book | None:
        """Return the book in the file; None when it is unchanged since the last read or write, or absent.

        Raises HostError for an unreadable or invalid file.
        """
        try:
            found = self._mark()
            if found == self._seen:
                return None
            book = parse_book(parse_json(read_regular(self._path, limit=STATE_MAX), limit=STATE_MAX))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault(error) from None
        except ValueError as error:
            aside = self._path.with_name(f"{self._path.name}.broken")
            raise HostError(
                f'the state of the update server cannot be kept in "{self._path}", which is not understood: '
                f"{printable(error)}",
                hint=f"mv {shlex.quote(str(self._path))} {shlex.quote(str(aside))}   "
                "(it then starts with no channels and no machines)",
            ) from None
        self._seen = found
        return book

    def write(self, book: Book) -> None:
        """Replace the file. Call it only while the lock is held. Raises HostError."""
        data = json.dumps(book_as_json(book)).encode()
        if len(data) > STATE_MAX:
            raise self._fault(OSError(0, f"it would have {len(data)} bytes; expected at most {STATE_MAX}"))
        remove_partials(self._path)  # of a killed process: no other process writes now
        try:
            write_atomic(self._path, data, mode=0o600)
            self._seen = self._mark()
        except OSError as error:
            raise self._fault(error) from None

    def _mark(self) -> tuple[int, int, int]:
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _fault(self, error: OSError) -> HostError:
        why = f'the state of the update server cannot be kept in "{self._path}": {why_refused(self._path, error)}'
        if error.errno in REFUSALS:
            return HostError(why, hint=paths.way_out(self._path, error))
        return HostError(
            why,
            hint=f"ls -l {shlex.quote(str(self._path.parent))}   (who may write there); df   (whether the disk is full)",
        )
