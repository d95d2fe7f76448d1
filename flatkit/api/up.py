"""From a config to a machine that answers over SSH, with the time of each phase.

No signature covers a file's version, so the first login compares the machine's own version with that of its image. A
mirror could otherwise offer an old image, correctly signed, as a newer one.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit import paths
from flatkit.api.config import NO_CONFIG, Config, read_config
from flatkit.api.spec import Wish, check_wish, make_spec
from flatkit.diskcontent import check_data_disk
from flatkit.errors import BootFailed, ImageError
from flatkit.events import Observer, PhaseEnded, PhaseStarted, Said, Tee, phase
from flatkit.images import Image, ImageKind, find_image

if TYPE_CHECKING:
    from flatkit.machines import Machine

ASK = '. /etc/os-release && echo "$ID $VERSION_ID"'
# The same in a subshell, whose failure does not hide the clock: seconds since 1970.
_LOOK = f"({ASK}); date +clock=%s.%N"
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9._-]{0,40} ([0-9A-Za-z][0-9A-Za-z.+_-]{0,40})", re.ASCII)
# A login takes a second or two, so that a smaller difference means nothing.
_BEHIND_SECONDS = 5.0


def check_identity(image: Image, answer: str, *, machine: str, observer: Observer) -> None:
    """Compare a new machine's answer to ASK with the version that its image was fetched as.

    Raises ImageError for another version of Flatcar. A system that does not call itself Flatcar is only reported.
    """
    name, _, version = answer.strip().partition(" ")
    if name != "flatcar":
        observer.notify(Said(text=f'the machine does not call itself Flatcar: it says "{answer.strip()}"'))
    elif version != image.version:
        raise ImageError(
            f'the image was fetched as Flatcar "{image.version}", and the machine says that it is "{version}": not trusted',
            hint=f"flatkit down {machine}, then: flatkit images rm {image.version}   (and report it to the server's operator)",
        )


@dataclass(frozen=True, kw_only=True)
class PhaseTimes:
    """The phases of an `up` in order, with titles and seconds."""

    phases: tuple[tuple[str, str, float], ...] = ()

    @property
    def total(self) -> float:
        """All phases together, in seconds."""
        return sum(seconds for _, _, seconds in self.phases)

    def __str__(self) -> str:
        width = max((len(title) for _, title, _ in self.phases), default=0)
        longest = max((seconds for _, _, seconds in self.phases), default=0.0) or 1.0
        rows = [f"{title:<{width}}  {s:6.1f} s  {'#' * round(30 * s / longest)}" for _, title, s in self.phases]
        return "\n".join([*rows, f"{'from config to SSH':<{width}}  {self.total:6.1f} s"])


class TimelineKeeper(Observer):
    """An observer that keeps the outermost phases."""

    def __init__(self) -> None:
        self._open = 0
        self._phases: list[tuple[str, str, float]] = []

    def on_phase_started(self, event: PhaseStarted) -> None:  # noqa: ARG002
        """Go one phase deeper."""
        self._open += 1

    def on_phase_ended(self, event: PhaseEnded) -> None:
        """Keep the phase, if it was an outer one."""
        self._open -= 1
        if self._open == 0:
            self._phases.append((event.phase, event.title, event.seconds))

    @property
    def timeline(self) -> PhaseTimes:
        """The phases kept so far."""
        return PhaseTimes(phases=tuple(self._phases))


@dataclass(frozen=True, kw_only=True)
class Upped:
    """Result of `boot`: the machine, and the time of each phase (none, if it was running already).

    `version` is what the machine said at the login that it runs: after an update not that of its image.
    """

    machine: Machine
    timeline: PhaseTimes = field(default_factory=PhaseTimes)
    version: str = ""

    @property
    def words(self) -> str:
        """The version that the machine reports, and what it was made from if that differs."""
        label = self.machine.spec.label
        if not self.version or self.version in label.replace(":", " ").split():
            return label
        return f"it runs {self.version}; made from {label}"


def boot(
    config: str | Path | Config | None,
    wish: Wish,
    *,
    observer: Observer | None = None,
    cancel: threading.Event | None = None,
) -> Upped:
    """Boot a machine from a config and wait until it answers over SSH. A machine that runs already is returned.

    An existing machine that is requested by its name alone is started as it was made. Raises InputError, ConfigFaults,
    HostError, ImageError, MachineError, Cancelled.
    """
    from flatkit.machines import Machine, MachineState, check_name, ports
    from flatkit.machines.store import make_folder

    keeper = TimelineKeeper()
    watcher = Tee(observer or Observer(), keeper)
    check_name(wish.name)
    machine = Machine(wish.name)
    known = {MachineState.RUNNING, MachineState.STOPPED, MachineState.PAUSED, MachineState.ELSEWHERE}
    if config is None and wish == Wish(name=wish.name) and machine.state in known:
        machine.up(observer=watcher, cancel=cancel)
        with phase(watcher, "login", "SSH: first login and answer"):
            version = _log_in(machine, None, watcher)
        return Upped(machine=machine, timeline=keeper.timeline, version=version)
    with phase(watcher, "config", "Config: checked, translated"):
        read = NO_CONFIG if config is None else config if isinstance(config, Config) else read_config(config)
    # Before an image is built or fetched for minutes.
    check_wish(wish)
    machine.place.check_names()
    if machine.state is MachineState.ABSENT:
        ports.check_free(wish.forwards)
        make_folder(paths.machines_dir())
    for path in wish.disk_images:
        check_data_disk(path)
    with phase(watcher, "image", "Image: found or built"):
        image = wish.image if isinstance(wish.image, Image) else find_image(wish.image, observer=watcher, cancel=cancel)
    spec = make_spec(read, image, wish, watcher)
    try:
        machine.up(spec, observer=watcher, cancel=cancel, made_by=wish.made_by, cold=wish.cold)
    except BootFailed as error:
        raise _with_place(error, machine, read) from None
    if wish.keep_fresh and machine.booted.is_first:
        # Before the login: a session saved in the checkpoint would be dead after a rewind.
        machine.keep_fresh(observer=watcher)
    with phase(watcher, "login", "SSH: first login and answer"):
        version = _log_in(machine, image, watcher)
    return Upped(machine=machine, timeline=keeper.timeline, version=version)


def _log_in(machine: Machine, image: Image | None, observer: Observer) -> str:
    """Log in and return the version that the machine says it runs, "" if it says none. Its clock is set if it is behind."""
    answer, _, clock = machine.run(_LOOK, timeout=120).check().stdout.partition("clock=")
    if image and image.kind is ImageKind.FLATCAR and image.version and machine.booted.is_first:
        check_identity(image, answer, machine=machine.name, observer=observer)
    if (
        re.fullmatch(r"[0-9]{1,12}\.[0-9]{1,9}", clock.strip(), re.ASCII)
        and time.time() - float(clock) > _BEHIND_SECONDS
    ):
        # The guest was paused, or this host slept: nobody told the guest how long.
        machine.set_clock(observer=observer)
    found = _SYSTEM.fullmatch(answer.strip())
    return found[1] if found else ""


def _with_place(error: BootFailed, machine: Machine, config: Config) -> BootFailed:
    """Return the error with the user's own line that Ignition could not apply, if it can be found."""
    from flatkit.butane.provenance import locate
    from flatkit.machines import find_trouble

    trouble = find_trouble(machine.console_tail(500))
    clues = trouble.clues if trouble else ()
    place = locate(config.ignition, clues, provenance=config.provenance, text=config.text)
    if place is None:
        return error
    where = (
        f'"{config.name}", line {place.line}: {place.text}' if place.line else f'"{config.name}" at {place.json_path}'
    )
    return BootFailed(f"{error.message}. It comes from {where}", hint=error.hint, details=error.details)
