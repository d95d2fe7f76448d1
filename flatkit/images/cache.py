"""Building into the cache: one builder at a time, no partial results, clear errors when the disk is full."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

from flatkit import locks, paths
from flatkit.accounts import why_refused
from flatkit.errors import HostError
from flatkit.events import Observer, Said
from flatkit.plain_names import forget, plain

# Free space to leave on a disk, in bytes: data from outside never fills it further, whatever a server sends.
KEPT_FREE = 1024**3


def make_folder(folder: Path, *, needed_mib: int, what: str) -> Path:
    """Return the cache folder, created if necessary. Raises HostError when it is unusable or has too little space."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free // (1024 * 1024)
    except OSError as error:
        raise HostError(
            f'the cache folder "{folder}" cannot be used: {why_refused(folder, error)}',
            hint=paths.way_out(folder, error),
        ) from None
    if free < needed_mib:
        raise HostError(
            f'"{folder}" has {free} MiB free; building {what} needs {needed_mib} MiB',
            hint="free some space, or set FLATKIT_CACHE to a folder on a larger disk",
        )
    return folder


def measure_spare(folder: Path) -> int:
    """Return how many bytes may still be written to the folder's disk; negative when less than `KEPT_FREE` is free."""
    return shutil.disk_usage(folder).free - KEPT_FREE


@contextmanager
def locked(
    folder: Path, observer: Observer, *, what: str, doing: str = "building", cancel: Event | None = None
) -> Iterator[None]:
    """Hold the folder's lock; report when another flatkit holds it. Raises Cancelled when the user stops the wait."""

    def waiting() -> None:
        observer.notify(Said(text=f"another flatkit is {doing} {what}: waiting for it"))

    with ExitStack() as held:
        try:
            held.enter_context(locks.locked(folder / ".lock", cancel=cancel, waiting=waiting))
        except OSError as error:
            raise paths.refused(folder, error, doing=f"used for {doing} {what}") from None
        yield


@contextmanager
def work_folder(folder: Path) -> Iterator[Path]:
    """Yield a scratch folder, removed afterwards; first remove those of killed builds. Call it only while the lock is held."""
    for leftover in folder.glob(".build-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    # The programs of a build (apt, mtools) take fewer characters in paths than file systems.
    work = Path(tempfile.mkdtemp(prefix=".build-", dir=plain(folder)))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)
        forget(folder)
