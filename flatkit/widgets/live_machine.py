"""The machine of a notebook: verbs that return at once, `await` for those that take time, and a live panel.

There is one object per name, so that running a cell again leaks nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from flatkit import paths
from flatkit.api import Config, TimelineKeeper, Wish
from flatkit.board.machine_verbs import choose_machine
from flatkit.board.seat import note
from flatkit.errors import FlatkitError, MachineError
from flatkit.events import Tee, phase
from flatkit.widgets import board_asks, display, machine_info
from flatkit.widgets.board_notes import MachineNotes
from flatkit.widgets.cell_hints import cell_hints, in_cells
from flatkit.widgets.display import Twin
from flatkit.widgets.job import Job, message_of, not_in_time
from flatkit.widgets.machine_card import MachineCard
from flatkit.widgets.machine_commands import COMMAND_TIMEOUT, MachineCommands, MachineDependencies
from flatkit.widgets.panel import Panel
from flatkit.widgets.progress import WorkProgress, keep_drawn
from flatkit.widgets.results import Note, Times
from flatkit.widgets.terminal import TerminalCard

_CANCEL_PATIENCE, _ASKED_PATIENCE = 30.0, 600.0
_Work = Callable[[threading.Event], None]


class LiveMachine(MachineCommands, Twin):
    """A machine by its name. `await m` waits for the job under way, and raises the error that it failed with."""

    def __init__(self, name: str, backend: MachineDependencies | None = None) -> None:
        super().__init__(name, backend)
        self._lock = threading.RLock()
        self._awaited_in: int | None = None
        # The result of the last job in words, where it is more than a running machine.
        self._outcome = ""
        # The last call of `fk.up`: the same cell, run again while the machine boots, is allowed.
        self.asked: Any = None
        verbs = (self.cancel, self.start, self.stop, self.restart, self.rewind, self.unplug)
        self.card = MachineCard(self, self.shown, {verb.__name__: verb for verb in verbs})

    # Verbs

    def boot(self, config: Config | None, wish: Wish, *, fresh: bool = False) -> Self:
        """Make the machine, or start the existing one; `fresh` replaces it. Returns at once."""

        def work(watcher: Tee, cancel: threading.Event) -> None:
            if fresh:
                self.forget_changes(versions=True)
                with phase(watcher, "remove", "Removing the old machine"):
                    self._machine.down()
            if config is None:
                self._start_again(watcher, cancel)
            else:
                self._machine.close()
                self._machine = self._backend.boot(config, wish, observer=watcher, cancel=cancel).machine

        return self._begin("booting", self._timed(work))

    def start(self) -> Self:
        """Switch it on; returns at once. Raises MachineNotFound."""
        self._machine.folder.get()
        return self.boot(None, Wish(name=self.name))

    def restart(self) -> Self:
        """Shut the machine down and start it again, its disk kept; returns at once. Raises MachineNotFound."""
        self._machine.folder.get()

        def work(watcher: Tee, cancel: threading.Event) -> None:
            with phase(watcher, "stop", "Shutting down"):
                self._machine.stop()
            self._start_again(watcher, cancel)

        return self._begin("restarting", self._timed(work))

    def _timed(self, work: Callable[[Tee, threading.Event], None]) -> _Work:
        """Wrap a boot, so that its phases become the timeline."""

        def timed(cancel: threading.Event) -> None:
            keeper = TimelineKeeper()
            work(Tee(self._progress, keeper, MachineNotes(self.name)), cancel)
            if not self._machine.booted.was_running:
                self._times = Times(phases=tuple((title, seconds) for _, title, seconds in keeper.timeline.phases))

        return timed

    def _start_again(self, watcher: Tee, cancel: threading.Event) -> None:
        self._machine.up(observer=watcher, cancel=cancel)
        with phase(watcher, "login", "SSH: first login and answer"):
            self._machine.run("true", timeout=COMMAND_TIMEOUT).check()

    def stop(self) -> Self:
        """Shut it down; its disk is kept. Returns at once. Raises MachineNotFound."""
        self._machine.folder.get()
        return self._begin("stopping", lambda _: self._machine.stop())

    def rewind(self, to: str | None = None) -> Self:
        """Return to a checkpoint (`fresh`, unless named), in a second or two; returns at once. Raises MachineNotFound."""
        self._machine.folder.get()

        def work(cancel: threading.Event) -> None:
            self.forget_changes(versions=True)  # the other slot is what it was then
            self._outcome = str(self._machine.rewind(to=to, observer=self._progress, cancel=cancel))
            self.forget_changes(versions=True)  # a look may have begun before the machine went back

        return self._begin("rewinding", work)

    def checkpoint(self, name: str) -> Self:
        """Save memory and disk under a name, for `m.rewind(name)`. Returns at once. Raises MachineNotFound."""
        self._machine.folder.get()

        def work(_: threading.Event) -> None:
            self._outcome = f"checkpoint {self._machine.checkpoint(name, observer=self._progress)} is saved"

        return self._begin("saving", work)

    def unplug(self) -> Note:
        """Pull the plug: off without warning, as in a power cut. Its disk is kept. Raises MachineNotFound."""
        self.cancel(wait=True)
        self._machine.unplug()
        self.card.draw()
        me = display.variable_of(self)
        return Note(lines=(f'the plug of "{self.name}" is pulled; {me}.restart() switches it on again',))

    def down(self) -> Note:
        """Remove the machine and its disk, if there is one. Never raises."""
        self.cancel(wait=True)
        was = self._machine.folder.exists()
        troubles = self._machine.down()
        self.forget()
        if troubles:
            return Note(lines=(f'"{self.name}" could not be removed: {troubles[0]}',), ok=False)
        gone = f'"{self.name}" is removed' if was else f'there is no machine "{self.name}": nothing to do'
        return Note(lines=(gone,))

    def forget(self) -> None:
        """Show that the machine is gone, and drop its last boot."""
        with self._lock:
            self._machine.close()
            self.forget_changes(versions=True)
            self._job, self._progress, self._times = None, WorkProgress(), Times()
        self.card.draw()

    def is_made_in(self, session: str) -> bool:
        """Return True if the machine was made in this session, or is not made yet."""
        record = self._machine.folder.peek()
        return record is None or record.made_by.session == session

    def cancel(self, *, wait: bool = False) -> None:
        """Ask the job under way to stop, if there is one. A machine that is being made is removed."""
        job = self._job
        if job and job.is_running:
            job.cancel()
            if wait:
                job.wait(_CANCEL_PATIENCE)

    def _begin(self, title: str, work: _Work) -> Self:
        with self._lock:
            if self._job and self._job.is_running:
                me = display.variable_of(self)
                raise MachineError(
                    f'the machine "{self.name}" is at work already: {self._job.title}',
                    hint=f"await {me}, or {me}.cancel(); then this cell again",
                )
            cancelled = threading.Event()
            self._outcome = ""
            self._progress = progress = WorkProgress(cancel=cancelled)
            self._job = job = Job(title, work, cancelled=cancelled)
            job.when_done(progress.changed.set)
            job.when_done(self._note_state)
            keep_drawn(self.card.draw, progress.changed, lambda: not job.is_running)
        return self

    def _note_state(self) -> None:
        with suppress(FlatkitError):
            record = self._machine.folder.peek()
            label = record.spec.label if record else ""
            note("machine", machine=self.name, state=str(self._machine.state), image=label)

    # Waiting

    def wait(self, timeout: float | None = None) -> Self:
        """As `await m`, for scripts. Raises the job's error, WaitTimeout after `timeout` seconds."""
        job = self._job
        if job is None:
            self.must_run()
            return self
        if not job.wait(timeout):
            raise not_in_time(f'the machine "{self.name}" is still {job.title}', timeout)
        if job.error:
            with cell_hints(display.variable_of(self), self.name):
                raise job.error
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        job = self._job
        if job is None:
            self.must_run()
        else:
            with cell_hints(display.variable_of(self), self.name):
                yield from job.__await__()
        self._awaited_in = display.cell_number()
        return self

    # Display

    def shown(self) -> Panel:
        """Return what the panel shows now."""
        job, progress = self._job, self._progress
        busy = bool(job and job.is_running)
        error = None if busy or job is None else job.error
        record = self._machine.folder.peek()
        try:
            state = job.title if busy and job else str(self._machine.state)
        except FlatkitError as fault:
            state, error = "unknown", error or fault
        is_running = state == "running" and record is not None
        return Panel(
            name=self.name,
            state=state,
            badge=f"{record.spec.label} (at its creation)" if record else "",
            job=job.title if busy and job else "",
            # The boot of a machine that was removed from outside is dropped.
            phases=progress.phases if record or error or busy else (),
            said=progress.said,
            console=progress.console(),
            waiting=progress.waiting,
            outcome=self._outcome,
            seconds=job.seconds if job else 0.0,
            error=message_of(error),
            hint=in_cells(getattr(error, "hint", ""), display.variable_of(self), self.name),
            facts=machine_info.facts_of(record, self._machine.checkpoints) if record else (),
            about=machine_info.in_one_line(record) if record else "",
            urls=machine_info.urls_of(record) if is_running and record else (),
            was_running=is_running and self._machine.booted.was_running,
        )

    def as_text(self) -> str:
        """Return the panel as text."""
        return self.shown().as_text()

    def _ipython_display_(self) -> None:
        self.display()

    def display(self) -> None:
        """Show the panel below this cell; in a cell that has awaited the machine, one line."""
        cell = display.cell_number()
        if cell is not None and self._awaited_in == cell and not self.card.is_shown:
            display.publish_text(self.shown().as_text(short=True))
        else:
            self.card.display()

    def terminal(self) -> TerminalCard:
        """A terminal on the machine, logged in, below this cell; the same one each time. Raises MachineError."""
        return self.card.open_terminal()


# The machines of this notebook: one for each name, however often a cell is run. Another state folder has others.
_registry = threading.Lock()
_held: dict[tuple[Path, str], LiveMachine] = {}


def get(name: str, make: Callable[[str], LiveMachine] = LiveMachine) -> LiveMachine:
    """Return the machine of that name, made on first use. Raises UsageError for an invalid name."""
    with _registry:
        key = (paths.state_dir(), name)
        if key not in _held:
            _held[key] = make(name)
        return _held[key]


def find(name: str) -> LiveMachine | None:
    """Return the machine of that name, if this notebook has one."""
    with _registry:
        return _held.get((paths.state_dir(), name))


def held() -> list[LiveMachine]:
    """Return all machines of this state folder."""
    with _registry:
        state = paths.state_dir()
        return [machine for (folder, _), machine in _held.items() if folder == state]


def _run_asked(kind: str, name: str) -> str:
    """Do what a trainer asked for and the learner allowed; the machine's panel shows the work."""
    machine = get(choose_machine(name))
    (machine.rewind() if kind == "rewind" else machine.restart()).wait(_ASKED_PATIENCE)
    return f'the machine "{machine.name}": {machine.shown().headline}'


board_asks.run_verb = _run_asked
