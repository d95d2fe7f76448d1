"""Questions come back after one, five and fourteen days; the longest overdue first; each has a place that explains it."""

from __future__ import annotations

import io
import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.cli import main
from flatkit.errors import UsageError
from flatkit.lessons.course import COURSE
from flatkit.lessons.exercise import Choice, Question, State
from flatkit.lessons.progress import Progress
from flatkit.lessons.quiz import QuizAttempt, quizzes_of
from flatkit.lessons.review import (
    COUNT,
    DAYS,
    Asked,
    Memory,
    ReviewAttempt,
    choose,
    get_review,
    memories,
    next_box,
    upcoming,
)

ROOT = Path(__file__).resolve().parents[2]
MONDAY = datetime(2026, 11, 30, 18, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def asked(key: str) -> Asked:
    choices = (Choice(text="yes", why="It is.", is_right=True), Choice(text="no", why="It is not."))
    return Asked(key=key, question=Question(ask=f"{key}?", choices=choices), notebook="00-start", cell="what")


def memory(key: str, *, box: int, at: datetime) -> Memory:
    return Memory(asked=asked(key), box=box, at=at)


@pytest.mark.parametrize(
    ("box", "days", "is_due"),
    [(0, 0, False), (0, 1, True), (1, 1, False), (1, 4, False), (1, 5, True), (2, 5, False), (2, 13, False),
     (2, 14, True), (99, 13, False), (99, 14, True), (0, 400, True)],
)  # fmt: skip
def test_when_a_question_is_due(box: int, days: int, is_due: bool) -> None:
    one = memory("a", box=box, at=MONDAY)
    assert bool(choose([one], MONDAY + days * DAY)) == is_due
    coming = upcoming([one], MONDAY + days * DAY)
    assert coming == (None if is_due else ((MONDAY + DAYS[min(box, 2)] * DAY).date(), 1))


def test_the_next_morning_is_another_day_where_the_learner_is() -> None:
    here = timezone(timedelta(hours=5))
    evening = datetime(2026, 11, 30, 23, 30, tzinfo=here)
    one = memory("a", box=0, at=evening.astimezone(UTC))
    assert choose([one], evening + timedelta(minutes=20)) == ()
    assert choose([one], evening + timedelta(hours=8)) == (one.asked,)


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), max_size=20),
    days=st.integers(0, 90),
    count=st.integers(0, 8),
)
def test_the_longest_overdue_come_first(rows: list[tuple[int, int]], days: int, count: int) -> None:
    known = [memory(str(at), box=box, at=MONDAY + day * DAY) for at, (box, day) in enumerate(rows)]
    now = MONDAY + days * DAY
    chosen = choose(known, now, count=count)
    due = {one.asked: one.due(now) for one in known if one.due(now) <= now.date()}
    assert len(chosen) == len(set(chosen)) == min(count, len(due))
    dates = [due[one] for one in chosen]
    assert dates == sorted(dates)
    assert all(due[one] >= max(dates, default=date.min) for one in set(due) - set(chosen))


@given(answers=st.lists(st.booleans(), max_size=30))
def test_a_box_says_how_often_it_was_right_in_a_row(answers: list[bool]) -> None:
    box = 0
    for is_right in answers:
        box = next_box(box, is_right=is_right)
    streak = next((at for at, is_right in enumerate(reversed(answers)) if not is_right), len(answers))
    assert box == min(streak, len(DAYS) - 1)


class Clock:
    def __init__(self) -> None:
        self.now = MONDAY

    def __call__(self) -> datetime:
        return self.now


def test_a_learner_over_three_weeks(tmp_path: Path) -> None:
    clock = Clock()
    progress = Progress(tmp_path / "progress.json", now=clock)
    assert "Nothing to review yet" in get_review(clock.now, progress).note
    quiz = quizzes_of("00-start")[0]
    for number, question in enumerate(quiz.questions, start=1):
        QuizAttempt(quiz, progress).answer(number, question.right)
    assert get_review(clock.now, progress).note == "Nothing to review today. Next: 3 questions on Tuesday, 1 December."

    clock.now += DAY
    attempt = get_review(clock.now, progress).attempt
    assert attempt
    for number, question in enumerate(attempt.quiz.questions[:2], start=1):
        attempt.answer(number, question.right)
    wrong = (attempt.quiz.questions[2].right + 1) % 2
    standing = attempt.answer(3, wrong)
    assert standing.state is State.WRONG
    assert 'Read again: 00-start, under "A first machine".' in str(standing)
    attempt.answer(3, attempt.quiz.questions[2].right)  # looked up: it stays in its box
    assert attempt.right == (True, True, True)

    clock.now += DAY
    again = get_review(clock.now, progress).attempt
    assert again
    assert [one.key for one in again.asked] == ["review 00-recap 3"]
    again.answer(1, again.quiz.questions[0].right)
    clock.now += 3 * DAY
    assert get_review(clock.now, progress).note == "Nothing to review today. Next: 2 questions on Sunday, 6 December."
    clock.now += DAY
    later = get_review(clock.now, progress).attempt
    assert later
    assert [one.key for one in later.asked] == ["review 00-recap 1", "review 00-recap 2"]


def test_answers_before_there_were_dates_are_due_now(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    answers = {"state": "passed", "answers": [1, None, 1]}
    file.write_text(json.dumps({"format": 1, "tasks": {"00-recap": answers, "01-recap": {"answers": [1]}}}))
    known = list(memories(Progress(file).all()))
    assert [one.asked.key for one in known] == ["review 00-recap 1", "review 00-recap 3"]
    assert len(choose(known, MONDAY)) == 2


def test_no_answer_is_taken_for_one(tmp_path: Path) -> None:
    attempt = ReviewAttempt((asked("a"),), Progress(tmp_path / "progress.json"))
    for choice in ("x", "", "ab", 7, -1):
        with pytest.raises(UsageError, match="is not an answer"):
            attempt.answer(1, choice)
    assert attempt.right == (False,)
    assert Progress(tmp_path / "progress.json").all() == {}


def test_in_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FLATKIT_STATE", str(tmp_path))
    assert main(["review"]) == 0
    assert "Nothing to review yet" in capsys.readouterr().out
    for lesson in ("00-start", "01-provision"):
        quiz = quizzes_of(lesson)[0]
        for number in (1, 2, 3):
            QuizAttempt(quiz, Progress()).answer(number, 0)
    right = "abcdef"[quizzes_of("00-start")[0].questions[0].right]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"\nz\n{right}\na\n"))
    assert main(["review", "--now"]) == 0
    out = capsys.readouterr().out
    assert out.count("is not an answer; expected a to c") == 2
    assert "✓ right: " in out
    assert f"{COUNT}. " not in out  # the input had ended
    assert "1 of 2 right. Next: " in out or "2 of 2 right. Next: " in out


def test_each_recap_question_is_explained_somewhere() -> None:
    cells = json.loads((ROOT / "flatkit" / "lessons" / "taught.json").read_text())
    for lesson in COURSE:
        notebook = json.loads((ROOT / "notebooks" / f"{lesson.name}.ipynb").read_text(encoding="utf-8"))
        texts = {cell["id"] for cell in notebook["cells"] if cell["cell_type"] == "markdown"}
        for quiz in lesson.quizzes:
            if quiz.name in cells or quiz.name.endswith("-recap"):
                assert len(cells[quiz.name]) == len(quiz.questions), quiz.name
                assert set(cells[quiz.name]) <= texts, quiz.name
    assert set(cells) <= {quiz.name for lesson in COURSE for quiz in lesson.quizzes}
