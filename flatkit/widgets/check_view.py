"""The cards of exercises and quizzes in plain ipywidgets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flatkit.errors import FlatkitError
from flatkit.lessons.exercise import Question, State
from flatkit.widgets import html, kit

if TYPE_CHECKING:
    from flatkit.widgets.check_card import CheckCard, QuizCard

_KINDS = {State.PASSED: "ok", State.WRONG: "bad", State.WAITING: "dim", State.NOT_TRIED: "dim"}


class CheckView:
    """Draws a CheckCard."""

    def __init__(self, card: CheckCard) -> None:
        self._card = card
        self.body = kit.HTML()
        self.check = kit.Button(description="Check again", button_style="primary")
        self.hint = kit.Button(description="Hint")
        self.solve = kit.Button(description="Show me", tooltip="Do it for me, and show how; my text is kept as FILE~")
        self.over = kit.Button(description="Start over", tooltip="Begin again; my text is kept as FILE~")
        for button, verb in (
            (self.check, card.again), (self.hint, card.hint), (self.solve, card.solve), (self.over, card.start_over),
        ):  # fmt: skip
            button.on_click(lambda _, verb=verb: card.in_background(verb))
        self.widget = kit.VBox([self.body, kit.HBox([self.check, self.hint, self.solve, self.over])])

    def show(self, value: CheckCard) -> None:
        """Draw it."""
        standing, working = value.standing, value.is_working
        kind = _KINDS[standing.state]
        parts = [html.line(html.text(standing.headline, kind)), html.line(html.text(standing.exercise.task))]
        if standing.finding and standing.state is not State.NOT_TRIED:
            parts += [html.line(html.text(line, kind)) for line in str(standing.finding).splitlines()]
        for number, hint in enumerate(standing.hints, start=1):
            parts.append(html.line(html.text(f"hint {number}: ", "line"), html.text(hint)))
        for done in standing.done:
            parts.append(html.line(f"<code>{html.text(done.line, 'line')}</code>"))
            parts.append(html.pre(done.output.rstrip(), f"what came of {done.line}") if done.output.strip() else "")
        parts += [html.line(html.text(text, "dim")) for text in (standing.note, value.note) if text]
        self.body.value = html.block(*parts, role="status")
        left = len(standing.exercise.hints) - len(standing.hints)
        self.check.description = "Checking …" if working else "Check again"
        self.hint.description = f"Hint ({left} left)"
        self.hint.disabled = working or not left
        self.check.disabled = self.solve.disabled = self.over.disabled = working


class QuizView:
    """Draws a QuizCard: one group of choices for each question, to be answered with mouse or keyboard."""

    def __init__(self, card: QuizCard) -> None:
        self._card = card
        self.head = kit.HTML()
        self.groups: list[Any] = []
        self.notes: list[Any] = []
        rows: list[Any] = [self.head]
        for number, question in enumerate(card.quiz.questions, start=1):
            group = kit.RadioButtons(
                options=[(choice.text, at) for at, choice in enumerate(question.choices)],
                value=card.standing.answers[number - 1], layout=kit.Layout(width="auto"),
            )  # fmt: skip
            group.observe(lambda change, number=number: self._chosen(number, change["new"]), names="value")
            note = kit.HTML()
            self.groups.append(group)
            self.notes.append(note)
            rows += [kit.HTML(value=_ask_html(number, question)), group, note]
        self.widget = kit.VBox(rows)

    def _chosen(self, number: int, choice: int | None) -> None:
        # Nobody would see what a callback raises.
        try:
            if choice is not None and choice != self._card.standing.answers[number - 1]:
                self._card.answer(number, choice)
        except FlatkitError as error:
            self.head.value = html.block(html.text(error, "bad"))

    def show(self, value: QuizCard) -> None:
        """Draw it."""
        standing = value.standing
        self.head.value = html.block(html.text(standing.headline, _KINDS[standing.state]), role="status")
        for number, (group, note) in enumerate(zip(self.groups, self.notes, strict=True)):
            group.value = standing.answers[number]
            choice = standing.chosen(number)
            if choice is None:
                note.value = ""
            else:
                said = f"{'✓ right' if choice.is_right else '✗ no'}: {choice.why}"
                note.value = html.block(html.text(said, "ok" if choice.is_right else "bad"), role="status")


def _ask_html(number: int, question: Question) -> str:
    return html.block(html.text(f"{number}. {question.ask}", "line"))
