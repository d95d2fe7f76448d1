"""A machine as a notebook holds it: verbs that return at once, `await` for those that take time, and a panel that is live.

There is one of them per name, so that running a cell again leaks nothing. It draws nothing itself: a view is told what to
show (panel.py), and may be another one some day.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from flatkit import paths
from flatkit.errors import FlatkitError, MachineError
from flatkit.events import Tee, phase
from flatkit.widgets import display, machine_info
from flatkit.widgets.asking import COMMAND_TIMEOUT, Backend
from flatkit.widgets.bringing import Bringing
from flatkit.widgets.job import Job
from flatkit.widgets.panel import Panel, as_text
from flatkit.widgets.progress import Progress, Refresher
from flatkit.widgets.results import Note, Times
from flatkit.widgets.twin import Twin
from flatkit.workshop import Config, TimelineKeeper, Wish

if TYPE_CHECKING:
    from flatkit.widgets.machine_view import MachineView
    from flatkit.widgets.terminal import TerminalPlace

_CANCEL_PATIENCE = 30.0


class LiveMachine(Bringing, Twin):
    """A machine by its name. `await m` waits until the job at hand is done, and raises why it failed."""

    def __init__(self, name: str, backend: Backend | None = None) -> None:
        super().__init__(name, backend)
        self._lock = threading.RLock()
        self._drawing = threading.Lock()
        self._refresher: Refresher | None = None
        self._view: MachineView | None = None
        self._place = display.Place()
        # What the last job has come to, in words, when that is not simply a machine that is ready.
        self._outcome = ""
        # What the last `fk.up` asked for: the same cell, run again while the machine boots, is no fault.
        self.asked: Any = None

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
            self._machine.run("true", timeout=COMMAND_TIMEOUT).check()

    def _keep(self, keeper: TimelineKeeper) -> None:
        self._times = Times(phases=tuple((title, seconds) for _, title, seconds in keeper.timeline.phases))

    def stop(self) -> Self:
        """Switch it off in order; its disk is kept. Returns at once. Raises MachineNotFound."""
        self._machine.folder.get()
        return self._begin("stopping", lambda _: self._machine.stop())

    def rewind(self, to: str | None = None) -> Self:
        """Go back to a checkpoint (`fresh`, unless named), in a second or two; returns at once. Raises MachineNotFound."""
        self._machine.folder.get()

        def work(cancel: threading.Event) -> None:
            self._outcome = str(self._machine.rewind(to=to, observer=self._progress, cancel=cancel))

        return self._begin("rewinding", work)

    def checkpoint(self, name: str) -> Self:
        """Save memory and disk under a name, to come back with `m.rewind(name)`. Returns at once. Raises MachineNotFound."""
        self._machine.folder.get()

        def work(_: threading.Event) -> None:
            self._outcome = f"checkpoint {self._machine.checkpoint(name, observer=self._progress)} is saved"

        return self._begin("saving", work)

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
            self._outcome = ""
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
            raise display.not_in_time(f'the machine "{self.name}" is still {job.title}', timeout)
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
            # Of one that was removed from outside, its boot is no longer news.
            phases=progress.phases if record or error or busy else (),
            said=progress.said,
            console=progress.console(),
            waiting=progress.waiting,
            outcome=self._outcome,
            seconds=job.seconds if job else 0.0,
            error=display.message_of(error),
            hint=getattr(error, "hint", ""),
            facts=machine_info.facts_of(record, self._machine.checkpoints) if record else (),
            about=machine_info.in_one_line(record) if record else "",
        )
        if state != "running" or record is None:
            return panel
        urls = tuple(
            f"http://127.0.0.1:{forward.host}/ leads to port {forward.guest}"
            for forward in record.forwards
            if forward.guest in {wanted.guest for wanted in record.spec.forwards}
        )
        return replace(panel, urls=urls, was_running=self._machine.booted.was_running)

    def look(self) -> None:
        """Show how it is now: another program, or a person, may have changed it."""
        if not self.is_busy:
            self._draw()

    def _draw(self) -> None:
        view = self._view
        if view is not None:
            with self._drawing:
                view.show(self.shown())

    def as_text(self) -> str:
        """Return the text twin."""
        return as_text(self.shown())

    def _ipython_display_(self) -> None:
        self.display()

    def display(self) -> None:
        """Show the panel below this cell; once in a cell, and after an `await` in one line."""
        if not self._place.is_new():
            return
        if self._place.was_awaited():
            display.publish_text(as_text(self.shown(), short=True))
            return
        view = self.view()
        self._draw()
        self._place.shown()
        display.publish(view, as_text(self.shown()))

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


# The machines that this notebook holds: one for each name, however often a cell is run.
_lock = threading.Lock()
# By state folder and name: another state folder is another world.
_held: dict[tuple[Path, str], LiveMachine] = {}


def get(name: str, make: Callable[[str], LiveMachine] = LiveMachine) -> LiveMachine:
    """The machine of that name, made when it is first asked for. Raises UsageError for a name that is none."""
    with _lock:
        key = (paths.state_dir(), name)
        if key not in _held:
            _held[key] = make(name)
        return _held[key]


def find(name: str) -> LiveMachine | None:
    """The machine of that name, if this notebook holds it."""
    with _lock:
        return _held.get((paths.state_dir(), name))


def held() -> list[LiveMachine]:
    """All of this state folder."""
    with _lock:
        state = paths.state_dir()
        return [machine for (folder, _), machine in _held.items() if folder == state]
