"""Long work in a thread of its own, so that a cell returns at once; it can be cancelled, waited for and awaited.

Why threads and not asyncio tasks: a cell that computes would hold up every task, and libvirt and SSH calls block.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

# What a job does: it is given the event that asks it to stop.
Work = Callable[[threading.Event], Any]


class Job:
    """Work that has begun. `title` says in a few words what is done."""

    def __init__(self, title: str, work: Work, *, cancelled: threading.Event | None = None) -> None:
        self.title = title
        self.cancelled = cancelled or threading.Event()
        self._began = time.monotonic()
        self._ended: float | None = None
        self._future: Future[Any] = Future()
        # From now on a cell that is interrupted while it awaits stops waiting, and the work goes on.
        self._future.set_running_or_notify_cancel()
        self._thread = threading.Thread(target=self._run, args=(work,), name=f"flatkit: {title}", daemon=True)
        self._thread.start()

    def _run(self, work: Work) -> None:
        try:
            result = work(self.cancelled)
        except BaseException as error:  # noqa: BLE001  (whoever waits for the job gets it)
            self._ended = time.monotonic()
            self._future.set_exception(error)
        else:
            self._ended = time.monotonic()
            self._future.set_result(result)

    @property
    def is_running(self) -> bool:
        """Whether it is still at work."""
        return not self._future.done()

    @property
    def seconds(self) -> float:
        """How long it has been at work, or was."""
        return (self._ended or time.monotonic()) - self._began

    @property
    def error(self) -> BaseException | None:
        """Why it failed; None while it runs and when it succeeded."""
        return self._future.exception() if self._future.done() else None

    def when_done(self, call: Callable[[], None]) -> None:
        """Call this at the end, in the job's thread (at once when it is over)."""
        self._future.add_done_callback(lambda _: call())

    def cancel(self) -> None:
        """Ask it to stop; returns at once."""
        self.cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end without raising the job's error; False when it is not over in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def __await__(self) -> Generator[Any, None, Any]:
        # Asked for inside the cell's own loop, whichever thread that runs in.
        return asyncio.wrap_future(self._future, loop=asyncio.get_running_loop()).__await__()
