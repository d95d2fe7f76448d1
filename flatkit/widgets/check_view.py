"""The cards of exercises and quizzes: what the page draws (js/src/task/) as one value, and the clicks that it sends back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from flatkit.errors import FlatkitError
from flatkit.lessons.exercise import State
from flatkit.widgets import bundle

if TYPE_CHECKING:
    from flatkit.widgets.check_card import CheckCard, QuizCard

_traitlets: Any = importlib.import_module("traitlets")


class TaskWidget(bundle.BundledWidget):
    """One trait: the task as it stands."""

    _esm = bundle.script("task")
    _css = bundle.style("task")
    task = _traitlets.Dict().tag(sync=True)


class CheckView:
    """Draws a CheckCard."""

    def __init__(self, card: CheckCard) -> None:
        self._card = card
        self.widget: Any = TaskWidget()
        self.widget.on_msg(self._said)

    def show(self, value: CheckCard) -> None:
        """Draw it; what does not change sends nothing."""
        self.widget.task = exercise_value(value)

    def _said(self, _: Any, content: Any, __: Any) -> None:
        card = self._card
        verbs = {"check": card.again, "hint": card.hint, "solve": card.solve, "over": card.start_over}
        verb = verbs.get(content.get("verb", "")) if isinstance(content, dict) else None
        if verb is not None:
            card.in_background(verb)


class QuizView:
    """Draws a QuizCard: one group of choices for each question."""

    def __init__(self, card: QuizCard) -> None:
        self._card = card
        self._trouble = ""
        self.widget: Any = TaskWidget()
        self.widget.on_msg(self._said)

    def show(self, value: QuizCard) -> None:
        """Draw it."""
        self.widget.task = quiz_value(value, trouble=self._trouble)

    def _said(self, _: Any, content: Any, __: Any) -> None:
        """A choice. Nobody would see what a callback raises."""
        if not isinstance(content, dict) or content.get("verb") != "answer":
            return
        self._trouble = ""
        try:
            self._card.answer(int(content["number"]), int(content["choice"]))
        except FlatkitError as error:
            self._trouble = str(error)
        self.show(self._card)


def exercise_value(card: CheckCard) -> dict[str, Any]:
    """An exercise as plain values for the page."""
    standing = card.standing
    tried = standing.finding is not None and standing.state is not State.NOT_TRIED
    return {
        "kind": "exercise",
        "name": standing.exercise.name,
        "title": standing.exercise.title,
        "state": str(standing.state),
        "mark": standing.state.mark,
        "task": standing.exercise.task,
        "found": str(standing.finding) if tried else "",
        "hints": list(standing.hints),
        "left": len(standing.exercise.hints) - len(standing.hints),
        "done": [[done.line, done.output.rstrip()] for done in standing.done],
        "notes": [text for text in (standing.note, card.note) if text],
        "working": card.is_working,
    }


def quiz_value(card: QuizCard, *, trouble: str = "") -> dict[str, Any]:
    """A quiz as plain values for the page."""
    standing = card.standing
    questions = []
    for number, question in enumerate(card.quiz.questions):
        choice = standing.chosen(number)
        questions.append(
            {
                "ask": question.ask,
                "choices": [one.text for one in question.choices],
                "chosen": standing.answers[number],
                "right": bool(choice and choice.is_right),
                "said": f"{'✓ right' if choice.is_right else '✗ no'}: {choice.why}" if choice else "",
            }
        )
    return {
        "kind": "quiz",
        "name": card.quiz.name,
        "title": card.quiz.title,
        "state": trouble or str(standing.state),
        "mark": "✗" if trouble else standing.state.mark,
        "questions": questions,
        "working": False,
    }
