"""Does what a presentation asks for: one step at a time through the runner or the recording, and rewinds in between."""

from __future__ import annotations

import threading
from typing import Protocol, runtime_checkable

from flatkit.demos.presentation import Mark, Presentation
from flatkit.demos.recording import Recording, replay
from flatkit.demos.runner import Stage, play_step
from flatkit.errors import FlatkitError, MachineError
from flatkit.events import Observer, Said, StepEnded, StepStarted
from flatkit.steps import Demo, Where


@runtime_checkable
class PointStage(Protocol):
    """A stage that can go back to how its machines were before a step."""

    def keep(self, name: str, observer: Observer, *, save: bool) -> None:
        """Save a checkpoint of every machine under this name; where there is none yet, that is noted.

        Without `save` only the latter. Raises MachineError, HostError.
        """

    def go_back(self, name: str, observer: Observer) -> None:
        """Rewind every machine that there was then. Raises MachineError, HostError."""


class LivePlay:
    """Plays steps for real. With `saves` each step can be rewound to, as far as its machines can be saved."""

    def __init__(self, demo: Demo, stage: Stage, observer: Observer, *, saves: bool = True) -> None:
        self.demo, self._stage, self._observer, self._saves = demo, stage, observer, saves
        self._has_offered = False

    def line(self, number: int) -> str:
        """Return a step's command as it will be typed. Raises FlatkitError."""
        return self._stage.line(self.demo.steps[number - 1])

    def begin(self, show: Presentation, number: int) -> Presentation:
        """Get ready for a step before it is announced: a checkpoint, on its first run. Raises FlatkitError."""
        if not self._has_offered and self.demo.offers:
            self._stage.offer(self.demo.offers, self._observer)
        self._has_offered = True
        if number in show.points or show.mark(number) is not Mark.WAITING:
            return show
        if not isinstance(self._stage, PointStage):
            return show.kept(number, "these machines cannot be saved")
        try:
            self._stage.keep(_point(number), self._observer, save=self._saves)
        except FlatkitError as error:
            if self._saves:
                self._observer.notify(Said(text=f"no checkpoint before step {number}: {error.message}"))
            return show.kept(number, error.message)
        return show.kept(number)

    def run(self, show: Presentation, number: int) -> Presentation:
        """Run a step. Raises FlatkitError for what is not a failed check, and what the observer raises."""
        result = play_step(self.demo, number, self._stage, self._observer)
        return show.ended(number, Mark.SKIPPED if result is None else Mark.OK if result.ok else Mark.FAILED)

    def rewind(self, show: Presentation, number: int) -> Presentation:
        """Rewind the machines to before a step. Raises MachineError, HostError."""
        if not isinstance(self._stage, PointStage):
            raise MachineError("these machines cannot be rewound", hint="begin again")
        undone = [
            step
            for at, step in enumerate(self.demo.steps, start=1)
            if at >= number and show.mark(at) is not Mark.WAITING
        ]
        self._stage.go_back(_point(number), self._observer)
        if any(step.where is Where.HOST and not step.boot for step in undone):
            self._observer.notify(Said(text="what was done on this host, not on a machine, stays as it is"))
        return show.rewound(number)


def _point(number: int) -> str:
    return f"before-{number}"


class RecordedPlay:
    """Plays steps of a recording: nothing runs, so there is nothing to save or to rewind."""

    def __init__(
        self, recording: Recording, observer: Observer, *, speed: float = 1.0, cancel: threading.Event | None = None
    ) -> None:
        self._recording, self._observer, self._speed, self._cancel = recording, observer, speed, cancel
        self._lines = {event.number: event.command for _, event in recording.events if isinstance(event, StepStarted)}

    def line(self, number: int) -> str:
        """Return a step's command as it was typed. Raises MachineError for one that the recording lacks."""
        if number not in self._lines:
            raise MachineError(f"the recording has no step {number}", hint="s skips it")
        return self._lines[number]

    def begin(self, show: Presentation, _: int) -> Presentation:
        """Do nothing: every step of a recording can be rewound to."""
        return show

    def run(self, show: Presentation, number: int) -> Presentation:
        """Replay a step. Raises MachineError for one that the recording lacks, Cancelled."""
        result = replay(
            self._recording, self._observer, speed=self._speed, start=number, last=number, cancel=self._cancel
        )
        if not result.steps:
            raise MachineError(f"the recording has no step {number}", hint="s skips it")
        return show.ended(number, Mark.OK if result.steps[0].ok else Mark.FAILED)

    def rewind(self, show: Presentation, number: int) -> Presentation:
        """Show the steps from this one on as not played."""
        return show.rewound(number)


def typical_seconds(recording: Recording | None) -> dict[int, float]:
    """Return how long each step took when the demo was recorded."""
    if recording is None:
        return {}
    return {event.number: event.seconds for _, event in recording.events if isinstance(event, StepEnded)}
