"""Questions to a notebook's machine, commands on it, and files copied to it. Verbs that take time are in live_machine.py."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from flatkit import api, web
from flatkit.api import Upped
from flatkit.demos.facts import UPDATE
from flatkit.errors import FetchError, FlatkitError, MachineError, MachineNotFound, WaitTimeout
from flatkit.machines import Machine, RunResult, Shell
from flatkit.seat_env import page_url
from flatkit.widgets import cell_shell, display, extension_server, usual_times
from flatkit.widgets.cell_hints import cell_hints
from flatkit.widgets.guest_state import Inside, Look, look
from flatkit.widgets.job import Job
from flatkit.widgets.live_output import Phase, live_output
from flatkit.widgets.progress import WorkProgress
from flatkit.widgets.results import Note, Ran, Times, Typed, WebPage

COMMAND_TIMEOUT = 120.0
_CONSOLE_LINES = 40
_UPDATES = "update_engine_client -update"
_PHASE_TIMEOUT = 5.0
_ALL_LINES = 1_000_000
# Between two tries to reach a web server.
_PAGE_PAUSE = 0.3


@dataclass(frozen=True, kw_only=True)
class MachineDependencies:
    """The functions that a machine is made with; tests replace them."""

    boot: Callable[..., Upped] = api.boot
    machine: Callable[[str], Machine] = Machine
    get: Callable[..., web.Response] = web.get


class MachineCommands:
    """A machine by its name. `_job` is the work under way."""

    def __init__(self, name: str, backend: MachineDependencies | None = None) -> None:
        self._backend = backend or MachineDependencies()
        self._machine = self._backend.machine(name)
        self._job: Job | None = None
        self._progress = WorkProgress()
        self._times = Times()
        # The last look inside: it knows the version of a slot that does not run.
        self.seen: Inside | None = None
        self._forgotten = 0

    # Properties

    @property
    def name(self) -> str:
        """The machine's name."""
        return self._machine.name

    @property
    def machine(self) -> Machine:
        """The machine below this object, for a demo that is played on it."""
        return self._machine

    @property
    def is_busy(self) -> bool:
        """True if a job is at work."""
        return bool(self._job and self._job.is_running)

    @property
    def state(self) -> str:
        """The current state: running, stopped, failed or absent; while a job is at work its title, for example booting."""
        if self._job and self._job.is_running:
            return self._job.title
        return str(self._machine.state)

    def find_made(self) -> Machine | None:
        """Return the machine if it is complete; None when it has to be made."""
        return self._machine if str(self._machine.state) not in {"absent", "leftover", "booting"} else None

    @property
    def image(self) -> str:
        """The label of its image: Flatcar or the lab image. Raises MachineNotFound."""
        return self._machine.spec.label

    @property
    def timeline(self) -> Times:
        """The phases of the last boot with their times. Raises MachineError while it boots."""
        if self.is_busy:
            self.must_run()
        return self._times

    @property
    def console(self) -> Note:
        """The last lines of its serial console."""
        return Note(lines=tuple(self.console_lines(_CONSOLE_LINES)) or ("(nothing)",))

    def console_with(self, *words: str) -> Note:
        """Return the lines of its serial console that contain one of these words, of earlier boots as well."""
        lines = [line for line in self.console_lines(_ALL_LINES) if any(word in line for word in words)]
        return Note(lines=tuple(lines) or (f"(no line with {' or '.join(words)})",))

    def console_lines(self, count: int) -> list[str]:
        """Return its last console lines as plain text."""
        return self._machine.console_tail(count)

    @property
    def slots(self) -> Look:
        """USR-A and USR-B: their versions, which one runs, which one the next boot takes. Raises as `run`."""
        return Look(part="slots", inside=self.look_inside())

    @property
    def extensions(self) -> Look:
        """The layers of `/usr`: the image, and each system extension above it. Raises as `run`."""
        return Look(part="layers", inside=self.look_inside())

    def look_inside(self, *, timeout: float = COMMAND_TIMEOUT) -> Inside:
        """Ask the machine for its slots and layers, and remember the answer for the next look. Raises MachineError."""
        self.must_run()
        forgotten = self._forgotten
        found = look(lambda command: self.ask(command, timeout=timeout), self.seen)
        if forgotten == self._forgotten:  # else the machine was restarted or rewound meanwhile
            self.seen = found
        return found

    def forget_changes(self, *, versions: bool = False) -> None:
        """Forget what changed between looks, as after a restart; `versions`: also those of the slots, as after a rewind."""
        self._forgotten += 1
        if self.seen is not None:
            self.seen = None if versions else Inside(versions=self.seen.versions)

    def url(self, port: int) -> str:
        """Return the address on this host that leads to a port of the machine. Raises MachineError without one."""
        try:
            return f"http://127.0.0.1:{self._machine.host_port(port)}/"
        except MachineNotFound:
            raise
        except MachineError as error:
            hint = f"name it when you make the machine: fk.up(..., ports=[{port}], fresh=True)"
            raise MachineError(error.message, hint=hint) from None

    @property
    def _hints(self) -> AbstractContextManager[None]:
        return cell_hints(display.variable_of(self), self.name)

    def must_run(self) -> None:
        """Raise MachineError with what to do, unless the machine is ready."""
        me = display.variable_of(self)
        if self._job and self._job.is_running:
            rows = self._progress.phases
            where = f' (phase "{rows[-1].title}")' if rows else ""
            raise MachineError(
                f'the machine "{self.name}" is not ready yet: {self._job.title}{where}',
                hint=f"await {me}   in a cell of its own, then this cell again",
            )
        state = str(self._machine.state)
        if state == "running":
            return
        hints = {
            "stopped": f"{me}.restart(), then: await {me}",
            "failed": f"{me}.console   shows its last lines; then {me}.down()",
        }
        raise MachineError(
            f'the machine "{self.name}" is {state}; expected a running one',
            hint=hints.get(state, f'{me} = fk.up(...), then: await {me}   (the cell that makes "{self.name}")'),
        )

    # Commands

    def run(self, command: str, *, timeout: float = COMMAND_TIMEOUT) -> Ran:
        """Run a command on the machine. A command that fails raises nothing: its status is in the answer.

        Raises MachineError when the machine is not ready, WaitTimeout.
        """
        with (
            live_output(usual_times.key_of(command, self.name), look=self._phase_of(command)) as live,
            _ending_within(timeout, display.variable_of(self)),
        ):
            done = self.ask(command, timeout=timeout, on_output=live.hear)
        return Ran(
            machine=self.name,
            user=self._machine.spec.ssh_user,
            command=command,
            output=str(done),
            status=done.status,
            seconds=done.seconds,
        )

    def ask(
        self, command: str, *, timeout: float = COMMAND_TIMEOUT, on_output: Callable[[str], None] | None = None
    ) -> RunResult:
        """As `run`, with the bare result, for answers that are not displayed. `on_output` gets what comes meanwhile."""
        self.must_run()
        with self._hints:
            return self._machine.run(command, timeout=timeout, on_output=on_output)

    def type(self, lines: str, *, timeout: float = COMMAND_TIMEOUT) -> Typed:
        """Run several lines in one shell, as `%%on` does. Raises as `run`."""
        self.must_run()
        mark, user = cell_shell.new_mark(), self._machine.spec.ssh_user

        def read(said: str, status: int = 0) -> Typed:
            return Typed(commands=cell_shell.parse_answer(said, mark, machine=self.name, user=user, status=status))

        key, look = usual_times.key_of(lines, self.name), self._phase_of(lines)
        with (
            live_output(key, lambda said: repr(read(said)), look) as live,
            _ending_within(timeout, display.variable_of(self)),
        ):
            done = self.ask(cell_shell.command_for(lines, mark), timeout=timeout, on_output=live.hear)
        return read(str(done), done.status)

    def _phase_of(self, command: str) -> Callable[[], Phase]:
        """Return the question for a long command's phase: only the update client can tell it, and says nothing by itself."""

        def ask() -> Phase:
            with suppress(FlatkitError):
                inside = Inside(update=UPDATE.parse(self.ask(UPDATE.ask, timeout=_PHASE_TIMEOUT).stdout))
                return inside.doing, inside.share
            return "", None

        return ask if _UPDATES in command else lambda: ("", None)

    def page(self, port: int = 80, path: str = "", *, timeout: float = 15.0) -> WebPage:
        """Fetch a page that a port of the machine serves; wait up to `timeout` seconds for a first answer.

        Raises MachineError when the port is not forwarded or the machine is not ready, FetchError.
        """
        self.must_run()
        base, path = self.url(port), path.lstrip("/")
        url, link = base + path, page_url(urlsplit(base).port or port) + path
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = self._backend.get(url, timeout=max(1.0, deadline - time.monotonic()))
                return WebPage(url=url, status=answer.status, text=answer.text, link=link)
            except FetchError as error:
                if time.monotonic() >= deadline:
                    me = display.variable_of(self)
                    hint = f'{me}.run("systemctl --failed")   (does anything on "{self.name}" listen on port {port}?)'
                    raise FetchError(error.message, hint=hint) from None
            time.sleep(_PAGE_PAUSE)

    def open_shell(self, columns: int, rows: int) -> Shell:
        """Open an interactive login. Raises MachineError."""
        self.must_run()
        with self._hints:
            return self._machine.open_shell(columns=columns, rows=rows)

    # Files. Each note names the command that does the same in a terminal.

    def build_extension(self, name: str, *, package: str = "", os_id: str = "", version: str = "") -> Note:
        """Build NAME.raw in this folder, an extension for the system that this machine runs; with `os_id` for another one.

        It contains the package of its name, unless another is named. With `version` its file is named as in the
        sysext-bakery: NAME-VERSION-x86-64.raw. Raises MachineError, UsageError, InputError, ImageError.
        """
        from flatkit.api.extensions import fitted
        from flatkit.images.lab.extensions import recipe_for
        from flatkit.images.sysext import build

        self.must_run()
        recipe = fitted(replace(recipe_for(package or name, version), name=name), self._machine)
        if os_id:
            recipe = replace(recipe, os_id=os_id)
        target = Path(f"{name}-{version}-x86-64.raw" if version else f"{name}.raw")
        built = build(recipe, target=target)
        options = f" --package {package}" if package else ""
        options += f" --id {os_id}" if os_id else f" --for {self.name}"
        options += f" --version {version} -o {target}" if version else ""
        size = f"{target}: an extension for ID={recipe.os_id}, {built.size / 1e6:.1f} MB"
        return Note(lines=(size, f"in a terminal: flatkit sysext build {name}{options}"))

    def serve_extensions(self, port: int = extension_server.PORT) -> Note:
        """Offer each NAME-VERSION.raw of this folder to the machine's systemd-sysupdate, until `fk.clean()`.

        Run it again after a new version was built. Raises MachineError, InputError, and HostError when the port is taken.
        """
        self.must_run()
        return extension_server.serve(Path(), self._machine, port=port)

    def build_container(self, file: str | Path = "web.tar") -> Note:
        """Write a small container image to this folder: a web server and a page. Raises InputError, ImageError."""
        from flatkit.images.container import build_container_image

        made = build_container_image(Path(file))
        size = f"{made}: the container image flatkit/web:1, {made.stat().st_size / 1e6:.1f} MB"
        return Note(lines=(size, f"in a terminal: flatkit container build {made}"))

    def put(self, file: str | Path, target: str) -> Note:
        """Copy a file of this folder to a path on the machine, as root there. Raises MachineError, InputError, CommandFailed."""
        from flatkit.api.extensions import put

        self.must_run()
        with self._hints:
            line = put(self._machine, Path(file), target)
        return Note(lines=(f"{file} is on {self.name} now: {target}", f"in a terminal: {line}"))


@contextmanager
def _ending_within(seconds: float, me: str) -> Iterator[None]:
    """Say in the notebook's words how to wait longer: a cell with `%%on` has no place for a time."""
    try:
        yield
    except WaitTimeout as error:
        way = f'{me}.run("COMMAND", timeout={5 * seconds:g})   waits longer'
        raise WaitTimeout(f"the machine did not answer within {seconds:g} s", hint=way, details=error.details) from None
