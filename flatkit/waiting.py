"""Wait for a condition that nothing signals: look, pause, look again, until the time is over or the user cancels."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from flatkit.errors import Cancelled

_T = TypeVar("_T")


def check_cancel(cancel: threading.Event | None) -> None:
    """Raise Cancelled once the user has asked for it."""
    if cancel is not None and cancel.is_set():
        raise Cancelled("cancelled")


def wait_until(look: Callable[[], _T], *, seconds: float, pause: float = 0.05, ok: Callable[[_T], object] = bool) -> _T:
    """Return the first result of `look` that is `ok`, or its last one when `seconds` are over. It is called at least once."""
    deadline = time.monotonic() + seconds
    while True:
        is_over = time.monotonic() >= deadline
        found = look()
        if ok(found) or is_over or time.monotonic() >= deadline:
            return found
        time.sleep(pause)
