"""The facade that notebooks and the command line hold: joins config, image and machine.

A config flows through here: text -> report and Ignition -> flatkit's key added -> the spec that the image's Ignition reads
-> a machine.
"""

from __future__ import annotations

import json
import re
import shlex
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatkit.errors import BootFailed, ConfigFaults, InputError
from flatkit.events import Observer, PhaseEnded, PhaseStarted, Said, Tee, phase
from flatkit.images import Image, ImageKind, find_image

if TYPE_CHECKING:
    from flatkit.butane.provenance import Provenance
    from flatkit.butane.source.document import Document
    from flatkit.machines import Firmware, Forward, Machine, MachineSpec
    from flatkit.workshop.staging import LocalStage


@dataclass(frozen=True, kw_only=True)
class Config:
    """A person's config as Ignition: `name` is the file's name, `text` the source, `warnings` what was noticed about it.

    `provenance` leads from the Ignition back to the Butane text; None for a config that was Ignition from the start.
    """

    name: str
    text: str
    ignition: dict[str, Any]
    warnings: tuple[str, ...] = ()
    provenance: Provenance | None = field(default=None, compare=False, repr=False)


# What a machine gets without a config: user core and flatkit's key alone.
NO_CONFIG = Config(name="", text="", ignition={"ignition": {"version": "3.3.0"}})


def read_config(path: str | Path, *, files_dir: Path | None = None) -> Config:
    """Read a Butane (`.bu`) or Ignition (`.ign`) file.

    Raises InputError when the file cannot be read or is of another kind, ConfigFaults when it has faults.
    """
    file = Path(path).expanduser()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InputError(
            f'the config "{path}" cannot be read: {error.strerror}; expected a Butane (.bu) or Ignition (.ign) file',
            hint="flatkit up web.bu   (or, without a config: flatkit up)",
        ) from None
    return parse_config(data, name=str(path), files_dir=files_dir or file.parent)


def parse_config(data: bytes | str, *, name: str, files_dir: Path | None = None) -> Config:
    """Judge and translate a config's text; `.ign` in the name means Ignition, anything else Butane. Raises as read_config."""
    from flatkit.butane.detect import Format, detect_format
    from flatkit.butane.source.document import Document

    document = Document(data)
    looks = detect_format(document)
    text = data if isinstance(data, str) else data.decode(errors="replace")
    if name.endswith((".ign", ".json")):
        if looks is Format.BUTANE:
            raise InputError(
                f'"{name}" holds Butane, and its name says Ignition; machines read Ignition only',
                hint=f"flatkit up {_renamed(name, '.bu')}   (rename the file: flatkit then translates it)",
            )
        return _from_ignition(document, text, name)
    if looks is Format.IGNITION:
        raise InputError(
            f'"{name}" holds Ignition JSON, and its name says Butane: there is nothing left to translate',
            hint=f"flatkit up {_renamed(name, '.ign')}   (rename the file)",
        )
    if looks in {Format.CLOUD_CONFIG, Format.CONTAINER_LINUX_CONFIG}:
        raise InputError(
            f'"{name}" holds a {looks}, which Ignition does not read; expected Butane: variant: flatcar, version: 1.1.0',
            hint="flatkit butane --check " + name,
        )
    return _from_butane(document, text, name, files_dir)


def _renamed(name: str, suffix: str) -> str:
    return shlex.quote(str(Path(name).with_suffix(suffix)))


def _from_ignition(document: Document, text: str, name: str) -> Config:
    from flatkit.butane.ignition.config import check_ignition

    ignition, report = check_ignition(document)
    if ignition is None or report.is_fatal:
        raise ConfigFaults(f'the Ignition config "{name}" cannot be used', report=report, details=str(report))
    return Config(name=name, text=text, ignition=ignition, warnings=tuple(map(str, report)))


def _from_butane(document: Document, text: str, name: str, files_dir: Path | None) -> Config:
    from flatkit.butane import translate

    result = translate(document, files_dir=files_dir, name=name)
    if result.ignition is None:
        details = str(result.report) if len(result.report) else result.failure
        raise ConfigFaults(
            f'the config "{name}" has faults: {result.failure}',
            report=result.report,
            hint=f"correct it, then: flatkit butane --check {shlex.quote(name)}",
            details=details,
        )
    return Config(
        name=name, text=text, ignition=result.ignition, warnings=tuple(map(str, result.report)),
        provenance=result.provenance,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What a person asks of a machine beside its config; memory in MiB, disks in GiB. `image` is a name, or one that was found.

    `key_file` is a private key to log in with instead of flatkit's; `public_keys` are lines of authorized_keys for core as well.
    `keep_fresh` saves the checkpoint `fresh` after the first boot, where the disk has room for it.
    """

    name: str
    image: str | Image = "auto"
    forwards: tuple[Forward, ...] = ()
    memory_mib: int | None = None
    disks_gib: tuple[int, ...] = ()
    key_file: Path | None = None
    public_keys: tuple[str, ...] = ()
    disk_images: tuple[Path, ...] = ()
    firmware: Firmware | None = None
    keep_fresh: bool = True


def make_spec(config: Config, image: Image, wish: Wish, observer: Observer) -> MachineSpec:
    """What the machine is to be. Says what flatkit adds or changes. Raises InputError for what the image cannot read."""
    from flatkit.butane.ignition_compat import add_ssh_keys, downgrade
    from flatkit.machines import Arch, DirectBoot, MachineSpec
    from flatkit.workshop.limits import refuse_limits

    for warning in (*config.warnings, *_foresee(config, wish)):
        observer.notify(Said(text=f"config: {warning}"))
    extra = len(wish.disks_gib) + len(wish.disk_images)
    refuse_limits(config, on_lab=image.kind is ImageKind.LAB, extra_disks=extra)
    own = add_ssh_keys(config.ignition, wish.public_keys)
    ignition = add_ssh_keys(own, [_public_key(wish)])
    if ignition != own:
        observer.notify(Said(text="flatkit adds this to the config: an SSH key of its own for the user core"))
    ignition, note = downgrade(ignition, image.ignition_spec)
    if note:
        observer.notify(Said(text=note))
    boot = None
    if image.kernel and image.initrd:
        boot = DirectBoot(kernel=image.kernel, initrd=image.initrd, cmdline=image.cmdline)
    return MachineSpec(
        name=wish.name,
        disk=image.disk,
        disk_format=image.disk_format,
        arch=Arch.find_named(image.arch) or Arch.of_host(),
        boot=boot,
        memory_mib=wish.memory_mib or image.memory_mib,
        forwards=wish.forwards,
        extra_disks_gib=wish.disks_gib,
        ignition=json.dumps(ignition, separators=(",", ":")),
        label=image.badge,
        key_file=wish.key_file,
        disk_gib=image.disk_gib,
        extra_images=wish.disk_images,
        firmware=wish.firmware,
    )


def _foresee(config: Config, wish: Wish) -> Iterator[str]:
    """What will keep people, or flatkit, out of the machine, told before it boots."""
    from flatkit.butane.access import allows_login, find_lockouts
    from flatkit.butane.provenance import location_of

    for lockout in find_lockouts(config.ignition):
        place = location_of(lockout.path, provenance=config.provenance, text=config.text)
        where = f"line {place.line}" if place.line else place.json_path
        yield f"nobody will be able to log in: {lockout.words} ({where})"
    if "quiet" in config.ignition.get("kernelArguments", {}).get("shouldExist", ()):
        yield 'the kernel argument "quiet" silences the console, where flatkit sees how far a boot is, and the host key of SSH'
    if config.name and not wish.public_keys and not allows_login(config.ignition):
        key = "your key" if wish.key_file else "flatkit's own key"
        yield f"it lets nobody log in: no SSH key, no password. Here {key} is added; anywhere else put one of yours in"


def _public_key(wish: Wish) -> str:
    from flatkit.machines import workshop_key

    if wish.key_file is None:
        return workshop_key().public
    public = Path(f"{wish.key_file}.pub")
    try:
        return public.read_text().strip()
    except OSError as error:
        raise InputError(
            f'the public key "{public}" cannot be read: {error.strerror}; expected it beside the private one',
            hint=f"ssh-keygen -y -f {wish.key_file} > {public}",
        ) from None


def default_name(config: str | Path | None) -> str:
    """The machine's name that a config's file name suggests."""
    stem = Path(config).stem.lower() if config else ""
    return re.sub(r"[^a-z0-9]+", "-", stem).strip("-")[:32].strip("-") or "machine"


def find_differences(machine: Machine, config: Config, wish: Wish) -> tuple[str, ...]:
    """What of the wish is not as the machine was made: any of config, ports, memory, disks. The image is not looked at.

    Raises MachineNotFound when there is no such machine.
    """
    from flatkit.butane.ignition_compat import add_ssh_keys, downgrade, version_of

    spec = machine.spec
    differences = []
    made = json.loads(spec.ignition) if spec.ignition else NO_CONFIG.ignition
    try:
        wanted, _ = downgrade(add_ssh_keys(config.ignition, (*wish.public_keys, _public_key(wish))), version_of(made))
    except InputError:
        wanted = {}
    if wanted != made:
        differences.append("config")
    if not {forward.guest for forward in wish.forwards} <= {forward.guest for forward in spec.forwards}:
        differences.append("ports")
    if wish.memory_mib not in {None, spec.memory_mib}:
        differences.append("memory")
    if wish.disks_gib and wish.disks_gib != spec.extra_disks_gib:
        differences.append("disks")
    return tuple(differences)


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Where the time of an `up` went: phases in order, with titles and seconds."""

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
    """An observer that keeps the phases which are not inside another one."""

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
    def timeline(self) -> Timeline:
        """What was kept so far."""
        return Timeline(phases=tuple(self._phases))


@dataclass(frozen=True, kw_only=True)
class Upped:
    """What `boot` gives: the machine, and where the time went (nothing, if it ran already)."""

    machine: Machine
    timeline: Timeline = field(default_factory=Timeline)


def boot(
    config: str | Path | Config | None,
    wish: Wish,
    *,
    observer: Observer | None = None,
    cancel: threading.Event | None = None,
) -> Upped:
    """From a config to a machine that answers over SSH. Booting a machine that runs returns it.

    A machine that is there, and of which nothing but its name is said, is started as it was made. Raises InputError,
    ConfigFaults, HostError, ImageError, MachineError, Cancelled.
    """
    from flatkit.machines import Machine, MachineState, check_name

    keeper = TimelineKeeper()
    watcher = Tee(observer or Observer(), keeper)
    check_name(wish.name)
    machine = Machine(wish.name)
    if (
        config is None
        and wish == Wish(name=wish.name)
        and machine.state in {MachineState.RUNNING, MachineState.STOPPED}
    ):
        machine.up(observer=watcher, cancel=cancel)
        with phase(watcher, "login", "SSH: first login and answer"):
            machine.run("true", timeout=120).check()
        return Upped(machine=machine, timeline=keeper.timeline)
    with phase(watcher, "config", "Config: judged, translated"):
        read = NO_CONFIG if config is None else config if isinstance(config, Config) else read_config(config)
    with phase(watcher, "image", "Image: found or built"):
        image = wish.image if isinstance(wish.image, Image) else find_image(wish.image, observer=watcher, cancel=cancel)
    spec = make_spec(read, image, wish, watcher)
    try:
        machine.up(spec, observer=watcher, cancel=cancel)
    except BootFailed as error:
        raise _with_place(error, machine, read) from None
    if wish.keep_fresh and machine.booted.is_first:
        # Before the login: a session that was saved would come back dead.
        machine.keep_fresh(observer=watcher)
    with phase(watcher, "login", "SSH: first login and answer"):
        _log_in(machine, image, watcher)
    return Upped(machine=machine, timeline=keeper.timeline)


def _log_in(machine: Machine, image: Image, observer: Observer) -> None:
    from flatkit.workshop.identity import ASK, check_identity

    if image.kind is ImageKind.FLATCAR and image.version and machine.booted.is_first:
        answer = machine.run(ASK, timeout=120).check().stdout
        check_identity(image, answer, machine=machine.name, observer=observer)
    else:
        machine.run("true", timeout=120).check()


def _with_place(error: BootFailed, machine: Machine, config: Config) -> BootFailed:
    """The error with the line of the person's own text that Ignition could not apply, where that can be told."""
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


def stage(
    *,
    image: str | Image = "auto",
    keep: bool = False,
    cancel: threading.Event | None = None,
    configs: Path | None = None,
    guest: Machine | None = None,
    reuse: bool = False,
) -> AbstractContextManager[LocalStage]:
    """A place to play demos on for real; its machines are gone when the `with` block ends (unless `keep`).

    `guest` is a machine of a person's own to play on; with `reuse` several demos are played there, one after the other.
    """
    from flatkit.workshop.staging import open_stage

    return open_stage(image=image, keep=keep, cancel=cancel, configs=configs, guest=guest, reuse=reuse)
