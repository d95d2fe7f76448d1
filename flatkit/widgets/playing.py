"""What is kept while a demo is played: its steps as they stand, and the gate before each of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flatkit.errors import Cancelled
from flatkit.events import StepEnded, StepOutput, StepStarted
from flatkit.steps import Demo
from flatkit.widgets.played import StepShown
from flatkit.widgets.progress import Progress

_LONGEST_OUTPUT = 4000


class PlayProgress(Progress):
    """Keeps the steps beside the progress of a boot, and holds the runner before each step until it is allowed."""

    def __init__(
        self,
        demo: Demo,
        cancel: threading.Event,
        kept: tuple[StepShown, ...] = (),
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(cancel=cancel)
        self.keep = keep
        self._stop = cancel
        self._gate = threading.Condition()
        self._allowed = 0
        self.steps: list[StepShown] = []
        self.restart(demo, kept)

    def restart(self, demo: Demo, kept: tuple[StepShown, ...] = ()) -> None:
        """All steps wait, but for those that were played before the run went over to a recording, or to another kernel."""
        self.steps = [
            StepShown(number=number, title=step.title, why=step.why, command=step.line, where=str(step.where))
            for number, step in enumerate(demo.steps, start=1)
        ]
        self.steps[: len(kept)] = kept
        self._set(len(kept) + 1, state="next")

    def allow(self, number: int) -> None:
        """Let the runner play up to this step."""
        with self._gate:
            self._allowed = max(self._allowed, number)
            self._gate.notify_all()

    def stop(self) -> None:
        """Wake the runner, so that it sees that it is to stop."""
        self._stop.set()
        with self._gate:
            self._gate.notify_all()

    def _set(self, number: int, **changes: Any) -> None:
        self.steps[number - 1] = replace(self.steps[number - 1], **changes)
        self.changed.set()

    def notify(self, event: Any) -> None:
        """Steps are held here, outside the lock that keeps the rest; a recording may have more of them than the demo."""
        if isinstance(event, StepStarted | StepOutput | StepEnded) and not 1 <= event.number <= len(self.steps):
            return
        if isinstance(event, StepStarted):
            self._set(event.number, state="next", command=event.command)
            with self._gate:
                self._gate.wait_for(lambda: self._allowed >= event.number or self._stop.is_set())
            if self._stop.is_set():
                raise Cancelled("the demo was stopped")
            self._set(event.number, state="running")
        elif isinstance(event, StepOutput):
            self._set(event.number, output=event.text[:_LONGEST_OUTPUT])
        elif isinstance(event, StepEnded):
            state = "ok" if event.ok else "failed"
            self._set(event.number, state=state, found=event.found, hint=event.hint, seconds=event.seconds)
            self.keep()
            if event.ok and event.number < len(self.steps):
                self._set(event.number + 1, state="next")
        else:
            super().notify(event)
