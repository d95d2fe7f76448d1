"""The exercises that are about a machine, on real ones: each keeps its contract, and a beginner's mistakes get their answers.

Exercises about the same config share a machine: each leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_updates import ask

from flatkit.api import stage
from flatkit.cli import main
from flatkit.events import Observer
from flatkit.lessons import LESSONS
from flatkit.lessons.exercise import Exercise, State
from flatkit.lessons.progress import Progress
from flatkit.lessons.prover import prove
from flatkit.lessons.session import Attempt
from flatkit.lessons.workspace import FolderBench
from flatkit.machines import Machine
from tests.learners.at_machines import AT_MACHINES
from tests.learners.attempts import Mistake
from tests.learners.test_natural_mistakes import NEVER

pytestmark = [pytest.mark.vm, pytest.mark.usefixtures("lab_image", "no_machines_left")]

EXERCISES = [exercise for lesson in LESSONS.values() for exercise in lesson.exercises if exercise.machine]
CONFIGS = list(dict.fromkeys(exercise.machine.config for exercise in EXERCISES if exercise.machine))
BY_COMMAND = "00-hello"  # the only exercise about its machine
# A machine whose commands answer at once: its mistakes are made on each run, the others' in make test-long.
QUICK = ("sealed.bu",)


@pytest.fixture
def boot() -> Iterator[Callable[[Exercise], Machine]]:
    """Boots the machine of an exercise."""
    with stage(image="lab") as local:

        def one(exercise: Exercise) -> Machine:
            assert exercise.machine
            local.boot(exercise.machine, Observer())
            return local.machines[-1]

        yield one


def test_the_command_proves_an_exercise(capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["lesson", "prove", BY_COMMAND, "--image", "lab"])
    said = capsys.readouterr().out
    assert status == 0, said
    assert f"✓ {BY_COMMAND}" in said
    assert said.rstrip().endswith("1 of 1 exercises keep the contract")


@pytest.mark.parametrize("config", [config for config in CONFIGS if config != "hello.bu"])
def test_exercises_of_a_machine(config: str, boot: Callable[[Exercise], Machine], tmp_path: Path) -> None:
    """Each fails after setup, passes after solve and leaves nothing."""
    exercises = [exercise for exercise in EXERCISES if exercise.machine and exercise.machine.config == config]
    machine = boot(exercises[0])
    for exercise in exercises:
        proof = prove(exercise, FolderBench(tmp_path, machine))
        assert proof.ok, str(proof)
    if config in QUICK:
        assert play_mistakes(exercises, machine, tmp_path) == []


@pytest.mark.long
@pytest.mark.parametrize("config", [config for config in CONFIGS if config not in QUICK])
def test_mistakes_at_a_machine(config: str, boot: Callable[[Exercise], Machine], tmp_path: Path) -> None:
    exercises = [exercise for exercise in EXERCISES if exercise.machine and exercise.machine.config == config]
    assert play_mistakes(exercises, boot(exercises[0]), tmp_path) == []


def play_mistakes(exercises: list[Exercise], machine: Machine, folder: Path) -> list[str]:
    """Make each mistake of these exercises; returns what did not go as a learner needs it."""
    ask(machine, "sudo true")  # the first use of sudo leaves a file in the home folder
    unhelped: list[str] = []
    for exercise in exercises:
        for number, mistake in enumerate(row for row in AT_MACHINES if row.exercise == exercise.name):
            progress = Progress(folder / f"{exercise.name}-{number}.json")
            unhelped += make_mistake(Attempt(exercise, FolderBench(folder, machine), progress), mistake, machine)
    return unhelped


def make_mistake(attempt: Attempt, mistake: Mistake, machine: Machine) -> Iterator[str]:
    """Type a mistake, look, let it be solved, and start over. Yields what did not go as a learner needs it."""
    exercise, what = attempt.exercise, f"{mistake.exercise}, {mistake.what}"
    before = [str(machine.run(command)) for command in exercise.traces]
    assert attempt.set_up().state is State.NOT_TRIED, what
    ask(machine, mistake.typed)
    wrong = attempt.check()
    said = f"{wrong.finding}\n{wrong.note}"
    if wrong.state is not State.WRONG:
        yield f"{what}: {wrong.state}: {said}"
    yield from (f'{what}: without "{words}": {said}' for words in mistake.says if words not in said)
    yield from (f'{what}: with "{words}": {said}' for words in (*mistake.never, *NEVER) if words in said)
    # "Show me" after the mistake: solved, whatever stands in the way, or it says that a rewind is needed.
    shown = attempt.solve()
    if mistake.rewinds:
        if "rewind" not in shown.note:
            yield f"{what}: no rewind is advised: {shown.note}"
        machine.rewind()
    elif shown.state is not State.SHOWN:
        yield f"{what}, Show me: {shown}"
    if mistake.undo:
        ask(machine, mistake.undo)
    if attempt.start_over().state is not State.NOT_TRIED:
        yield f"{what}, Start over: {attempt.standing}"
    after = [str(machine.run(command)) for command in exercise.traces]
    if after != before:
        yield f"{what}: started over, the machine shows {after}, before {before}"
