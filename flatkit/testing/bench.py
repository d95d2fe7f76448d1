"""A fake machine for exercises: answers from a table, and remembers which acts were done on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flatkit.errors import MachineError
from flatkit.lessons.exercise import Exercise, Type


@dataclass(frozen=True)
class Reply:
    """The output of a command."""

    text: str
    status: int = 0

    def __str__(self) -> str:
        return self.text


class PretendedMachine:
    """Is "clean" at first and after the exercise's cleanup, "solved" after its solve.

    `answers` gives for each other command its output when clean, and when solved. `booting` makes every command fail as
    one on a machine that is not ready.
    """

    def __init__(self, exercise: Exercise, answers: Mapping[str, Sequence[Reply]]) -> None:
        self._solves = {act.command for act in exercise.solve if isinstance(act, Type)}
        self._cleans = {act.command for act in exercise.cleanup if isinstance(act, Type)}
        self._answers = answers
        self.is_solved = self.booting = False
        self.typed: list[str] = []

    def run(self, command: str) -> Reply:
        """Answer a command."""
        if self.booting:
            raise MachineError('the machine "m" is not ready yet: booting', hint="await m")
        self.typed.append(command)
        if command in self._solves | self._cleans:
            self.is_solved = command in self._solves
            return Reply("")
        return self._answers[command][self.is_solved]
