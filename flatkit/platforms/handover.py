"""The hand-over of one config to one platform: what to type, filled in; whether it fits; and what to do when it does not.

The platforms are data, in platforms.yaml. Nothing here is carried out, and nothing claims to have been.
"""

from __future__ import annotations

import base64
import difflib
import gzip
import hashlib
import json
import re
import shlex
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path, PurePath
from typing import Any

from flatkit.errors import UsageError
from flatkit.files import read_data
from flatkit.untrusted import lines_of

# Hyper-V keeps about 1 KiB in one value (Flatcar's guide).
_KVP_VALUE = 1024
_LONGEST_SHOWN = 120
NOT_RUN = "Shown, not run: flatkit has not tried this on the platform."


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


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A config to hand over: the file's name, and its Ignition as compact JSON. `spec` is the version in it."""

    file: str
    ignition: str

    @classmethod
    def of(cls, file: str, ignition: dict[str, Any]) -> Payload:
        """The config of that file, without anything of flatkit's."""
        return cls(file=PurePath(file).name, ignition=json.dumps(ignition, separators=(",", ":")))

    @property
    def size(self) -> int:
        """Bytes of the Ignition text."""
        return len(self.ignition.encode())

    @property
    def spec(self) -> str:
        """The Ignition version that it asks for."""
        return str(json.loads(self.ignition)["ignition"]["version"])

    @property
    def stem(self) -> str:
        """A name for the machine, made of the file's name."""
        return re.sub(r"[^a-z0-9]+", "-", PurePath(self.file).stem.lower()).strip("-") or "machine"

    @property
    def packed(self) -> bytes:
        """The Ignition by gzip, the same bytes every time."""
        return gzip.compress(self.ignition.encode(), 9, mtime=0)


class Fit(str, Enum):
    """The result of comparing a config with a platform's limit."""

    FITS = "fits"
    TOO_BIG = "too big"
    NO_LIMIT = "no limit known"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Handover:
    """The hand-over to one platform. `offers` is what to do instead where the config is too big."""

    platform: Platform
    payload: Payload
    pieces: tuple[Piece, ...]
    fit: Fit
    offers: tuple[Piece, ...] = ()

    @property
    def verdict(self) -> str:
        """Size and limit in one line; says so where nobody has verified the limit."""
        size, limit = self.payload.size, self.platform.limit
        if limit is None:
            return f"{size} bytes of Ignition; no limit known"
        words = {Fit.FITS: "fits into", Fit.TOO_BIG: "is too big for"}[self.fit]
        return f"{size} bytes of Ignition: {words} {limit}"

    @property
    def first(self) -> str:
        """The command that makes the file that the pieces name; "" where they name none, or it exists."""
        file = f"{PurePath(self.payload.file).stem}.ign"
        if self.payload.file == file or not any(file in piece.text for piece in self.pieces):
            return ""
        return f"flatkit butane {shlex.quote(self.payload.file)} -o {shlex.quote(file)}"

    def __str__(self) -> str:
        mark = {Fit.TOO_BIG: "✗ ", Fit.FITS: "✓ "}.get(self.fit, "")
        lines = [f"{self.platform.title}: {self.platform.how}", f"{mark}{self.verdict}"]
        lines += ["", f"first: {self.first}"] if self.first else []
        for piece in (*self.pieces, *self.offers):
            lines += ["", _title(piece), *(f"  {line}" for line in lines_of(piece.text))]
        lines += ["", *(f"note: {note}" for note in self.platform.notes), NOT_RUN]
        return "\n".join(lines)


def _title(piece: Piece) -> str:
    return f"{piece.title}:" if piece.is_verified else f"{piece.title} (unverified):"


def hand_over(platform: Platform, payload: Payload) -> Handover:
    """The hand-over of this config to this platform."""
    fit = fit_of(platform.limit, payload.size)
    pieces = tuple(_fill(piece, payload) for piece in platform.pieces)
    offers = tuple(_offers(platform, payload)) if fit is Fit.TOO_BIG else ()
    if platform.packed and fit is not Fit.TOO_BIG and len(payload.packed) < payload.size:
        pieces += (_fill(platform.packed, payload),)
    return Handover(platform=platform, payload=payload, pieces=pieces, fit=fit, offers=offers)


def fit_of(limit: SizeLimit | None, size: int) -> Fit:
    """Compare a size in bytes with a limit."""
    if limit is None:
        return Fit.NO_LIMIT
    return Fit.FITS if size <= limit.size else Fit.TOO_BIG


def pointer_to(payload: Payload, url: str) -> str:
    """A small config that merges the big one from a URL, and accepts no other text than this one (SHA-512)."""
    digest = hashlib.sha512(payload.ignition.encode()).hexdigest()
    part = {"source": url, "verification": {"hash": f"sha512-{digest}"}}
    return json.dumps({"ignition": {"version": payload.spec, "config": {"merge": [part]}}}, separators=(",", ":"))


def _offers(platform: Platform, payload: Payload) -> list[Piece]:
    assert platform.limit is not None
    offers = []
    # Base64 makes four bytes of three.
    if platform.packed and 4 * ((len(payload.packed) + 2) // 3) <= platform.limit.size:
        offers.append(_fill(platform.packed, payload))
    pointer = pointer_to(payload, f"https://example.com/{PurePath(payload.file).stem}.ign")
    if fit_of(platform.limit, len(pointer.encode())) is Fit.FITS:
        offers.append(
            Piece(
                title=f"instead: serve the big config at an address of yours, and hand over this one ({len(pointer)} bytes)",
                text=pointer,
            )
        )
    return offers


def _fill(piece: Piece, payload: Payload) -> Piece:
    """Replace each word between two @ by its value."""
    file = f"{PurePath(payload.file).stem}.ign"
    sizes = [min(_KVP_VALUE, payload.size - at) for at in range(0, payload.size, _KVP_VALUE)]
    words = {
        "ign": shlex.quote(file),
        "ignfile": file,
        "bu": shlex.quote(f"{PurePath(payload.file).stem}.bu"),
        "name": payload.stem,
        "base64": base64.b64encode(payload.ignition.encode()).decode(),
        "gzipbase64": base64.b64encode(payload.packed).decode(),
        "pieces": "\n".join(f"ignition.config.{number}: {size} bytes" for number, size in enumerate(sizes)),
        "json": payload.ignition,
    }
    return replace(piece, text=re.sub(r"@([a-z0-9]+)@", lambda found: words.get(found[1], found[0]), piece.text))


def shortened(text: str) -> str:
    """The same with very long words cut, for a screen; what is copied is the whole text."""
    return re.sub(
        rf"\S{{{_LONGEST_SHOWN + 40},}}",
        lambda found: f"{found[0][:_LONGEST_SHOWN]}... ({len(found[0])} characters)",
        text,
    )


def load_platforms() -> dict[str, Platform]:
    """Return all platforms of platforms.yaml by name, in the order of the file."""
    rows: dict[str, dict[str, Any]] = read_data(Path(__file__).with_name("platforms.yaml"), dict)
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


PLATFORMS = load_platforms()


def get_platform(name: str) -> Platform:
    """The platform of that name, or of a name that people use for it. Raises UsageError."""
    wanted = name.strip().lower()
    for platform in PLATFORMS.values():
        if wanted in {platform.name, *platform.aliases}:
            return platform
    gone = {"equinix": "its provider switched its servers off in June 2026", "packet": "see equinix",
            "rackspace": "Flatcar dropped it in May 2026"}  # fmt: skip
    near = difflib.get_close_matches(wanted, [*PLATFORMS, *(a for p in PLATFORMS.values() for a in p.aliases)], n=1)
    meant = f'; did you mean "{near[0]}"?' if near else f"; expected one of {', '.join(PLATFORMS)}"
    why = f": {gone[wanted]}" if wanted in gone else meant
    raise UsageError(f'there is no platform "{name}"{why}', hint="flatkit everywhere   (lists them)")
