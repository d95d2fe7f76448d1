"""The notebooks' quizzes (quizzes.json), and a learner's attempt at one: each answer is explained at once, and may be changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from flatkit.errors import UsageError
from flatkit.files import read_data
from flatkit.lessons.exercise import Choice, Question, Quiz, State
from flatkit.lessons.progress import Progress


@dataclass(frozen=True, kw_only=True)
class QuizStanding:
    """Current state of a quiz: the choice for each question, None without a choice."""

    quiz: Quiz
    answers: tuple[int | None, ...]

    @property
    def state(self) -> State:
        """Passed when every answer is right, wrong when one is not, waiting when one is missing."""
        given = [answer for answer in self.answers if answer is not None]
        if not given:
            return State.NOT_TRIED
        pairs = zip(self.quiz.questions, self.answers, strict=True)
        if any(answer is not None and answer != question.right for question, answer in pairs):
            return State.WRONG
        return State.PASSED if len(given) == len(self.answers) else State.WAITING

    def chosen(self, number: int) -> Choice | None:
        """Return the choice for a question, counted from 0."""
        answer = self.answers[number]
        return None if answer is None else self.quiz.questions[number].choices[answer]

    @property
    def headline(self) -> str:
        """Mark, title and state in one line."""
        return f"{self.state.mark} {self.quiz.name}  {self.quiz.title}: {self.state}"

    def __str__(self) -> str:
        lines = [self.headline]
        for number, question in enumerate(self.quiz.questions):
            lines.append(f"{number + 1}. {question.ask}")
            for letter, choice in zip("abcdef", question.choices, strict=False):
                picked = self.chosen(number) is choice
                lines.append(f"   {'>' if picked else ' '} {letter}  {choice.text}")
                if picked:
                    lines.append(f"        {'✓ right' if choice.is_right else '✗ no'}: {choice.why}")
        return "\n".join(lines)


def parse_choice(choice: object, most: int, *, hint: str) -> int:
    """Return the number of a choice, from 0, by its letter or number. Raises UsageError with that hint."""
    at = "abcdef".find(choice.lower()) if isinstance(choice, str) and len(choice) == 1 else choice
    if type(at) is not int or not 0 <= at < most:
        raise UsageError(f'"{choice}" is not an answer; expected a to {"abcdef"[most - 1]}', hint=hint)
    return at


class QuizAttempt:
    """A quiz with the learner's progress."""

    def __init__(self, quiz: Quiz, progress: Progress | None = None) -> None:
        self.quiz = quiz
        self._progress = progress or Progress()

    @property
    def standing(self) -> QuizStanding:
        """Current state; answers to a quiz that has changed since are dropped."""
        answers = self._progress.get(self.quiz.name).answers
        fits = len(answers) == len(self.quiz.questions) and all(
            answer is None or 0 <= answer < len(question.choices)
            for answer, question in zip(answers, self.quiz.questions, strict=True)
        )
        return QuizStanding(quiz=self.quiz, answers=answers if fits else (None,) * len(self.quiz.questions))

    def answer(self, number: int, choice: int | str) -> QuizStanding:
        """Answer a question, counted from 1, with a choice: its letter, or its number from 0. Raises UsageError."""
        at = self.chosen(number, choice)
        answers = list(self.standing.answers)
        answers[number - 1] = at
        new = QuizStanding(quiz=self.quiz, answers=tuple(answers))
        self._progress.change(
            self.quiz.name, lambda record: replace(record, is_set_up=True, state=new.state, answers=new.answers)
        )
        return new

    def chosen(self, number: int, choice: int | str) -> int:
        """Return the number of a choice, from 0. Raises UsageError for an unknown question or choice."""
        questions = self.quiz.questions
        if not 1 <= number <= len(questions):
            raise UsageError(
                f'"{number}" is not a question; expected 1 to {len(questions)}', hint='card.answer(1, "a")'
            )
        return parse_choice(choice, len(questions[number - 1].choices), hint='card.answer(1, "a")')


_FILE = Path(__file__).resolve().parent / "quizzes.json"


@cache
def _all() -> dict[str, list[dict[str, Any]]]:
    return read_data(_FILE, dict)


def quizzes_of(lesson: str) -> tuple[Quiz, ...]:
    """Return the quizzes of a notebook, by its name such as `00-start`; an empty tuple when it has none."""
    return tuple(
        Quiz(name=row["name"], title=row["title"], questions=tuple(map(_question, row["questions"])))
        for row in _all().get(lesson, [])
    )


def _question(row: dict[str, Any]) -> Question:
    return Question(ask=row["ask"], choices=choices_of(row))


def choices_of(row: dict[str, Any]) -> tuple[Choice, ...]:
    """Return the choices of a question in JSON."""
    return tuple(
        Choice(text=each["text"], why=each["why"], is_right=each.get("right", False)) for each in row["choices"]
    )
