"""A simulated beginner of the course, for a rehearsal: what happens at one seat, and when. The same seed, the same beginner.

Each beginner has a pace. They run the cells of the core path's notebooks, predict, answer the quizzes, and try the exercises with
the natural mistakes of `rehearsal.json`: the tests play each of them against its check, where it is a wrong try.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from flatkit.files import read_data
from flatkit.lessons import get_task
from flatkit.lessons.exercise import Exercise, Prediction, Quiz
from flatkit.lessons.glossary import plan
from flatkit.lessons.places import PlacedCell, steps_of

_TASK = re.compile(r'fk\.check\("(\d\d-[a-z-]+)"')
_MACHINE = re.compile(r'fk\.up\("([a-z0-9-]+)')
_PHASES = ("start", "Ignition", "system")
# Of a hundred beginners, how many fail 0, 1, 2, ... times before they pass.
_FAILURES = (45, 28, 13, 9, 5)
_TRY = (30.0, 90.0)  # seconds from one try to the next
_ASKS = 0.6  # the part that asks for help after three tries
_HELP = (90.0, 300.0)  # seconds until a neighbour has helped, where no helper comes
_GIVES_UP = 0.1  # the part that lets flatkit show the solution
_WAITS = 0.4  # the part that raises "done" at the end of a notebook
_SLEEPS, _SLEEP = 0.07, (960.0, 1500.0)  # the part whose laptop sleeps in the middle, and the seconds
_RIGHT = 0.7


@dataclass(frozen=True, kw_only=True)
class PlayedEvent:
    """An event of a seat: `at` is in seconds since the room began."""

    at: float
    kind: str
    data: dict[str, Any]


def play_beginner(seed: str) -> Iterator[PlayedEvent]:
    """Yield what happens at the seat of this beginner, in order."""
    yield from _Beginner(random.Random(seed)).play()  # noqa: S311  (no secret)


@cache
def _mistakes() -> dict[str, list[str]]:
    return read_data(Path(__file__).resolve().with_name("rehearsal.json"), dict)


class _Beginner:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._pace = chance.lognormvariate(0.0, 0.25)
        self._now = chance.uniform(0.0, 90.0)
        self._flag = "none"

    def play(self) -> Iterator[PlayedEvent]:
        core = [one for one in plan() if one.core]
        sleeps = self._chance.choice(core[1:]).name if self._chance.random() < _SLEEPS else ""
        for one in core:
            if one.name == sleeps:
                self._pass(*_SLEEP)
            steps = steps_of(one.name)
            yield self._event("opened", notebook=one.name)
            begun = self._now
            for cell in steps:
                # The tries of an exercise take of the notebook's time; a beginner who is late runs on.
                due = begun + one.minutes * 60 * self._pace * cell.step / (len(steps) + 1)
                self._now = max(self._now + self._chance.uniform(3.0, 12.0), due)
                yield from self._lower()
                yield self._event("step", notebook=one.name, step=cell.step, steps=len(steps))
                yield from self._do(cell)
            if self._chance.random() < _WAITS:
                yield self._raise("done")
                self._pass(30.0, 120.0)

    def _do(self, cell: PlacedCell) -> Iterator[PlayedEvent]:
        made, asked = _MACHINE.search(cell.source), _TASK.search(cell.source)
        if made:
            yield from self._boot(made[1])
        if asked:
            task = get_task(asked[1])
            if isinstance(task, Prediction):
                choice = self._chance.randrange(len(task.choices))
                yield self._event("prediction", task=task.name, question=1, choice=choice)
            elif isinstance(task, Quiz):
                yield from self._answer(task)
            else:
                yield from self._try(task)

    def _boot(self, machine: str) -> Iterator[PlayedEvent]:
        yield self._event("machine", machine=machine, state="booting", image="lab")
        for phase in _PHASES:
            yield self._event("boot", machine=machine, phase=phase, result="")
            self._pass(1.0, 6.0)
        yield self._event("machine", machine=machine, state="running", image="lab")

    def _answer(self, quiz: Quiz) -> Iterator[PlayedEvent]:
        for number, question in enumerate(quiz.questions, start=1):
            self._pass(8.0, 25.0)
            is_right = self._chance.random() < _RIGHT
            wrong = [at for at in range(len(question.choices)) if at != question.right]
            choice = question.right if is_right or not wrong else self._chance.choice(wrong)
            right = choice == question.right
            yield self._event("quiz", task=quiz.name, question=number, choice=choice, right=right)

    def _try(self, exercise: Exercise) -> Iterator[PlayedEvent]:
        known = _mistakes().get(exercise.name, [])
        failures = self._chance.choices(range(len(_FAILURES)), weights=_FAILURES)[0] if known else 0
        for number in range(1, failures + 1):
            self._pass(*_TRY)
            what = self._chance.choice(known)
            yield self._event("check", task=exercise.name, verdict="wrong")
            if number <= len(exercise.hints) and number >= 2:
                self._pass(5.0, 30.0)
                yield self._event("hint", task=exercise.name, number=number - 1)
            if number == 3 and self._chance.random() < _ASKS:
                yield self._raise("help", what)
                self._pass(*_HELP)
        self._pass(*_TRY)
        shown = failures > 2 and self._chance.random() < _GIVES_UP
        yield self._event("check", task=exercise.name, verdict="shown" if shown else "passed")
        yield from self._lower()

    def _raise(self, flag: str, word: str = "") -> PlayedEvent:
        self._flag = flag
        return self._event("flag", flag=flag, word=word)

    def _lower(self) -> Iterator[PlayedEvent]:
        if self._flag != "none":
            yield self._raise("none")

    def _pass(self, least: float, most: float) -> None:
        self._now += self._chance.uniform(least, most)

    def _event(self, kind: str, **data: Any) -> PlayedEvent:
        return PlayedEvent(at=self._now, kind=kind, data=data)
