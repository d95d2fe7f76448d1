"""Follow a boot line by line: its current phase, since when, what failed, and its slot."""

from __future__ import annotations

import re
import time

from flatkit.events import Observer, PhaseEnded, PhaseStarted, Said
from flatkit.machines.console import heard
from flatkit.machines.failures import Failure, find_failure, find_restart
from flatkit.machines.phases import PHASES, RESTARTS, Phase, find_phase, order_of, remaining
from flatkit.machines.templates import CONTINUED

# Any kernel shows its slot: by its file's name, or by Flatcar's fixed GUIDs of USR-A and USR-B.
_COMMAND_LINE = "ommand line: "
_SLOT = re.compile(
    r"\bBOOT_IMAGE=\S*/vmlinuz-([ab])\b|"
    r"PARTUUID=(?:(7130c94a-213a-4e5a-8e26-6cce9662f132)|(e03dd35c-7c2d-4a47-b3fe-27f15780a57c))"
)
_STAMP = re.compile(r"^\[ *([0-9]{1,9})\.[0-9]{6}\]")
# If a kernel's clock reached the first number of seconds and is back below the second, the machine boots again.
_RAN, _BACK = 5, 2


class Timeline:
    """Follower of a boot's console lines, which reports the current phase to an observer.

    A phase ends where the next one begins. If a boot begins again (a panic, a fallback to the other slot), the timeline
    begins again too. `failure` is the failure that the current boot has shown. `failed_boots` counts the boots that
    showed one. `will_restart` is set once the machine has announced a restart, `restart_delay` is its delay in seconds.
    `symptom` is the last problem that a boot may survive. Phases before the line CONTINUED belong to the `template`.
    """

    def __init__(
        self,
        observer: Observer,
        *,
        emulated: bool = False,
        first: bool = True,
        usual: dict[str, float] | None = None,
        template: str = "",
    ) -> None:
        self._observer = observer
        self._emulated, self._first, self._usual = emulated, first, usual or {}
        self._phase: Phase | None = None
        self._began = 0.0
        self._is_over = False
        self._template = self._begun_in = template
        self._stamp = self._steps_back = 0
        self.failure: Failure | None = None
        self.symptom: Failure | None = None
        self.failed_boots = 0
        self.will_restart = False
        self.restart_delay = 0.0
        self.slot = ""
        self.last_line = ""
        self.spent: dict[str, float] = {}

    @property
    def phase(self) -> str:
        """Name of the current phase; "" before the start and after the end."""
        return self._phase.name if self._phase else ""

    @property
    def title(self) -> str:
        """Title of the current phase."""
        return self._phase.title if self._phase else "not begun"

    @property
    def typical(self) -> float:
        """Usual length of the current phase, in seconds; 0 if unknown."""
        return self._typical(self._phase) if self._phase else 0.0

    def elapsed(self, now: float) -> float:
        """Return the seconds since the current phase began."""
        return max(0.0, now - self._began) if self._phase else 0.0

    def remaining(self, now: float) -> float:
        """Estimate the seconds that the boot still takes."""
        usual = self._usual or None
        return remaining(self.phase, self.elapsed(now), emulated=self._emulated, usual=usual, first=self._first)

    def start(self, at: float | None = None) -> None:
        """Begin at power-on, with the firmware."""
        self._begin(PHASES[0], time.monotonic() if at is None else at)

    def feed(self, text: str, at: float) -> None:
        """Process a line of the console."""
        if self._template and CONTINUED in text:
            self._template = ""
        phase = find_phase(text, here=self.phase)
        if phase is None and self._clock_went_back(text):
            phase = next(known for known in PHASES if known.name == "kernel")
        if phase and phase.name in RESTARTS and self._is_anew(phase):
            self._boots_again()
            self._begin(phase, at)
        elif phase and not self._is_over and order_of(phase.name) > order_of(self.phase):
            self._begin(phase, at)
        if text.strip():
            self.last_line = text.strip()
        self._judge(text)
        # The last match counts, as with the greedy pattern of a single search.
        slots = list(_SLOT.finditer(heard(text).partition(_COMMAND_LINE)[2]))
        if slots:
            self._take_slot(slots[-1][1] or ("a" if slots[-1][2] else "b"))

    def finish(self, *, ok: bool = True, at: float | None = None) -> None:
        """End the boot: the machine is ready, or has failed. Another boot may begin later."""
        self._end(ok=ok, at=at)
        self._is_over = True

    def _end(self, *, ok: bool = True, at: float | None = None) -> None:
        now = time.monotonic() if at is None else at
        if self._phase:
            seconds = max(0.0, now - self._began)
            self.spent[self._phase.name] = self.spent.get(self._phase.name, 0.0) + seconds
            self._observer.notify(
                PhaseEnded(
                    phase=self._phase.name, title=self._phase.title, seconds=seconds, ok=ok, at=now,
                    line=self.last_line, template=self._begun_in,
                )
            )  # fmt: skip
        self._phase = None

    def _judge(self, text: str) -> None:
        failure = find_failure(text)
        # The first pattern shows the cause; what follows it (a shell, a panic) is only the consequence.
        if failure and failure.final and self.failure is None:
            self.failure = failure
            self.failed_boots += 1
        elif failure and not failure.final and self.failure is None:
            self.symptom = failure
        delay = find_restart(text)
        if delay is not None and self.failure:
            self.will_restart, self.restart_delay = True, delay

    def _boots_again(self) -> None:
        if self.failure:
            self._observer.notify(Said(text=f"{self.failure.cause}: it has restarted"))
        self.failure, self.symptom, self.will_restart = None, None, False

    def _clock_went_back(self, text: str) -> bool:
        """Return True if the kernel's clock restarted, shown by two lines in a row: its first lines may have been lost."""
        stamp = _STAMP.match(text)
        if not stamp:
            return False
        seconds = int(stamp[1])
        if self._stamp < _RAN or seconds >= _BACK:
            self._stamp, self._steps_back = max(self._stamp, seconds), 0
            return False
        self._steps_back += 1
        return self._steps_back > 1

    def _take_slot(self, slot: str) -> None:
        if self.failed_boots and self.slot and slot != self.slot:
            self._observer.notify(Said(text=f"the machine fell back to slot {slot}: slot {self.slot} did not come up"))
        self.slot = slot

    def _is_anew(self, phase: Phase) -> bool:
        """Return True if this phase begins another boot: it comes after a later phase, a failure or the end."""
        return self._is_over or bool(self.failure) or order_of(phase.name) < order_of(self.phase)

    def _typical(self, phase: Phase) -> float:
        return self._usual.get(phase.name, phase.usual(emulated=self._emulated))

    def _begin(self, phase: Phase, at: float) -> None:
        self._end(at=at)
        self._phase, self._began, self._is_over = phase, at, False
        self._begun_in = self._template
        if phase.name in RESTARTS:
            self._stamp = self._steps_back = 0
        self._observer.notify(
            PhaseStarted(phase=phase.name, title=phase.title, typical=self._typical(phase), says=phase.says, at=at)
        )
