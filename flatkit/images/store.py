"""The cache of Flatcar images: verified files, their signing key, and a check that a file is still the verified one.

It has the layout of a release server (mirrors.py), so a cache can be copied as a mirror. Beside each image is its
record. An image without a record, or with another size or modification time than in it, is never booted.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flatkit.fields import Fields, to_json
from flatkit.files import read_regular, write_atomic
from flatkit.images.releases import Board, Channel, Version, Wanted, find_version
from flatkit.images.signing import Trust
from flatkit.paths import cache_dir, cache_layers
from flatkit.untrusted import lines_of, parse_json

_RECORD = "image.json"
_SMALL_MAX = 64 * 1024
# Majors of the LTS streams, used when a server's lts-info is not available (website, data/releases).
_STREAMS = {"2021": 2605, "2022": 3033, "2023": 3510, "2024": 4081}


@dataclass(frozen=True, kw_only=True)
class ImageRecord:
    """Record of a verification; `fetched` and `signed` in Unix seconds, `trust` is the key's identity (signing.Trust)."""

    file: str
    size: int
    changed_ns: int = field(metadata={"most": 2**63 - 1})
    sha512: str
    trust: str
    subkey: str
    signed: int
    source: str
    fetched: float


@dataclass(frozen=True, kw_only=True)
class CachedImage:
    """A Flatcar image in the cache."""

    channel: Channel
    board: Board
    version: Version
    folder: Path
    record: ImageRecord

    @property
    def path(self) -> Path:
        """The read-only disk image."""
        return self.folder / self.record.file

    @property
    def age(self) -> float:
        """Seconds since it was fetched."""
        return max(0.0, time.time() - self.record.fetched)

    @property
    def is_whole(self) -> bool:
        """True when the file is still the verified one, by its size and modification time."""
        try:
            found = self.path.stat()
        except OSError:
            return False
        return (found.st_size, found.st_mtime_ns) == (self.record.size, self.record.changed_ns)

    def is_ready(self, trust: Trust) -> bool:
        """Return True when it may boot: whole, and verified with the key that this user trusts."""
        return self.record.trust == trust.identity and self.is_whole

    def matches(self, wanted: Wanted) -> bool:
        """Return True when it is the requested image, as far as the cache can tell."""
        if wanted.version:
            return self.version == wanted.version
        if wanted.stream and self.version.major != stream_major(wanted.stream):
            return False
        return self.channel is wanted.channel


def flatcar_dir() -> Path:
    """Return the folder of Flatcar images in the user's own cache."""
    return cache_dir() / "flatcar"


def flatcar_layers() -> list[Path]:
    """Return the folders where Flatcar images are looked for: that of a shared cache first."""
    return [layer / "flatcar" for layer in cache_layers()]


def image_folder(channel: Channel, board: Board, version: Version) -> Path:
    """Return the folder of one image."""
    return flatcar_dir() / str(channel) / str(board) / str(version)


def read_image(folder: Path) -> CachedImage | None:
    """Return the image of a folder `CHANNEL/BOARD/VERSION`, or None without a readable record."""
    version = find_version(folder.name)
    try:
        record = parse_record(read_regular(folder / _RECORD, limit=_SMALL_MAX))
        channel, board = Channel(folder.parent.parent.name), Board(folder.parent.name)
    except (OSError, ValueError):
        return None
    if version is None:
        return None
    return CachedImage(channel=channel, board=board, version=version, folder=folder, record=record)


def parse_record(text: str | bytes) -> ImageRecord:
    """Parse an image's record. Raises ValueError for anything that `write_record` would not write."""
    record = Fields(parse_json(text), limit=_SMALL_MAX, strict=True).build(ImageRecord)
    if record.file in {"", ".", ".."} or "/" in record.file or "\0" in record.file:
        raise ValueError('"file" is not the name of a file')
    if record.fetched < 0:
        raise ValueError(f'"fetched" is out of range: {record.fetched}')
    return record


def write_record(folder: Path, record: ImageRecord) -> None:
    """Write the record of a verified image, whole or not at all."""
    write_atomic(folder / _RECORD, json.dumps(to_json(record), indent=1) + "\n")


def list_cached(*, board: Board | None = None) -> list[CachedImage]:
    """Return the images with a record, newest version first. A record alone does not prove that the file is still whole."""
    folders = [path for layer in flatcar_layers() if layer.is_dir() for path in layer.glob(f"*/{board or '*'}/*")]
    found = [image for folder in folders if (image := read_image(folder))]
    return sorted(found, key=lambda image: image.version, reverse=True)


def find_ready(wanted: Wanted, board: Board, trust: Trust) -> CachedImage | None:
    """Return the newest requested image that is verified and whole."""
    matching = (image for image in list_cached(board=board) if image.matches(wanted))
    return next((image for image in matching if image.is_ready(trust)), None)


def find_leftovers() -> list[Path]:
    """Return leftovers of downloads that never became an image: parts to resume, and refused files."""
    folder = flatcar_dir()
    if not folder.is_dir():
        return []
    return sorted(path for pattern in ("*.part", "*.refused") for path in folder.rglob(pattern) if path.is_file())


def remove_images(images: Iterable[CachedImage]) -> int:
    """Remove images from the user's own cache; return the bytes freed. Those of a shared cache stay."""
    freed = 0
    for image in images:
        if flatcar_dir() not in image.folder.parents:
            continue
        freed += folder_size(image.folder)
        shutil.rmtree(image.folder, ignore_errors=True)
    return freed


def folder_size(folder: Path) -> int:
    """Return the disk usage of a folder, in bytes."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*")) if folder.is_dir() else 0


def stream_major(stream: str) -> int | None:
    """Return the major version of an LTS stream, by its year: from the last lts-info of a server, else from the built-in list."""
    for layer in reversed(flatcar_layers()):
        with suppress(OSError):
            text = read_regular(layer / str(Channel.LTS) / "lts-info", limit=_SMALL_MAX)
            return parse_lts_info(text.decode(errors="replace")).get(stream, _STREAMS.get(stream))
    return _STREAMS.get(stream)


def parse_lts_info(text: str) -> dict[str, int]:
    """Return year -> major, from the lines MAJOR:YEAR:STATUS of a server's lts-info."""
    rows = (re.fullmatch(r"([0-9]{3,6}):(20[0-9]{2})(:.*)?", line) for line in lines_of(text))
    return {row[2]: int(row[1]) for row in rows if row}


def say_age(seconds: float) -> str:
    """Return an age in words."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
