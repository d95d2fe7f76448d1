"""Proves an exercise: its check fails after setup and passes after solve, and cleanup leaves nothing.

Every test run uses a fake bench; where machines boot, a real one is used too. An exercise whose check passes before it
is solved teaches nothing. One whose solution does not pass is worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flatkit.errors import FlatkitError
from flatkit.lessons.exercise import Bench, Exercise, Prediction, Quiz
from flatkit.lessons.hints import Lines
from flatkit.lessons.ordering import TextBench, find_lines, text_of
from flatkit.lessons.session import do_all, judge


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The verdict on an exercise; `faults` is empty for a good one."""

    name: str
    faults: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True when the exercise passed the proof."""
        return not self.faults

    def __str__(self) -> str:
        return "\n".join([f"{'✓' if self.ok else '✗'} {self.name}", *(f"    {fault}" for fault in self.faults)])


def prove(exercise: Exercise, bench: Bench) -> Proof:
    """Run all phases of an exercise on a bench. Faults of the exercise raise nothing."""
    faults = list(shape_faults(exercise))
    findings: list[str] = []
    try:
        do_all(exercise.cleanup, bench)
        before = _traces(exercise, bench)
        do_all(exercise.setup, bench)
        start = judge(exercise, bench, wait=0)
        if start.ok:
            faults.append(f"its check passes before anything was done: {start.found}")
        elif not (start.found and start.expected and start.look):
            faults.append("its check does not say what was found, what was expected and where to look closer")
        do_all(exercise.solve, bench)
        solved = judge(exercise, bench)
        if not solved.ok:
            faults.append(f"its check fails after solve: {solved}")
        findings = [str(start), str(solved)]
        do_all(exercise.cleanup, bench)
        after = _traces(exercise, bench)
        faults += [f"cleanup leaves {what}" for what in after if after[what] != before.get(what)]
        faults += [f"cleanup takes away {what}" for what in before if what not in after]
    except FlatkitError as error:
        faults.append(f"it stopped: {error}")
    return Proof(name=exercise.name, faults=tuple(faults), findings=tuple(findings))


def _traces(exercise: Exercise, bench: Bench) -> dict[str, str]:
    """Return everything that the exercise could leave: the folder's files, and the machine's answers."""
    found = {
        path.relative_to(bench.folder).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(bench.folder.rglob("*"))
        if path.is_file()
    }
    for command in exercise.traces:
        found[f'another answer to "{command}"'] = str(bench.run(command))
    return found


def shape_faults(exercise: Exercise) -> tuple[str, ...]:
    """Find the faults of an exercise before it is played."""
    faults = []
    if len(exercise.hints) < 2:
        faults.append(f"{len(exercise.hints)} hints; expected two, the first one small")
    if not exercise.solve:
        faults.append("no solve; expected what really does it")
    if exercise.machine and not exercise.traces:
        faults.append("no traces; expected commands that show what it leaves on its machine")
    lines = find_lines(exercise)
    if lines is not None:
        faults += _lines_faults(exercise, lines)
    return tuple(faults)


def _lines_faults(exercise: Exercise, lines: Lines) -> Iterator[str]:
    right = tuple(range(len(lines.lines)))
    if not exercise.check(TextBench(lines.file, text_of(lines, right))).ok:
        yield f"the lines of {lines.file} in their order do not pass the check"
    yield from (f'the odd line "{odd.line.strip()}" is not explained' for odd in lines.odd if not odd.why)


def quiz_faults(quiz: Quiz) -> tuple[str, ...]:
    """Find the faults of a quiz: every question has one right answer, and every answer is explained."""
    faults = [] if quiz.questions else [f"{quiz.name}: no questions"]
    for question in quiz.questions:
        if sum(choice.is_right for choice in question.choices) != 1 or len(question.choices) < 2:
            faults.append(f'{quiz.name}: "{question.ask}" needs two answers or more, and exactly one right one')
        faults += [f'{quiz.name}: "{choice.text}" is not explained' for choice in question.choices if not choice.why]
    return tuple(faults)


def prediction_faults(prediction: Prediction) -> tuple[str, ...]:
    """Find the faults of a prediction: two to four answers, one right, each with its sentence."""
    choices = prediction.choices
    faults = [f'{prediction.name}: "{choice.text}" has no sentence' for choice in choices if not choice.why]
    if sum(choice.is_right for choice in choices) != 1 or not 2 <= len(choices) <= 4:
        faults.append(f"{prediction.name}: expected two to four answers, and exactly one right one")
    if not prediction.cell or not prediction.happened:
        faults.append(f"{prediction.name}: expected the line of the cell that shows the answer, and what happens")
    return tuple(faults)
