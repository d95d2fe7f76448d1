"""A disk that is full: what is large on it, and the command that frees the most."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flatkit import paths
from flatkit.errors import HostError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_LARGER = "or set FLATKIT_STATE to a folder on a larger disk"
# What is smaller than this part of the used space is not named.
_WORTH = 0.02


@dataclass(frozen=True, kw_only=True, order=True)
class Consumer:
    """Something of flatkit's on a disk: its size in bytes, what it is, and the command that removes it."""

    size: int
    what: str
    command: str


def size_of(folder: Path) -> int:
    """Return the size that a folder really takes on disk, in bytes: overlays are sparse. What cannot be read counts 0."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total


def list_consumers(folder: Path) -> list[Consumer]:
    """Return flatkit's machines and images on the disk that contains `folder`, the largest first."""
    device = _existing(folder).stat().st_dev
    found = [*_machines(device), *_images(device)]
    return sorted(found, reverse=True)


def _machines(device: int) -> Iterator[Consumer]:
    for path in _folders(paths.machines_dir(), device):
        if not path.name.startswith("."):
            yield Consumer(size=size_of(path), what=f'the machine "{path.name}"', command=f"flatkit down {path.name}")


def _images(device: int) -> Iterator[Consumer]:
    for path in _folders(paths.cache_dir(), device):
        if path.name == "lab":
            yield Consumer(size=size_of(path), what="the lab image", command="flatkit images rm lab")
        elif path.name == "flatcar":
            for image in _folders(path, device):
                words = f"Flatcar's {image.name}"
                yield Consumer(
                    size=size_of(image), what=words, command="flatkit images list; flatkit images rm VERSION"
                )


def _folders(folder: Path, device: int) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and path.stat().st_dev == device]
    except OSError:
        return []


def advise(folder: Path, *, spare: str = "") -> str:
    """Return the next command for a disk without room: the largest thing of flatkit's, else a look at the others' files.

    The machine `spare` is not proposed: it is what the room is for.
    """
    try:
        disk, there = shutil.disk_usage(_existing(folder)), _mount_point(_existing(folder))
        consumers = [one for one in list_consumers(folder) if one.what != f'the machine "{spare}"']
    except (OSError, HostError):
        return f"df -h {shlex.quote(str(folder))}, {_LARGER}"
    used = f"{disk.used / 1e6:.0f} MB are used in {there}"
    if consumers and consumers[0].size >= _WORTH * disk.used and consumers[0].size > 1e6:
        largest = consumers[0]
        more = "".join(f"; {one.what}: {one.size / 1e6:.0f} MB" for one in consumers[1:3] if one.size > 1e6)
        return f"{largest.command}   ({largest.what} takes {largest.size / 1e6:.0f} MB{more}; {used}), {_LARGER}"
    look = f"du -xh --max-depth=2 {shlex.quote(str(there))} | sort -h | tail"
    return f"{look}   ({used}, hardly any of it by flatkit), {_LARGER}"


def disk_full(folder: Path, error: OSError, *, spare: str = "") -> HostError:
    """Return the error for a disk that takes nothing more: no space, no inodes, or a quota that is used up."""
    said = str(error)
    if error.errno == errno.EDQUOT:
        words = f'your quota on the disk that holds "{folder}" is used up'
        return HostError(words, hint=advise(folder, spare=spare), details=said)
    if _has_no_inodes(folder):
        words = f'the disk that holds "{folder}" has no inode left for another file: too many small files are on it'
        return HostError(words, hint=f"df -i {shlex.quote(str(folder))}, {_LARGER}", details=said)
    return HostError(f'the disk that holds "{folder}" is full', hint=advise(folder, spare=spare), details=said)


@contextmanager
def saying_disk_full(folder: Path, *, spare: str = "") -> Iterator[None]:
    """Turn the host's "no space left" into a HostError that says what is large. `spare` is the machine at work."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise disk_full(folder, error, spare=spare) from None


def _has_no_inodes(folder: Path) -> bool:
    try:
        about = os.statvfs(_existing(folder))
    except OSError:
        return False
    return about.f_files > 0 and about.f_favail == 0


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _mount_point(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.is_mount())
