"""Play a demo in a notebook: one step at a time or all of them, each with why, command, output and check mark.

The same runner and the same steps as in the terminal; the runner waits before each step until the user wants it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, suppress
from itertools import takewhile
from typing import Any, Self

from flatkit import api, host
from flatkit.api.demo_env import LocalStage
from flatkit.demos import get_demo
from flatkit.demos.presenting import LivePlay, RecordedPlay
from flatkit.demos.recording import Recording, find_recording, get_recording
from flatkit.demos.runner import DemoResult, Stage
from flatkit.errors import FlatkitError, MachineError, UsageError, WaitTimeout
from flatkit.events import Said
from flatkit.machines import Creator
from flatkit.untrusted import lines_of
from flatkit.widgets import display, played_steps, player_state
from flatkit.widgets.card import Card
from flatkit.widgets.job import Job, message_of, not_in_time
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.played_steps import PlayedSteps, StepShown
from flatkit.widgets.player_moves import PlayerMoves
from flatkit.widgets.player_state import PlayerState, PlayProgress
from flatkit.widgets.player_steps import play_steps
from flatkit.widgets.progress import WorkProgress, keep_drawn

# Time that a live run may take to end when it is replaced by its recording; one that hangs ends behind the recorded one.
_STOP_PATIENCE = 5.0
_OUTPUT_LINES = 15
# Returns the stage that a demo is played on: image, keep and cancel by keyword.
Stages = Callable[..., AbstractContextManager[Stage]]


class Player(PlayerMoves, Card):
    """A demo that is being played. `next` and `all` return at once; `await` plays all that is left and waits."""

    bundle = "player"

    def __init__(
        self,
        name: str,
        *,
        image: str = "auto",
        keep: bool = False,
        recorded: bool = False,
        speed: float = 1.0,
        checkpoints: bool = False,
        stages: Stages = api.stage,
        guest: LiveMachine | None = None,
    ) -> None:
        super().__init__()
        self.demo = get_demo(name)
        self._guest = guest
        if guest is not None and len(self.demo.machines) != 1:
            many = "several machines" if self.demo.machines else "no machine"
            raise UsageError(f'the demo "{name}" needs {many}, and cannot be played on a machine of yours',
                             hint=f'fk.play("{name}")')  # fmt: skip
        self.recording: Recording | None = None
        self.banner = ""
        self._wants_recorded, self._speed, self._saves = recorded, speed, checkpoints
        self.result: DemoResult | None = None
        self._image, self._keep, self._stages = image, keep, stages
        self._lock = threading.RLock()
        self._cancel = threading.Event()
        # Steps that were played before the kernel was restarted are shown, and need not be played again.
        self._found = played_steps.find(self.demo)
        self._progress = self._new_progress(self._found.steps)
        self._job: Job | None = None

    def _new_progress(self, kept: tuple[StepShown, ...] = ()) -> PlayProgress:
        made = PlayProgress(self.demo, self._cancel, kept, self._keep_place)
        made.is_live = self.recording is None
        if self.recording is not None:
            made.take(made.show.recorded())
        return made

    def _keep_place(self) -> None:
        done = tuple(takewhile(lambda step: step.state == "ok", self.steps))
        if any(step.state == "ok" for step in self.steps[len(done) :]):
            done = ()  # steps were left out: the next kernel begins again
        played_steps.keep(self.demo, PlayedSteps(steps=done, recorded=self.recording is not None))

    @property
    def steps(self) -> tuple[StepShown, ...]:
        """The steps with their current states."""
        return tuple(self._progress.steps)

    @property
    def progress(self) -> WorkProgress:
        """The progress of a boot inside a step."""
        return self._progress

    @property
    def is_running(self) -> bool:
        """True if the demo has begun and is not over."""
        return bool(self._job and self._job.is_running)

    @property
    def is_over(self) -> bool:
        """True if it was played, to its end or until a step failed."""
        return bool(self._job and not self._job.is_running)

    @property
    def is_working(self) -> bool:
        """True if a step is being played now."""
        return self.is_running and self._progress.is_working

    @property
    def is_moving(self) -> bool:
        """True if a step is being played now."""
        return self.is_working

    @property
    def can_be_recorded(self) -> bool:
        """True if there is a recording to continue with."""
        return self.recording is None and find_recording(self.demo.name) is not None

    @property
    def ok(self) -> bool:
        """True if every step was played and its check passed."""
        return bool(self.result and self.result.ok)

    @property
    def error(self) -> BaseException | None:
        """The error that ended the demo, if it was not a failed check."""
        return self._job.error if self._job else None

    def next(self) -> Self:
        """Play one more step; after the end, begin again. Raises UsageError after a step that failed."""
        with self._lock:
            self._again_if_over()
            self._refuse_after_failure()
            self.start()
            self._progress.allow_next()
            return self

    def all(self) -> Self:
        """Play all that is left; after the end, begin again. Raises UsageError after a step that failed."""
        with self._lock:
            self._again_if_over()
            self._refuse_after_failure()
            self.start()
            self._progress.allow_all()
            return self

    def stop(self) -> None:
        """Stop, and remove the demo's machines. Does nothing when nothing is played."""
        self._progress.stop()

    def wait(self, timeout: float | None = None) -> Self:
        """Wait for the end of what is being played. Raises WaitTimeout."""
        if self._job and not self._job.wait(timeout):
            raise not_in_time(f'the demo "{self.demo.name}" is still being played', timeout)
        return self

    def _again_if_over(self) -> None:
        if self.is_over:
            self._begin_afresh()

    def _refuse_after_failure(self) -> None:
        if self.is_running and self._progress.has_failed:
            raise UsageError(self._progress.now.next().said, hint="w rewinds to before it; Stop ends the demo")

    def start(self) -> None:
        """Start the thread that plays what is allowed. Does nothing when it is there."""
        if self._job is not None:
            return
        self.choose()
        progress = self._progress
        self._job = job = Job(f"playing {self.demo.name}", self._work, cancelled=self._cancel)
        job.when_done(progress.changed.set)
        keep_drawn(self.draw, progress.changed, lambda: not job.is_running)

    def recorded(self) -> Self:
        """Continue with the recorded run from the next step; a live run is stopped. Raises InputError without a recording."""
        recording = get_recording(self.demo.name)
        was_running, done = self.is_running, self._progress.show.at - 1
        if was_running:
            self.stop()
            with suppress(WaitTimeout):
                self.wait(_STOP_PATIENCE)
        with self._lock:
            kept = self.steps[:done] if was_running else ()
            self._again_if_over()
            self._begin_recorded(recording, kept)
            self.draw()
        return self

    def _begin_recorded(self, recording: Recording, kept: tuple[StepShown, ...] = ()) -> None:
        self.recording, self.banner = recording, recording.banner
        self._begin_afresh(kept)

    def _begin_afresh(self, kept: tuple[StepShown, ...] = ()) -> None:
        self._cancel = threading.Event()
        self._found = PlayedSteps()
        self._progress = self._new_progress(kept)
        self._job, self.result = None, None

    def choose(self) -> None:
        """Choose the recorded run if it is wanted, or if no machine can boot and no image was named."""
        if self.recording is not None or self._job is not None:
            return
        if self._found.recorded and find_recording(self.demo.name):
            self._begin_recorded(get_recording(self.demo.name), self._found.steps)
        elif self._wants_recorded:
            self._begin_recorded(get_recording(self.demo.name))
        elif self._guest is None and self._image == "auto" and any(step.boot for step in self.demo.steps):
            obstacle = host.find_obstacle()
            if obstacle and find_recording(self.demo.name):
                self._begin_recorded(get_recording(self.demo.name))
                self.banner = f"no machine can boot here ({obstacle}), so you see a recorded run: {self.banner}"

    def _work(self, cancel: threading.Event) -> DemoResult:
        progress = self._progress
        try:
            return self._play(progress, cancel)
        finally:
            # Before the job is over: a player that is made then begins again. The recording keeps a place of its own.
            if progress is self._progress:
                played_steps.forget(self.demo)

    def _play(self, progress: PlayProgress, cancel: threading.Event) -> DemoResult:
        if self.recording is not None:
            recorded = RecordedPlay(self.recording, progress, speed=self._speed, cancel=cancel)
            self.result = play_steps(recorded, progress, self.demo.name)
            return self.result
        where: dict[str, Any] = {"configs": self.demo.folder} if self.demo.folder else {}
        where["made_by"] = Creator(session=display.session(), task=f"demo {self.demo.name}")
        if self._guest is not None:
            self._guest.must_run()
            where["guest"] = self._guest.machine
        if self._saves:
            where["reuse"] = True  # a machine that is booted again goes back to its first boot
        with self._stages(image=self._image, keep=self._keep, cancel=cancel, **where) as stage:
            if isinstance(stage, LocalStage):
                stage.heard = progress.hear
            self._take_over(stage)
            result = play_steps(LivePlay(self.demo, stage, progress, saves=self._saves), progress, self.demo.name)
        if progress is self._progress:  # else the user has left it for the recording
            self.result = result
        return result

    def _take_over(self, stage: Stage) -> None:
        """Take the machines of the played steps over; where they are gone, begin with step 1."""
        done = len(self._found.steps)
        if not done:
            return
        try:
            # An update server went with its kernel, and its machines know its address.
            if self.demo.offers:
                raise MachineError("the demo's update server went with its kernel")
            for step in self.demo.steps[:done]:
                if step.boot:
                    stage.adopt(step.boot)
        except FlatkitError as error:
            self._found = PlayedSteps()
            self._progress.forget_move()
            self._progress.restart(self.demo)
            self._progress.notify(Said(text=f"begun again from the first step: {error.message}"))

    def __await__(self) -> Generator[Any, None, Self]:
        with self._lock:
            if not self.is_over:
                self.start()
                self._progress.allow_all()
            job = self._job
        assert job is not None
        yield from job.__await__()
        return self

    # Display

    def state(self) -> PlayerState:
        """Return the demo, its steps, and which buttons may be pressed."""
        played = [step.number for step in self.steps if step.state in {"ok", "failed"}]
        refusal = self.refusal or self._progress.refusal
        has_failed = self.is_running and self._progress.has_failed
        is_bad = refusal or has_failed or self.error or (self.is_over and not self.ok)
        return {
            "name": self.demo.name,
            "title": self.demo.title,
            "verdict": str(refusal) if refusal else self.verdict,
            "kind": "bad" if is_bad else "ok" if self.ok else "dim",
            "banner": self.banner,
            "over": self.is_over,
            "working": self.is_working,
            "running": self.is_running,
            "recordable": self.can_be_recorded,
            "again": self._may(self._progress.now.again()),
            "skip": self._may(self._progress.now.skip()),
            "last": played[-1] if played else 0,
            "picture": self._progress.picture.state(),
            "steps": [player_state.step_state(step, self._progress) for step in self.steps],
        }

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return what the buttons and keys do."""
        return {
            "next": self.next, "all": self.all, "stop": self.stop, "recorded": self.recorded, "again": self.again,
            "skip": self.skip, "rewind": self.rewind, "jump": self.jump,
        }  # fmt: skip

    def as_text(self) -> str:
        """Return the text of the card."""
        lines = [f"{self.demo.title} ({self.demo.name}): {self.verdict}", *([self.banner] if self.banner else [])]
        for step in self.steps:
            lines.append(f"{step.mark} {step.number}/{len(self.steps)}  {step.title}")
            if step.state == "waiting":
                continue
            lines += [f"    {step.why}", f"    {step.prompt} {step.command}"]
            lines += [f"    {player_state.doing(self._progress)}"] if step.state == "running" else []
            lines += [f"      {line}" for line in lines_of(step.output.rstrip())[:_OUTPUT_LINES]]
            lines += [f"    {step.mark} {step.found}"] if step.found else []
            lines += [f"    Next: {step.hint}"] if step.hint else []
        if picture := self._progress.picture.as_text():
            lines += ["", picture]
        return "\n".join(lines)

    @property
    def verdict(self) -> str:
        """The state in a few words."""
        if self.error:
            return message_of(self.error)
        if self.is_over:
            return "every check passed" if self.ok else "a step failed"
        if doing := self._progress.in_between:
            return f"{doing} …"
        if self._progress.has_failed:
            return f"a step failed: {self._progress.now.next().said}"
        done = sum(step.state == "ok" for step in self.steps)
        if self._job is None and done:
            return f"{done} of {len(self.steps)} steps were played before the kernel restarted"
        return f"{done} of {len(self.steps)} steps played" if self._job else f"{len(self.steps)} steps"


_players: dict[str, Player] = {}
_registry = threading.Lock()


def get_player(
    name: str,
    *,
    image: str = "auto",
    keep: bool = False,
    recorded: bool = False,
    speed: float = 1.0,
    checkpoints: bool = False,
    guest: LiveMachine | None = None,
) -> Player:
    """Return the player of that demo, a new one unless it is being played. Raises UsageError."""
    with _registry:
        known = _players.get(name)
        if known is None or not known.is_running:
            known = _players[name] = Player(
                name, image=image, keep=keep, recorded=recorded, speed=speed, checkpoints=checkpoints, guest=guest
            )
        return known


def stop_all() -> None:
    """Stop every demo that is being played, and wait until its machines are removed."""
    with _registry:
        playing = [player for player in _players.values() if player.is_running]
    for player in playing:
        player.stop()
    for player in playing:
        if player.is_running:
            player.wait(60)
