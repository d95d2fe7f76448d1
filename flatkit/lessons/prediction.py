"""Predictions (predictions.json): a learner commits to a guess, sees what happens, and compares. Nothing is graded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from flatkit.files import read_data
from flatkit.lessons.exercise import Choice, Prediction, State
from flatkit.lessons.progress import Progress, TaskRecord
from flatkit.lessons.quiz import choices_of, parse_choice


@dataclass(frozen=True, kw_only=True)
class Guess:
    """The learner's guess, None before it is made; `is_seen`: what happens was shown since."""

    prediction: Prediction
    at: int | None = None
    is_seen: bool = False

    @property
    def choice(self) -> Choice | None:
        """The chosen answer."""
        return None if self.at is None else self.prediction.choices[self.at]

    @property
    def comparison(self) -> tuple[str, ...]:
        """The guess beside what happened, a line each; empty before it was seen."""
        if self.choice is None or not self.is_seen:
            return ()
        mark = "✓" if self.choice.is_right else "→"
        return (
            f"You thought: {self.choice.text}",
            f"What happens: {self.prediction.happened}",
            f"{mark} {self.choice.why}",
        )

    def __str__(self) -> str:
        lines = [f"{self.prediction.name}  {self.prediction.ask}"]
        for letter, choice in zip("abcdef", self.prediction.choices, strict=False):
            lines.append(f"   {'>' if choice is self.choice else ' '} {letter}  {choice.text}")
        return "\n".join([*lines, *self.comparison])


class Guessing:
    """A prediction with the learner's progress."""

    def __init__(self, prediction: Prediction, progress: Progress | None = None) -> None:
        self.prediction = prediction
        self._progress = progress or Progress()

    @property
    def guess(self) -> Guess:
        """The stored guess; one for a choice that is gone since is dropped."""
        return self._guess_of(self._progress.get(self.prediction.name))

    def _guess_of(self, record: TaskRecord) -> Guess:
        at = record.answers[0] if len(record.answers) == 1 else None
        if at is None or not 0 <= at < len(self.prediction.choices):
            return Guess(prediction=self.prediction)
        return Guess(prediction=self.prediction, at=at, is_seen=record.state is State.PASSED)

    def choose(self, choice: int | str) -> Guess:
        """Store a guess, by its letter or its number from 0; one whose answer was seen stays. Raises UsageError."""
        at = parse_choice(choice, len(self.prediction.choices), hint='card.choose("a")')

        def chosen(record: TaskRecord) -> TaskRecord:
            # Asked where the record is locked: a click may come while the cell below shows the answer.
            if self._guess_of(record).is_seen:
                return record
            return replace(record, is_set_up=True, state=State.WAITING, answers=(at,))

        return self._change(chosen)

    def see(self) -> Guess:
        """Store that the answer was shown; without a guess nothing changes."""
        if self.guess.choice is None:
            return self.guess
        return self._change(lambda record: replace(record, state=State.PASSED))

    def forget(self) -> Guess:
        """Ask again."""
        return self._change(lambda _: TaskRecord())

    def _change(self, change: Any) -> Guess:
        self._progress.change(self.prediction.name, change)
        return self.guess


_FILE = Path(__file__).resolve().parent / "predictions.json"


@cache
def _all() -> dict[str, list[dict[str, Any]]]:
    return read_data(_FILE, dict)


def predictions_of(lesson: str) -> tuple[Prediction, ...]:
    """Return the predictions of a notebook, by its name such as `00-start`; an empty tuple when it has none."""
    return tuple(map(_prediction, _all().get(lesson, [])))


def find_prediction(name: str) -> Prediction | None:
    """Return the course's prediction of that name."""
    return next((_prediction(row) for rows in _all().values() for row in rows if row["name"] == name), None)


def _prediction(row: dict[str, Any]) -> Prediction:
    return Prediction(
        name=row["name"], ask=row["ask"], choices=choices_of(row), cell=row["cell"], happened=row["happened"],
        fails=row.get("fails", False),
    )  # fmt: skip
