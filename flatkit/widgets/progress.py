"""The observer behind every panel: phases, messages and console lines in bounded memory.

A console may write thousands of lines a second: `keep_drawn` draws at most ten times a second.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from flatkit.errors import Cancelled
from flatkit.events import ConsoleLine, Event, Observer, PhaseEnded, PhaseStarted, Progressed, Said, Waiting

CONSOLE_LINES = 200
LONGEST_LINE = 240
_SAID_LINES = 40
_MIN_GAP = 0.1
_TICK = 1.0


@dataclass(frozen=True, kw_only=True)
class PhaseRow:
    """An outer phase: `began` is a `time.monotonic()`, `seconds` its length once it is over, `note` its progress.

    `says` explains it to a learner; `line` is the console's last line in it, once it is over.
    """

    name: str
    title: str
    began: float
    typical: float = 0.0
    seconds: float | None = None
    ok: bool = True
    note: str = ""
    says: str = ""
    line: str = ""

    @property
    def mark(self) -> str:
        """Its state as one character."""
        return "…" if self.seconds is None else "✓" if self.ok else "✗"

    def elapsed(self, now: float) -> float:
        """Return its seconds, so far or in all."""
        return max(0.0, now - self.began) if self.seconds is None else self.seconds


class WorkProgress(Observer):
    """Keeps phases, messages and the console's last lines. Thread-safe.

    With `cancel` it stops work that looks at no event itself (building an image): its next event raises Cancelled.
    """

    def __init__(self, *, cancel: threading.Event | None = None) -> None:
        self.changed = threading.Event()
        self._cancel = cancel
        self._lock = threading.Lock()
        self._rows: list[PhaseRow] = []
        self._depth = 0
        self._waiting: Waiting | None = None
        self._said: deque[str] = deque(maxlen=_SAID_LINES)
        self._console: deque[str] = deque(maxlen=CONSOLE_LINES)

    @property
    def phases(self) -> tuple[PhaseRow, ...]:
        """The outer phases so far, in order."""
        with self._lock:
            return tuple(self._rows)

    @property
    def waiting(self) -> Waiting | None:
        """The last estimate for a machine that is being waited for; None without one."""
        with self._lock:
            return self._waiting

    @property
    def said(self) -> tuple[str, ...]:
        """The last messages for the user."""
        with self._lock:
            return tuple(self._said)

    def console(self, lines: int = CONSOLE_LINES) -> tuple[str, ...]:
        """Return the console's last lines."""
        with self._lock:
            return tuple(self._console)[-lines:]

    def notify(self, event: Event) -> None:
        """Take an event in."""
        with self._lock:
            super().notify(event)
            in_image = self._depth > 0 and self._rows[-1].name == "image"
        self.changed.set()
        # The end of a phase is sent while it unwinds, also after a Cancelled: raising there would hide the reason.
        if self._cancel and self._cancel.is_set() and in_image and not isinstance(event, PhaseEnded):
            raise Cancelled("cancelled before the machine was made")

    def on_phase_started(self, event: PhaseStarted) -> None:
        """Add a row, or a note on the outer one."""
        self._depth += 1
        if self._depth == 1:
            row = PhaseRow(name=event.phase, title=event.title, began=event.at, typical=event.typical, says=event.says)
            self._rows.append(row)
        else:
            self._rows[-1] = replace(self._rows[-1], note=event.title)

    def on_phase_ended(self, event: PhaseEnded) -> None:
        """Set the seconds of the row."""
        self._depth = max(0, self._depth - 1)
        self._waiting = None
        if self._depth == 0 and self._rows:
            line = event.line[:LONGEST_LINE]
            self._rows[-1] = replace(self._rows[-1], seconds=event.seconds, ok=event.ok, note=event.origin, line=line)

    def on_progressed(self, event: Progressed) -> None:
        """Set the note of the row."""
        if self._rows and self._rows[-1].seconds is None:
            done = f"{event.done:g} of {event.total:g} {event.unit}".strip() if event.total else ""
            self._rows[-1] = replace(self._rows[-1], note=f"{done} {event.note}".strip()[:LONGEST_LINE])

    def on_waiting(self, event: Waiting) -> None:
        """Keep the estimate."""
        self._waiting = event

    def on_console_line(self, event: ConsoleLine) -> None:
        """Keep a line of the console."""
        self._console.append(event.text[:LONGEST_LINE])

    def on_said(self, event: Said) -> None:
        """Keep a message."""
        self._said.append(event.text)


def keep_drawn(draw: Callable[[], None], changed: threading.Event, is_over: Callable[[], bool]) -> threading.Thread:
    """Call `draw` on each change, at most ten times a second, and once a second for the clock; a last time when it is over.

    It draws in the thread that is returned.
    """

    def work() -> None:
        while True:
            over = is_over()
            began = time.monotonic()
            changed.clear()
            draw()
            if over:
                return
            changed.wait(_TICK)
            # Changes within a tenth of a second are drawn together.
            time.sleep(max(0.0, _MIN_GAP - (time.monotonic() - began)))

    thread = threading.Thread(target=work, name="flatkit: refresher", daemon=True)
    thread.start()
    return thread
