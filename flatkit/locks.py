"""Lock files, held against other threads and other processes. A process that dies releases its locks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.errors import Cancelled
from flatkit.waiting import check_cancel

if TYPE_CHECKING:
    from filelock import BaseFileLock

_SLICE = 0.25


def try_lock(path: Path, *, mode: int = 0o644, wait: float = 0.0) -> BaseFileLock | None:
    """Return the lock file at `path`, held, or None if somebody else holds it for `wait` seconds. Raises OSError."""
    import filelock

    lock = filelock.FileLock(path, mode=mode)
    try:
        lock.acquire(timeout=wait, poll_interval=0.05)
    except filelock.Timeout:
        return None
    return lock


@contextmanager
def locked(
    path: Path,
    *,
    wait: float | None = None,
    cancel: threading.Event | None = None,
    mode: int = 0o644,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold the lock file at `path`; wait for it at most `wait` seconds (None: as long as it takes).

    `waiting` is called once if somebody else holds it. Raises TimeoutError, OSError for an unusable file, Cancelled.
    """
    check_cancel(cancel)
    began = time.monotonic()
    lock = try_lock(path, mode=mode)
    if lock is None:
        waiting()
    while lock is None:
        if cancel is not None and cancel.is_set():
            raise Cancelled("the waiting for another flatkit was stopped")
        left = _SLICE if wait is None else began + wait - time.monotonic()
        if left <= 0:
            raise TimeoutError(f'another program holds the lock "{path}"')
        lock = try_lock(path, mode=mode, wait=min(left, _SLICE))
    try:
        yield
    finally:
        lock.release()
