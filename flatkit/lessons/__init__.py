"""Exercises and quizzes: setup, check, hint, solve, cleanup; and the learner's progress, kept on disk."""

from __future__ import annotations

from flatkit.errors import UsageError
from flatkit.lessons.course import COURSE
from flatkit.lessons.exercise import Exercise, Lesson, Quiz

LESSONS: dict[str, Lesson] = {lesson.name: lesson for lesson in COURSE}


def find_task(name: str, lessons: tuple[Lesson, ...] = COURSE) -> Exercise | Quiz | None:
    """The exercise or quiz of that name, or None."""
    return next((task for lesson in lessons for task in lesson.tasks if task.name == name), None)


def get_task(name: str) -> Exercise | Quiz:
    """The exercise or quiz of that name. Raises UsageError."""
    import difflib

    found = find_task(name)
    if found is None:
        known = [task.name for lesson in COURSE for task in lesson.tasks]
        near = difflib.get_close_matches(name, known, n=1)
        meant = f'; did you mean "{near[0]}"?' if near else f"; expected one of {', '.join(known)}"
        raise UsageError(f'there is no exercise "{name}"{meant}', hint="flatkit lesson list")
    return found
