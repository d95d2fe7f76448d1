"""Plays any demo: runs each step's command for real, then its check, and reports both to an observer.

A small protocol hides where the commands run, so that the notebook, the terminal and the tests share this loop.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain, repeat
from typing import Any, Protocol

from flatkit.errors import FlatkitError
from flatkit.events import FactSeen, Observer, Said, StepEnded, StepOutput, StepStarted
from flatkit.steps import Boot, Demo, Step, Verdict, Where, answers, together
from flatkit.waiting import wait_until


class Stage(Protocol):
    """The place where a demo's commands run. Output is text, errors included; a failed command returns text as well."""

    def boot(self, boot: Boot, observer: Observer) -> str:
        """Boot a machine and return the result in one line; later guest commands go there."""

    def adopt(self, boot: Boot) -> None:
        """Take over the machine that this step booted in an earlier run. Raises MachineError when it does not run."""

    def host(self, command: str) -> str:
        """Type a command on this host."""

    def guest(self, command: str, machine: str = "") -> str:
        """Type a command on a machine of the demo: the one of that name, or the one booted last."""

    def reboot(self, command: str, observer: Observer, machine: str = "", *, by_itself: bool = False) -> str:
        """Type a command that restarts a machine, and return one line when it answers again.

        A restart `by_itself` may come before the command.
        """

    def offer(self, offers: tuple[tuple[str, str], ...], observer: Observer) -> None:
        """Let the demo's update server offer exactly these pairs of channel and release of the lab image."""

    @property
    def is_lab(self) -> bool:
        """True when the machines run the lab image and not Flatcar's."""

    def line(self, step: Step) -> str:
        """Return the step's command as it will be typed."""

    def fill(self, text: str) -> str:
        """Return the text with `{port80}` and other placeholders replaced by their current values."""


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """Result of a step."""

    title: str
    command: str
    ok: bool
    found: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class DemoResult:
    """Result of a demo. A demo ends at the first step that fails, because the next ones build on it."""

    demo: str
    steps: tuple[StepResult, ...]
    total: int

    @property
    def ok(self) -> bool:
        """True when every step was played and its check passed."""
        return len(self.steps) == self.total and all(step.ok for step in self.steps)


def play(demo: Demo, stage: Stage, observer: Observer, *, start: int = 1) -> DemoResult:
    """Play the steps in order from `start` on, until one fails. Earlier steps must have run on this stage's machines."""
    results: list[StepResult] = []
    if demo.offers:
        stage.offer(demo.offers, observer)
    left_out = 0
    for number in range(start, len(demo.steps) + 1):
        result = play_step(demo, number, stage, observer)
        if result is None:
            left_out += 1
            continue
        results.append(result)
        if not result.ok:
            break
    return DemoResult(demo=demo.name, steps=tuple(results), total=len(demo.steps) - start + 1 - left_out)


def play_step(demo: Demo, number: int, stage: Stage, observer: Observer) -> StepResult | None:
    """Play one step, counted from 1; None for a step that is left out on this stage's image."""
    step = demo.steps[number - 1]
    if step.lab_only and not stage.is_lab:
        observer.notify(Said(text=f'"{step.title}" is left out on a Flatcar image: {step.lab_only}'))
        return None
    command = stage.line(step)
    observer.notify(
        StepStarted(
            demo=demo.name, number=number, total=len(demo.steps), title=step.title, why=step.why, command=command,
            where=str(step.where),
        )
    )  # fmt: skip
    began = time.monotonic()
    try:
        output = _carry_out(step, command, stage, observer)
        observer.notify(StepOutput(demo=demo.name, number=number, text=output))
        verdict = _judge(step, output, command, stage)
    except FlatkitError as error:
        verdict = Verdict(ok=False, found=str(error))
    seconds = time.monotonic() - began
    _look_for_picture(demo, number, step, stage, observer)
    hint = "" if verdict.ok else stage.fill(step.hint)
    ended = StepEnded(demo=demo.name, number=number, ok=verdict.ok, found=verdict.found, hint=hint, seconds=seconds)
    observer.notify(ended)
    return StepResult(title=step.title, command=command, ok=verdict.ok, found=verdict.found, seconds=seconds)


def _look_for_picture(demo: Demo, number: int, step: Step, stage: Stage, observer: Observer) -> None:
    """Ask for what the demo's picture shows. A machine that is off, or does not answer, leaves the picture as it was."""
    is_at_machine = step.where is Where.GUEST or step.boot is not None
    for where in Where:
        facts = tuple(fact for fact in demo.draws if fact.where is where)
        if not facts or (where is Where.GUEST and not is_at_machine):
            continue
        with suppress(FlatkitError):
            command = together(facts)
            text = stage.host(command) if where is Where.HOST else stage.guest(command, step.machine)
            for fact, answer in zip(facts, answers(text), strict=False):
                observer.notify(FactSeen(demo=demo.name, number=number, fact=fact.name, text=answer))


def _carry_out(step: Step, command: str, stage: Stage, observer: Observer) -> str:
    if step.boot:
        return stage.boot(step.boot, observer)
    if step.reboots:
        return stage.reboot(command, observer, step.machine, by_itself=step.by_itself)
    return stage.host(command) if step.where is Where.HOST else stage.guest(command, step.machine)


def _judge(step: Step, output: str, command: str, stage: Stage) -> Verdict:
    """Return the check's verdict; repeat the check until it passes or the step's time is over."""

    def again() -> Any:
        if step.fact:
            return step.fact.look(partial(stage.guest, machine=step.machine))
        return stage.host(command) if step.where is Where.HOST else stage.guest(command, step.machine)

    # The output of the command itself counts first.
    answers = chain([] if step.fact else [lambda: output], repeat(again))

    def look() -> Verdict:
        try:
            return step.check(next(answers)())
        except FlatkitError as error:
            # A machine that restarts by itself does not answer for a while. Until the time is over, that means "not
            # yet".
            return Verdict(ok=False, found=str(error))

    return wait_until(look, seconds=step.wait, pause=0.3, ok=lambda verdict: verdict.ok)
