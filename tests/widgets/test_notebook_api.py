"""The names of `import flatkit as fk`, and how little the import costs."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import flatkit as fk
from flatkit.errors import UsageError
from flatkit.host import Examination, Health, HostCheck
from flatkit.lessons.progress import Progress
from flatkit.lessons.quiz import QuizAttempt, quizzes_of
from flatkit.widgets.channels_card import ChannelsCard
from flatkit.widgets.check_card import CheckCard, QuizCard
from flatkit.widgets.course_card import CourseCard
from flatkit.widgets.editor import Editor
from flatkit.widgets.info_cards import DoctorCard
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.player import Player
from flatkit.widgets.review_card import ReviewCard


def test_the_face_holds_exactly_these_names() -> None:
    assert fk.__all__ == ["channels", "check", "clean", "course", "doctor", "editor", "glossary", "play", "up"]
    assert fk.__all__ == sorted(fk.__all__)
    for name in fk.__all__:
        held = getattr(fk, name)
        assert callable(held)
        assert held.__doc__
    assert set(fk.__all__) <= set(dir(fk))


@pytest.mark.parametrize(
    "held", [LiveMachine, Player, CheckCard, QuizCard, ReviewCard, ChannelsCard, CourseCard, Editor]
)
def test_what_a_person_holds_explains_itself(held: type) -> None:
    """What completion offers after `m.` has a sentence each."""
    names = [name for name in dir(held) if not name.startswith("_")]
    assert names
    silent = [name for name in names if not (getattr(held, name).__doc__ or "").strip()]
    assert silent == []


def test_a_demo_of_several_machines_takes_none_of_yours(folder: Path) -> None:
    with pytest.raises(UsageError, match="needs several machines") as caught:
        fk.play("identical", LiveMachine("web"))
    assert caught.value.hint == 'fk.play("identical")'


def test_the_import_brings_nothing_heavy() -> None:
    code = "import sys; before = set(sys.modules); import flatkit; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert (
        loaded & {"IPython", "ipywidgets", "libvirt", "paramiko", "yaml", "asyncio", "traitlets", "subprocess"} == set()
    )


def test_the_names_come_without_a_notebook() -> None:
    code = "import flatkit as fk, sys; fk.up, fk.play; print('IPython' in sys.modules, 'ipywidgets' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_the_course_knows_the_notebook_that_asks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for session, following in (
        ("/home/x/00-start.ipynb", "01-provision"),
        ("/home/x/01-provision.new.ipynb", "03-immutable"),
        ("/home/x/own.ipynb", "00-start"),
    ):
        monkeypatch.setenv("JPY_SESSION_NAME", session)
        assert repr(fk.course()).endswith(f"Next: {following}.ipynb")


def test_a_word_is_told_and_an_unknown_one_leads_to_the_nearest() -> None:
    assert repr(fk.glossary("Verity")).startswith("dm-verity: ")
    assert "<b>slot</b>: " in fk.glossary("slots")._repr_html_()
    with pytest.raises(UsageError, match='"slto" is not in the glossary; the nearest: slot'):
        fk.glossary("slto")


def test_the_review_asks_what_was_answered_before(folder: Path) -> None:
    assert "Nothing to review yet" in repr(fk.check("review"))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    quiz = quizzes_of("03-immutable")[0]
    for number in (1, 2, 3):
        QuizAttempt(quiz, Progress(now=lambda: yesterday)).answer(number, 0)
    card = fk.check("review")
    assert isinstance(card, ReviewCard)
    assert "3 questions from before" in repr(fk.course())
    assert [question["ask"] for question in card.state()["questions"]] == [one.ask for one in quiz.questions]
    wrong = (quiz.questions[0].right + 1) % len(quiz.questions[0].choices)
    card.hear({"verb": "answer", "number": 1, "choice": wrong})
    assert 'Read again: 03-immutable, under "One number for all of it".' in card.state()["questions"][0]["said"]
    assert card.places[0][1] == "03-immutable.ipynb#cell-id=digest"
    again = fk.check("review")
    assert isinstance(again, ReviewCard)
    assert len(again.state()["questions"]) == 2


def test_the_doctor_shows_itself_in_text_and_html() -> None:
    card = fk.doctor()
    assert "python" in repr(card)
    assert "can boot machines" in repr(card) or "cannot boot machines" in repr(card)
    assert "<table>" in card._repr_html_()
    assert card.ok == card.examination.ok


@pytest.mark.parametrize(
    ("states", "line"),
    [
        ((Health.OK, Health.OK), "✓ this host can boot machines"),
        ((Health.OK, Health.WARN), "✓ this host can boot machines (1 of 2 checks has a remark)"),
    ],
)
def test_a_healthy_host_is_one_line_that_unfolds(states: tuple[Health, ...], line: str) -> None:
    checks = tuple(HostCheck(name="python", state=state, found="f", why="w", fix="x") for state in states)
    page = DoctorCard(examination=Examination(checks=checks))._repr_html_()
    summary, _, table = page.partition("<details><summary>")[2].partition("</summary>")
    assert re.sub(r"<[^>]*>", "", summary) == line
    assert table.startswith("<table>")


def test_a_sick_host_shows_the_fix() -> None:
    check = HostCheck(name="libvirt", state=Health.FAIL, found="<none>", why="machines need it", fix="make setup")
    card = DoctorCard(examination=Examination(checks=(check,)))
    assert "<summary>" not in card._repr_html_()
    assert not card.ok
    assert "make setup" in repr(card)
    page = card._repr_html_()
    assert "<code>make setup</code>" in page
    assert "&lt;none&gt;" in page
    assert "✗" in page
