"""Progress as plain values, and the observer that it goes to.

Long work is handed an Observer and tells it what happens; the command line, the widgets, the recorder and the tests are
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
        """The event's name in JSON and in `on_...`: the class name in snake case."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def name(self) -> str:
        """The same, of this event."""
        return self.name_of()

    def as_dict(self) -> dict[str, Any]:
        """The event as JSON-ready values, its name first."""
        return {"event": self.name, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class Said(Event):
    """A line worth a person's time: what is being done, what was chosen and why."""

    text: str


@dataclass(frozen=True, kw_only=True)
class PhaseStarted(Event):
    """A phase of longer work begins. `typical` is its usual length in seconds, 0 when not known; `says` explains it."""

    phase: str
    title: str
    typical: float = 0.0
    says: str = ""


@dataclass(frozen=True, kw_only=True)
class PhaseEnded(Event):
    """A phase is over, after `seconds`; `line` is the last that the console said in it."""

    phase: str
    title: str
    seconds: float
    ok: bool = True
    line: str = ""


@dataclass(frozen=True, kw_only=True)
class Progressed(Event):
    """How far a phase is: `done` of `total` (0 when not known), in `unit`."""

    phase: str
    done: float
    total: float = 0.0
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Waiting(Event):
    """A machine is still being waited for, told every second: its phase, for how long, how long that usually takes.

    `remaining` is the estimate for the whole boot; `quiet` for how long nothing moved on it; `line` its console's last.
    All in seconds, 0 when not known.
    """

    machine: str
    phase: str
    title: str
    elapsed: float
    typical: float
    remaining: float
    quiet: float
    line: str


@dataclass(frozen=True, kw_only=True)
class ConsoleLine(Event):
    """A line of a machine's serial console."""

    machine: str
    text: str


@dataclass(frozen=True, kw_only=True)
class StepStarted(Event):
    """Step `number` of `total` of a demo begins; `command` is what a person would type, `where` is host or guest."""

    demo: str
    number: int
    total: int
    title: str
    why: str
    command: str
    where: str


@dataclass(frozen=True, kw_only=True)
class StepOutput(Event):
    """What the step's command printed."""

    demo: str
    number: int
    text: str


@dataclass(frozen=True, kw_only=True)
class StepEnded(Event):
    """A step's check has spoken: `found` says what was seen, `hint` what to do when `ok` is false."""

    demo: str
    number: int
    ok: bool
    found: str
    hint: str
    seconds: float


class Observer:
    """Receives events. Each `on_...` does nothing here; override those that you care for, or `notify` for all."""

    def notify(self, event: Event) -> None:
        """Hand an event to its `on_<name>` method."""
        handler: Callable[[Any], None] | None = getattr(self, f"on_{event.name}", None)
        if handler is not None:
            handler(event)

    def on_said(self, event: Said) -> None:
        """A line worth showing."""

    def on_phase_started(self, event: PhaseStarted) -> None:
        """A phase begins."""

    def on_phase_ended(self, event: PhaseEnded) -> None:
        """A phase is over."""

    def on_progressed(self, event: Progressed) -> None:
        """A phase moved on."""

    def on_waiting(self, event: Waiting) -> None:
        """A machine is still being waited for."""

    def on_console_line(self, event: ConsoleLine) -> None:
        """The machine's console said a line."""

    def on_step_started(self, event: StepStarted) -> None:
        """A demo's step begins."""

    def on_step_output(self, event: StepOutput) -> None:
        """A step's command printed something."""

    def on_step_ended(self, event: StepEnded) -> None:
        """A step's check has spoken."""


class Tape(Observer):
    """Keeps every event, for tests and for records."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def notify(self, event: Event) -> None:
        """Append the event."""
        self.events.append(event)


class Tee(Observer):
    """Hands every event to several observers."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def notify(self, event: Event) -> None:
        """Pass the event on to each."""
        for observer in self.observers:
            observer.notify(event)


class phase:  # a verb in a `with` line reads best in lower case
    """`with phase(observer, "fetch", "Fetching the image"):` tells begin, end and length of a phase, failed ones too."""

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
