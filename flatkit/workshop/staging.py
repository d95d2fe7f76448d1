"""Where demos are played for real: this host, machines that are removed afterwards, and an update server when one is needed."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from flatkit import paths, workshop
from flatkit.errors import MachineError
from flatkit.events import Observer, Said
from flatkit.machines import Forward, Machine, MachineState
from flatkit.run import run
from flatkit.steps import Boot
from flatkit.updates.channels import Channels
from flatkit.updates.server import UpdateServer
from flatkit.workshop.offers import offer_lab

_PATIENCE = 300.0
# So long a machine may take to go down before its next boot is seen.
_LOGIN = 120.0


class LocalStage:
    """Carries out a demo's commands. `machines` are those that were booted, the last one last.

    `configs` is the folder of a demo that is not flatkit's own; else the examples are taken.
    """

    def __init__(
        self,
        *,
        image: str = "auto",
        keep: bool = False,
        cancel: threading.Event | None = None,
        configs: Path | None = None,
    ) -> None:
        self._image, self._keep, self._cancel = image, keep, cancel
        self._configs = configs or paths.examples_dir()
        self._undo = ExitStack()
        self._server: UpdateServer | None = None
        self._folder: Path | None = None
        self.machines: list[Machine] = []
        self.timeline = workshop.Timeline()

    def boot(self, boot: Boot, observer: Observer) -> str:
        """Boot one of the examples, or start a machine again that is there.

        A machine that an earlier run kept is replaced, so that the demo starts afresh.
        """
        if boot.again:
            machine = self._find(boot.machine)
            machine.up(observer=observer, cancel=self._cancel)
            machine.run("true", timeout=_LOGIN).check()
            return f'the machine "{boot.machine}" is ready again, as it was'
        Machine(boot.machine).down()
        forwards = tuple(Forward(host=0, guest=port) for port in boot.guest_ports)
        wish = workshop.Wish(name=boot.machine, image=self._image, forwards=forwards, keep_fresh=False)
        upped = workshop.boot(self._configs / boot.config, wish, observer=observer, cancel=self._cancel)
        self.machines.append(upped.machine)
        self._lend([upped.machine])
        self.timeline = upped.timeline
        return f'the machine "{boot.machine}" is ready, {upped.timeline.total:.1f} s after its config was read'

    def adopt(self, boot: Boot) -> None:
        """Take over the machine that an earlier run booted, as it is. Raises MachineError when it does not run."""
        machine = Machine(boot.machine)
        if machine.state is not MachineState.RUNNING:
            raise MachineError(f'the machine "{boot.machine}" of the earlier run does not run any more')
        self.machines.append(machine)

    @property
    def folder(self) -> Path:
        """Where host commands are typed: a folder of its own, with the examples in it."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="flatkit-demo-"))
            self._undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            shutil.copytree(self._configs, self._folder, dirs_exist_ok=True)
        return self._folder

    @property
    def _book(self) -> Path:
        """The channels of this stage's own server: those of a room that is being served are left alone."""
        return self.folder / ".channels.json"

    def host(self, command: str) -> str:
        """Type a command on this host, in the stage's folder."""
        world = f'PATH="{Path(sys.executable).parent}:$PATH"; export FLATKIT_ROOM_STATE="{self._book}"'
        done = run(["bash", "-c", f"{world}; {command}"], check=False, timeout=_PATIENCE, cwd=self.folder)
        return done.stdout + done.stderr

    def guest(self, command: str, machine: str = "") -> str:
        """Type a command on the machine of that name, or on the one that was booted last. Raises MachineError."""
        return str(self._find(machine).run(command, timeout=_PATIENCE))

    def reboot(self, command: str, observer: Observer, machine: str = "") -> str:
        """Type a command that restarts the machine, and wait until it answers again. Raises MachineError."""
        found = self._find(machine)
        mark = found.console_size
        try:
            found.run(command, timeout=_PATIENCE)
        except MachineError as error:
            # Some restart so quickly that the answer is cut off; what counts is the boot that follows.
            observer.notify(Said(text=error.message))
        found.wait_for_boot(since=mark, observer=observer, cancel=self._cancel)
        found.run("true", timeout=_LOGIN).check()
        return f'the machine "{found.name}" has restarted, and answers again'

    def _find(self, name: str) -> Machine:
        for machine in reversed(self.machines):
            if name in {"", machine.name}:
                return machine
        what = f'no machine "{name}" was booted yet' if name else "no machine was booted yet"
        raise MachineError(f"{what}, and this step wants one", hint="play the demo from its start")

    def offer(self, offers: tuple[tuple[str, str], ...], observer: Observer) -> None:
        """Let an update server of this stage offer these releases of the lab image. Raises ImageError, HostError."""
        offer_lab(self._server or self._serve(), dict(offers), folder=self.folder / ".payloads", observer=observer)
        self._lend(self.machines)

    def _lend(self, machines: list[Machine]) -> None:
        """A machine on another host reaches the update server here like one on this host."""
        if self._server:
            for machine in machines:
                machine.lend_port(self._server.port)

    def _serve(self) -> UpdateServer:
        self._server = server = UpdateServer(channels=Channels(store=self._book))
        self._undo.enter_context(server)
        return server

    def fill(self, command: str) -> str:
        """Replace `{portN}` by the host port that leads to the guest's port N, `{server}` by the update server's URL."""
        for machine in self.machines[-1:]:
            for forward in machine.forwards:
                command = command.replace(f"{{port{forward.guest}}}", str(forward.host))
        return command.replace("{server}", self._server.guest_url) if self._server else command

    @property
    def image(self) -> str:
        """The badge of the image that was booted; "" where nothing was."""
        return self.machines[-1].spec.label if self.machines else ""

    def close(self) -> None:
        """End the server, and remove the machines unless they are to be kept."""
        self._undo.close()
        if not self._keep:
            for machine in self.machines:
                machine.down()


@contextmanager
def open_stage(
    *,
    image: str = "auto",
    keep: bool = False,
    cancel: threading.Event | None = None,
    configs: Path | None = None,
) -> Iterator[LocalStage]:
    """A stage that is cleared away when the `with` block ends."""
    local = LocalStage(image=image, keep=keep, cancel=cancel, configs=configs)
    try:
        yield local
    finally:
        local.close()
