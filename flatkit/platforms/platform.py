"""Platforms: how a machine gets its Ignition there, and how big that may be. The facts are in platforms.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any


class PlatformKind(str, Enum):
    """The kind of a platform."""

    CLOUD = "cloud"
    VIRTUAL = "virtualization"
    METAL = "bare metal"
    TOOL = "tool"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class SizeLimit:
    """The largest config that a platform accepts, in bytes of the Ignition text; `is_verified` when a document says so."""

    size: int
    is_verified: bool

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
    kind: PlatformKind
    how: str
    pieces: tuple[Piece, ...]
    provider: str = ""
    aliases: tuple[str, ...] = ()
    limit: SizeLimit | None = None
    packed: Piece | None = None
    notes: tuple[str, ...] = ()


def load_platforms() -> dict[str, Platform]:
    """Return all platforms of platforms.yaml by name, in the order of the file."""
    import yaml

    text = Path(__file__).with_name("platforms.yaml").read_text(encoding="utf-8")
    rows: dict[str, dict[str, Any]] = yaml.load(text, Loader=yaml.CSafeLoader)
    return {name: _platform(name, row) for name, row in rows.items()}


def _platform(name: str, row: dict[str, Any]) -> Platform:
    limit, packed = row.get("limit"), row.get("packed")
    return Platform(
        name=name,
        title=row["title"],
        kind=PlatformKind(row["kind"]),
        how=row["how"],
        pieces=tuple(map(_piece, row["pieces"])),
        provider=row.get("provider", ""),
        aliases=tuple(row.get("aliases", ())),
        limit=SizeLimit(size=limit["size"], is_verified=limit["verified"]) if limit else None,
        packed=_piece(packed) if packed else None,
        notes=tuple(row.get("notes", ())),
    )


def _piece(row: dict[str, Any]) -> Piece:
    return Piece(title=row["title"], text=row["text"], is_verified=row.get("verified", True))
