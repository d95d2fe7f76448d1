"""A machine as a notebook holds it: verbs that return at once, `await` for those that take time, and a panel that is live.

There is one of them per name, so that running a cell again leaks nothing. It draws nothing itself: a view is told what to
show (panel.py), and may be another one some day.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from flatkit import web, workshop
from flatkit.errors import FetchError, FlatkitError, MachineError, MachineNotFound
from flatkit.events import Tee, phase
from flatkit.machines import Machine, RunResult, Shell
from flatkit.widgets import cell_shell, front
from flatkit.widgets.inside import Look, look
from flatkit.widgets.job import Job
from flatkit.widgets.panel import Panel, as_text
from flatkit.widgets.progress import Progress, Refresher
from flatkit.widgets.results import Note, Page, Ran, Times, Typed
from flatkit.workshop import Config, TimelineKeeper, Upped, Wish

if TYPE_CHECKING:
    from flatkit.widgets.machine_view import MachineView
    from flatkit.widgets.terminal import TerminalPlace

_COMMAND_TIMEOUT = 120.0
_CANCEL_PATIENCE = 30.0


@dataclass(frozen=True, kw_only=True)
class Backend:
    """What the verbs are done with; the tests give another one."""

    boot: Callable[..., Upped] = workshop.boot
    machine: Callable[[str], Machine] = Machine
    get: Callable[..., web.Response] = web.get


class LiveMachine:
    """A machine by its name. `await m` waits until the job at hand is done, and raises why it failed."""

    def __init__(self, name: str, backend: Backend | None = None) -> None:
        self._backend = backend or Backend()
        self._machine = self._backend.machine(name)
        self._lock = threading.RLock()
        self._drawing = threading.Lock()
        self._job: Job | None = None
        self._refresher: Refresher | None = None
        self._progress = Progress()
        self._times = Times()
        self._view: MachineView | None = None
        self._place = front.Place()
        # What the last `fk.up` asked for: the same cell, run again while the machine boots, is no fault.
        self.asked: Any = None

    # What it is

    @property
    def name(self) -> str:
        """The machine's name."""
        return self._machine.name

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

    def run(self, command: str, *, timeout: float = _COMMAND_TIMEOUT) -> Ran:
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

    def ask(self, command: str, *, timeout: float = _COMMAND_TIMEOUT) -> RunResult:
        """As `run`, with the bare result: for questions that nobody is shown. Raises as `run`."""
        self.must_run()
        return self._machine.run(command, timeout=timeout)

    def type(self, lines: str, *, timeout: float = _COMMAND_TIMEOUT) -> Typed:
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

    # Verbs

    def boot(self, config: Config | None, wish: Wish, *, fresh: bool = False) -> Self:
        """Make the machine, or start the one that is there; returns at once. `fresh` replaces the one that is there."""

        def work(cancel: threading.Event) -> None:
            keeper = TimelineKeeper()
            watcher = Tee(self._progress, keeper)
            if fresh:
                with phase(watcher, "remove", "Removing the old machine"):
                    self._machine.down()
            if config is None:
                self._start_again(watcher, cancel)
            else:
                self._machine.close()
                self._machine = self._backend.boot(config, wish, observer=watcher, cancel=cancel).machine
            if not self._machine.booted.was_running:
                self._keep(keeper)

        return self._begin("booting", work)

    def start(self) -> Self:
        """Switch it on, as it is; returns at once. Raises MachineNotFound."""
        self._machine.folder.get()
        return self.boot(None, Wish(name=self.name))

    def restart(self) -> Self:
        """Switch the machine off in order and on again, its disk kept; returns at once. Raises MachineNotFound."""
        self._machine.folder.get()

        def work(cancel: threading.Event) -> None:
            keeper = TimelineKeeper()
            watcher = Tee(self._progress, keeper)
            with phase(watcher, "stop", "Switching off"):
                self._machine.stop()
            self._start_again(watcher, cancel)
            self._keep(keeper)

        return self._begin("restarting", work)

    def _start_again(self, watcher: Tee, cancel: threading.Event) -> None:
        self._machine.up(observer=watcher, cancel=cancel)
        with phase(watcher, "login", "SSH: first login and answer"):
            self._machine.run("true", timeout=_COMMAND_TIMEOUT).check()

    def _keep(self, keeper: TimelineKeeper) -> None:
        self._times = Times(phases=tuple((title, seconds) for _, title, seconds in keeper.timeline.phases))

    def stop(self) -> Self:
        """Switch it off in order; its disk is kept. Returns at once. Raises MachineNotFound."""
        self._machine.folder.get()
        return self._begin("stopping", lambda _: self._machine.stop())

    def unplug(self) -> Note:
        """Pull the plug: off without warning, as in a power cut. Its disk is kept. Raises MachineNotFound."""
        self.cancel(wait=True)
        self._machine.unplug()
        self._draw()
        return Note(lines=(f'the plug of "{self.name}" is pulled; m.restart() switches it on again',))

    def down(self) -> Note:
        """Remove the machine and its disk. Removing one that is not there is fine; never raises."""
        self.cancel(wait=True)
        was = self._machine.folder.exists()
        troubles = self._machine.down()
        self.forget()
        if troubles:
            return Note(lines=(f'"{self.name}" could not be removed: {troubles[0]}',), ok=False)
        return Note(
            lines=(f'"{self.name}" is removed' if was else f'there is no machine "{self.name}": nothing to do',)
        )

    def forget(self) -> None:
        """The machine is gone: show that, and nothing of its boot."""
        with self._lock:
            self._machine.close()
            self._job, self._progress, self._times = None, Progress(), Times()
        self._draw()

    def cancel(self, *, wait: bool = False) -> None:
        """Ask the job at hand to stop; a machine in the making is undone. Does nothing when nothing is at work."""
        job = self._job
        if job and job.is_running:
            job.cancel()
            if wait:
                job.wait(_CANCEL_PATIENCE)

    def _begin(self, title: str, work: Callable[[threading.Event], None]) -> Self:
        with self._lock:
            if self._job and self._job.is_running:
                raise MachineError(
                    f'the machine "{self.name}" is at work already: {self._job.title}',
                    hint="await m, or m.cancel(); then this cell again",
                )
            cancelled = threading.Event()
            self._progress = progress = Progress(cancel=cancelled)
            self._job = job = Job(title, work, cancelled=cancelled)
            job.when_done(progress.changed.set)
            self._refresher = Refresher(self._draw, progress.changed, lambda: not job.is_running)
        return self

    @property
    def is_busy(self) -> bool:
        """Whether a job is at work."""
        return bool(self._job and self._job.is_running)

    def wait(self, timeout: float | None = None) -> Self:
        """As `await m`, for scripts. Raises why the job failed, WaitTimeout after `timeout` seconds."""
        job = self._job
        if job is None:
            self.must_run()
            return self
        if not job.wait(timeout):
            raise front.not_in_time(f'the machine "{self.name}" is still {job.title}', timeout)
        if job.error:
            raise job.error
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        job = self._job
        if job is None:
            self.must_run()
        else:
            yield from job.__await__()
        self._place.awaited()
        return self

    # How it shows

    def shown(self) -> Panel:
        """What the panel shows now."""
        job, progress = self._job, self._progress
        busy = bool(job and job.is_running)
        error = None if busy or job is None else job.error
        record = self._machine.folder.find()
        try:
            state = job.title if busy and job else str(self._machine.state)
        except FlatkitError as fault:
            state, error = "unknown", error or fault
        panel = Panel(
            name=self.name,
            state=state,
            badge=record.spec.label if record else "",
            job=job.title if busy and job else "",
            phases=progress.phases,
            said=progress.said,
            console=progress.console(),
            waiting=progress.waiting,
            seconds=job.seconds if job else 0.0,
            error=front.message_of(error),
            hint=getattr(error, "hint", ""),
        )
        if state != "running" or record is None:
            return panel
        urls = tuple(
            f"http://127.0.0.1:{forward.host}/ leads to port {forward.guest}"
            for forward in record.forwards
            if forward.guest in {wanted.guest for wanted in record.spec.forwards}
        )
        return replace(panel, urls=urls, was_running=self._machine.booted.was_running)

    def _draw(self) -> None:
        view = self._view
        if view is not None:
            with self._drawing:
                view.show(self.shown())

    def __repr__(self) -> str:
        return as_text(self.shown())

    __str__ = __repr__

    def _ipython_display_(self) -> None:
        self.display()

    def display(self) -> None:
        """Show the panel below this cell; once in a cell, and after an `await` in one line."""
        if not self._place.is_new():
            return
        if self._place.was_awaited():
            front.publish_text(as_text(self.shown(), short=True))
            return
        view = self.view()
        self._draw()
        self._place.shown()
        front.publish(view, as_text(self.shown()))

    def view(self) -> MachineView:
        """The one view of this machine, which every cell shows."""
        from flatkit.widgets.machine_view import MachineView

        with self._lock:
            if self._view is None:
                self._view = MachineView(self)
            return self._view

    def terminal(self) -> TerminalPlace:
        """A terminal on the machine, logged in, below this cell; the same one each time. Raises MachineError."""
        return self.view().open_terminal()
