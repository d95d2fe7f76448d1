"""`fk.check("NN-recap")`: a quiz as a card, each answer explained at once. quiz.py does the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Self, TypedDict

from flatkit.board.seat import note
from flatkit.lessons.exercise import Quiz, State
from flatkit.lessons.quiz import QuizAttempt, QuizStanding
from flatkit.widgets import board_flag
from flatkit.widgets.board_flag import FlaggedState
from flatkit.widgets.card import KEPT_ANSWERS, Card


class QuestionState(TypedDict):
    """A question for the page. `said` is the verdict on the chosen answer."""

    ask: str
    choices: list[str]
    chosen: int | None
    right: bool
    said: str


class QuizState(FlaggedState):
    """A quiz for the page."""

    kind: Literal["quiz"]
    name: str
    title: str
    state: str
    mark: str
    questions: list[QuestionState]


class QuizCard(Card):
    """A quiz. `answer(1, "b")` does what a click does; each answer is explained."""

    bundle = "task"
    wake = KEPT_ANSWERS
    has_flag = True

    def __init__(self, quiz: Quiz, asked: str = "", attempt: QuizAttempt | None = None) -> None:
        super().__init__()
        self.quiz = quiz
        self._asked = asked or quiz.name  # a quiz of another lesson is asked for by its path
        self._attempt = attempt or QuizAttempt(quiz)

    @property
    def standing(self) -> QuizStanding:
        """The quiz's current state."""
        return self._attempt.standing

    @property
    def ok(self) -> bool:
        """True if every answer is right."""
        return self.standing.state is State.PASSED

    def answer(self, number: int, choice: int | str) -> Self:
        """Answer question `number` (from 1) with a letter. Raises UsageError."""
        self._attempt.answer(number, choice)
        chosen = self.standing.chosen(number - 1)
        if chosen is not None:
            place = self.quiz.questions[number - 1].choices.index(chosen)
            note("quiz", task=self.quiz.name, question=number, choice=place, right=chosen.is_right)
        self.draw()
        return self

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return what a click on a choice does."""
        return {"answer": self.answer}

    def state(self) -> QuizState:
        """Return the questions with the verdicts on their answers."""
        standing = self.standing
        questions: list[QuestionState] = []
        for number, question in enumerate(self.quiz.questions):
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
            "name": self.quiz.name,
            "title": self.quiz.title,
            "state": str(self.refusal or standing.state),
            "mark": "✗" if self.refusal else standing.state.mark,
            "questions": questions,
            "flag": board_flag.state_of(self, self.quiz.name),
        }

    def as_text(self) -> str:
        """Return the text of the card."""
        hint = "" if self.ok else '\nanswer with: card = fk.check("' + self._asked + '"); card.answer(1, "a")'
        return str(self.standing) + hint
