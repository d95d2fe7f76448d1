"""A learner's place in the course: what is done, the last notebook, the next one, the minutes left. Pure.

A task is done when it is passed or was shown; a quiz when every question is answered, since each answer is explained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from flatkit.lessons.exercise import Exercise, Lesson, Quiz, State
from flatkit.lessons.glossary import Planned
from flatkit.lessons.progress import TaskRecord

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """A notebook of the course, with the number of its tasks and of those that are done. `at`: last worked on."""

    name: str
    title: str
    minutes: int
    core: bool
    done: int = 0
    total: int = 0
    is_begun: bool = False
    at: datetime | None = None
    last_task: str = ""

    @property
    def is_done(self) -> bool:
        """True if every task is done."""
        return self.done == self.total > 0

    @property
    def left(self) -> int:
        """The minutes that are left of it."""
        return self.minutes if not self.total else round(self.minutes * (1 - self.done / self.total))

    @property
    def mark(self) -> str:
        """The state as one character; the word is always shown beside it."""
        return "✓" if self.is_done else "◐" if self.is_begun else "○"

    @property
    def state(self) -> str:
        """The state in words."""
        if self.is_done:
            return "done"
        return f"{self.done} of {self.total} tasks done, {self.left} minutes left" if self.is_begun else (
            f"{self.minutes} minutes")  # fmt: skip

    @property
    def file(self) -> str:
        """The notebook's file, from another notebook of the course."""
        return f"{self.name}.ipynb"


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The course's notebooks in order. `here` is the name of the notebook that asks, "" elsewhere."""

    stops: tuple[Stop, ...]
    here: str = ""

    @property
    def core(self) -> tuple[Stop, ...]:
        """The notebooks of the core path."""
        return tuple(stop for stop in self.stops if stop.core)

    @property
    def is_core_done(self) -> bool:
        """True if the core path is done."""
        return all(stop.is_done for stop in self.core)

    @property
    def is_done(self) -> bool:
        """True if all of the course is done."""
        return all(stop.is_done for stop in self.stops)

    @property
    def minutes_left(self) -> int:
        """The minutes that are left of the core path."""
        return sum(stop.left for stop in self.core)

    @property
    def last(self) -> Stop | None:
        """The notebook that was worked on last; None at the very beginning."""
        begun = [stop for stop in self.stops if stop.at]
        return max(begun, key=lambda stop: stop.at or _NEVER) if begun else None

    @property
    def next(self) -> Stop | None:
        """The notebook to open next: of the core path, then of the others; first those behind this one. None at the end."""
        numbers = {stop.name: number for number, stop in enumerate(self.stops)}
        here = numbers.get(self.here, -1)
        open_stops = [stop for stop in self.stops if not stop.is_done and stop.name != self.here]
        if not open_stops:
            return next((stop for stop in self.stops if not stop.is_done), None)
        return min(open_stops, key=lambda stop: (not stop.core, numbers[stop.name] < here, numbers[stop.name]))

    @property
    def story(self) -> str:
        """The progress in a sentence or two."""
        if self.is_done:
            return "You have done all of the course."
        extra = [stop for stop in self.stops if not stop.core]
        taken = f"{sum(stop.is_done for stop in extra)} of {len(extra)} notebooks to take home are done."
        if self.is_core_done:
            return f"The core path is done. {taken}"
        done = sum(stop.is_done for stop in self.core)
        return f"Core path: {done} of {len(self.core)} notebooks done, about {self.minutes_left} minutes left. {taken}"


def overview(
    plan: Iterable[Planned], lessons: Iterable[Lesson], records: Mapping[str, TaskRecord], *, here: str = ""
) -> Overview:
    """Return the overview from the plan, the tasks and the learner's records. A notebook without tasks is left out."""
    tasks = {lesson.name: lesson.tasks for lesson in lessons}
    stops = (_stop(one, tasks[one.name], records) for one in plan if tasks.get(one.name))
    return Overview(stops=tuple(stops), here=here)


def _stop(planned: Planned, tasks: tuple[Exercise | Quiz, ...], records: Mapping[str, TaskRecord]) -> Stop:
    mine = {task.name: records[task.name] for task in tasks if task.name in records}
    tried = {name: record for name, record in mine.items() if record != TaskRecord()}
    times = {name: record.changed for name, record in tried.items() if record.changed}
    last = max(times, key=lambda name: times[name] or _NEVER) if times else ""
    return Stop(
        name=planned.name,
        title=planned.title,
        minutes=planned.minutes,
        core=planned.core,
        done=sum(_is_done(record) for record in mine.values()),
        total=len(tasks),
        is_begun=bool(tried),
        at=times.get(last),
        last_task=last,
    )


def _is_done(record: TaskRecord) -> bool:
    return record.state in {State.PASSED, State.SHOWN} or bool(record.answers and None not in record.answers)
