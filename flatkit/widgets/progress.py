"""The observer behind every panel: phases, messages and console lines in bounded memory.

A console may write thousands of lines a second: a Refresher draws at most ten times a second.
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
    """An outer phase: `seconds` is its length once it is over, `began` a `time.monotonic()`; `note` says how far it is.

    `says` explains it to a learner; `line` is the last that the console said in it, once it is over.
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
        """Seconds so far, or in all."""
        return max(0.0, now - self.began) if self.seconds is None else self.seconds


class WorkProgress(Observer):
    """Keeps phases, what was said and the console's last lines. Any thread may tell, any thread may look.

    With `cancel` it stops work that looks at no event itself (building an image), by raising Cancelled when told something.
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
        """The last word about a machine that is being waited for; None when nothing waits."""
        with self._lock:
            return self._waiting

    @property
    def said(self) -> tuple[str, ...]:
        """The last lines worth a person's time."""
        with self._lock:
            return tuple(self._said)

    def console(self, lines: int = CONSOLE_LINES) -> tuple[str, ...]:
        """The console's last lines."""
        with self._lock:
            return tuple(self._console)[-lines:]

    def notify(self, event: Event) -> None:
        """Take it in, and let the view know."""
        with self._lock:
            super().notify(event)
            in_image = self._depth > 0 and self._rows[-1].name == "image"
        self.changed.set()
        # The end of a phase is told while it unwinds, also after a Cancelled: raising there would hide the reason.
        if self._cancel and self._cancel.is_set() and in_image and not isinstance(event, PhaseEnded):
            raise Cancelled("cancelled before the machine was made")

    def on_phase_started(self, event: PhaseStarted) -> None:
        """A new row, or a note on the outer one."""
        self._depth += 1
        if self._depth == 1:
            row = PhaseRow(name=event.phase, title=event.title, began=event.at, typical=event.typical, says=event.says)
            self._rows.append(row)
        else:
            self._rows[-1] = replace(self._rows[-1], note=event.title)

    def on_phase_ended(self, event: PhaseEnded) -> None:
        """The row has its seconds."""
        self._depth = max(0, self._depth - 1)
        self._waiting = None
        if self._depth == 0 and self._rows:
            line = event.line[:LONGEST_LINE]
            self._rows[-1] = replace(self._rows[-1], seconds=event.seconds, ok=event.ok, note="", line=line)

    def on_progressed(self, event: Progressed) -> None:
        """How far it is."""
        if self._rows and self._rows[-1].seconds is None:
            done = f"{event.done:g} of {event.total:g} {event.unit}".strip() if event.total else ""
            self._rows[-1] = replace(self._rows[-1], note=f"{done} {event.note}".strip()[:LONGEST_LINE])

    def on_waiting(self, event: Waiting) -> None:
        """How long it may still take."""
        self._waiting = event

    def on_console_line(self, event: ConsoleLine) -> None:
        """Into the ring."""
        self._console.append(event.text[:LONGEST_LINE])

    def on_said(self, event: Said) -> None:
        """Into the other ring."""
        self._said.append(event.text)


class Refresher:
    """Calls `draw` when something changed, at most ten times a second, and once a second for the clock, until `is_over`.

    It draws once more at the end. One thread draws, so that a view needs no lock.
    """

    def __init__(self, draw: Callable[[], None], changed: threading.Event, is_over: Callable[[], bool]) -> None:
        self._draw, self._changed, self._is_over = draw, changed, is_over
        self._thread = threading.Thread(target=self._run, name="flatkit: refresher", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            over = self._is_over()
            began = time.monotonic()
            self._changed.clear()
            self._draw()
            if over:
                return
            self._changed.wait(_TICK)
            # What comes within a tenth of a second is drawn together.
            time.sleep(max(0.0, _MIN_GAP - (time.monotonic() - began)))

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the last drawing is done."""
        self._thread.join(timeout)
        return not self._thread.is_alive()
