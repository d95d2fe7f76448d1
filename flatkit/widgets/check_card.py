"""`fk.check`: an exercise as a card with its state, its hints and its solution; quizzes and predictions have their own.

session.py does the work. A check opens SSH and translates, so the buttons work in a job and never block the page.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal, Self, TypedDict

from flatkit.board.seat import note
from flatkit.errors import FlatkitError
from flatkit.lessons import get_task
from flatkit.lessons.exercise import Exercise, Prediction, Quiz, State
from flatkit.lessons.hints import Gaps, Hint, Lines
from flatkit.lessons.ordering import judge_order
from flatkit.lessons.session import Attempt, Standing
from flatkit.lessons.workspace import FolderBench, Guest
from flatkit.widgets import board_flag
from flatkit.widgets.board_flag import FlaggedState
from flatkit.widgets.card import KEPT_ANSWERS, Card
from flatkit.widgets.editor import look_again
from flatkit.widgets.job import Job, not_in_time
from flatkit.widgets.prediction_card import PredictionCard, get_prediction
from flatkit.widgets.quiz_card import QuizCard


class DoneState(TypedDict):
    """A step of the solution that was done for the learner."""

    line: str
    output: str


class LineState(TypedDict):
    """A line to put in order."""

    piece: int
    text: str


class HintState(TypedDict):
    """A hint: words; a config with gaps in `code`; or the lines of `file`, with those that are `placed`, in order."""

    kind: Literal["words", "gaps", "lines"]
    text: str
    code: str
    file: str
    lines: list[LineState]
    placed: list[LineState]
    said: str
    right: bool


class ExerciseState(FlaggedState):
    """An exercise for the page. `left`: the number of hints not shown yet; `files`: the learner's files for it."""

    kind: Literal["exercise"]
    name: str
    title: str
    state: str
    mark: str
    task: str
    files: list[str]
    found: str
    hints: list[HintState]
    left: int
    done: list[DoneState]
    notes: list[str]
    working: bool


class CheckCard(Card):
    """An exercise. `again()`, `hint()`, `solve()` and `start_over()` do what its buttons do; `ok`: it is passed."""

    bundle = "task"
    wake = KEPT_ANSWERS
    has_flag = True

    def __init__(self, exercise: Exercise, guest: Guest | None = None, folder: Path | None = None) -> None:
        super().__init__()
        self.exercise = exercise
        self._bench = FolderBench(folder or Path.cwd(), guest)
        self._attempt = Attempt(exercise, self._bench)
        self._lock = threading.RLock()  # held while a check looks at a machine: no button may wait for it
        self._starting = threading.Lock()
        self._job: Job | None = None
        self.failures = 0  # wrong tries in a row

    @property
    def standing(self) -> Standing:
        """The exercise's current state."""
        return self._attempt.standing

    @property
    def ok(self) -> bool:
        """True if it is passed."""
        return self.standing.state is State.PASSED

    @property
    def is_working(self) -> bool:
        """True if a button's work is under way."""
        return bool(self._job and self._job.is_running)

    @property
    def is_moving(self) -> bool:
        """True if a button's work is under way."""
        return self.is_working

    def use(self, guest: Guest | None) -> None:
        """Look at this machine from now on."""
        if guest is not None:
            self._bench.guest = guest

    def again(self) -> Self:
        """Check once more."""
        self._do(self._check)
        note("check", task=self.exercise.name, verdict=str(self.standing.state))
        return self

    def _check(self) -> None:
        state = self._attempt.check().state
        self.failures = self.failures + 1 if state is State.WRONG else 0 if state is State.PASSED else self.failures

    def hint(self) -> Self:
        """Show one more hint."""
        self._do(self._attempt.hint)
        note("hint", task=self.exercise.name, number=len(self.standing.hints))
        return self

    def solve(self) -> Self:
        """Apply the solution, and show how. Your text is kept beside it, as FILE~."""
        return self._do(lambda: self._attempt.solve(lambda _: self.draw()))

    def place(self, placed: object) -> Self:
        """Put the lines of the hint in this order: a list of the numbers of their pieces. Does not wait for a check."""
        return self._do(lambda: self._attempt.place(placed), alone=False)

    def write_lines(self) -> Self:
        """Write the lines that are in order into their file. Your text is kept beside it, as FILE~."""
        return self._do(self._attempt.write_lines)

    def start_over(self) -> Self:
        """Begin again. Your text is kept beside it, as FILE~."""
        return self._do(self._attempt.start_over)

    def _do(self, work: Callable[[], object], *, alone: bool = True) -> Self:
        with self._lock if alone else nullcontext():
            self.refusal = None
            try:
                work()
            except FlatkitError as error:
                self.refusal = error
        look_again()  # the solution and a new start write files, which may be open
        self.draw()
        return self

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return what the buttons do, each in a job. Lines are placed at once: nothing outside is asked."""
        verbs = {
            "check": self.again, "hint": self.hint, "solve": self.solve, "over": self.start_over,
            "write": self.write_lines,
        }  # fmt: skip
        jobs = {name: lambda verb=verb: self._in_background(verb) for name, verb in verbs.items()}
        return {**jobs, "place": self.place}

    def _in_background(self, verb: Callable[[], object]) -> None:
        with self._starting:
            if self.is_working:
                return
            self._job = job = Job(f"checking {self.exercise.name}", lambda _: verb())
        job.when_done(self.draw)

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until a button's work is done. Raises WaitTimeout."""
        if self._job and not self._job.wait(timeout):
            raise not_in_time(f'"{self.exercise.name}" is still being checked', timeout)
        return self

    def state(self) -> ExerciseState:
        """Return the exercise and its current state."""
        standing = self.standing
        return {
            "kind": "exercise",
            "name": self.exercise.name,
            "title": self.exercise.title,
            "state": standing.word,
            "mark": standing.state.mark,
            "task": self.exercise.task,
            "files": list(self.exercise.files),
            "found": str(standing.shown or ""),
            "hints": [self._hint_state(hint, standing.placed) for hint in standing.hints],
            "left": len(self.exercise.hints) - len(standing.hints),
            "done": [{"line": done.line, "output": done.output.rstrip()} for done in standing.done],
            "notes": [text for text in (standing.note, *self._refused) if text],
            "working": self.is_working,
            "flag": board_flag.state_of(self, self.exercise.name),
        }

    def _hint_state(self, hint: Hint, placed: tuple[int, ...]) -> HintState:
        state: HintState = {
            "kind": "words", "text": str(hint), "code": "", "file": "", "lines": [], "placed": [], "said": "",
            "right": False,
        }  # fmt: skip
        if isinstance(hint, Gaps):
            return {**state, "kind": "gaps", "text": hint.ask, "code": hint.code}
        if isinstance(hint, Lines):
            verdict = judge_order(self.exercise, hint, placed)
            rest = [piece for piece in hint.shuffled if piece not in placed]
            state |= {"kind": "lines", "text": hint.ask, "code": hint.given, "file": hint.file}
            lines, chosen = ([_line_state(hint, piece) for piece in pieces] for pieces in (rest, placed))
            return {**state, "lines": lines, "placed": chosen, "said": verdict.said, "right": verdict.is_right}
        return state

    @property
    def _refused(self) -> list[str]:
        return [str(self.refusal)] if self.refusal else []

    def as_text(self) -> str:
        """Return the text of the card."""
        return "\n".join([str(self.standing), *self._refused])


def _line_state(lines: Lines, piece: int) -> LineState:
    return {"piece": piece, "text": lines.pieces[piece]}


_cards: dict[tuple[Path, str], CheckCard] = {}
_guard = threading.Lock()


def get_card(name: str, guest: Any = None) -> CheckCard | QuizCard | PredictionCard:
    """Return the card of that exercise, checked again, or of that quiz or prediction. Raises UsageError."""
    task = get_task(name)
    if isinstance(task, Quiz):
        return QuizCard(task, name)
    if isinstance(task, Prediction):
        return get_prediction(task)
    with _guard:
        card = _cards.setdefault((Path.cwd(), name), CheckCard(task))
    card.use(guest)
    return card.again()
