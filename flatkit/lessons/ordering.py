"""The verdict on lines that a learner has put in order. Another order than ours is right if the exercise's check passes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flatkit.errors import MachineError, UsageError
from flatkit.lessons.exercise import Answer, Exercise
from flatkit.lessons.hints import Lines


@dataclass(frozen=True, kw_only=True)
class OrderVerdict:
    """Result of a look at the order."""

    said: str
    is_right: bool = False


class TextBench:
    """A folder in which one file has this text; nothing is written."""

    def __init__(self, file: str, text: str) -> None:
        self.folder = Path.cwd()
        self._file, self._text = file, text

    def read(self, file: str) -> str | None:
        """Return the text, for its file."""
        return self._text if file == self._file else None

    def write(self, file: str, text: str) -> None:
        """Do nothing."""
        del file, text

    def remove(self, file: str) -> None:
        """Do nothing."""
        del file

    def run(self, command: str) -> Answer:
        """Raise MachineError."""
        raise MachineError(f'"{command}" needs a machine; lines in order are only read')


def find_lines(exercise: Exercise) -> Lines | None:
    """Return the lines to put in order, or None for an exercise without any."""
    return next((hint for hint in exercise.hints if isinstance(hint, Lines)), None)


def text_of(lines: Lines, placed: tuple[int, ...]) -> str:
    """Return the config that the placed pieces make."""
    return lines.given + "".join(f"{lines.pieces[piece]}\n" for piece in placed)


def parse_placed(lines: Lines, placed: object) -> tuple[int, ...]:
    """Return the placed pieces. Raises UsageError unless they are numbers of pieces, each once."""
    known = range(len(lines.pieces))
    numbers = placed if isinstance(placed, list | tuple) else None
    if numbers is None or not all(type(one) is int and one in known for one in numbers):
        raise UsageError(f'"{placed}" is not an order; expected a list of numbers from 0 to {len(known) - 1}')
    if len(set(numbers)) != len(numbers):
        raise UsageError(f'"{placed}" has a line twice; expected each at most once')
    return tuple(numbers)


def judge_order(exercise: Exercise, lines: Lines, placed: tuple[int, ...]) -> OrderVerdict:
    """Return the verdict on an order. One with too few lines gets their number, a wrong one its first unexpected line."""
    needed, pieces = len(lines.lines), lines.pieces
    if len(placed) < needed:
        return OrderVerdict(said=f"{len(placed)} of {needed} lines are placed")
    for piece in placed:
        if piece >= needed:
            return OrderVerdict(said=f'✗ "{pieces[piece].strip()}" does not belong: {lines.odd[piece - needed].why}')
    texts = [pieces[piece] for piece in placed]
    if texts == list(lines.lines) or exercise.check(TextBench(lines.file, text_of(lines, placed))).ok:
        return OrderVerdict(
            said=f"✓ these lines are a config that passes: now have them in {lines.file}", is_right=True
        )
    at = next(at for at, (text, wanted) in enumerate(zip(texts, lines.lines, strict=True)) if text != wanted)
    where = f'after "{texts[at - 1].strip()}"' if at else "first"
    return OrderVerdict(said=f'✗ not yet: look at line {at + 1}. Another line than "{texts[at].strip()}" comes {where}')
