"""A presentation played: on a pretended stage with checkpoints, and from a recording."""

from __future__ import annotations

from typing import Any

import pytest

from flatkit.demos.presentation import Mark, Presentation
from flatkit.demos.presenting import LivePlay, RecordedPlay, typical_seconds
from flatkit.demos.recording import get_recording
from flatkit.errors import MachineError
from flatkit.events import Observer, Said, StepEnded, StepStarted, Tape
from flatkit.steps import Boot, Demo, Step, Where, says


class PointedStage:
    """A machine that counts its commands; a checkpoint keeps the count."""

    is_lab = True

    def __init__(self) -> None:
        self.count, self.saved, self.offered, self.is_off = 0, {}, 0, False  # type: ignore[var-annotated]
        self.has_machine = False

    def boot(self, boot: Boot, observer: Observer) -> str:
        self.has_machine, self.count = True, 0
        return "ready"

    def host(self, command: str) -> str:
        return command

    def guest(self, command: str, machine: str = "") -> str:
        self.count += 1
        return f"{command} {self.count}"

    def offer(self, offers: Any, observer: Observer) -> None:
        self.offered += 1

    def line(self, step: Step) -> str:
        return self.fill(step.line)

    def fill(self, command: str) -> str:
        return command.replace("{port80}", "8080")

    def keep(self, name: str, observer: Observer, *, save: bool) -> None:
        if self.is_off:
            raise MachineError('the machine "m" is stopped')
        if self.has_machine and not save:
            raise MachineError("not asked for")
        self.saved[name] = (self.has_machine, self.count)

    def go_back(self, name: str, observer: Observer) -> None:
        self.has_machine, self.count = self.saved[name]


DEMO = Demo(
    name="d",
    title="t",
    offers=(("stable", "lab"),),
    steps=(
        Step(
            title="Boot", why="w", boot=Boot(config="c", machine="m"), where=Where.HOST, check=says("ready"), hint="h"
        ),
        Step(title="One", why="w", command="one {port80}", check=says("1"), hint="h"),
        Step(title="Host", why="w", command="here", where=Where.HOST, check=says("here"), hint="h"),
        Step(title="Two", why="w", command="two", check=says("2"), hint="h"),
    ),
)


def play(act: LivePlay, show: Presentation, *numbers: int) -> Presentation:
    for number in numbers:
        show = act.run(act.begin(show, number), number)
    return show


def test_a_rewind_restores_the_machine_and_the_step_can_run_again() -> None:
    stage, tape = PointedStage(), Tape()
    act = LivePlay(DEMO, stage, tape)  # type: ignore[arg-type]
    show = play(act, Presentation.of(DEMO), 1, 2, 3, 4)
    assert show.marks == (Mark.OK,) * 4
    assert show.points == {1, 2, 3, 4}
    assert stage.offered == 1
    assert play(act, show, 4).mark(4) is Mark.FAILED, "again, on the machine as it is: it counts to three"
    show = act.rewind(show, 2)
    assert (show.at, stage.count) == (2, 0)
    assert any(isinstance(event, Said) and "on this host" in event.text for event in tape.events)
    assert play(act, show, 2, 3, 4).marks == (Mark.OK,) * 4
    assert act.line(2) == "one 8080"


def test_what_cannot_be_saved_is_said_and_the_step_runs_all_the_same() -> None:
    stage, tape = PointedStage(), Tape()
    act = LivePlay(DEMO, stage, tape)  # type: ignore[arg-type]
    show = play(act, Presentation.of(DEMO), 1)
    stage.is_off = True
    show = play(act, show, 2)
    assert (show.marks[1], show.points, show.lacks) == (Mark.OK, {1}, {2: 'the machine "m" is stopped'})
    assert [event.text for event in tape.events if isinstance(event, Said)] == [
        'no checkpoint before step 2: the machine "m" is stopped'
    ]


def test_without_checkpoints_only_the_time_before_the_machine_can_be_gone_back_to() -> None:
    stage, tape = PointedStage(), Tape()
    act = LivePlay(DEMO, stage, tape, saves=False)  # type: ignore[arg-type]
    show = play(act, Presentation.of(DEMO), 1, 2)
    assert show.points == {1}
    assert not any(isinstance(event, Said) for event in tape.events)


def test_a_recording_plays_the_step_that_is_asked_for() -> None:
    recording, tape = get_recording("provision"), Tape()
    act = RecordedPlay(recording, tape, speed=0)
    show = Presentation(marks=(Mark.WAITING,) * 8, is_recorded=True)
    show = act.run(act.begin(show, 3), 3)
    assert show.marks[2] is Mark.OK
    kinds = [event for event in tape.events if isinstance(event, StepStarted | StepEnded)]
    assert [event.number for event in kinds] == [3, 3]
    assert act.rewind(show, 3).marks[2] is Mark.WAITING
    with pytest.raises(MachineError, match="no step 8"):
        act.run(show, 8)
    assert typical_seconds(recording)[2] > 1
    assert typical_seconds(None) == {}
