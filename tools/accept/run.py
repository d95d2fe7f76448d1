"""A run of everything on one image: every demo, every golden command; kept as evidence for docs/fidelity.md (tools/accept.py).

What a machine is, it says itself: its os-release decides whether anything is evidence about Flatcar, not the image's name.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flatkit import api
from flatkit.api.demo_env import LocalStage
from flatkit.api.up import ASK
from flatkit.demos import get_demo
from flatkit.demos.runner import DemoResult, play
from flatkit.errors import FlatkitError, UsageError
from flatkit.events import Observer, Said
from flatkit.images import Image
from flatkit.lessons.versions import FactVerdict
from flatkit.machines import Machine
from flatkit.run import run
from flatkit.steps import Boot, Demo, Where
from flatkit.updates.server import UpdateServer
from tools.accept.fidelity import Evidence
from tools.accept.golden import Capture, as_golden, find_faults, read_value
from tools.accept.statements import Asked, ask_statements
from tools.accept.update import Update

# A boot is marked good some time after the update client's start: 45 s on Flatcar. What is captured is the state after that.
UNTIL_GOOD = """\
for _ in $(seq 240); do
  sudo cgpt show "$(rootdev -s /usr)" | grep -q successful=1 && exit 0
  sleep 0.5
done
exit 1"""
GOLDEN = Path(__file__).resolve().parents[2] / "tests/golden/commands"
MACHINE = "accept"
CONFIG = """\
variant: flatcar
version: 1.1.0
storage:
  files:
    - path: /etc/flatcar/update.conf
      overwrite: true
      contents:
        inline: |
          GROUP=beta
          SERVER={url}/v1/update/
          REBOOT_STRATEGY=off
"""


@dataclass(frozen=True, kw_only=True)
class Captured:
    """An answer to one of the golden commands, and what is not as it should be in it."""

    capture: Capture
    raw: str
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Played:
    """A demo that was played: how it went, on which machine (by its own words; "" where it boots none), what was typed."""

    demo: str
    result: DemoResult
    identity: str = ""
    typed: tuple[Evidence, ...] = ()


@dataclass(kw_only=True)
class Run:
    """Everything that one run showed. `identity` is what the machine of the golden commands calls itself: "ID VERSION"."""

    name: str
    badge: str = ""
    identity: str = ""
    host: tuple[Evidence, ...] = ()
    demos: list[Played] = field(default_factory=list)
    captured: list[Captured] = field(default_factory=list)
    statements: list[Asked] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    @property
    def is_flatcar(self) -> bool:
        """True when the machine says that it is Flatcar."""
        return is_flatcar(self.identity)

    @property
    def ok(self) -> bool:
        """True when everything that was tried went as expected."""
        tried = [*self.host, *(each for played in self.demos for each in played.typed)]
        went = all(each.ok for each in tried) and all(played.result.ok for played in self.demos)
        went = went and not any(each.answer is FactVerdict.STALE for each in self.statements if self.is_flatcar)
        return went and bool(self.captured) and not any(each.faults for each in self.captured)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """The evidence that the rows of docs/fidelity.md are compared with."""
        captured = (
            Evidence(
                name=each.capture.name, command=each.capture.command, place="command", ok=not each.faults,
                real=self.is_flatcar,
            )
            for each in self.captured
        )  # fmt: skip
        return (*self.host, *(each for played in self.demos for each in played.typed), *captured)


def is_flatcar(identity: str) -> bool:
    """Tell whether a machine's "ID VERSION" is Flatcar's; the lab image says flatcar-lab."""
    return identity.split(" ", 1)[0] == "flatcar"


class Watched(LocalStage):
    """A stage that keeps what the machines of a demo said, in the golden form, and what they call themselves."""

    def __init__(
        self,
        *,
        image: Image,
        keep: Callable[[str], None],
        configs: Path | None,
        update: Update | None,
        dry: bool = False,
    ) -> None:
        super().__init__(image=image, configs=configs)
        self._write, self.identity, self._update, self._dry = keep, "", update, dry

    def offer(self, offers: tuple[tuple[str, str], ...], observer: Observer) -> None:
        """Offer a release of Flatcar's in each channel of the demo, and nothing else. Raises UsageError without one.

        In a dry run the machines are the lab image, so the lab's own releases are offered, as the demo wants them.
        """
        if self._dry:
            self.servers.offer(dict(offers), self.folder, observer)
            self.servers.lend(self.machines)
            return
        if self._update is None:
            raise UsageError("no newer release was fetched, so there is no update to offer")
        server = self.servers.emptied(self.folder)
        for channel in dict(offers):
            self._update.offer(server, channel)
        self.servers.lend(self.machines)
        observer.notify(Said(text=f"offered: Flatcar {self._update.version} in {', '.join(dict(offers))}"))

    def boot(self, boot: Boot, observer: Observer) -> str:
        """Boot, and ask the machine what it is."""
        said = super().boot(boot, observer)
        self.identity = ask_identity(self.machines[-1])
        return said

    def guest(self, command: str, machine: str = "") -> str:
        """Type a command and keep the answer."""
        raw = super().guest(command, machine)
        try:
            value: Any = read_value(command, raw)
        except FlatkitError as error:
            value = f"not read: {error.message}"
        self._write(as_golden(command, raw, value))
        return raw


def find_obstacle(demo: Demo, update: Update | None, *, dry: bool) -> str:
    """The reason why a demo cannot be played on this image, or "". A demo that continues another one needs what that needs."""
    boots = [step.boot for step in demo.steps if step.boot]
    if dry:
        several = any(boot.channel for boot in boots)
        return "it boots the images of several channels, and a dry run has one" if several else ""
    for name in dict.fromkeys(boot.after for boot in boots if boot.after):
        if reason := find_obstacle(get_demo(name), update, dry=dry):
            return f"it continues the demo {name}: {reason}"
    if demo.offers and update is None:
        return "no newer release was fetched, so there is no update to offer"
    if any(name == "lab-broken" for _, name in demo.offers):
        return 'it wants the release "lab-broken", and Flatcar publishes no broken one'
    return ""


def ask_identity(machine: Machine) -> str:
    """ "ID VERSION", by the machine's own os-release. Raises MachineError."""
    return machine.run(ASK, timeout=120).check().stdout.strip()


@contextmanager
def watching(image: Image, demo: Demo, folder: Path, update: Update | None, *, dry: bool = False) -> Iterator[Watched]:
    """The stage of a demo; the machines' answers go to `folder`, numbered in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def keep(text: str) -> None:
        written.append(folder / f"{demo.name}-{len(written) + 1:02}.json")
        written[-1].write_text(text)

    stage = Watched(image=image, keep=keep, configs=demo.folder, update=update, dry=dry)
    try:
        yield stage
    finally:
        stage.close()


def play_demo(
    demo: Demo, image: Image, *, update: Update | None, folder: Path, observer: Observer, dry: bool = False
) -> Played:
    """Play a demo to its end or first failure. What it has offered is `update`, in a dry run the lab's releases."""
    with watching(image, demo, folder, update, dry=dry) as stage:
        result = play(demo, stage, observer)
        identity = stage.identity
    return Played(demo=demo.name, result=result, identity=identity, typed=tuple(typed(demo, result, identity)))


def typed(demo: Demo, result: DemoResult, identity: str) -> Iterator[Evidence]:
    """Return the commands that a demo's steps typed on its machines, and their questions. Pure."""
    real = is_flatcar(identity)
    for number, (step, went) in enumerate(zip(demo.steps, result.steps, strict=False), start=1):
        place = f"demo {demo.name}, step {number}"
        asked = [step.fact.ask] if step.fact else []
        lines = asked if step.where is Where.HOST and not step.boot else [went.command, *asked]
        for line in lines:
            yield Evidence(name=f"{demo.name}-{number}", command=line, place=place, ok=went.ok, real=real)


def try_host(commands: Iterable[str], *, real: bool, observer: Observer) -> tuple[Evidence, ...]:
    """Type flatkit's own commands on this host. `real`: they go to Flatcar's own servers, and trust its key alone."""
    tried = []
    for command in commands:
        observer.notify(Said(text=f"$ {command}"))
        done = run([sys.executable, "-m", *command.split()], check=False)
        if done.status:
            observer.notify(Said(text=(done.stdout + done.stderr).strip()))
        tried.append(Evidence(name="host", command=command, place="this host", ok=done.status == 0, real=real))
    return tuple(tried)


def type_captures(
    machine: Machine, captures: Iterable[Capture], *, write: Callable[[str, str], None], identity: str
) -> Iterator[Captured]:
    """Type each command on the machine; `write` gets its name and golden text, as soon as it is there. Raises MachineError."""
    for capture in captures:
        raw = machine.run(capture.command, timeout=600).stdout
        faults = find_faults(capture, raw, is_flatcar=is_flatcar(identity), lab=read_golden(f"lab-{capture.name}"))
        try:
            value = read_value(capture.command, raw)
        except FlatkitError:
            value = None  # the fault says so
        write(capture.name, as_golden(capture.command, raw, value))
        yield Captured(capture=capture, raw=raw, faults=faults)


def read_golden(name: str) -> dict[str, Any] | None:
    """A golden file of the tests; None where there is none yet."""
    path = GOLDEN / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


@contextmanager
def capture_machine(image: Image, server: UpdateServer, observer: Observer) -> Iterator[Machine]:
    """A machine whose update.conf names this server; gone when the block ends."""
    config = api.parse_config(CONFIG.format(url=server.guest_url), name="accept.bu")
    Machine(MACHINE).down()
    try:
        wish = api.Wish(name=MACHINE, image=image, keep_fresh=False)
        yield api.boot(config, wish, observer=observer).machine
    finally:
        Machine(MACHINE).down()


def capture_all(
    run_: Run, image: Image, captures: Iterable[Capture], *, server: UpdateServer, folder: Path, observer: Observer
) -> None:
    """Boot a machine, ask what it is, and type the golden commands there. A machine that fails is noted in `left_out`."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with capture_machine(image, server, observer) as machine:
            run_.identity = ask_identity(machine)
            if not machine.run(UNTIL_GOOD, timeout=600).ok:
                run_.left_out.append(
                    "the slot as it is when its boot was good: it was not marked so within two minutes"
                )
            run_.statements += ask_statements(lambda command: machine.run(command, timeout=120).stdout, run_.identity)
            kind = "flatcar" if run_.is_flatcar else re.sub(r"[^a-z0-9]+", "-", run_.identity.split(" ")[0].lower())
            prefix = "lab" if kind == "flatcar-lab" else kind
            run_.captured += type_captures(
                machine, captures, write=lambda name, text: _write(folder / f"{prefix}-{name}.json", text),
                identity=run_.identity,
            )  # fmt: skip
    except FlatkitError as error:
        run_.left_out.append(f"golden commands: {error.message}")
        observer.notify(Said(text=str(error)))


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def boots_by(image: Image, other: Image) -> Image:
    """The image, booted as `other` is: a dry run's lab disk has no boot loader of its own, its selector starts it."""
    return replace(
        image, kernel=other.kernel, initrd=other.initrd, cmdline=other.cmdline, ignition_spec=other.ignition_spec,
        memory_mib=other.memory_mib, disk_gib=other.disk_gib,
    )  # fmt: skip
