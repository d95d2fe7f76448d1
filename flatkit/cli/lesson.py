"""`flatkit lesson`: the course's exercises without a notebook, and the proof that each exercise is sound."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flatkit.cli.show import print_json
from flatkit.untrusted import printable, printable_lines, shell_word

if TYPE_CHECKING:
    from flatkit.lessons.exercise import Exercise, Lesson

_LONGEST_LINE = 2000
_VERBS = {
    "check": "look at the result",
    "hint": "one more hint",
    "solve": "really do it, and show how",
    "start-over": "begin again",
}


def run(argv: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="flatkit lesson", description="Exercises and quizzes, in the terminal.")
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="lessons and exercises, and how you stand with them")
    listing.add_argument("lesson", nargs="?", help="a lesson of somebody's: its folder or name")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    for verb, text in _VERBS.items():
        one = commands.add_parser(verb, help=text)
        one.add_argument("name")
        one.add_argument("--machine", metavar="NAME", help="the machine that it is about (default: the lesson's own)")
    proof = commands.add_parser(
        "prove", help="for authors: after setup it fails, after solve it passes, nothing is left"
    )
    proof.add_argument("name", nargs="?", default="all", help="an exercise, a lesson, a folder, or all")
    proof.add_argument("--image", default="auto", help="for the exercises that need a machine")
    options = parser.parse_args(argv[1:])
    if options.command == "list":
        return _list(options.lesson, as_json=options.json)
    if options.command == "prove":
        return _prove(options.name, options.image)
    return _do(options.command, options.name, options.machine)


def _lessons(wanted: str | None) -> list[Lesson]:
    from flatkit.lessons import find_lessons

    return list(find_lessons(wanted))


def _list(wanted: str | None, *, as_json: bool) -> int:
    from flatkit.lessons.progress import Progress

    known = Progress().all()
    for lesson in _lessons(wanted):
        if not as_json:
            print(f"{printable(lesson.name)}  {printable(lesson.title)}")
        for task in lesson.tasks:
            record = known.get(task.name)
            state = str(record.state) if record else "not tried"
            if as_json:
                print_json(event="task", lesson=lesson.name, name=task.name, title=task.title, state=state)
            else:
                print(f"  {printable(task.name):<14} {state:<10} {printable(task.title)}")
    if as_json:
        print_json(event="result", ok=True)
    return 0


def _do(verb: str, name: str, machine: str | None) -> int:
    from flatkit.errors import UsageError
    from flatkit.lessons import get_task
    from flatkit.lessons.exercise import Exercise, Prediction, State
    from flatkit.lessons.quiz import QuizAttempt
    from flatkit.lessons.session import Attempt
    from flatkit.lessons.workspace import FolderBench

    task = get_task(name)
    if isinstance(task, Prediction):
        raise UsageError(
            f'"{name}" is a prediction; expected an exercise', hint=f'fk.check("{name}")   in the notebook'
        )
    if not isinstance(task, Exercise):
        if verb != "check":
            raise UsageError(
                f'"{name}" is a quiz; expected an exercise', hint=f"flatkit lesson check {shell_word(name)}"
            )
        print(printable_lines(QuizAttempt(task).standing, limit=_LONGEST_LINE))
        return 0
    guest: Any = None
    if task.machine:
        from flatkit.machines import Machine

        guest = Machine(machine or task.machine.machine)
    attempt = Attempt(task, FolderBench(Path.cwd(), guest))
    standing = getattr(attempt, verb.replace("-", "_"))()
    print(printable_lines(standing, limit=_LONGEST_LINE))
    return 0 if standing.state in {State.PASSED, State.SHOWN} or verb in {"hint", "start-over"} else 1


def _prove(name: str, image: str) -> int:
    from flatkit.lessons import get_task
    from flatkit.lessons.exercise import Exercise, Prediction
    from flatkit.lessons.prover import prediction_faults, quiz_faults

    chosen: list[Exercise] = []
    faults: list[str] = []
    if name != "all" and not _is_lesson(name):
        task = get_task(name)
        chosen = [task] if isinstance(task, Exercise) else []
        if isinstance(task, Prediction):
            faults = list(prediction_faults(task))
        elif not isinstance(task, Exercise):
            faults = list(quiz_faults(task))
    else:
        for lesson in _lessons(None if name == "all" else name):
            chosen += lesson.exercises
            faults += [fault for quiz in lesson.quizzes for fault in quiz_faults(quiz)]
            faults += [fault for one in lesson.predictions for fault in prediction_faults(one)]
    proofs = [_prove_one(exercise, image) for exercise in chosen]
    for fault in faults:
        print(f"✗ {printable(fault)}")
    good = sum(proofs)
    print(f"{good} of {len(proofs)} exercises keep the contract")
    return 0 if good == len(proofs) and not faults else 1


def _is_lesson(name: str) -> bool:
    from flatkit import plugins
    from flatkit.lessons import LESSONS

    return name in LESSONS or plugins.find_folder(name) is not None


def _prove_one(exercise: Exercise, image: str) -> bool:
    from flatkit.lessons.prover import prove
    from flatkit.lessons.workspace import FolderBench

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        guest: Any = None
        if exercise.machine:
            from flatkit.api import stage
            from flatkit.cli.show import observer_for
            from flatkit.machines import Creator, terminal_session

            made_by = Creator(session=terminal_session(), task=f"exercise {exercise.name}")
            local = stack.enter_context(stage(image=image, configs=exercise.folder, made_by=made_by))
            local.boot(exercise.machine, observer_for(as_json=False))
            guest = local.machines[-1]
        proof = prove(exercise, FolderBench(folder, guest))
    print(printable_lines(proof, limit=_LONGEST_LINE))
    return proof.ok
