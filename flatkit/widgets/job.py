"""Long work in a thread, so that a cell returns at once; it can be cancelled, waited for and awaited.

Why threads and not asyncio tasks: a cell that computes would hold up every task, and libvirt and SSH calls block.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any

from flatkit.errors import Cancelled, FlatkitError, WaitTimeout

# It is passed the event that asks it to stop.
Work = Callable[[threading.Event], Any]
# Seconds until an interrupt is seen at the latest.
_WAKE = 0.2


class Job:
    """Work under way. `title` describes it in a few words."""

    def __init__(self, title: str, work: Work, *, cancelled: threading.Event | None = None) -> None:
        self.title = title
        self.cancelled = cancelled or threading.Event()
        self._began = time.monotonic()
        self._ended: float | None = None
        self._future: Future[Any] = Future()
        # From now on a cell that is interrupted while it awaits stops waiting, and the work continues.
        self._future.set_running_or_notify_cancel()
        self._thread = threading.Thread(target=self._run, args=(work,), name=f"flatkit: {title}", daemon=True)
        self._thread.start()

    def _run(self, work: Work) -> None:
        try:
            result = work(self.cancelled)
        except BaseException as error:  # noqa: BLE001  (raised where the job is awaited)
            self._ended = time.monotonic()
            self._future.set_exception(error)
        else:
            self._ended = time.monotonic()
            self._future.set_result(result)

    @property
    def is_running(self) -> bool:
        """True if it is still at work."""
        return not self._future.done()

    @property
    def seconds(self) -> float:
        """Its duration, so far or in all."""
        return (self._ended or time.monotonic()) - self._began

    @property
    def error(self) -> BaseException | None:
        """The error that it failed with; None while it runs and when it succeeded."""
        return self._future.exception() if self._future.done() else None

    def when_done(self, call: Callable[[], None]) -> None:
        """Call this at the end, in the job's thread (at once when it is over)."""
        self._future.add_done_callback(lambda _: call())

    def cancel(self) -> None:
        """Ask it to stop; returns at once."""
        self.cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end without raising the job's error; return False after `timeout`."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def __await__(self) -> Generator[Any, None, Any]:
        return self._follow().__await__()

    async def _follow(self) -> Any:
        """Return the job's result. An interrupt is a signal, which does not wake a loop that sleeps: so this one wakes."""
        # Asked for inside the cell's own loop, whichever thread that runs in.
        future = asyncio.wrap_future(self._future, loop=asyncio.get_running_loop())
        try:
            while not future.done():
                await asyncio.wait({future}, timeout=_WAKE)
        except asyncio.CancelledError:
            future.cancel()
            raise
        return future.result()


def message_of(error: BaseException | None) -> str:
    """Return an error in words for a panel; "" for None."""
    if error is None:
        return ""
    if isinstance(error, Cancelled):
        return "cancelled"
    return error.message if isinstance(error, FlatkitError) else f"{type(error).__name__}: {error}"


def not_in_time(what: str, timeout: float | None) -> WaitTimeout:
    """Return the error for a wait that took too long."""
    return WaitTimeout(f"{what} after {timeout or 0:g} s", hint="wait again, or cancel")
