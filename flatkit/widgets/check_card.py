"""`fk.check`: an exercise or a quiz as a card with its state, its hints and its solution; a text twin says the same.

A card is what the learner holds; attempt.py and quiz.py do the work. Checking opens SSH and translates, so buttons work in a
job, and the card never blocks the page.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from flatkit.errors import FlatkitError
from flatkit.lessons.attempt import Attempt, Standing
from flatkit.lessons.bench import FolderBench, Guest
from flatkit.lessons.exercise import Exercise, Quiz, State
from flatkit.lessons.quiz import QuizAttempt, QuizStanding
from flatkit.widgets import display
from flatkit.widgets.editor import look_again
from flatkit.widgets.job import Job
from flatkit.widgets.twin import Twin


class CheckCard(Twin):
    """An exercise. `again()`, `hint()`, `solve()` and `start_over()` are what its buttons do; `ok` says whether it is passed."""

    def __init__(self, exercise: Exercise, guest: Guest | None = None, folder: Path | None = None) -> None:
        self.exercise = exercise
        self._bench = FolderBench(folder or Path.cwd(), guest)
        self._attempt = Attempt(exercise, self._bench)
        self._lock = threading.RLock()
        self._job: Job | None = None
        self._note = ""
        self._view: display.View | None = None
        self._place = display.Place()

    @property
    def standing(self) -> Standing:
        """How it stands."""
        return self._attempt.standing

    @property
    def ok(self) -> bool:
        """Whether it is passed."""
        return self.standing.state is State.PASSED

    @property
    def note(self) -> str:
        """What went wrong with the card itself, if anything did."""
        return self._note

    @property
    def is_working(self) -> bool:
        """Whether a button's work is being done."""
        return bool(self._job and self._job.is_running)

    def use(self, guest: Guest | None) -> None:
        """Look at this machine from now on."""
        if guest is not None:
            self._bench.guest = guest

    def again(self) -> CheckCard:
        """Check once more."""
        return self._do(self._attempt.check)

    def hint(self) -> CheckCard:
        """Show one more hint."""
        return self._do(self._attempt.hint)

    def solve(self) -> CheckCard:
        """Really do it, and show how. What you wrote is kept beside it, as FILE~."""
        return self._do(lambda: self._attempt.solve(lambda _: self._draw()))

    def start_over(self) -> CheckCard:
        """Begin again. What you wrote is kept beside it, as FILE~."""
        return self._do(self._attempt.start_over)

    def in_background(self, verb: Any) -> None:
        """What a button does: returns at once; a second click while one is at work does nothing."""
        with self._lock:
            if self.is_working:
                return
            self._job = job = Job(f"checking {self.exercise.name}", lambda _: verb())
        job.when_done(self._draw)
        self._draw()

    def wait(self, timeout: float | None = None) -> CheckCard:
        """Wait until the work of a button is done. Raises WaitTimeout."""
        if self._job and not self._job.wait(timeout):
            raise display.not_in_time(f'"{self.exercise.name}" is still being checked', timeout)
        return self

    def _do(self, work: Any) -> CheckCard:
        with self._lock:
            self._note = ""
            try:
                work()
            except FlatkitError as error:
                self._note = str(error)
        look_again()  # solving and starting over write files, which may be open
        self._draw()
        return self

    def as_text(self) -> str:
        """Return the text twin."""
        return "\n".join([str(self.standing), *([self._note] if self._note else [])])

    def _draw(self) -> None:
        if self._view is not None:
            self._view.show(self)

    def _ipython_display_(self) -> None:
        if not self._place.is_new():
            return
        if self._view is None:
            from flatkit.widgets.check_view import CheckView

            self._view = CheckView(self)
        self._draw()
        self._place.shown()
        display.publish(self._view, repr(self))


class QuizCard(Twin):
    """A quiz. `answer(1, "b")` is what a click does; each answer is explained."""

    def __init__(self, quiz: Quiz, asked: str = "") -> None:
        self.quiz = quiz
        self._asked = asked or quiz.name  # a lesson's own is asked for by its path
        self._attempt = QuizAttempt(quiz)
        self._view: display.View | None = None
        self._place = display.Place()

    @property
    def standing(self) -> QuizStanding:
        """How it stands."""
        return self._attempt.standing

    @property
    def ok(self) -> bool:
        """Whether every answer is right."""
        return self.standing.state is State.PASSED

    def answer(self, number: int, choice: int | str) -> QuizCard:
        """Answer question `number` (from 1) with a letter. Raises UsageError."""
        self._attempt.answer(number, choice)
        if self._view is not None:
            self._view.show(self)
        return self

    def as_text(self) -> str:
        """Return the text twin."""
        hint = "" if self.ok else '\nanswer with: card = fk.check("' + self._asked + '"); card.answer(1, "a")'
        return str(self.standing) + hint

    def _ipython_display_(self) -> None:
        if not self._place.is_new():
            return
        if self._view is None:
            from flatkit.widgets.check_view import QuizView

            self._view = QuizView(self)
        self._view.show(self)
        self._place.shown()
        display.publish(self._view, repr(self))


_cards: dict[tuple[Path, str], CheckCard] = {}
_guard = threading.Lock()


def get_card(name: str, guest: Any = None) -> CheckCard | QuizCard:
    """The card of that exercise, checked anew, or of that quiz; one card for each folder and name. Raises UsageError."""
    from flatkit.lessons import get_task

    task = get_task(name)
    if isinstance(task, Quiz):
        return QuizCard(task, name)
    with _guard:
        card = _cards.setdefault((Path.cwd(), name), CheckCard(task))
    card.use(guest)
    return card.again()
