"""What a notebook asks of its machine: what it is, and questions to a running one. The verbs that take time are live.py's."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from flatkit import web, workshop
from flatkit.errors import FetchError, MachineError, MachineNotFound
from flatkit.machines import Machine, RunResult, Shell
from flatkit.widgets import cell_shell
from flatkit.widgets.guest_state import Look, look
from flatkit.widgets.job import Job
from flatkit.widgets.progress import Progress
from flatkit.widgets.results import Note, Page, Ran, Times, Typed
from flatkit.workshop import Upped

COMMAND_TIMEOUT = 120.0


@dataclass(frozen=True, kw_only=True)
class Backend:
    """What the verbs are done with; the tests give another one."""

    boot: Callable[..., Upped] = workshop.boot
    machine: Callable[[str], Machine] = Machine
    get: Callable[..., web.Response] = web.get


class Asking:
    """A machine by its name, as far as it can be asked; `_job` is what is done to it at the moment."""

    def __init__(self, name: str, backend: Backend | None = None) -> None:
        self._backend = backend or Backend()
        self._machine = self._backend.machine(name)
        self._job: Job | None = None
        self._progress = Progress()
        self._times = Times()

    # What it is

    @property
    def name(self) -> str:
        """The machine's name."""
        return self._machine.name

    @property
    def machine(self) -> Machine:
        """The machine itself, for a demo that is played on it."""
        return self._machine

    @property
    def state(self) -> str:
        """What it does now: running, stopped, failed, absent; while a job is at work: booting, restarting."""
        if self._job and self._job.is_running:
            return self._job.title
        return str(self._machine.state)

    @property
    def image(self) -> str:
        """The badge of its image: says whether it is Flatcar or the lab image. Raises MachineNotFound."""
        return self._machine.spec.label

    @property
    def timeline(self) -> Times:
        """Where the time of the last boot went."""
        return self._times

    @property
    def console(self) -> Note:
        """The last lines of its serial console."""
        return Note(lines=tuple(self._machine.console_tail(40)) or ("(nothing)",))

    def console_with(self, *words: str) -> Note:
        """The lines of its serial console in which one of these words stands, of earlier boots as well."""
        lines = [line for line in self._machine.console_tail(1_000_000) if any(word in line for word in words)]
        return Note(lines=tuple(lines) or (f"(no line with {' or '.join(words)})",))

    def console_lines(self, lines: int) -> list[str]:
        """As many of its last console lines, as plain text."""
        return self._machine.console_tail(lines)

    @property
    def slots(self) -> Look:
        """USR-A and USR-B: what each holds, which one runs, which one the next boot takes. Raises as `run`."""
        return Look(part="slots", inside=look(self.ask))

    @property
    def extensions(self) -> Look:
        """The layers of `/usr`: the image, and each system extension above it. Raises as `run`."""
        return Look(part="layers", inside=look(self.ask))

    def url(self, port: int) -> str:
        """The address on this host that leads to a port of the machine. Raises MachineError when none does."""
        try:
            return f"http://127.0.0.1:{self._machine.host_port(port)}/"
        except MachineNotFound:
            raise
        except MachineError as error:
            hint = f"name it when you make the machine: fk.up(..., ports=[{port}], fresh=True)"
            raise MachineError(error.message, hint=hint) from None

    def find_made(self) -> Machine | None:
        """The machine, if there is a whole one; None when it has to be made."""
        return self._machine if str(self._machine.state) not in {"absent", "leftover", "booting"} else None

    # Questions to a running one

    def run(self, command: str, *, timeout: float = COMMAND_TIMEOUT) -> Ran:
        """Type a command on the machine. Its status is in the answer: a command that fails raises nothing.

        Raises MachineError when the machine is not ready, WaitTimeout.
        """
        self.must_run()
        done = self._machine.run(command, timeout=timeout)
        return Ran(
            machine=self.name,
            user=self._machine.spec.ssh_user,
            command=command,
            output=str(done),
            status=done.status,
            seconds=done.seconds,
        )

    def ask(self, command: str, *, timeout: float = COMMAND_TIMEOUT) -> RunResult:
        """As `run`, with the bare result: for questions that nobody is shown. Raises as `run`."""
        self.must_run()
        return self._machine.run(command, timeout=timeout)

    def type(self, lines: str, *, timeout: float = COMMAND_TIMEOUT) -> Typed:
        """Type several lines in one shell; what `%%on` does. Raises as `run`."""
        self.must_run()
        mark = cell_shell.new_mark()
        done = self._machine.run(cell_shell.command_for(lines, mark), timeout=timeout)
        user = self._machine.spec.ssh_user
        return Typed(
            commands=cell_shell.parse_answer(str(done), mark, machine=self.name, user=user, status=done.status)
        )

    def page(self, port: int = 80, path: str = "", *, timeout: float = 15.0) -> Page:
        """What a port of the machine serves, as this host sees it; waits up to `timeout` seconds for a first answer.

        Raises MachineError when the port is not forwarded or the machine is not ready, FetchError.
        """
        self.must_run()
        url = self.url(port) + path.lstrip("/")
        deadline = time.monotonic() + timeout
        while True:
            try:
                answer = self._backend.get(url, timeout=max(1.0, deadline - time.monotonic()))
                return Page(url=url, status=answer.status, text=answer.text)
            except FetchError as error:
                if time.monotonic() >= deadline:
                    hint = f'm.run("systemctl --failed")   (does anything on "{self.name}" listen on port {port}?)'
                    raise FetchError(error.message, hint=hint) from None
            time.sleep(0.3)  # between two looks at a condition

    def open_shell(self, columns: int, rows: int) -> Shell:
        """A login for a person's keys. Raises MachineError."""
        self.must_run()
        return self._machine.open_shell(columns=columns, rows=rows)

    def must_run(self) -> None:
        """Raises MachineError with what to do, unless the machine is ready."""
        if self._job and self._job.is_running:
            rows = self._progress.phases
            where = f' (phase "{rows[-1].title}")' if rows else ""
            raise MachineError(
                f'the machine "{self.name}" is not ready yet: {self._job.title}{where}',
                hint="await m   in a cell of its own, then this cell again",
            )
        state = str(self._machine.state)
        if state == "running":
            return
        hints = {"stopped": "m.restart(), then: await m", "failed": "m.console   shows its last words; then m.down()"}
        raise MachineError(
            f'the machine "{self.name}" is {state}; expected a running one',
            hint=hints.get(state, f'm = fk.up(...), then: await m   (the cell that makes "{self.name}")'),
        )
