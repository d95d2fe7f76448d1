"""The room's answers to a demo's predictions, on a stage: those of the board if it has any, else hands that are counted."""

from __future__ import annotations

from dataclasses import replace

from flatkit.board.votes import count_votes
from flatkit.cli.stage_view import Poll
from flatkit.demos.presentation import StageWish, answering_step, question_at
from flatkit.errors import UsageError
from flatkit.lessons.exercise import Prediction
from flatkit.lessons.prediction import find_prediction
from flatkit.steps import Demo

_HANDS_MAX = 100_000


class RoomVotes:
    """The answers to each prediction. They are counted just before the step that has the answer, and shown beside it."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._hands: dict[str, list[int]] = {}
        self._closed: dict[str, Poll] = {}

    def is_open(self, step: int) -> bool:
        """Return True if a prediction is asked at this step, and its answers are not final."""
        name = question_at(self._demo, step)
        return bool(name) and name not in self._closed

    def at(self, step: int) -> tuple[tuple[int, ...], str]:
        """Return the answers to the prediction at this step, and their source; both empty without one."""
        asked = self._asked(step)
        if asked is None:
            return (), ""
        votes = None if asked.name in self._hands else count_votes(asked.name, len(asked.choices))
        if votes is not None and any(votes):
            return votes, "from the board"
        hands = self._hands.get(asked.name, [0] * len(asked.choices))
        return tuple(hands), f"hands counted   (1 to {len(hands)}: one more, v: all counts)"

    def count_hands(self, step: int, wish: StageWish) -> list[int]:
        """Count one more hand, or all of them; return the counts. Raises UsageError where that is not possible."""
        asked = self._asked(step)
        if asked is None or asked.name in self._closed:
            raise UsageError("no prediction is open at this step")
        choices = len(asked.choices)
        hands = self._hands.get(asked.name, [0] * choices)
        if wish.verb == "hand":
            number = wish.numbers[0]
            if not 1 <= number <= choices:
                raise UsageError(f"there is no answer {number}; expected 1 to {choices}")
            hands = [count + (at == number) for at, count in enumerate(hands, start=1)]
        elif len(wish.numbers) != choices:
            raise UsageError(f"{choices} numbers are needed, one for each answer: v 12 3 5")
        else:
            hands = list(wish.numbers)
        self._hands[asked.name] = [min(count, _HANDS_MAX) for count in hands]
        return self._hands[asked.name]

    def close(self, step: int) -> Poll | None:
        """Make the answers final before the step that has the answer; return them the first time."""
        name = question_at(self._demo, step)
        if not self.is_open(step) or step != answering_step(self._demo, name):
            return None
        poll = self.poll(step)
        if poll is not None:
            self._closed[name] = poll
        return poll

    def poll(self, step: int, *, is_answered: bool = False) -> Poll | None:
        """Return the answers to show beside a step; with what happened once it `is_answered`."""
        asked = self._asked(step)
        if asked is None:
            return None
        closed = self._closed.get(asked.name)
        votes, source = (closed.votes, closed.source) if closed else self.at(step)
        poll = Poll(ask=asked.ask, choices=tuple(one.text for one in asked.choices), votes=votes, source=source)
        if not is_answered:
            return poll
        right = next((at for at, one in enumerate(asked.choices) if one.is_right), -1)
        return replace(poll, right=right, happened=asked.happened, source=poll.source.partition("   (")[0])

    def _asked(self, step: int) -> Prediction | None:
        name = question_at(self._demo, step)
        return find_prediction(name) if name else None
