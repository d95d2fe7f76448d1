"""Questions of before, asked again after one, five and fourteen days: what is recalled after days stays (Latimier 2021).

Each question is in a box. The right answer moves it one box on, a wrong one back to the first; a box says after how many
days it is asked again. Any task with `questions` takes part, once the learner has answered it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

from flatkit.files import read_data
from flatkit.lessons.course import COURSE
from flatkit.lessons.exercise import Lesson, Question, Quiz, State
from flatkit.lessons.places import address_of, place_of
from flatkit.lessons.progress import Progress, TaskRecord
from flatkit.lessons.quiz import QuizAttempt, QuizStanding

NAME = "review"
DAYS = (1, 5, 14)
COUNT = 5
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A question of the course, with the place that teaches it: a cell of a notebook, by its id."""

    key: str
    question: Question
    notebook: str
    cell: str

    @property
    def link(self) -> str:
        """The address of the cell, from another notebook in the same folder."""
        return address_of(self.notebook, self.cell)

    @property
    def place(self) -> str:
        """The place in words: the notebook and the title above the cell."""
        return place_of(self.notebook, self.cell)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """A question with its box, and when it was answered last."""

    asked: Asked
    box: int
    at: datetime

    def due(self, now: datetime) -> date:
        """Return the day from which it is asked again, in the time zone of `now`."""
        return (self.at.astimezone(now.tzinfo) + timedelta(days=DAYS[min(self.box, len(DAYS) - 1)])).date()


def next_box(box: int, *, is_right: bool) -> int:
    """Return the box after an answer."""
    return min(box + 1, len(DAYS) - 1) if is_right else 0


def choose(memories: Iterable[Memory], now: datetime, *, count: int = COUNT) -> tuple[Asked, ...]:
    """Return at most `count` questions that are due, the longest overdue first. Pure; `now` has a time zone."""
    due = sorted((one for one in memories if one.due(now) <= now.date()), key=lambda one: one.due(now))
    return tuple(one.asked for one in due[:count])


def upcoming(memories: Iterable[Memory], now: datetime) -> tuple[date, int] | None:
    """Return the next day after today on which questions are due, and how many; None without one."""
    days = sorted(day for one in memories if (day := one.due(now)) > now.date())
    return (days[0], days.count(days[0])) if days else None


def memories(records: Mapping[str, TaskRecord], lessons: Iterable[Lesson] = COURSE) -> Iterator[Memory]:
    """Yield each question that the learner has answered. A record without a date is long ago."""
    for lesson in lessons:
        for task in lesson.tasks:
            first = records.get(task.name)
            questions: tuple[Question, ...] = getattr(task, "questions", ())
            if first is None or len(first.answers) != len(questions):
                continue
            cells = _cells().get(task.name, ())
            for number, question in enumerate(questions):
                if first.answers[number] is None:
                    continue
                cell = cells[number] if number < len(cells) else ""
                asked = Asked(key=key_of(task.name, number), question=question, notebook=lesson.name, cell=cell)
                last = records.get(asked.key, first)
                yield Memory(asked=asked, box=last.box, at=last.changed or _LONG_AGO)


def key_of(task: str, number: int) -> str:
    """Return the name of a question's record; questions are counted from 0 here, and from 1 in the name."""
    return f"{NAME} {task} {number + 1}"


@cache
def _cells() -> dict[str, list[str]]:
    """Return task -> the id of the cell that teaches each of its questions (taught.json)."""
    return read_data(_FOLDER / "taught.json", dict)


class ReviewAttempt(QuizAttempt):
    """Five questions and the learner's answers. Only the first answer to a question moves it to another box."""

    def __init__(self, asked: tuple[Asked, ...], progress: Progress | None = None) -> None:
        quiz = Quiz(name=NAME, title="From before", questions=tuple(map(_with_place, asked)))
        super().__init__(quiz, progress)
        self.asked = asked
        self._answers: list[int | None] = [None] * len(asked)

    @property
    def standing(self) -> QuizStanding:
        """Current state."""
        return QuizStanding(quiz=self.quiz, answers=tuple(self._answers))

    @property
    def right(self) -> tuple[bool, ...]:
        """The verdict on each answer; False without one."""
        pairs = zip(self.quiz.questions, self._answers, strict=True)
        return tuple(answer == question.right for question, answer in pairs)

    def answer(self, number: int, choice: int | str) -> QuizStanding:
        """Answer a question, counted from 1, as QuizAttempt does. Raises UsageError, HostError."""
        at = self.chosen(number, choice)
        is_first = self._answers[number - 1] is None
        self._answers[number - 1] = at
        if is_first:
            is_right = at == self.quiz.questions[number - 1].right
            state = State.PASSED if is_right else State.WRONG
            key = self.asked[number - 1].key
            self._progress.change(key, lambda was: replace(was, state=state, box=next_box(was.box, is_right=is_right)))
        return self.standing


def _with_place(asked: Asked) -> Question:
    """Return the question, whose wrong answers lead back to the place that teaches it."""
    choices = (
        choice if choice.is_right else replace(choice, why=f"{choice.why} Read again: {asked.place}.")
        for choice in asked.question.choices
    )
    return replace(asked.question, choices=tuple(choices))


@dataclass(frozen=True, kw_only=True)
class Review:
    """The questions to review now. `attempt` is None when nothing is due; then `note` says why, and when."""

    attempt: ReviewAttempt | None
    note: str


def get_review(now: datetime, progress: Progress | None = None, *, early: bool = False) -> Review:
    """Return the questions that are due; `early`: also those whose day has not come."""
    progress = progress or Progress()
    known = tuple(memories(progress.all()))
    asked = choose(known, now + timedelta(days=max(DAYS)) if early else now)
    if asked:
        more = "" if early else f"{len(asked)} question{'' if len(asked) == 1 else 's'} from before"
        return Review(attempt=ReviewAttempt(asked, progress), note=more)
    if not known:
        when = f"{', '.join(map(str, DAYS[:-1]))} and {DAYS[-1]} days"
        return Review(
            attempt=None, note=f"Nothing to review yet. Questions that you answer are asked again after {when}."
        )
    return Review(attempt=None, note=f"Nothing to review today. {next_line(upcoming(known, now))}")


def next_line(coming: tuple[date, int] | None) -> str:
    """Return when questions are due next, as a sentence; "" for None."""
    if coming is None:
        return ""
    day, count = coming
    return f"Next: {count} question{'' if count == 1 else 's'} on {day:%A}, {day.day} {day:%B}."
