"""Locks that all users of a host share: one machine is admitted at a time, and boots take turns across users.

Root creates the files, where the host has seats (`flatkit seats up`). Users lock them and can neither add nor remove one.
A user who keeps a lock delays the others for a bounded time only: then they continue without it.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from flatkit.waiting import check_cancel

FOLDER = Path("/run/flatkit/locks")
_ADMISSION, _TURN = "admission", "turn-"


@dataclass(frozen=True, kw_only=True)
class HostLock:
    """A lock that is held. The kernel releases it when the process ends."""

    descriptor: int

    def release(self) -> None:
        """Release it."""
        os.close(self.descriptor)


def create(turns: int, *, folder: Path | None = None) -> None:
    """Create the lock files, so many for boots, for every user of this host. Only root's count. Raises OSError.

    The folder is not sticky: Linux refuses to open others' files for creation in one (fs.protected_regular).
    """
    folder = folder or FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder.parent, folder):
        path.chmod(0o755)
    wanted = {_ADMISSION, *(f"{_TURN}{number}" for number in range(turns))}
    for name in sorted(wanted):
        (folder / name).touch()
        (folder / name).chmod(0o666)
    for path in folder.iterdir():
        if path.name not in wanted:
            path.unlink()


def remove(*, folder: Path | None = None) -> None:
    """Remove the lock files: the host has no seats any more. Each user then orders only their own machines."""
    folder = folder or FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        folder.parent.rmdir()


def find_turns(folder: Path | None = None) -> list[Path]:
    """Return the lock files for boots; none where this host has none, or where others than root may change them."""
    folder = folder or FOLDER
    return sorted(folder.glob(f"{_TURN}*")) if _is_trusted(folder) else []


@contextmanager
def admission(wait: float, cancel: threading.Event | None = None, *, folder: Path | None = None) -> Iterator[None]:
    """Hold the host's lock for admission, if it has one; after `wait` seconds go on without it. Raises Cancelled."""
    place = (folder or FOLDER) / _ADMISSION
    pause, deadline = cancel or threading.Event(), time.monotonic() + wait
    held = None
    if _is_trusted(place.parent):
        while (held := take_one([place])) is None and place.exists() and time.monotonic() < deadline:
            pause.wait(0.1)
            check_cancel(cancel)
    try:
        yield
    finally:
        if held:
            held.release()


def take_one(places: list[Path]) -> HostLock | None:
    """Return the first lock that nobody holds; None if all are held or cannot be opened."""
    import fcntl

    for place in places:
        try:
            descriptor = os.open(place, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            continue
        return HostLock(descriptor=descriptor)
    return None


def _is_trusted(folder: Path) -> bool:
    try:
        about = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(about.st_mode) and about.st_uid == 0 and not about.st_mode & 0o022
