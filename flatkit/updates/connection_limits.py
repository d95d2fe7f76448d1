"""The open connections of the update server: deadlines, and which one to drop when there are too many. Pure.

A seat's network may hide a whole room behind one address, so an address has no fixed quota. Instead a full server drops
a connection of the address with the most connections. It picks the client that has owed bytes the longest, else the
slowest reader. Honest clients send a request at once, and read the answer.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_YOUNG_SECONDS = 2.0
_HEAD_SECONDS = 0.25  # an honest head has arrived by then
_SLOW = 100_000  # bytes a second


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of the update server; seconds, bytes and counts.

    `head_seconds` and `body_seconds` are for the whole head or body of a request. A client may idle for `idle_seconds`
    after an answer. Each `PIECE` of a download has `stall_seconds`: 23 kB/s are enough.
    """

    connections: int = 256
    head_seconds: float = 10.0
    idle_seconds: float = 30.0
    body_seconds: float = 10.0
    stall_seconds: float = 90.0


@dataclass(eq=False, kw_only=True)
class Visit:
    """A connection. While `owes` is true the server waits for the client's bytes, since the time `since`.

    `moved` counts the bytes sent since then. `is_answered`: it has had an answer before. `is_last`: the client sends no
    further request. `end` closes the connection.
    """

    origin: str
    since: float
    end: Callable[[], None]
    owes: bool = True
    moved: int = 0
    is_answered: bool = False
    is_last: bool = False


class Crowd:
    """The connections of a server with a maximum of `most`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._visits: set[Visit] = set()

    def __len__(self) -> int:
        return len(self._visits)

    @property
    def visits(self) -> tuple[Visit, ...]:
        """The connections that are open now."""
        return tuple(self._visits)

    def enter(self, visit: Visit) -> Visit | None:
        """Add a connection, and return the one to drop when there are too many: another one, or the new one itself."""
        victim = self._choose_victim(visit) if len(self._visits) >= self._most else None
        if len(self._visits) < self._most or victim:
            self._visits.add(visit)
        if victim:
            self._visits.discard(victim)
        return victim or (None if visit in self._visits else visit)

    def leave(self, visit: Visit) -> None:
        """Forget a connection that has ended."""
        self._visits.discard(visit)

    def _choose_victim(self, new: Visit) -> Visit | None:
        origin, count = Counter(visit.origin for visit in self._visits).most_common(1)[0]
        if count * 4 <= self._most:  # no address stands out
            return _longest(self._visits) or _slowest(self._visits, new.since, below=_SLOW)
        found = [visit for visit in self._visits if visit.origin == origin]
        old = [visit for visit in found if new.since - visit.since > _YOUNG_SECONDS]
        if victim := _longest(old) or _slowest(old, new.since):
            return victim
        # Young connections cannot be distinguished yet: drop one of the larger kind, in favor of other addresses.
        owing = sum(visit.owes for visit in found) * 2 > len(found)
        victim = _longest(found) if owing else _slowest(found, new.since)
        if origin != new.origin or not victim or (owing and victim.is_answered):
            return victim
        return victim if owing and new.since - victim.since > _HEAD_SECONDS else None


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


def _longest(visits: Iterable[Visit]) -> Visit | None:
    """Return the connection whose client has owed bytes the longest."""
    return min((visit for visit in visits if visit.owes), key=lambda visit: visit.since, default=None)


def _slowest(visits: Iterable[Visit], now: float, *, below: float = float("inf")) -> Visit | None:
    """Return the connection with the slowest reader, if it reads more slowly than `below` bytes a second."""
    rates = [(visit.moved / max(now - visit.since, _YOUNG_SECONDS), visit) for visit in visits if not visit.owes]
    rate, victim = min(rates, key=lambda found: found[0], default=(0.0, None))
    return victim if rate < below else None
