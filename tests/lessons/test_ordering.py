"""Lines in order: what is left, what does not belong, what comes too early; another right order passes too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flatkit.errors import UsageError
from flatkit.lessons import LESSONS, get_task
from flatkit.lessons.exercise import Exercise
from flatkit.lessons.hints import Gaps, Lines
from flatkit.lessons.ordering import find_lines, judge_order
from flatkit.lessons.progress import Progress
from flatkit.lessons.prover import shape_faults
from flatkit.lessons.session import Attempt
from flatkit.lessons.workspace import FolderBench

SCRIPT = get_task("02-script")
assert isinstance(SCRIPT, Exercise)
LINES = find_lines(SCRIPT)
assert LINES is not None
RIGHT = tuple(range(len(LINES.lines)))
WITH_LINES = [exercise for lesson in LESSONS.values() for exercise in lesson.exercises if find_lines(exercise)]

ORDERS = [
    ((), "0 of 8 lines are placed", False),
    (RIGHT[:5], "5 of 8 lines are placed", False),
    (RIGHT, "✓ these lines are a config that passes", True),
    ((*RIGHT[:3], 4, 5, 6, 7, 3), "✓ these lines are a config that passes", True),  # mode: after contents:
    ((*RIGHT[:3], 8, *RIGHT[4:]), "without the leading zero", False),
    ((0, 2, 1, *RIGHT[3:]), 'look at line 2. Another line than "- path: /opt/bin/greet" comes after "storage:"', False),
    ((1, 0, *RIGHT[2:]), 'Another line than "files:" comes first', False),
]


@pytest.mark.parametrize(("placed", "said", "is_right"), ORDERS)
def test_the_verdict(placed: tuple[int, ...], said: str, is_right: bool) -> None:
    assert SCRIPT is not None
    assert LINES is not None
    verdict = judge_order(SCRIPT, LINES, placed)  # type: ignore[arg-type]
    assert said in verdict.said
    assert verdict.is_right == is_right


@pytest.mark.parametrize("exercise", WITH_LINES, ids=lambda exercise: exercise.name)
def test_the_lines_of_an_exercise_are_a_solution(exercise: Exercise) -> None:
    lines = find_lines(exercise)
    assert lines is not None
    assert shape_faults(exercise) == ()
    assert sorted(lines.shuffled) == list(range(len(lines.pieces)))
    assert lines.shuffled != tuple(range(len(lines.pieces)))


def test_there_are_some_of_both_kinds() -> None:
    hints = [hint for lesson in LESSONS.values() for exercise in lesson.exercises for hint in exercise.hints]
    assert sum(isinstance(hint, Lines) for hint in hints) >= 3
    assert sum(isinstance(hint, Gaps) and "____" in hint.code for hint in hints) >= 2


def test_an_order_is_kept_and_written(tmp_path: Path) -> None:
    progress = Progress(tmp_path / "progress.json")
    attempt = Attempt(SCRIPT, FolderBench(tmp_path), progress)  # type: ignore[arg-type]
    attempt.check()
    attempt.place(list(RIGHT[:2]))
    with pytest.raises(UsageError, match="2 of 8 lines are placed"):
        attempt.write_lines()
    attempt.place(list(RIGHT))
    again = Attempt(SCRIPT, FolderBench(tmp_path), progress)  # type: ignore[arg-type]
    assert again.standing.placed == RIGHT
    assert str(again.write_lines().state) == "passed"
    assert again.start_over().placed == ()


@pytest.mark.parametrize("placed", [None, "01", [0, 0], [99], [-1], [True], [0.0], {"a": 1}, 7])
def test_an_order_that_is_none_is_refused(tmp_path: Path, placed: object) -> None:
    attempt = Attempt(SCRIPT, FolderBench(tmp_path), Progress(tmp_path / "progress.json"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"order|twice"):
        attempt.place(placed)
    other = Attempt(get_task("02-service"), FolderBench(tmp_path), Progress(tmp_path / "p.json"))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="has no lines"):
        other.place([])


def test_lines_that_do_not_pass_are_a_fault() -> None:
    assert LINES is not None
    broken = replace(LINES, lines=LINES.lines[:-1])
    assert "do not pass" in shape_faults(replace(SCRIPT, hints=("a", "b", broken)))[0]  # type: ignore[type-var]
