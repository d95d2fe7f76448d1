"""A beginner plays every notebook's exercises with natural mistakes (mistakes.py).

Each row begins as a learner does: the check is run once, then the attempt is made, then the check is run again.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.lessons import LESSONS, get_task
from flatkit.lessons.exercise import Exercise, State, Write
from flatkit.lessons.progress import Progress
from flatkit.lessons.session import Attempt
from flatkit.lessons.workspace import FolderBench
from flatkit.testing.bench import Reply
from tests.learners.attempts import CGPT, HASH, NONE, Answers, Mistake
from tests.learners.mistakes import MISTAKES

# No answer shows a learner the words of Go, of Python or of a parser; and none says that nothing was tried.
NEVER = ("cannot unmarshal", "v0_4", "Traceback", "Error(", "[Errno", ": not tried")
# What the machine says before the attempt.
STARTS: dict[str, list[str | Reply]] = {
    "00-hello": ["none\n"],
    "01-note": ["none\n"],
    "03-digest": [f"--given--\n{HASH}\n"],
    "03-command": [Reply("", 1)],
    "04-next": [CGPT.format(2, 1, 0, 1)],
    "05-follow": ["GROUP=beta\nSERVER=http://10.0.2.2/\n"],
    "06-folder": [NONE, ""],
    "07-image": [Reply("redis:7\n", 1)],
    "09-visit": ["110.2.0: first\n"],
    "11-hold": ["enabled\nactive\nindirect\n"],
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{row.exercise}: {row.what}" for row in MISTAKES])
def test_the_answer_helps(mistake: Mistake, tmp_path: Path) -> None:
    exercise = get_task(mistake.exercise)
    assert isinstance(exercise, Exercise)
    at_machine = isinstance(mistake.attempt, list)
    bench = FolderBench(tmp_path, Answers(STARTS[exercise.name]) if at_machine else None)
    attempt = Attempt(exercise, bench, Progress(tmp_path / "progress.json"))
    assert attempt.set_up().state is State.NOT_TRIED
    if isinstance(mistake.attempt, str):
        bench.write(next(act.file for act in exercise.setup if isinstance(act, Write)), mistake.attempt)
    else:
        bench.guest = Answers(mistake.attempt)
    standing = attempt.check()
    assert standing.state is State.WRONG
    said = f"{standing.finding}\n{standing.note}"  # without the task, which has many of the words
    assert [words for words in mistake.says if words not in said] == [], said
    assert [words for words in (*mistake.never, *NEVER) if words in said] == [], said


@pytest.mark.parametrize("mistake", MISTAKES, ids=[f"{row.exercise}: {row.what}" for row in MISTAKES])
def test_it_helps_too_if_the_check_was_not_run_before(mistake: Mistake, tmp_path: Path) -> None:
    exercise = get_task(mistake.exercise)
    assert isinstance(exercise, Exercise)
    bench = FolderBench(tmp_path, Answers(mistake.attempt) if isinstance(mistake.attempt, list) else None)
    if isinstance(mistake.attempt, str):
        bench.write(next(act.file for act in exercise.setup if isinstance(act, Write)), mistake.attempt)
    standing = Attempt(exercise, bench, Progress(tmp_path / "progress.json")).check()
    assert standing.state is not State.PASSED
    said = str(standing)
    assert [words for words in (*mistake.says, *NEVER) if (words in said) == (words in NEVER)] == [], said


def test_every_exercise_has_its_mistakes() -> None:
    names = {exercise.name for lesson in LESSONS.values() for exercise in lesson.exercises}
    assert {mistake.exercise for mistake in MISTAKES} == names
    assert len(MISTAKES) >= 60
