"""Exercises, quizzes and predictions: setup, check, hint, solve, cleanup, and the learner's progress on disk."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from flatkit import plugins
from flatkit.errors import InputError, UsageError
from flatkit.lessons.course import COURSE
from flatkit.lessons.exercise import Act, Exercise, Lesson, Prediction, Quiz, Write

LESSONS: dict[str, Lesson] = {lesson.name: lesson for lesson in COURSE}


def find_lessons(name: str | None = None) -> tuple[Lesson, ...]:
    """Return the lessons of that name or folder; without a name the course and installed ones. Raises UsageError, InputError."""
    if name is None:
        return (*COURSE, *_installed())
    if name in LESSONS:
        return (LESSONS[name],)
    folder = plugins.find_folder(name)
    found = _load(folder) if folder else next((lesson for lesson in _installed() if lesson.name == name), None)
    if found is None:
        known = ", ".join(lesson.name for lesson in find_lessons())
        raise UsageError(f'there is no lesson "{name}"; expected a folder with a {plugins.FILE}, or one of {known}',
                         hint=plugins.hint_of_path("flatkit lesson list .") or "flatkit lesson list")  # fmt: skip
    return (found,)


def find_texts(file: str) -> tuple[str | None, str | None]:
    """Return an exercise's starting text and solution for this file; None without an exercise, or when several differ."""
    try:
        lessons = find_lessons()
    except InputError:
        lessons = COURSE  # a broken lesson is reported by the command that names it
    exercises = [exercise for lesson in lessons for exercise in lesson.exercises]
    start = _one_text(file, (exercise.setup for exercise in exercises))
    return start, _one_text(file, (exercise.solve for exercise in exercises))


def _one_text(file: str, does: Iterable[tuple[Act, ...]]) -> str | None:
    texts = {act.text for acts in does for act in acts if isinstance(act, Write) and act.file == file}
    return texts.pop() if len(texts) == 1 else None


def get_task(name: str) -> Exercise | Quiz | Prediction:
    """Return the exercise, quiz or prediction of that name; FOLDER/NAME: of a lesson by path. Raises UsageError, InputError."""
    for lesson in COURSE:
        for task in (*lesson.tasks, *lesson.predictions):
            if task.name == name:
                return task
    asked = plugins.split_task(name)
    if asked:
        folder, name = asked
        lessons = tuple(filter(None, [_load(folder)]))
    else:
        lessons = find_lessons()
    tasks = {task.name: task for lesson in lessons for task in (*lesson.tasks, *lesson.predictions)}
    if name not in tasks:
        near = difflib.get_close_matches(name, tasks, n=1)
        meant = f'; did you mean "{near[0]}"?' if near else f"; expected one of {', '.join(tasks)}"
        hint = "" if asked else plugins.hint_of_path(f"flatkit lesson check ./{name}")
        raise UsageError(
            f'there is no exercise "{name}"{meant}',
            hint=hint or (f"flatkit lesson check {near[0]}" if near else "flatkit lesson list"),
        )
    return tasks[name]


def _installed() -> Iterator[Lesson]:
    for folder in plugins.installed():
        lesson = _load(folder)
        if lesson is not None:
            yield lesson


def _load(folder: Path) -> Lesson | None:
    lesson = plugins.load(folder, "LESSON")
    if lesson is not None and not isinstance(lesson, Lesson):
        raise InputError(
            f'LESSON in "{folder}" is not a Lesson of flatkit.lessons.exercise', hint="docs/write-a-lesson.md shows one"
        )
    if lesson is None:
        return None
    return replace(lesson, exercises=tuple(replace(exercise, folder=folder) for exercise in lesson.exercises))
