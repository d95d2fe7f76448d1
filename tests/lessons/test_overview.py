"""Where a learner is: done, next and minutes left follow from the records; the card says it as picture and as text."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flatkit.lessons.course import COURSE
from flatkit.lessons.exercise import State
from flatkit.lessons.glossary import plan
from flatkit.lessons.overview import Overview, overview
from flatkit.lessons.progress import TaskRecord
from flatkit.widgets.course_card import CourseCard

FRIDAY = datetime(2026, 11, 27, 18, 0, tzinfo=UTC)
TASKS = {lesson.name: [task.name for task in lesson.tasks] for lesson in COURSE}
CORE = [one.name for one in plan() if one.core and one.name in TASKS]
EXTRA = [one.name for one in plan() if not one.core and one.name in TASKS]


def done(*lessons: str) -> dict[str, TaskRecord]:
    """All tasks of these lessons, the quizzes with a wrong answer each."""
    quizzes = {quiz.name: quiz for lesson in COURSE for quiz in lesson.quizzes}
    return {
        task: TaskRecord(state=State.WRONG, answers=(0,) * len(quizzes[task].questions), at=FRIDAY.isoformat())
        if task in quizzes
        else TaskRecord(state=State.SHOWN, at=FRIDAY.isoformat())
        for lesson in lessons
        for task in TASKS[lesson]
    }


def look(records: Mapping[str, TaskRecord], here: str = "") -> Overview:
    return overview(plan(), COURSE, records, here=here)


@pytest.mark.parametrize(
    ("finished", "here", "following"),
    [
        ((), "", CORE[0]),
        ((), "00-start", "01-provision"),
        (("00-start",), "00-start", "01-provision"),
        (("00-start", "01-provision"), "01-provision", "03-immutable"),
        (("01-provision",), "06-sysext", "00-start"),
        (("01-provision",), "02-butane", "03-immutable"),
        (CORE, "06-sysext", "07-containers"),
        (CORE, "", "02-butane"),
        ((*CORE, *EXTRA[1:]), EXTRA[-1], EXTRA[0]),
        ((*CORE, *EXTRA[1:]), EXTRA[0], EXTRA[0]),
        ((*CORE, *EXTRA), "", None),
    ],
)  # fmt: skip
def test_what_is_next(finished: tuple[str, ...], here: str, following: str | None) -> None:
    path = look(done(*finished), here)
    assert (path.next.name if path.next else None) == following
    assert path.is_core_done == (set(CORE) <= set(finished))
    assert path.is_done == (following is None)


@given(st.sets(st.sampled_from([task for tasks in TASKS.values() for task in tasks])))
def test_more_work_never_means_more_left(finished: set[str]) -> None:
    everything = done(*TASKS)
    some = {task: everything[task] for task in finished}
    path = look(some)
    assert sum(stop.done for stop in path.stops) == len(finished)
    for task in set(everything) - finished:
        more = look({**some, task: everything[task]})
        assert more.minutes_left <= path.minutes_left
    assert (path.minutes_left == 0) == path.is_core_done or any(
        0 < stop.left <= 1 or not stop.left for stop in path.core
    )


def test_a_set_up_exercise_is_begun_and_an_empty_record_is_not() -> None:
    begun = look({"01-note": TaskRecord(is_set_up=True), "03-digest": TaskRecord()}).stops
    assert {stop.name for stop in begun if stop.is_begun} == {"01-provision"}


def card(path: Overview, **more: object) -> CourseCard:
    values: dict[str, object] = {"saved": {}, "due": 0, "now": FRIDAY, **more}
    return CourseCard(path=path, **values)  # type: ignore[arg-type]


def test_at_the_very_beginning() -> None:
    text = repr(card(look({}, "00-start")))
    assert "Core path: 0 of 5 notebooks done, about 80 minutes left." in text
    assert text.endswith("Next: 01-provision.ipynb")
    assert "You were" not in text


def test_on_coming_back() -> None:
    records = {**done("00-start"), "01-note": TaskRecord(state=State.WRONG, at=FRIDAY.replace(hour=19).isoformat())}
    back = card(look(records, "00-start"), saved={"01-provision": ('"web"',)}, due=3, now=FRIDAY.replace(day=30))
    said = 'You were in 01-provision on Friday, 27 November, at 01-note. Your machine "web" is saved: the cell that made it'
    assert said in repr(back)
    assert "3 questions from before" in repr(back)
    assert "yesterday" in repr(card(look(records), now=FRIDAY.replace(day=28)))
    assert "saved" not in repr(card(look(records)))
    assert '<a href="01-provision.ipynb">1. Provisioned, not installed</a>' in back._repr_html_()


def test_the_end_of_the_core_path_is_celebrated() -> None:
    assert "You have walked the core path" in repr(card(look(done(*CORE), CORE[-1])))
    assert "You have walked the core path" not in repr(card(look(done(*CORE[:-1]), CORE[-1])))
    everything = card(look(done(*TASKS)))
    assert "You have done all of the course." in repr(everything)
    assert "Next:" not in repr(everything)


@pytest.mark.parametrize("finished", [(), CORE, (*CORE, *EXTRA)])
def test_the_picture_is_whole_and_says_itself(finished: tuple[str, ...]) -> None:
    shown = card(look(done(*finished)))._repr_html_()
    picture = ET.fromstring(shown[shown.index("<svg") : shown.index("</svg>") + 6])
    assert len(list(picture.iter("circle"))) == len(CORE) + len(EXTRA)
    for one in plan():
        assert one.name not in TASKS or one.title in picture.attrib["aria-label"]
    _, _, width, height = map(float, picture.attrib["viewBox"].split())
    for text in picture.iter("text"):
        assert 0 < float(text.attrib["x"]) < width
        assert 0 < float(text.attrib["y"]) < height
