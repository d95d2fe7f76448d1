"""Current releases of Flatcar's channels: versions, dates and software, from the release feed or its cached copy.

The feed is for display only: it decides nothing about what boots. Its format: flatcar-website,
tools/release-scripts/releases_as_json.py.
"""

from __future__ import annotations

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path

from flatkit.errors import FetchError
from flatkit.files import read_regular, write_atomic
from flatkit.images.mirrors import Timeouts, fetch_small, list_sources
from flatkit.images.releases import Board, Channel, Version, find_version, parse_version_file
from flatkit.images.store import flatcar_dir
from flatkit.untrusted import parse_json, printable

# How long a cached feed counts as fresh.
FRESH_SECONDS = 3600.0
_FEED_MAX = 8 * 1024 * 1024
_NAME_MAX = 60
_IMPATIENT = Timeouts(timeout=5, tries=1, small=20)


@dataclass(frozen=True, kw_only=True)
class ReleaseInfo:
    """One release: `released` as YYYY-MM-DD, `software` such as {"kernel": "6.12.102"}."""

    version: Version
    channel: Channel
    released: str = ""
    boards: tuple[Board, ...] = ()
    software: tuple[tuple[str, str], ...] = ()

    @property
    def days(self) -> int | None:
        """Days since the release, None when the feed has no date."""
        try:
            return (datetime.now(UTC).date() - date.fromisoformat(self.released)).days
        except ValueError:
            return None

    def software_version(self, name: str) -> str:
        """Return the version of one program, "" when the feed has none."""
        return dict(self.software).get(name, "")


@dataclass(frozen=True, kw_only=True)
class Feed:
    """A channel's releases, newest first. `seen` in Unix seconds; `trouble` is the reason why it could not be refreshed."""

    channel: Channel
    releases: tuple[ReleaseInfo, ...]
    current: Version | None
    seen: float
    origin: str
    trouble: str = ""

    @property
    def age(self) -> float:
        """Seconds since the feed was fetched."""
        return max(0.0, time.time() - self.seen)

    @property
    def current_release(self) -> ReleaseInfo | None:
        """The release that machines of this channel get now."""
        return next((release for release in self.releases if release.version == self.current), None)


def parse_feed(text: str | bytes, channel: Channel) -> tuple[tuple[ReleaseInfo, ...], Version | None]:
    """Return a channel's releases in a feed, newest first, and the current one. Raises FetchError for an invalid feed."""
    try:
        values = parse_json(text)
        if not isinstance(values, dict):
            raise ValueError("no object")  # noqa: TRY004  (as for any other invalid feed)
        found = [
            _parse_release(version, channel, entry)
            for name, entry in values.items()
            if (version := find_version(name)) and isinstance(entry, dict) and entry.get("channel", channel) == channel
        ]
        releases = tuple(sorted(found, key=lambda release: release.version, reverse=True))
        return releases, _current_of(values, releases)
    except (ValueError, RecursionError):
        raise FetchError(
            f"the release feed of {channel} is not understood; expected JSON, an object of releases"
        ) from None


def _parse_release(version: Version, channel: Channel, entry: dict[str, object]) -> ReleaseInfo:
    software = entry.get("major_software")
    arches = entry.get("architectures")
    boards = [board for board in Board if isinstance(arches, list) and board.arch in arches]
    return ReleaseInfo(
        version=version,
        channel=channel,
        released=_day(entry.get("release_date")),
        boards=tuple(boards),
        software=tuple(
            (printable(name, limit=_NAME_MAX), printable(first, limit=_NAME_MAX))
            for name, listed in (software.items() if isinstance(software, dict) else ())
            if isinstance(first := listed[0] if isinstance(listed, list) and listed else listed, str) and first
        ),
    )


def _day(value: object) -> str:
    """Return the date at the start of a text, "" for anything else."""
    match = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value) if isinstance(value, str) else None
    return match[0] if match else ""


def _current_of(values: dict[str, object], releases: tuple[ReleaseInfo, ...]) -> Version | None:
    """Return the current version. The feed's `current` is a copy of its entry, without its number: find the same entry."""
    current = values.get("current")
    same = [release.version for release in releases if values.get(str(release.version)) == current]
    return max(same) if same else releases[0].version if releases else None


def get_feed(
    channel: Channel,
    board: Board = Board.AMD64,
    *,
    patience: Timeouts = _IMPATIENT,
    cancel: threading.Event | None = None,
    max_age: float = FRESH_SECONDS,
) -> Feed:
    """Return the channel's feed: from the cache while fresh, else from a mirror or the Internet, else the old or an empty one.

    `trouble` is the reason of a failure. Without a feed, `current` comes from a server's version.txt for the board.
    """
    cached = _cached_feed(channel)
    if cached and cached.age <= max_age:
        return cached
    trouble = ""
    told: Feed | None = None
    for source in (one for one in list_sources() if not one.signed_only):  # nobody signs a feed
        try:
            data = fetch_small(source.feed_url(channel), patience=patience, cancel=cancel)
            if data is not None:
                releases, current = parse_feed(data, channel)
                _keep(channel, data)
                return Feed(channel=channel, releases=releases, current=current, seen=time.time(), origin=source.name)
            text = fetch_small(source.url(channel, f"{board}/current/version.txt"), patience=patience, cancel=cancel)
            version = parse_version_file(text.decode(errors="replace")) if text else None
            if version and not told:
                told = Feed(channel=channel, releases=(), current=version, seen=time.time(), origin=source.name)
        except FetchError as error:
            trouble = error.message
    if told:
        return told
    if cached:
        return replace(cached, trouble=trouble or "no release feed is offered any more")
    return Feed(channel=channel, releases=(), current=None, seen=0.0, origin="", trouble=trouble or "not offered")


def get_feeds(channels: tuple[Channel, ...], board: Board, *, patience: Timeouts = _IMPATIENT) -> list[Feed]:
    """Return the feeds of several channels, fetched at the same time. Ctrl-C ends all of them."""
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=len(Channel)) as pool:
        try:
            return list(pool.map(lambda one: get_feed(one, board, patience=patience, cancel=stop), channels))
        except BaseException:
            stop.set()
            raise


def _feed_file(channel: Channel) -> Path:
    return flatcar_dir() / str(channel) / f"releases-{channel}.json"


def _cached_feed(channel: Channel) -> Feed | None:
    path = _feed_file(channel)
    try:
        releases, current = parse_feed(read_regular(path, limit=_FEED_MAX), channel)
        return Feed(channel=channel, releases=releases, current=current, seen=path.stat().st_mtime, origin="the cache")
    except (OSError, FetchError):
        return None


def _keep(channel: Channel, data: bytes) -> None:
    path = _feed_file(channel)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, data)
    except OSError:  # a cache that cannot be written costs only a download each time
        return
