"""Network work in its own thread, so that the caller can stop waiting at any moment.

Nothing interrupts a DNS lookup, and no socket timeout limits a whole header that arrives slowly. The wait for either
can end: by a deadline, by a cancel event, by Ctrl-C. The connection is then shut down, which ends the thread as well.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

from flatkit.errors import Cancelled

_T = TypeVar("_T")
# Seconds between two checks of the cancel event.
_LOOK = 0.1


class Exchange:
    """Runs jobs one after another in a daemon thread. `close` ends it at any time."""

    def __init__(self, cancel: threading.Event | None = None) -> None:
        self._cancel = cancel
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._handles: list[socket.socket] = []
        self._kept: list[Any] = []
        threading.Thread(target=self._work, name="flatkit-web", daemon=True).start()

    def do(self, job: Callable[[], _T], *, end: float) -> _T:
        """Return the job's result. Raises its exception, TimeoutError at `end` (time.monotonic), or Cancelled.

        When the wait ends early, for Ctrl-C too, the line is closed.
        """
        result: Future[_T] = Future()
        self._jobs.put(lambda: _settle(result, job))
        try:
            while not result.done():
                if self._cancel and self._cancel.is_set():
                    raise Cancelled("the download was stopped")
                left = end - time.monotonic()
                if left <= 0:
                    raise TimeoutError
                wait([result], timeout=min(left, _LOOK))
        except BaseException:
            self.close()
            raise
        return result.result()

    def dial(self, address: tuple[str, int], timeout: float, source: Any = None) -> socket.socket:
        """Connect, as `socket.create_connection` does. Jobs call it."""
        made = socket.create_connection(address, timeout, source)
        with self._lock:
            if self._closed:
                made.close()
                raise ConnectionAbortedError
            # TLS takes over the socket: a duplicate shuts down the same connection, with and without TLS.
            self._handles.append(made.dup())
        return made

    def keep(self, thing: Any) -> None:
        """Register an object to close at the end, in the thread that uses it."""
        self._kept.append(thing)

    def close(self) -> None:
        """Shut the connection down and end the thread."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        for handle in self._handles:
            with suppress(OSError), handle:
                handle.shutdown(socket.SHUT_RDWR)
        self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            job()
        for thing in self._kept:
            with suppress(OSError, ValueError):
                thing.close()


def _settle(result: Future[_T], job: Callable[[], _T]) -> None:
    try:
        result.set_result(job())
    except BaseException as error:  # noqa: BLE001  (it is raised where the result is awaited)
        result.set_exception(error)
