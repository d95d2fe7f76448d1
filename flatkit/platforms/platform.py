"""What is known about a platform: how a machine there gets its Ignition, and how big that may be.

The facts are those of Ignition's list of platforms and of Flatcar's deployment guides, read in August 2026. What was not found
there is marked as unverified, and shown as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(str, Enum):
    """Where a platform belongs."""

    CLOUD = "cloud"
    VIRTUAL = "virtualization"
    METAL = "bare metal"
    TOOL = "tool"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How much may be handed over, in bytes of the Ignition text; `is_verified` when a document says so."""

    size: int
    is_verified: bool
    note: str = ""

    def __str__(self) -> str:
        return f"{self.size} bytes{'' if self.is_verified else ' (unverified)'}"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Something to type or to write. In `text`, words between two @ are filled in (handover.py).

    `is_verified` False: from the tool's own manual or from memory, not seen in a guide of Flatcar's.
    """

    title: str
    text: str
    is_verified: bool = True


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A platform. `provider` is what `flatcar.oem.id` says there; `packed` the piece that hands over gzip, if one does."""

    name: str
    title: str
    kind: Kind
    how: str
    pieces: tuple[Piece, ...]
    provider: str = ""
    aliases: tuple[str, ...] = ()
    limit: Limit | None = None
    packed: Piece | None = None
    notes: tuple[str, ...] = ()
