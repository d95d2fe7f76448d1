"""A learner's way through an exercise and a quiz: states, hints, solution, starting over."""

from __future__ import annotations

from pathlib import Path

import pytest

from flatkit.errors import UsageError
from flatkit.lessons import get_task
from flatkit.lessons.course.start import HELLO as WHERE
from flatkit.lessons.exercise import Exercise, Quiz, State
from flatkit.lessons.progress import Progress
from flatkit.lessons.quiz import QuizAttempt
from flatkit.lessons.session import Attempt
from flatkit.lessons.workspace import FolderBench
from flatkit.testing.bench import PretendedMachine, Reply

NAME = get_task("00-name")
HELLO = get_task("00-hello")
QUIZ = get_task("00-recap")
assert isinstance(NAME, Exercise)
assert isinstance(HELLO, Exercise)
assert isinstance(QUIZ, Quiz)
ANSWERS = {WHERE: (Reply("none\n"), Reply("text\nhi\n"))}


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "progress.json")


@pytest.fixture
def bench(tmp_path: Path) -> FolderBench:
    folder = tmp_path / "course"
    folder.mkdir()
    return FolderBench(folder)


def test_the_way_of_a_learner(bench: FolderBench, progress: Progress) -> None:
    attempt = Attempt(NAME, bench, progress)
    assert attempt.standing.state is State.NOT_TRIED
    standing = attempt.check()
    assert bench.read("first.bu"), "the start is there"
    assert standing.state is State.NOT_TRIED, "a check before anything was done is no miss"
    assert "2 hints left" in str(standing)
    bench.write("first.bu", "variant: flatcar\nversion: 1.0.0\n")
    standing = attempt.check()
    assert standing.state is State.WRONG
    assert "✗ 00-name" in str(standing)
    assert "look closer: flatkit explain first.bu" in str(standing)
    assert len(attempt.hint().hints) == 1
    assert "hint 1: A machine's name" in str(attempt.standing)
    assert "1 hint left" in str(attempt.standing)
    assert len(attempt.hint().hints) == len(attempt.hint().hints) == 2
    (bench.folder / "first.bu").write_text("variant: flatcar\nversion: 1.0.0\nstorage:\n  files:\n"
                                           "    - {path: /etc/hostname, contents: {inline: mine}}\n")  # fmt: skip
    assert attempt.check().state is State.PASSED
    again = Attempt(NAME, bench, Progress(progress.file))
    assert (again.standing.state, len(again.standing.hints)) == (State.PASSED, 2), "kept over a restart"
    (bench.folder / "first.bu").unlink()
    assert again.check().state is State.WAITING, "what was right once is looked at anew"


def test_solve_does_it_visibly_and_keeps_what_was_there(bench: FolderBench, progress: Progress) -> None:
    mine = "# my own words\nvariant: flatcar\nversion: 1.0.0\n"
    (bench.folder / "first.bu").write_text(mine)
    shown = []
    standing = Attempt(NAME, bench, progress).solve(shown.append)
    assert standing.state is State.SHOWN, "flatkit did it, and not the learner"
    assert "%%butane first.bu" in str(standing)
    assert "inline: ada-s-machine" in str(standing)
    assert len(shown) == 1
    assert bench.read("first.bu~") == mine


def test_what_was_shown_is_passed_by_doing_it(bench: FolderBench, progress: Progress) -> None:
    attempt = Attempt(NAME, bench, progress)
    attempt.solve()
    assert attempt.check().state is State.SHOWN
    attempt.start_over()
    bench.write("first.bu", (bench.read("first.bu") or "").replace("inline: first", "inline: own"))
    assert attempt.check().state is State.PASSED
    assert attempt.solve().state is State.PASSED, "what was passed stays so"


def test_checking_again_shows_that_it_looked(bench: FolderBench, progress: Progress) -> None:
    attempt = Attempt(NAME, bench, progress)
    assert attempt.check().note == ""
    again = attempt.check()
    assert again.state is State.NOT_TRIED
    assert "nothing has changed since the start" in str(again)
    assert 'the machine will be named "first"' in str(again)
    bench.write("first.bu", "variant: flatcar\nversion: 1.0.0\n")
    assert attempt.check().note == ""
    assert "nothing has changed" in attempt.check().note


def test_setup_never_writes_over_a_file(bench: FolderBench, progress: Progress) -> None:
    (bench.folder / "first.bu").write_text("mine")
    Attempt(NAME, bench, progress).check()
    assert bench.read("first.bu") == "mine"


def test_start_over_brings_the_start_back(bench: FolderBench, progress: Progress) -> None:
    attempt = Attempt(NAME, bench, progress)
    attempt.check()
    start = bench.read("first.bu")
    attempt.hint()
    (bench.folder / "first.bu").write_text("mine")
    standing = attempt.start_over()
    assert (standing.state, standing.hints) == (State.NOT_TRIED, ())
    assert bench.read("first.bu") == start
    assert bench.read("first.bu~") == "mine"


def test_a_machine_that_boots_is_waited_for(bench: FolderBench, progress: Progress) -> None:
    machine = PretendedMachine(HELLO, ANSWERS)
    bench.guest = machine
    attempt = Attempt(HELLO, bench, progress)
    machine.booting = True
    standing = attempt.check()
    assert standing.state is State.WAITING
    assert "await m" in str(standing), "it says that it cannot look yet"
    machine.booting = False
    standing = attempt.check()
    assert standing.state is State.NOT_TRIED, "the first look is no wrong try"
    assert standing.note == ""
    assert "not solved yet" in str(standing)
    assert "there is no /home/core/hello" in str(standing)
    machine.booting = True
    standing = attempt.check()
    assert standing.state is State.WAITING
    assert "not ready yet" in str(standing)
    assert "await m" in str(standing)
    assert "could not be done" in attempt.solve().note
    machine.booting = False
    assert attempt.solve().state is State.SHOWN
    assert "core@machine$ echo hi > /home/core/hello" in str(attempt.standing)


@pytest.mark.parametrize(("said", "shown"), [("none\n/home/hello\n", "/home/hello is there"), ("empty\n", "is empty")])
def test_a_try_before_the_first_check_is_told_what_was_found(
    bench: FolderBench, progress: Progress, said: str, shown: str
) -> None:
    asked: list[str] = []

    class Machine:
        def run(self, command: str) -> Reply:
            asked.append(command)
            return Reply(said)

    bench.guest = Machine()
    standing = Attempt(HELLO, bench, progress).check()
    assert "not tried" not in str(standing)
    assert shown in str(standing)
    assert asked == [WHERE], "a machine takes seconds to answer, and is asked once"


def test_a_file_made_before_the_first_check_is_judged_aloud(bench: FolderBench, progress: Progress) -> None:
    (bench.folder / "first.bu").write_text("variant: flatcar\nversion: 1.0.0\n")
    standing = Attempt(NAME, bench, progress).check()
    assert "not solved yet" in str(standing)
    assert "files in your config: none" in str(standing)


def test_a_start_that_the_check_made_is_not_held_against_the_learner(bench: FolderBench, progress: Progress) -> None:
    attempt = Attempt(NAME, bench, progress)
    assert "not tried" in str(attempt.check())
    assert attempt.hint().shown is None
    assert 'named "first"' in str(attempt.check())
    assert attempt.start_over().shown is None


def test_without_a_machine_the_cell_is_named(bench: FolderBench, progress: Progress) -> None:
    finding = Attempt(HELLO, bench, progress).check().finding
    assert finding is not None
    assert 'fk.check("...", m)' in finding.look


def test_a_file_that_is_no_text_is_a_finding(bench: FolderBench, progress: Progress) -> None:
    (bench.folder / "first.bu").write_bytes(b"\xff\xfe")
    standing = Attempt(NAME, bench, progress).check()
    assert standing.state is State.WAITING
    assert standing.finding is not None
    assert "it is not UTF-8 text" in standing.finding.found


def test_a_quiz_explains_every_answer(progress: Progress) -> None:
    attempt = QuizAttempt(QUIZ, progress)
    assert attempt.standing.state is State.NOT_TRIED
    assert "1. What does Flatcar treat" in str(attempt.standing)
    assert attempt.answer(1, "a").state is State.WRONG
    assert "✗ no: Flatcar has no package manager" in str(attempt.standing)
    assert attempt.answer(1, "b").state is State.WAITING
    assert "✓ right: " in str(attempt.standing)
    attempt.answer(2, "B")
    assert attempt.answer(3, 1).state is State.PASSED
    assert QuizAttempt(QUIZ, Progress(progress.file)).standing.state is State.PASSED
    assert progress.get("00-recap").state is State.PASSED


@pytest.mark.parametrize(("number", "choice"), [(0, "a"), (4, "a"), (1, "d"), (1, "ab"), (1, 3), (1, -1), (1, None)])
def test_an_answer_that_is_none_is_refused(progress: Progress, number: int, choice: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        QuizAttempt(QUIZ, progress).answer(number, choice)  # type: ignore[arg-type]


def test_answers_to_an_older_quiz_are_forgotten(progress: Progress) -> None:
    attempt = QuizAttempt(QUIZ, progress)
    attempt.answer(1, "c")
    shorter = Quiz(name=QUIZ.name, title="t", questions=QUIZ.questions[:1])
    assert QuizAttempt(shorter, progress).standing.answers == (None,)
