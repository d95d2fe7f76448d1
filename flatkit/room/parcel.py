"""The folder of a pack while it is filled: what is put in, what goes out again, and the manifest at the end.

A pack is made again in place: what is the same already is not copied, and what an earlier pack had and this one has not is
removed. Files that no manifest names are never touched.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path

from flatkit import __version__
from flatkit.errors import HostError, ImageError, InputError, UsageError
from flatkit.events import Observer, Progressed, phase
from flatkit.images.packed import (
    MANIFEST,
    SUMS,
    Manifest,
    PackedFile,
    PackedImage,
    PackedRelease,
    manifest_as_text,
    parse_manifest,
    sums_as_text,
)

_CHUNK = 1024 * 1024


class Parcel:
    """A pack in the making. Raises UsageError when the folder holds something else, HostError when it cannot be written."""

    def __init__(self, folder: Path, *, observer: Observer) -> None:
        self.folder, self.observer = folder, observer
        self.images: list[PackedImage] = []
        self.releases: list[PackedRelease] = []
        self.left_out: list[str] = []
        self._paths: dict[str, None] = {}
        self._before = self._read_before()

    def _read_before(self) -> tuple[str, ...]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            text = (self.folder / MANIFEST).read_text()
        except FileNotFoundError:
            if any(self.folder.iterdir()):
                raise UsageError(
                    f'"{self.folder}" holds other things; expected an empty folder, a new one, or an earlier pack',
                    hint=f"flatkit room pack {self.folder / 'flatkit-pack'}",
                ) from None
            # From now on it is a pack, also if this is interrupted.
            self._write(MANIFEST, manifest_as_text(Manifest(made="", flatkit=__version__)))
            return ()
        except OSError as error:
            raise self._fault(error) from None
        try:
            return tuple(file.path for file in parse_manifest(text).files)
        except ImageError:
            return ()

    def path(self, inside: str) -> Path:
        """Where a path of the pack lies on this host; its folder is made."""
        target = self.folder / inside
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._fault(error) from None
        return target

    def copy(self, source: Path, inside: str) -> None:
        """Put a file in, unless the same is there (by size and time of change, which the copy keeps)."""
        try:
            found = source.stat()
        except OSError as error:
            raise InputError(f'"{source}" cannot be read, and was to go into the pack: {error.strerror}') from None
        target = self.path(inside)
        self._paths[inside] = None
        try:
            there = target.stat() if target.exists() else None
            if there and (there.st_size, there.st_mtime_ns) == (found.st_size, found.st_mtime_ns):
                return
            partial = target.with_name(f".{target.name}.part")
            shutil.copyfile(source, partial)
            shutil.copystat(source, partial)
            partial.chmod(0o644)
            partial.replace(target)
        except OSError as error:
            raise self._fault(error) from None

    def text(self, inside: str, text: str) -> None:
        """Put a text in."""
        self._paths[inside] = None
        self._write(inside, text)

    def keep(self, inside: str) -> None:
        """Count a file in that somebody else has put there."""
        self._paths[inside] = None

    def names(self, folder: str) -> list[str]:
        """What has been put below a folder of the pack."""
        return [path.removeprefix(f"{folder}/") for path in sorted(self._paths) if path.startswith(f"{folder}/")]

    def close(self, *, pythons: tuple[str, ...]) -> Manifest:
        """Take the digests, write the manifest, remove what an earlier pack had and this one has not."""
        for old in self._before:
            if old not in self._paths:
                (self.folder / old).unlink(missing_ok=True)
        files = self._measure()
        manifest = Manifest(
            made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            flatkit=__version__, pythons=pythons, images=tuple(self.images), releases=tuple(self.releases),
            left_out=tuple(self.left_out), files=files,
        )  # fmt: skip
        self._write(MANIFEST, manifest_as_text(manifest))
        self._write(SUMS, sums_as_text(manifest))
        return manifest

    def _measure(self) -> tuple[PackedFile, ...]:
        found = []
        total = sum((self.folder / inside).stat().st_size for inside in self._paths)
        done = 0
        with phase(self.observer, "sums", "Taking the digests"):
            for inside in sorted(self._paths):
                file = measure(self.folder, inside)
                found.append(file)
                done += file.size
                self.observer.notify(Progressed(phase="sums", done=done // 10**6, total=total // 10**6, unit="MB"))
        return tuple(found)

    def _write(self, inside: str, text: str) -> None:
        target = self.path(inside)
        partial = target.with_name(f".{target.name}.part")
        try:
            partial.write_text(text)
            partial.replace(target)
        except OSError as error:
            raise self._fault(error) from None

    def _fault(self, error: OSError) -> HostError:
        return HostError(
            f'the pack "{self.folder}" cannot be written: {error.strerror}',
            hint="choose a folder on a disk with room: the lab image and the wheels take about 2 GB",
        )


def measure(folder: Path, inside: str) -> PackedFile:
    """Read a file of a pack and take its digests. Raises OSError."""
    # SHA-1 is what Omaha's protocol has a field for; what is checked is SHA-256.
    sha256, sha1, size = hashlib.sha256(), hashlib.sha1(usedforsecurity=False), 0
    with (folder / inside).open("rb") as file:
        while piece := file.read(_CHUNK):
            sha256.update(piece)
            sha1.update(piece)
            size += len(piece)
    return PackedFile(path=inside, size=size, sha256=sha256.hexdigest(), sha1=sha1.hexdigest())
