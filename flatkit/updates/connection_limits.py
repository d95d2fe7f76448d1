"""The open connections of the update server: deadlines, and which one to drop when there are too many. Pure.

A seat's network may hide a whole room behind one address, so an address has no fixed quota. Honest clients send a request
at once, and read the answer. A full server drops the connection that has made no progress for the longest time. From
then on the address of a dropped connection is suspect for a while, as is one with many connections. Connections of
suspects go first. A new connection of a suspect never ends a download of somebody else that makes progress.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

_PATIENCE_SECONDS = 5.0  # for a head, or the next piece of a download
_PROOF = 1024 * 1024  # the buffers of both kernels take fewer bytes of a client that reads nothing
_SUSPECT_SECONDS = 60.0
_SUSPECTS_MAX = 4096


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the update server; seconds and counts.

    `downloads` is for connections that get a file, `connections` for all others: downloads leave small answers alone.
    `head_seconds` and `body_seconds` are for the whole head or body of a request. A client may idle for `idle_seconds`
    after an answer. Each `PIECE` of a download has `stall_seconds`: 6 kB/s are enough while the server is not full.
    """

    connections: int = 256
    downloads: int = 256  # each has an open file, too; a process usually gets 1024 of both
    head_seconds: float = 10.0
    idle_seconds: float = 30.0
    body_seconds: float = 10.0
    stall_seconds: float = 90.0


@dataclass(eq=False, kw_only=True)
class Visit:
    """A connection. `since` is the time of its last progress: a request, an answer, a piece of a download.

    While `owes` is true the server waits for the client's bytes. `moved` counts the bytes sent of an answer. `is_last`:
    the client sends no further request. `end` closes the connection.
    """

    origin: str
    since: float
    end: Callable[[], None]
    owes: bool = True
    moved: int = 0
    is_last: bool = False

    def is_stalled(self, now: float) -> bool:
        """Return whether it has made no progress for too long."""
        return now - self.since > _PATIENCE_SECONDS

    def is_reading(self, now: float) -> bool:
        """Return whether it is a download whose client really reads."""
        return not self.owes and self.moved >= _PROOF and not self.is_stalled(now)


class Crowd:
    """Connections of a server that are of one kind, with a maximum of `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._visits: set[Visit] = set()
        self._suspects: dict[str, float] = {}  # when a connection of this origin was dropped; the newest is last

    def __len__(self) -> int:
        return len(self._visits)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """The connections that are open now."""
        return tuple(self._visits)

    def enter(self, visit: Visit) -> Visit | None:
        """Add a connection, and return the one to drop when there are too many: another one, or the new one itself."""
        if visit in self._visits:
            return None
        victim = self._choose_victim(visit) if len(self._visits) >= self._most else None
        if victim:
            self._visits.discard(victim)
            self._suspects.pop(victim.origin, None)
            self._suspects[victim.origin] = visit.since
            if len(self._suspects) > _SUSPECTS_MAX:
                del self._suspects[next(iter(self._suspects))]
        if len(self._visits) < self._most:
            self._visits.add(visit)
        return victim or (None if visit in self._visits else visit)

    def leave(self, visit: Visit) -> None:
        """Forget a connection that has ended."""
        self._visits.discard(visit)

    def _choose_victim(self, new: Visit) -> Visit | None:
        now, counts = new.since, Counter(visit.origin for visit in self._visits)

        def is_suspect(visit: Visit) -> bool:
            dropped = self._suspects.get(visit.origin)
            return counts[visit.origin] * 4 > self._most or (dropped is not None and now - dropped < _SUSPECT_SECONDS)

        suspects = [visit for visit in self._visits if is_suspect(visit)]
        idle = [visit for visit in self._visits if not visit.is_reading(now)]
        if is_suspect(new):
            found = [visit for visit in suspects if not visit.is_reading(now)] or [
                visit for visit in idle if visit.is_stalled(now)
            ]
        else:
            found = suspects or idle
        return min(found, key=lambda visit: (visit.is_reading(now), visit.since), default=None)


def origin_of(address: str) -> str:
    """Return the part of an IP address that identifies a participant: all of IPv4, the first 64 bits of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
