"""The steps of a demo as they are played: their states for the page, and what a running one does."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypedDict

from flatkit.demos.presentation import Mark, Presentation
from flatkit.demos.presenting import LivePlay, RecordedPlay
from flatkit.errors import FlatkitError
from flatkit.events import FactSeen, StepEnded, StepOutput, StepStarted
from flatkit.steps import Demo, Step
from flatkit.widgets import usual_times
from flatkit.widgets.moving_picture import MovingPicture, PictureState
from flatkit.widgets.played_steps import StepShown
from flatkit.widgets.player_gate import PlayGate

_LONGEST_OUTPUT = 4000


class StepState(TypedDict):
    """A step for the page. `doing` is what a running one does now; `share` is the part that is usually over by then.

    `move` is what can be done at it: "rewind" to before it, "jump" to it, or "".
    """

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
    move: str


class PlayerState(TypedDict):
    """A demo for the page. `last` is the step that was played last, 0 without one; `picture` is what was changed.

    `again` and `skip` say whether these can be asked for now.
    """

    name: str
    title: str
    verdict: str
    kind: str
    banner: str
    over: bool
    working: bool
    running: bool
    recordable: bool
    again: bool
    skip: bool
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
        "move": progress.move_at(step.number),
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


_MARK_OF = {"ok": Mark.OK, "failed": Mark.FAILED, "skipped": Mark.SKIPPED}


def _shown(number: int, step: Step) -> StepShown:
    return StepShown(number=number, title=step.title, why=step.why, command=step.line, where=str(step.where))


class PlayProgress(PlayGate):
    """Keeps the steps and the progress of a boot, and what the user wants."""

    def __init__(
        self,
        demo: Demo,
        cancel: threading.Event,
        kept: tuple[StepShown, ...] = (),
        keep: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(Presentation.of(demo), cancel)
        self.keep = keep
        self.working_on = ""
        self.refusal: FlatkitError | None = None
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
        self._demo_steps = demo.steps
        self.steps = [_shown(number, step) for number, step in enumerate(demo.steps, start=1)]
        self.steps[: len(kept)] = kept
        self.show = Presentation.of(demo)
        for step in kept:
            self.show = self.show.ended(step.number, _MARK_OF.get(step.state, Mark.OK))
        if kept and self.show.at < self.show.total:
            self.show = self.show.next().to
        # As it was before each step, for a rewind.
        self.picture = MovingPicture(demo)
        self._pictures: dict[int, MovingPicture] = {}
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

    def _begin(self, number: int, command: str) -> None:
        self._step_began, self._is_answered = time.monotonic(), False
        self.usual = usual_times.recall(self._key(number))
        self._pictures.setdefault(number, copy.deepcopy(self.picture))
        for step in [step for step in self.steps if step.state == "next"]:
            self._set(step.number, state="waiting")
        self._set(number, state="running", command=command, output="", found="", hint="", seconds=0.0)

    def _key(self, number: int) -> str:
        return f"step {self._demo} {number}"

    @property
    def is_working(self) -> bool:
        """True while a step runs, or something is done between two steps."""
        return self._is_playing or bool(self.in_between)

    @property
    def _is_playing(self) -> bool:
        return any(step.state == "running" for step in self.steps)

    @property
    def in_between(self) -> str:
        """The work while no step runs: a rewind, or a phase such as the updates that are made before the first step."""
        rows = self.phases
        if self.working_on or self._is_playing or not rows or rows[-1].seconds is not None:
            return self.working_on
        return f"{rows[-1].title}, {rows[-1].elapsed(time.monotonic()):.0f} s"

    # What the player's thread does

    def take(self, show: Presentation) -> None:
        """Take over where the presentation is."""
        super().take(show)
        for step in self.steps:
            if show.mark(step.number) is Mark.SKIPPED and step.state != "skipped":
                self._set(step.number, state="skipped")

    def announce(self, act: LivePlay | RecordedPlay) -> None:
        """Show the step that is next, with its command as it will be typed."""
        number = self.show.at
        if self.has_failed:
            return
        self._set(number, state="next")
        with suppress(FlatkitError):
            self._set(number, command=act.line(number))

    def work(self, words: str) -> None:
        """Show what is done between two steps."""
        self.working_on = words
        self.changed.set()

    def refuse(self, error: FlatkitError) -> None:
        """Show why a move was not made."""
        self.refusal = error
        self.changed.set()

    def forget_from(self, number: int) -> None:
        """Show the steps from this one on as not played, and the picture as it was."""
        for step, told in list(zip(self._demo_steps, self.steps, strict=True))[number - 1 :]:
            self.steps[told.number - 1] = _shown(told.number, step)
        self.picture = self._pictures.get(number, self.picture)
        self._pictures = {at: picture for at, picture in self._pictures.items() if at < number}
        self.changed.set()

    def move_at(self, number: int) -> str:
        """Return what can be done at a step: "rewind", "jump" or ""."""
        if not self.is_free:
            return ""
        if number > self.show.at:
            return "jump"
        return "" if self.show.mark(number) is Mark.WAITING else "rewind"

    def _set(self, number: int, **changes: Any) -> None:
        self.steps[number - 1] = replace(self.steps[number - 1], **changes)
        self.changed.set()

    def notify(self, event: Any) -> None:
        """Take an event in.

        A recording may have more steps than the demo: these are ignored.
        """
        if isinstance(event, StepStarted | StepOutput | StepEnded | FactSeen) and not 1 <= event.number <= len(
            self.steps
        ):
            return
        if isinstance(event, StepStarted):
            self._begin(event.number, event.command)
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
        else:
            super().notify(event)
