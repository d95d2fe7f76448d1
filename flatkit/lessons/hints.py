"""Hints with a shape, between the hints in words and the solution: a config with gaps, and lines to put in order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flatkit.untrusted import lines_of


@dataclass(frozen=True, kw_only=True)
class Gaps:
    """A half-filled config: `____` marks each gap. `ask` says what to fill in."""

    ask: str
    code: str

    def __str__(self) -> str:
        return "\n".join([self.ask, *(f"    {line}" for line in lines_of(self.code))])


@dataclass(frozen=True, kw_only=True)
class Odd:
    """A line that does not belong; `why` explains it."""

    line: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Lines:
    """A Parsons problem: the lines of a config, to be put in order below `given`. Their indentation is given.

    `lines` are in the right order; those of `odd` do not belong. A piece is a number: first the lines, then the odd ones.
    """

    file: str
    given: str
    lines: tuple[str, ...]
    odd: tuple[Odd, ...] = ()

    @property
    def pieces(self) -> tuple[str, ...]:
        """Every line by the number of its piece."""
        return (*self.lines, *(odd.line for odd in self.odd))

    @property
    def shuffled(self) -> tuple[int, ...]:
        """The pieces in an order that says nothing, the same one each time."""
        numbers = range(len(self.pieces))
        return tuple(sorted(numbers, key=lambda number: hashlib.sha256(f"{self.file} {number}".encode()).digest()))

    @property
    def ask(self) -> str:
        """The task in words."""
        count = len(self.odd)
        more = f" {count} line{' does' if count == 1 else 's do'} not belong." if count else ""
        return f"These are the lines of {self.file}, in disorder. Put them in order.{more}"

    def __str__(self) -> str:
        pieces = self.pieces
        return "\n".join([self.ask, *(f"    {pieces[number]}" for number in self.shuffled)])


Hint = str | Gaps | Lines
