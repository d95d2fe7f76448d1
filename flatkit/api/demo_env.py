"""The real stage of demos: this host, machines that are removed afterwards, and an update server when one is needed."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from flatkit import paths
from flatkit.api.demo_servers import Servers
from flatkit.api.spec import Wish
from flatkit.api.up import PhaseTimes
from flatkit.api.up import boot as boot_machine
from flatkit.errors import MachineError
from flatkit.events import Event, FactSeen, Observer, Said, StepEnded, StepOutput, StepStarted
from flatkit.images import Image, ImageKind, find_image
from flatkit.machines import UNKNOWN_CREATOR, Creator, Forward, Machine, MachineState
from flatkit.run import run
from flatkit.steps import Boot, Demo, Step

_PATIENCE = 300.0
# How long a booted machine may take until it first answers.
_LOGIN = 120.0


class LocalStage:
    """Runs a demo's commands. `machines` are the demo's machines, in the order of their boots.

    `configs` is the folder of a demo that is not part of flatkit; otherwise the examples are used.

    With `guest` the demo is played on that machine of the user's, which is kept at the end. With `reuse` several demos
    are played in turn, each started with `begin`. A machine from an earlier demo then goes back to its checkpoint
    `fresh` instead of being created again.
    """

    def __init__(
        self,
        *,
        image: str | Image = "auto",
        keep: bool = False,
        cancel: threading.Event | None = None,
        configs: Path | None = None,
        guest: Machine | None = None,
        reuse: bool = False,
        made_by: Creator = UNKNOWN_CREATOR,
    ) -> None:
        self._image, self._keep, self._cancel = image, keep, cancel
        self._configs = configs or paths.examples_dir()
        self._guest, self._reuse, self._made_by = guest, reuse, made_by
        self._undo = ExitStack()
        self.servers = Servers()
        self._folder: Path | None = None
        self._is_lab: bool | None = None
        # Keyed by the name in the demo; then every machine of this stage with the `Boot` that made it, from any demo.
        self._named: dict[str, Machine] = {}
        self._made: dict[Boot, Machine] = {}
        # Keyed by the machine's own name: its position in the console when it answered after its last restart.
        self._answered: dict[str, int] = {}
        self.timeline = PhaseTimes()
        # Keyed by the name of a point to rewind to: the machines that there were, by their names in the demo.
        self._points: dict[str, dict[str, Machine]] = {}
        # Hears what a machine says while a command runs there.
        self.heard: Callable[[str], None] | None = None

    def begin(self, made_by: Creator = UNKNOWN_CREATOR) -> None:
        """Begin another demo: it may reuse the earlier demos' machines, but starts with none."""
        self._named, self._points = {}, {}
        self._made_by = made_by
        self.timeline = PhaseTimes()

    def let_go(self, later: Sequence[Demo]) -> None:
        """Remove the machines that none of these demos boots: an idle machine still uses the processor."""
        from flatkit.demos import get_demo

        boots = [step.boot for demo in later for step in demo.steps if step.boot]
        boots += [step.boot for boot in boots if boot.after for step in get_demo(boot.after).steps if step.boot]
        for boot in [boot for boot in self._made if boot not in boots and not self._keep]:
            self._made.pop(boot).down()

    @property
    def machines(self) -> list[Machine]:
        """The machines of the current demo, in the order of their boots."""
        return list(self._named.values())

    # Machines

    def boot(self, boot: Boot, observer: Observer) -> str:
        """Boot one of the examples, or start an existing machine again.

        A machine kept by an earlier run is replaced, so that the demo starts from the beginning. Raises MachineError for
        another machine with its name.
        """
        if boot.again:
            machine = self._find(boot.machine)
            machine.up(observer=observer, cancel=self._cancel)
            machine.run("true", timeout=_LOGIN).check()
            return f'the machine "{machine.name}" is ready again, as it was'
        if boot.after:
            return self._go_on_after(boot, observer)
        if self._guest is not None:
            self._named[boot.machine] = self._guest
            self.servers.lend([self._guest])
            self._guest.run("true", timeout=_LOGIN).check()
            return f'the machine "{self._guest.name}" is ready: it is there already'
        if boot in self._made:
            self._named[boot.machine] = machine = self._made[boot]
            rewound = machine.rewind(observer=observer, cancel=self._cancel)
            return f'the machine "{machine.name}" is ready, {rewound}'
        return self._make(boot, observer)

    def _make(self, boot: Boot, observer: Observer) -> str:
        _remove_earlier(Machine(boot.machine))
        forwards = tuple(Forward(host=0, guest=port) for port in boot.guest_ports)
        image = self._image_of(boot.channel, observer) if boot.channel else self._image
        wish = Wish(
            name=boot.machine,
            image=image,
            forwards=forwards,
            keep_fresh=self._reuse,
            made_by=self._made_by,
            cold=boot.cold,
        )
        upped = boot_machine(self._configs / boot.config, wish, observer=observer, cancel=self._cancel)
        self._made[boot] = self._named[boot.machine] = upped.machine
        self.servers.lend([upped.machine])
        self.timeline = upped.timeline
        return f'the machine "{boot.machine}" is ready, {upped.timeline.total:.1f} s after its config was read'

    def adopt(self, boot: Boot) -> None:
        """Take over the machine that an earlier run booted, unchanged. Raises MachineError when it does not run."""
        machine = self._guest or Machine(boot.machine)
        if machine.state is not MachineState.RUNNING or not (self._guest or machine.record.made_by.task):
            raise MachineError(f'the machine "{machine.name}" of the earlier run does not run any more')
        self._named[boot.machine] = machine
        if self._guest is None:
            self._made[boot] = machine

    def _go_on_after(self, boot: Boot, observer: Observer) -> str:
        """Use the machine as that demo leaves it; if there is none, play the demo first. Raises MachineError."""
        from flatkit.demos import get_demo
        from flatkit.demos.runner import play

        demo = get_demo(boot.after)
        first = next(step.boot for step in demo.steps if step.boot)
        there = self._guest or self._made.get(first)
        if there is not None:
            self._named[boot.machine] = there
            if self._is_at_end_of(demo):
                return f'the machine "{there.name}" is ready, as the demo "{demo.name}" leaves it'
        result = play(demo, self, _OnlySays(observer))
        if not result.ok:
            raise MachineError(f'the demo "{demo.name}" went wrong: {result.steps[-1].found}',
                               hint=f"flatkit demo run {demo.name}")  # fmt: skip
        seconds = sum(step.seconds for step in result.steps)
        return f'the machine "{self._find(boot.machine).name}" is ready: the demo "{demo.name}" took {seconds:.0f} s'

    def _is_at_end_of(self, demo: Demo) -> bool:
        """Return True when every check since the demo's last boot passes now."""
        begin = max(number for number, step in enumerate(demo.steps) if step.boot or step.reboots)
        looks = [(step, step.fact) for step in demo.steps[begin:] if step.fact]
        try:
            return all(step.check(fact.look(partial(self.guest, machine=step.machine))).ok for step, fact in looks)
        except MachineError:  # it does not run, or has no slots to report
            return False

    def _find(self, name: str) -> Machine:
        for known, machine in reversed(self._named.items()):
            if name in {"", known}:
                return machine
        what = f'no machine "{name}" was booted yet' if name else "no machine was booted yet"
        raise MachineError(f"{what}, and this step wants one", hint="play the demo from its start")

    @property
    def is_lab(self) -> bool:
        """True when the machines run the lab image. Raises ImageError, or UsageError for an image that does not exist."""
        return self._looked_up(Observer())

    def _looked_up(self, observer: Observer) -> bool:
        if self._is_lab is None:
            if self._guest is not None:
                self._is_lab = self._guest.run(". /etc/os-release; echo $ID").check().stdout.strip() != "flatcar"
            else:
                given = self._image
                found = given if isinstance(given, Image) else find_image(given, observer=observer, cancel=self._cancel)
                self._is_lab = found.kind is ImageKind.LAB
        return self._is_lab

    def _image_of(self, channel: str, observer: Observer) -> str:
        """Return the value of `--image` for a channel, based on the demo's own image."""
        if not self._looked_up(observer):
            return channel
        return "lab" if channel == "stable" else f"lab-{channel}"

    # Rewinding

    def keep(self, name: str, observer: Observer, *, save: bool) -> None:
        """Save a checkpoint of every machine under this name. Raises MachineError, HostError.

        Where there is no machine yet, nothing needs saving. Without `save`, machines are refused.
        """
        there = self._named or ({"": self._guest} if self._guest else {})
        if there and not save:
            raise MachineError("checkpoints before each step were not asked for")
        for machine in dict.fromkeys(there.values()):
            machine.checkpoint(name, observer=observer)
        self._points[name] = dict(there)

    def go_back(self, name: str, observer: Observer) -> None:
        """Rewind the machines of this point; those that were booted later are as before their boot. Raises as `rewind`."""
        there = self._points[name]
        for machine in dict.fromkeys(there.values()):
            machine.rewind(to=name, observer=observer, cancel=self._cancel)
            # An older restart on the console is not the one that a step waits for.
            if machine.name in self._answered:
                self._answered[machine.name] = machine.console_size
        self._named = {known: machine for known, machine in there.items() if known}

    # Commands

    @property
    def folder(self) -> Path:
        """The folder in which host commands run: it belongs to the stage and has the examples in it."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="flatkit-demo-"))
            self._undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            shutil.copytree(self._configs, self._folder, dirs_exist_ok=True)
        return self._folder

    def host(self, command: str) -> str:
        """Type a command on this host, in the stage's folder."""
        world = f'PATH="{Path(sys.executable).parent}:$PATH"'
        if self.servers.book is not None:
            world += f'; export FLATKIT_ROOM_STATE="{self.servers.book}"'
        done = run(["bash", "-c", f"{world}; {command}"], check=False, timeout=_PATIENCE, cwd=self.folder)
        return done.stdout + done.stderr

    def guest(self, command: str, machine: str = "") -> str:
        """Type a command on the machine of that name, or on the one booted last. Raises MachineError."""
        return str(self._find(machine).run(command, timeout=_PATIENCE, on_output=self.heard))

    def reboot(self, command: str, observer: Observer, machine: str = "", *, by_itself: bool = False) -> str:
        """Type a command that restarts the machine, and wait until it answers again. Raises MachineError.

        For a restart `by_itself` the console is read from the point where the machine last answered after a restart.
        """
        found = self._find(machine)
        mark = found.console_size
        if by_itself:
            mark = self._answered.get(found.name, mark)
        said = ""
        try:
            said = str(found.run(command, timeout=_PATIENCE))
        except MachineError as error:
            # Some machines restart so quickly that the answer is cut off. Only the boot that follows matters.
            observer.notify(Said(text=error.message))
        found.wait_for_boot(since=mark, observer=observer, cancel=self._cancel)
        self._answered[found.name] = found.console_size
        found.run("true", timeout=_LOGIN).check()
        return f'{said}the machine "{found.name}" has restarted, and answers again'

    def line(self, step: Step) -> str:
        """Return a step's command as it will be typed. A machine of the user's has its own name also before its first boot."""
        line = step.line
        if self._guest is not None and step.boot and step.boot.machine not in self._named:
            line = line.replace(step.boot.machine, self._guest.name)
        return self.fill(line)

    def fill(self, command: str) -> str:
        """Replace the placeholders in a command, or in a hint.

        They are `{portN}`, the host port that leads to the guest's port N; `{server}`, the update server's URL;
        `{extensions}`, the place of the stage's extensions; `{beta}` and other channels, the image of that channel; and
        the demo's name of a machine that has another name here.
        """
        if "{extensions}" in command:
            command = command.replace("{extensions}", self.servers.offer_extensions(self.folder))
            self.servers.lend(self.machines)
        for machine in self.machines[-1:]:
            for forward in machine.forwards:
                command = command.replace(f"{{port{forward.guest}}}", str(forward.host))
        for channel in ("stable", "beta", "alpha"):
            if f"{{{channel}}}" in command:
                command = command.replace(f"{{{channel}}}", self._image_of(channel, Observer()))
        for known, machine in self._named.items():
            command = command.replace(known, machine.name)
        return command.replace("{server}", self.servers.url) if self.servers.url else command

    # Updates

    def offer(self, offers: tuple[tuple[str, str], ...], observer: Observer) -> None:
        """Let this stage's update server offer exactly these releases of the lab image.

        Where the machines run Flatcar, the server that the user named is used instead. Raises ImageError, HostError.
        """
        if self._looked_up(observer):
            self.servers.offer(dict(offers), self.folder, observer)
            self.servers.lend(self.machines)
        else:
            self.servers.take_flatcars()

    # The end

    @property
    def image(self) -> str:
        """The badge of the booted image; "" before the first boot."""
        return self.machines[-1].spec.label if self._named else ""

    def close(self) -> None:
        """Stop the servers, and remove the machines unless they are to be kept. A machine of the user's stays."""
        self.servers.close()
        self._undo.close()
        if not self._keep:
            for machine in self._made.values():
                machine.down()


def _remove_earlier(machine: Machine) -> None:
    """Remove what an earlier demo or exercise left of a machine. Raises MachineError for a machine of the user's."""
    if machine.state not in {MachineState.ABSENT, MachineState.LEFTOVER}:
        made_by = machine.record.made_by
        if not made_by.task:
            raise MachineError(
                f'there is a machine "{machine.name}" already, which no demo made (made by: {made_by}); '
                "this demo needs that name for a machine of its own",
                hint=f"flatkit down {machine.name}   removes it with its disk",
            )
    machine.down()


class _OnlySays(Observer):
    """Forwards the progress and messages of a boot; each step of a demo inside a step becomes one line."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer

    def notify(self, event: Event) -> None:
        """Forward the event."""
        if isinstance(event, StepStarted):
            event = Said(text=f"{event.demo} {event.number}/{event.total}: {event.title}")
        if not isinstance(event, StepOutput | StepEnded | FactSeen):
            self._observer.notify(event)


@contextmanager
def open_stage(
    *,
    image: str | Image = "auto",
    keep: bool = False,
    cancel: threading.Event | None = None,
    configs: Path | None = None,
    guest: Machine | None = None,
    reuse: bool = False,
    made_by: Creator = UNKNOWN_CREATOR,
) -> Iterator[LocalStage]:
    """Open a stage that is cleaned up when the `with` block ends."""
    local = LocalStage(
        image=image, keep=keep, cancel=cancel, configs=configs, guest=guest, reuse=reuse, made_by=made_by
    )
    try:
        yield local
    finally:
        local.close()
