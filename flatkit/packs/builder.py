"""The folder of a pack while it is filled: what is put in, what goes out again, and the manifest at the end.

A pack is made again in place: what is the same already is not copied, and what an earlier pack had and this one has not is
removed. Files that no manifest names are never touched. An earlier pack may come from somebody else, so nothing in it is read,
written or removed through a link.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from flatkit import __version__
from flatkit.errors import HostError, ImageError, InputError, UsageError
from flatkit.events import Observer, Progressed, phase
from flatkit.files import open_below, open_regular, remove_below, replace_below
from flatkit.images.pack_manifest import (
    MANIFEST,
    MANIFEST_MAX,
    PATH_SAID,
    SUMS,
    PackedFile,
    PackedImage,
    PackedRelease,
    PackManifest,
    is_path,
    left_out,
    manifest_as_text,
    parse_manifest,
    sums_as_text,
)
from flatkit.untrusted import printable, shell_word

_CHUNK = 1024 * 1024


class PackBuilder:
    """A pack in the making. Raises UsageError when the folder holds something else, HostError when it cannot be written."""

    def __init__(self, folder: Path, *, observer: Observer) -> None:
        self.folder, self.observer = folder, observer
        self.images: list[PackedImage] = []
        self.releases: list[PackedRelease] = []
        self.left_out: list[str] = []
        self._paths: dict[str, None] = {}
        self._before = {file.path: file for file in self._read_before()}

    def _read_before(self) -> tuple[PackedFile, ...]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open_below(self.folder, MANIFEST) as file:
                data = file.read(MANIFEST_MAX + 1)
        except FileNotFoundError:
            self._begin()
            return ()
        except OSError as error:
            raise self._fault(error) from None
        try:
            return parse_manifest(data).files
        except ImageError:
            return ()

    def _begin(self) -> None:
        try:
            with os.scandir(self.folder) as entries:
                is_empty = next(entries, None) is None
        except OSError as error:
            raise self._fault(error) from None
        if not is_empty:
            raise UsageError(
                f'"{self.folder}" holds other things; expected an empty folder, a new one, or an earlier pack',
                hint=f"flatkit room pack {shell_word(self.folder / 'flatkit-pack')}",
            )
        # From now on it is a pack, also if this is interrupted.
        self._write(MANIFEST, manifest_as_text(PackManifest(made="", flatkit=__version__)))

    def copy(self, source: Path, inside: str) -> None:
        """Put a file in, unless the same bytes are there. Raises UsageError for a path that no pack may have."""
        self._note(inside)
        try:
            file = open_regular(source)
        except OSError as error:
            raise InputError(f'"{source}" cannot be read, and was to go into the pack: {error.strerror}') from None
        with file:
            try:
                if self._is_there(file, inside):
                    return
                file.seek(0)
                with replace_below(self.folder, inside) as target:
                    while piece := file.read(_CHUNK):
                        target.write(piece)
            except OSError as error:
                raise self._fault(error) from None

    def _is_there(self, source: BinaryIO, inside: str) -> bool:
        """Tell if the pack has the bytes of an open file at a path; nothing is read where the sizes differ."""
        try:
            there = open_below(self.folder, inside)
        except OSError:
            return False
        with there:
            if os.fstat(there.fileno()).st_size != os.fstat(source.fileno()).st_size:
                return False
            while piece := source.read(_CHUNK):
                if there.read(len(piece)) != piece:
                    return False
        return True

    def text(self, inside: str, text: str) -> None:
        """Put a text in."""
        self._note(inside)
        self._write(inside, text)

    def keep(self, inside: str) -> None:
        """Leave a file in that an earlier pack has put there."""
        self._note(inside)

    def _note(self, inside: str) -> None:
        if not is_path(inside):
            raise UsageError(f'"{printable(inside)}" cannot be in a pack; expected {PATH_SAID}', hint="rename the file")
        self._paths[inside] = None

    def has(self, inside: str, *, sha256: str) -> bool:
        """Tell if a file of these bytes is there already."""
        try:
            return measure(self.folder, inside).sha256 == sha256
        except OSError:
            return False

    def take_back(self, inside: str, target: Path) -> bool:
        """Copy a file of the earlier pack to a path outside, if it is as the earlier manifest says."""
        promised = self._before.get(inside)
        with target.open("wb") as file:
            try:
                found = promised and measure(self.folder, inside, most=promised.size, each=file.write)
            except OSError:
                found = None
        if found and found == promised:
            return True
        target.unlink()
        return False

    def before(self, folder: str) -> list[str]:
        """Return what the earlier pack had below a folder."""
        return [path for path in sorted(self._before) if path.startswith(f"{folder}/")]

    def measure(self, inside: str) -> PackedFile:
        """Take the digests of a file of the pack. Raises HostError for anything but a regular file."""
        try:
            return measure(self.folder, inside)
        except OSError as error:
            raise self._fault(error) from None

    def names(self, folder: str) -> list[str]:
        """Return the names of what has been put below a folder of the pack."""
        return [path.removeprefix(f"{folder}/") for path in sorted(self._paths) if path.startswith(f"{folder}/")]

    def close(self, *, pythons: tuple[str, ...]) -> PackManifest:
        """Take the digests, write the manifest, remove what an earlier pack had and this one has not.

        Raises ImageError for a name that no pack may contain.
        """
        try:
            for old in self._before:
                if old not in self._paths:
                    remove_below(self.folder, old)
        except OSError as error:
            raise self._fault(error) from None
        manifest = PackManifest(
            made=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            flatkit=__version__, pythons=pythons, images=tuple(self.images), releases=tuple(self.releases),
            left_out=tuple(map(left_out, self.left_out)), files=self._measure_all(),
        )  # fmt: skip
        text = manifest_as_text(manifest)
        parse_manifest(text)  # what this flatkit would not read is not written
        self._write(MANIFEST, text)
        self._write(SUMS, sums_as_text(manifest))
        return manifest

    def _measure_all(self) -> tuple[PackedFile, ...]:
        found = []
        done = 0
        total = sum(self._size(inside) for inside in self._paths)
        with phase(self.observer, "sums", "Taking the digests"):
            for inside in sorted(self._paths):
                file = self.measure(inside)
                found.append(file)
                done += file.size
                self.observer.notify(Progressed(phase="sums", done=done // 10**6, total=total // 10**6, unit="MB"))
        return tuple(found)

    def _size(self, inside: str) -> int:
        try:
            with open_below(self.folder, inside) as file:
                return os.fstat(file.fileno()).st_size
        except OSError as error:
            raise self._fault(error) from None

    def _write(self, inside: str, text: str) -> None:
        try:
            with replace_below(self.folder, inside) as file:
                file.write(text.encode())
        except OSError as error:
            raise self._fault(error) from None

    def _fault(self, error: OSError) -> HostError:
        hint = "choose a folder on a disk with room: the lab image and the wheels take about 2 GB"
        if error.errno in {errno.ELOOP, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.EEXIST}:
            hint = "choose a new folder: that one has something in it that no pack has"
        return HostError(f'the pack "{self.folder}" cannot be written: {error.strerror}', hint=hint)


def measure(
    folder: Path, inside: str, *, most: int | None = None, each: Callable[[bytes], object] = lambda _: None
) -> PackedFile:
    """Read a regular file of a pack, following no link, and take its digests; `each` gets every piece. Raises OSError.

    A file that is larger than `most` is not read: its digests are then empty.
    """
    # SHA-1 is what Omaha's protocol has a field for; what is checked is SHA-256.
    sha256, sha1, size = hashlib.sha256(), hashlib.sha1(usedforsecurity=False), 0
    with open_below(folder, inside) as file:
        now = os.fstat(file.fileno()).st_size
        if most is not None and now > most:
            return PackedFile(path=inside, size=now, sha256="", sha1="")
        while piece := file.read(_CHUNK if most is None else min(_CHUNK, most - size + 1)):
            size += len(piece)
            sha256.update(piece)
            sha1.update(piece)
            each(piece)
            if most is not None and size > most:
                break  # it grows while it is read
    return PackedFile(path=inside, size=size, sha256=sha256.hexdigest(), sha1=sha1.hexdigest())
