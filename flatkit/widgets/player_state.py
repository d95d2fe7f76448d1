"""The steps of a demo as they are played: their states, the gate before each, and how far the demo got, kept on disk.

After a restart of the kernel a demo continues where it was: <state>/played/NAME.json is written whole or not at all, and
removed when the demo is over or stopped. A malformed file is ignored.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypedDict

from flatkit import paths
from flatkit.errors import Cancelled
from flatkit.events import FactSeen, StepEnded, StepOutput, StepStarted
from flatkit.files import read_regular, save
from flatkit.steps import Demo
from flatkit.untrusted import parse_json
from flatkit.widgets import usual_times
from flatkit.widgets.moving_picture import MovingPicture, PictureState
from flatkit.widgets.progress import WorkProgress

_LONGEST_OUTPUT = 4000
_BYTES_MAX = 16 * 1024 * 1024
_PID_MAX = 2**31
_SECONDS_MAX = 7 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class StepShown:
    """A step with its result; `state` is waiting, next, running, ok or failed."""

    number: int
    title: str
    why: str
    command: str
    where: str
    state: str = "waiting"
    output: str = ""
    found: str = ""
    hint: str = ""
    seconds: float = 0.0

    @property
    def mark(self) -> str:
        """Its state as one character."""
        return {"ok": "✓", "failed": "✗", "running": "…", "next": "▶"}.get(self.state, "·")

    @property
    def prompt(self) -> str:
        """The prompt before its command in a terminal."""
        return "host$" if self.where == "host" else "core@machine$"


class StepState(TypedDict):
    """A step for the page. `doing` is what a running one does now; `share` is the part that is usually over by then."""

    number: int
    title: str
    why: str
    prompt: str
    command: str
    state: str
    mark: str
    output: str
    found: str
    hint: str
    seconds: float
    doing: str
    share: float | None


class PlayerState(TypedDict):
    """A demo for the page. `last` is the step that was played last, 0 without one; `picture` is what was changed."""

    name: str
    title: str
    verdict: str
    kind: str
    banner: str
    over: bool
    working: bool
    running: bool
    recordable: bool
    last: int
    picture: PictureState | None
    steps: list[StepState]


def step_state(step: StepShown, progress: PlayProgress) -> StepState:
    """Return a step for the page."""
    is_running = step.state == "running"
    return {
        "number": step.number,
        "title": step.title,
        "why": step.why,
        "prompt": step.prompt,
        "command": step.command,
        "state": step.state,
        "mark": step.mark,
        "output": step.output.rstrip(),
        "found": step.found,
        "hint": step.hint,
        "seconds": round(step.seconds, 1),
        "doing": doing(progress) if is_running else "",
        "share": progress.share if is_running else None,
    }


def doing(progress: PlayProgress) -> str:
    """Return the seconds of a running step, and of a boot in it the phase and the console's last line."""
    line = f"… {usual_times.in_words(progress.elapsed, progress.usual)}"
    rows = progress.phases
    if not rows or rows[-1].seconds is not None:
        return line
    phase = usual_times.in_words(rows[-1].elapsed(time.monotonic()), rows[-1].typical)
    console = progress.console(1)
    return f"{line}  {rows[-1].title} {phase}  {console[-1] if console else ''}".rstrip()


@dataclass(frozen=True, kw_only=True)
class PlayedSteps:
    """The steps that were played and passed; `recorded` when they came from a recording."""

    steps: tuple[StepShown, ...] = ()
    recorded: bool = False


def keep(demo: Demo, played: PlayedSteps) -> None:
    """Save the played steps. If the folder is not writable, only the place is lost."""
    values = {"pid": os.getpid(), "recorded": played.recorded, "steps": [asdict(step) for step in played.steps]}
    with suppress(OSError):
        file = _file(demo)
        file.parent.mkdir(parents=True, exist_ok=True)
        save(file, json.dumps(values) + "\n")


def forget(demo: Demo) -> None:
    """Remove the saved steps of a demo that is over."""
    with suppress(OSError):
        _file(demo).unlink(missing_ok=True)


def find(demo: Demo) -> PlayedSteps:
    """Return the steps that an earlier kernel played; none if that kernel is alive, or the demo has changed since."""
    try:
        values = parse_json(read_regular(_file(demo), limit=_BYTES_MAX))
        steps = tuple(_step(number, row) for number, row in enumerate(values["steps"], start=1))
        pid, recorded = values["pid"], values["recorded"]
        if type(pid) is not int or not 0 < pid < _PID_MAX or not isinstance(recorded, bool):
            raise ValueError("not written by this module")
    except (OSError, ValueError, KeyError, TypeError):
        return PlayedSteps()
    titles = [step.title for step in demo.steps][: len(steps)]
    whole = all(step.state == "ok" for step in steps) and len(steps) < len(demo.steps)
    if not whole or titles != [step.title for step in steps] or (pid != os.getpid() and _lives(pid)):
        return PlayedSteps()
    return PlayedSteps(steps=steps, recorded=recorded)


def _step(number: int, row: dict[str, Any]) -> StepShown:
    """Return a saved step. Raises ValueError, KeyError, TypeError."""
    values = {field.name: row[field.name] for field in fields(StepShown)}
    seconds = values.pop("seconds")
    texts = {name: value for name, value in values.items() if isinstance(value, str)}
    if values.pop("number") != number or len(texts) != len(values):
        raise ValueError("not a step of this demo")
    if type(seconds) not in {int, float} or not 0 <= seconds < _SECONDS_MAX:
        raise ValueError("not a number of seconds")
    return StepShown(number=number, seconds=seconds, **texts)


def _file(demo: Demo) -> Path:
    return paths.state_dir() / "played" / f"{demo.name.replace('/', '_')}.json"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


class PlayProgress(WorkProgress):
    """Keeps the steps and the progress of a boot, and makes the runner wait before each step until it is allowed."""

    def __init__(
        self,
        demo: Demo,
        cancel: threading.Event,
        kept: tuple[StepShown, ...] = (),
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(cancel=cancel)
        self.keep = keep
        self._stop = cancel
        self._gate = threading.Condition()
        self._allowed = 0
        # A recorded run says nothing about this host's usual times.
        self.is_live = True
        self.usual = 0.0
        self._step_began = time.monotonic()
        self._is_answered = True
        self._demo = demo.name
        self.steps: list[StepShown] = []
        self.restart(demo, kept)

    def restart(self, demo: Demo, kept: tuple[StepShown, ...] = ()) -> None:
        """Set all steps to waiting, but for those played before a change to the recording, or to another kernel."""
        self.steps = [
            StepShown(number=number, title=step.title, why=step.why, command=step.line, where=str(step.where))
            for number, step in enumerate(demo.steps, start=1)
        ]
        self.steps[: len(kept)] = kept
        self.picture = MovingPicture(demo)
        self._set(len(kept) + 1, state="next")

    @property
    def elapsed(self) -> float:
        """The seconds of the running step."""
        return time.monotonic() - self._step_began

    @property
    def share(self) -> float | None:
        """The part of the running step that is usually over by now, from 0 to 1; None when that is not known."""
        known = usual_times.share(self.elapsed, self.usual)
        waiting = self.waiting
        if known is None and waiting and waiting.remaining > 0 and not self.usual:
            known = waiting.elapsed / (waiting.elapsed + waiting.remaining)
        return known

    def hear(self, piece: str) -> None:
        """Take a piece of the running command's output in. The answer to a check's question is not shown."""
        running = next((step for step in self.steps if step.state == "running"), None)
        if piece and running and not self._is_answered:
            self._set(running.number, output=(running.output + piece)[-_LONGEST_OUTPUT:])

    def _begin(self, number: int) -> None:
        self._step_began, self._is_answered = time.monotonic(), False
        self.usual = usual_times.recall(self._key(number))
        self._set(number, state="running")

    def _key(self, number: int) -> str:
        return f"step {self._demo} {number}"

    def allow(self, number: int) -> None:
        """Allow the runner to play up to this step."""
        with self._gate:
            self._allowed = max(self._allowed, number)
            self._gate.notify_all()

    def stop(self) -> None:
        """Wake the runner and make it stop."""
        self._stop.set()
        with self._gate:
            self._gate.notify_all()

    def _set(self, number: int, **changes: Any) -> None:
        self.steps[number - 1] = replace(self.steps[number - 1], **changes)
        self.changed.set()

    def notify(self, event: Any) -> None:
        """Take an event in. The runner waits here, outside the lock of the other events.

        A recording may have more steps than the demo: these are ignored.
        """
        if isinstance(event, StepStarted | StepOutput | StepEnded | FactSeen) and not 1 <= event.number <= len(
            self.steps
        ):
            return
        if isinstance(event, StepStarted):
            self._set(event.number, state="next", command=event.command)
            with self._gate:
                self._gate.wait_for(lambda: self._allowed >= event.number or self._stop.is_set())
            if self._stop.is_set():
                raise Cancelled("the demo was stopped")
            self._begin(event.number)
        elif isinstance(event, StepOutput):
            self._is_answered = True
            self._set(event.number, output=event.text[:_LONGEST_OUTPUT])
        elif isinstance(event, FactSeen):
            self.picture.see(event)
            self.changed.set()
        elif isinstance(event, StepEnded):
            state = "ok" if event.ok else "failed"
            self._set(event.number, state=state, found=event.found, hint=event.hint, seconds=event.seconds)
            if event.ok and self.is_live:
                usual_times.remember(self._key(event.number), event.seconds)
            self.keep()
            if event.ok and event.number < len(self.steps):
                self._set(event.number + 1, state="next")
        else:
            super().notify(event)
