"""The quizzes of the course's notebooks, read from quizzes.json beside this file."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from flatkit.lessons.exercise import Choice, Question, Quiz

_FILE = Path(__file__).resolve().parent / "quizzes.json"


@cache
def _all() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return found


def quizzes_of(lesson: str) -> tuple[Quiz, ...]:
    """Return the quizzes of a notebook, by its name such as `00-start`; an empty tuple when it has none."""
    return tuple(
        Quiz(name=row["name"], title=row["title"], questions=tuple(map(_question, row["questions"])))
        for row in _all().get(lesson, [])
    )


def _question(row: dict[str, Any]) -> Question:
    choices = (Choice(text=each["text"], why=each["why"], is_right=each.get("right", False)) for each in row["choices"])
    return Question(ask=row["ask"], choices=tuple(choices))
