"""What the lines of a boot mean: two tables of patterns, one for the phases of a boot and one for its failures.

Patterns rest on what the kernel prints where that is possible: on Flatcar the last `console=` is tty0, so the serial
console may lack what userspace prints. A phase that is not seen is skipped, never waited for.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from flatkit.events import Observer, PhaseEnded, PhaseStarted, Said


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of a boot: `begins` finds its first line; `typical` is its usual length with KVM, in seconds."""

    name: str
    title: str
    begins: re.Pattern[str] | None
    typical: float


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


PHASES = (
    Phase(name="firmware", title="Firmware and boot loader", begins=None, typical=1.0),
    Phase(
        name="slots",
        title="Slot choice: which /usr, with which kernel",
        begins=_words(r"lab-selector: started"),
        typical=0.5,
    ),
    Phase(name="kernel", title="Kernel", begins=_words(r"\bLinux version \d"), typical=1.0),
    Phase(
        name="initrd",
        title="Initrd: finding the disk, opening /usr",
        begins=_words(r"Run /init as init process|lab-initrd: started|Running in (initrd|initial RAM disk)"),
        typical=1.0,
    ),
    Phase(
        name="ignition",
        title="Ignition: the config becomes files, users and units",
        begins=_words(r"lab-initrd: Ignition stage|ignition\[\d+\]: (INFO\s*: )?(Ignition \d|Stage: )"),
        typical=1.0,
    ),
    Phase(
        name="userspace",
        title="Userspace: systemd starts the units",
        begins=_words(
            r"switching to the root file system|Switching root|systemd-shutdown: .*switch|Welcome to .*Flatcar"
        ),
        typical=3.0,
    ),
    Phase(
        name="ssh",
        title="SSH: the server answers",
        begins=_words(r"SSH host key: SHA256:"),
        typical=1.0,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A known way for a boot to end badly: the pattern that shows it, what happened in words, and the cure."""

    name: str
    pattern: re.Pattern[str]
    cause: str
    cure: str


FAILURES = (
    Failure(
        name="verity",
        pattern=_words(r"device-mapper: verity: .*corrupt|dm-verity device corrupted|verity: .*is corrupted"),
        cause="/usr is not what was built: dm-verity found a changed block",
        cure="make a fresh machine; if it comes back, verify the image",
    ),
    Failure(
        name="ignition",
        pattern=_words(
            r"Ignition stage \S+ failed|Ignition failed|ignition\[\d+\]: .*\bCRITICAL\b|Failed to start ignition"
        ),
        cause="Ignition could not apply the config",
        cure="read the console's lines with CRITICAL, correct the config, then make a fresh machine",
    ),
    Failure(
        name="no-root",
        pattern=_words(r"VFS: Unable to mount root fs|lab-initrd: Failed: (ROOT|no partition)"),
        cause="the kernel found no root file system",
        cure="verify the image",
    ),
    Failure(
        name="out-of-memory",
        pattern=_words(r"Out of memory: Killed|System is deadlocked on memory|Initramfs unpacking failed: write error"),
        cause="the machine has too little memory",
        cure="flatkit up --memory 2048",
    ),
    Failure(
        name="panic",
        pattern=_words(r"Kernel panic - not syncing"),
        cause="the kernel panicked",
        cure="look at the console's last lines",
    ),
    Failure(
        name="emergency",
        pattern=_words(
            r"Press Enter for emergency shell|You are in emergency mode|Entering emergency mode|lab-initrd: Failed:"
        ),
        cause="the machine gave up and offers an emergency shell",
        cure="look at the console's last lines",
    ),
)  # fmt: skip


# A panicked kernel says that it will restart (panic=10 here, 60 on Flatcar); any kernel says which slot it is from.
_RESTARTS = _words(r"Rebooting in \d+ seconds")
_SLOT = _words(r"ommand line: .*\bBOOT_IMAGE=\S*/vmlinuz-([ab])\b")


def find_phase(text: str) -> Phase | None:
    """The phase that this line begins."""
    return next((phase for phase in PHASES if phase.begins and phase.begins.search(text)), None)


def find_failure(text: str) -> Failure | None:
    """The failure that this line shows."""
    return next((failure for failure in FAILURES if failure.pattern.search(text)), None)


class Timeline:
    """Follows a boot line by line and tells an observer which phase it is in.

    A phase ends where the next one begins. A boot that begins again (a panic, a fallback to the other slot) begins
    again here too. `failure` is what the present boot has shown, `failed_boots` counts those that showed one, and
    `will_restart` is set once the kernel has said so.
    """

    def __init__(self, observer: Observer, *, slowdown: float = 1.0) -> None:
        self._observer = observer
        self._slowdown = slowdown
        self._phase: Phase | None = None
        self._began = 0.0
        self.failure: Failure | None = None
        self.failed_boots = 0
        self.will_restart = False
        self._slot = ""
        self.spent: dict[str, float] = {}

    @property
    def phase(self) -> str:
        """The phase that runs now, "" before the start and after the end."""
        return self._phase.name if self._phase else ""

    def start(self, at: float | None = None) -> None:
        """Power on: the firmware runs."""
        self._begin(PHASES[0], time.monotonic() if at is None else at)

    def feed(self, text: str, at: float) -> None:
        """Take in a line of the console."""
        phase = find_phase(text)
        if phase and phase.name in {"slots", "kernel"} and self.failure:
            self._observer.notify(Said(text=f"{self.failure.cause}: it has restarted"))
            self.failure, self.will_restart = None, False  # it boots once more
        if phase and self._is_new(phase):
            self._begin(phase, at)
        failure = find_failure(text)
        # The first pattern tells the cause; what follows it (a shell, a panic) is only the consequence.
        if failure and self.failure is None:
            self.failure = failure
            self.failed_boots += 1
        self.will_restart = self.will_restart or bool(self.failure and _RESTARTS.search(text))
        slot = _SLOT.search(text)
        if slot:
            self._take_slot(slot.group(1))

    def finish(self, *, ok: bool = True, at: float | None = None) -> None:
        """The boot is over: the machine is ready, or has failed."""
        now = time.monotonic() if at is None else at
        if self._phase:
            seconds = max(0.0, now - self._began)
            self.spent[self._phase.name] = self.spent.get(self._phase.name, 0.0) + seconds
            self._observer.notify(
                PhaseEnded(phase=self._phase.name, title=self._phase.title, seconds=seconds, ok=ok, at=now)
            )
        self._phase = None

    def _take_slot(self, slot: str) -> None:
        if self.failed_boots and slot != self._slot:
            self._observer.notify(Said(text=f"the machine fell back to slot {slot}: slot {self._slot} did not come up"))
        self._slot = slot

    def _is_new(self, phase: Phase) -> bool:
        order = [known.name for known in PHASES]
        now = order.index(self._phase.name) if self._phase else -1
        # A second kernel, or the choice of a slot, after anything else: the machine boots once more.
        return phase.name in {"slots", "kernel"} or order.index(phase.name) > now

    def _begin(self, phase: Phase, at: float) -> None:
        self.finish(at=at)
        self._phase, self._began = phase, at
        typical = phase.typical * self._slowdown
        self._observer.notify(PhaseStarted(phase=phase.name, title=phase.title, typical=typical, at=at))
