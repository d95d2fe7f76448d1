"""`fk.check("03-predict-read")`: a question to commit to, before the cell below it shows the answer.

A cell that shows an unanswered question ends as an error without a traceback, so that Run All stops there. When the cell
that shows the answer has run, the guess is put beside what happened: on the card, and below that cell.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

from flatkit.board.seat import note
from flatkit.errors import FlatkitError, Unanswered
from flatkit.lessons.exercise import Prediction
from flatkit.lessons.prediction import Guess, Guessing
from flatkit.widgets import board_flag, display
from flatkit.widgets.board_flag import FlaggedState
from flatkit.widgets.card import KEPT_ANSWERS, Card

_WHY = "Nothing is graded. A guess of your own makes the answer stay in your mind, whether it was right or wrong."
_KEPT = "Your guess is kept. Now run the next cell; until then you may change it."
_WAITS = "The notebook waits here: choose an answer above, then run the next cell."


class PredictionState(FlaggedState):
    """A prediction for the page. `seen`: what happens was shown, and the guess stays."""

    kind: Literal["prediction"]
    name: str
    title: str
    state: str
    mark: str
    ask: str
    choices: list[str]
    chosen: int | None
    seen: bool
    right: bool
    comparison: list[str]
    note: str


class PredictionCard(Card):
    """A prediction. `choose("a")`, `see()` and `again()` do what its buttons do."""

    bundle = "task"
    wake = KEPT_ANSWERS
    has_flag = True

    def __init__(self, prediction: Prediction) -> None:
        super().__init__()
        self.prediction = prediction
        self._guessing = Guessing(prediction)
        self._waits = ""

    @property
    def guess(self) -> Guess:
        """The learner's guess."""
        return self._guessing.guess

    def choose(self, choice: int | str) -> Self:
        """Commit to an answer, by its letter. Raises UsageError."""
        self._do(lambda: self._guessing.choose(choice))
        if self.guess.at is not None:
            note("prediction", task=self.prediction.name, question=1, choice=self.guess.at)
        if self._waits:
            display.publish_text("Now run the next cell.", self._waits, again=True)
        return self

    def wait(self) -> None:
        """Say below the cell that the notebook waits, until an answer is chosen."""
        self._waits = f"{self.prediction.name}-{uuid.uuid4().hex}"
        display.publish_text(_WAITS, self._waits)

    def see(self) -> Self:
        """Show what happens beside the guess."""
        return self._do(self._guessing.see)

    def again(self) -> Self:
        """Forget the guess, and ask again."""
        return self._do(self._guessing.forget)

    def _do(self, work: Callable[[], object]) -> Self:
        work()
        self.draw()
        return self

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return what the buttons do."""
        return {"choose": self.choose, "see": self.see, "again": self.again}

    def state(self) -> PredictionState:
        """Return the question, the guess and, once it was seen, what happened."""
        guess = self.guess
        hint = "" if guess.is_seen else _WHY if guess.choice is None else _KEPT
        return {
            "kind": "prediction",
            "name": self.prediction.name,
            "title": "Predict",
            "state": "seen" if guess.is_seen else "not chosen yet" if guess.choice is None else "chosen",
            "mark": "●" if guess.is_seen else "○" if guess.choice is None else "◐",
            "ask": self.prediction.ask,
            "choices": [choice.text for choice in self.prediction.choices],
            "chosen": guess.at,
            "seen": guess.is_seen,
            "right": bool(guess.choice and guess.choice.is_right),
            "comparison": list(guess.comparison),
            "note": str(self.refusal) if self.refusal else hint,
            "flag": board_flag.state_of(self, self.prediction.name),
        }

    def as_text(self) -> str:
        """Return the text of the card."""
        state = self.state()
        how = "" if self.guess.choice else f'\nanswer with: fk.check("{self.prediction.name}").choose("a")'
        return "\n".join([str(self.guess), *([state["note"]] if state["note"] else [])]) + how

    def display(self) -> None:
        """Show the card below this cell, once."""
        super().display()
        _shown_here.add(self.prediction.name)

    def after_cell(self, source: str, error: BaseException | None) -> None:
        """Below the cell that shows the answer, put the guess beside it. `error` is what that cell ended with."""
        has_run = error is None or (self.prediction.fails and isinstance(error, FlatkitError))
        # Once is enough: a later cell may have the same line, and show what is true by then.
        if self.prediction.cell not in source or not has_run or self.guess.choice is None or self.guess.is_seen:
            return
        self.see()
        display.publish_text("\n".join(self.guess.comparison))


# Those of this kernel, and the names of those that the running cell shows.
_cards: dict[str, PredictionCard] = {}
_shown_here: set[str] = set()


def get_prediction(prediction: Prediction) -> PredictionCard:
    """Return the card of a prediction, one per name."""
    _register()
    return _cards.setdefault(prediction.name, PredictionCard(prediction))


def after_cell(result: Any) -> None:
    """Show answers, and stop Run All at a question that has none. IPython calls this after each cell."""
    error = result.error_before_exec or result.error_in_exec
    here = [card for card in _cards.values() if card.prediction.name in _shown_here]
    _shown_here.clear()
    open_ones = [card for card in here if card.guess.choice is None]
    if open_ones and error is None:
        for card in open_ones:
            card.wait()
        # Jupyter drops the cells in its queue after an error. Set here, nothing of it is shown below the cell.
        result.error_in_exec = waits = Unanswered(f'"{open_ones[0].prediction.name}" is not answered yet', hint=_WAITS)
        # The kernel's reply has these lines: nbclient shows them.
        display.get_shell()._last_traceback = waits._render_traceback_()  # noqa: SLF001
        return
    if _went_wrong(result.result):
        return
    for card in _cards.values():
        if card not in here:
            card.after_cell(result.info.raw_cell or "", error)


def _went_wrong(value: Any) -> bool:
    """Return True for the player of a demo that was not played to its end, or whose check failed: nothing was seen."""
    return hasattr(value, "is_over") and not value.ok


def _register() -> None:
    """Call after_cell after each cell of this notebook."""
    shell = display.get_shell()
    if shell is not None and after_cell not in shell.events.callbacks["post_run_cell"]:
        shell.events.register("post_run_cell", after_cell)
