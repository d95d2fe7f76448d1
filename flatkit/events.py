"""Progress as plain values, and the observer that receives it.

Long work gets an Observer and reports its progress to it. The command line, the widgets, the recorder and the tests are
observers. Nothing here prints.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened; `at` is a `time.monotonic()` value in seconds."""

    at: float = field(default_factory=time.monotonic)

    @classmethod
    def name_of(cls) -> str:
        """Return the event's name in JSON and in `on_...`: the class name in snake case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def name(self) -> str:
        """The event's name in JSON and in `on_...`."""
        return self.name_of()

    def as_dict(self) -> dict[str, Any]:
        """Return the event as JSON-ready values, its name first."""
        return {"event": self.name, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Said(Event):
    """A message for the user: the current work, or a choice with its reason."""

    text: str


@dataclass(frozen=True, kw_only=True)
class PhaseStarted(Event):
    """A phase of longer work begins. `typical` is its usual length in seconds, 0 when unknown; `says` explains it."""

    phase: str
    title: str
    typical: float = 0.0
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class PhaseEnded(Event):
    """A phase is over, after `seconds`; `line` is the console's last line in it.

    `template` is the time at which the template that contains the phase was made, in ISO 8601; "" if it ran just now.
    """

    phase: str
    title: str
    seconds: float
    ok: bool = True
    line: str = ""
    template: str = ""

    @property
    def origin(self) -> str:
        """Note for the user about a phase that comes from a template; "" if it ran just now."""
        return f"kept from an earlier boot, {self.template[:16].replace('T', ' ')}" if self.template else ""


@dataclass(frozen=True, kw_only=True)
class Progressed(Event):
    """Progress of a phase: `done` of `total` (0 when unknown), in `unit`."""

    phase: str
    done: float
    total: float = 0.0
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Waiting(Event):
    """A machine is not ready yet, reported every second: its phase, the time so far, the usual time.

    `remaining` is the estimate for the whole boot. `quiet` is the time without activity. `line` is the console's last
    line. All times are in seconds, 0 when unknown.
    """

    machine: str
    phase: str
    title: str
    elapsed: float
    typical: float
    remaining: float
    quiet: float
    line: str

    @property
    def is_late(self) -> bool:
        """True when the phase takes longer than usual: then `remaining` says nothing about this boot."""
        return self.typical > 0 and self.elapsed > self.typical + 1


@dataclass(frozen=True, kw_only=True)
class ConsoleLine(Event):
    """A line of a machine's serial console."""

    machine: str
    text: str


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    """Step `number` of `total` of a demo begins; `command` is the line that a user would type, `where` is host or guest."""

    demo: str
    number: int
    total: int
    title: str
    why: str
    command: str
    where: str


@dataclass(frozen=True, kw_only=True)
class StepOutput(Event):
    """Output of the step's command."""

    demo: str
    number: int
    text: str


@dataclass(frozen=True, kw_only=True)
class StepEnded(Event):
    """Result of a step's check: `found` describes the result, `hint` the next move when `ok` is false."""

    demo: str
    number: int
    ok: bool
    found: str
    hint: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class FactSeen(Event):
    """Answer to a question whose answer the demo's picture shows: `fact` is the question's name, `text` the raw answer."""

    demo: str
    number: int
    fact: str
    text: str


class Observer:
    """Receives events. Each `on_...` does nothing here; override the ones you need, or `notify` for all."""

    def notify(self, event: Event) -> None:
        """Pass an event to its `on_<name>` method."""
        handler: Callable[[Any], None] | None = getattr(self, f"on_{event.name}", None)
        if handler is not None:
            handler(event)

    def on_said(self, event: Said) -> None:
        """React to a message."""

    def on_phase_started(self, event: PhaseStarted) -> None:
        """React to the start of a phase."""

    def on_phase_ended(self, event: PhaseEnded) -> None:
        """React to the end of a phase."""

    def on_progressed(self, event: Progressed) -> None:
        """React to a phase's progress."""

    def on_waiting(self, event: Waiting) -> None:
        """React to a machine that is not ready yet."""

    def on_console_line(self, event: ConsoleLine) -> None:
        """React to a line of the machine's console."""

    def on_step_started(self, event: StepStarted) -> None:
        """React to the start of a demo's step."""

    def on_step_output(self, event: StepOutput) -> None:
        """React to the output of a step's command."""

    def on_step_ended(self, event: StepEnded) -> None:
        """React to the result of a step's check."""

    def on_fact_seen(self, event: FactSeen) -> None:
        """React to an answer that the demo's picture shows."""


class Tape(Observer):
    """Keeps every event, for tests and recordings."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def notify(self, event: Event) -> None:
        """Append the event."""
        self.events.append(event)


class Tee(Observer):
    """Passes every event to several observers."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def notify(self, event: Event) -> None:
        """Pass the event on to each."""
        for observer in self.observers:
            observer.notify(event)


class phase:  # a verb in a `with` line reads best in lower case
    """Report begin, end and length of a phase, a failed one too: `with phase(observer, "fetch", "Fetching the image"):`."""

    def __init__(self, observer: Observer, name: str, title: str, *, typical: float = 0.0) -> None:
        self._observer, self._name, self._title, self._typical = observer, name, title, typical
        self._began = 0.0

    def __enter__(self) -> phase:
        self._began = time.monotonic()
        self._observer.notify(PhaseStarted(phase=self._name, title=self._title, typical=self._typical))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds = time.monotonic() - self._began
        self._observer.notify(PhaseEnded(phase=self._name, title=self._title, seconds=seconds, ok=kind is None))
