"""Result of validating a user's text: all findings at once, each with its place.

Plain values, so that the editor, the command line and the tests read the same thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum


class Kind(str, Enum):
    """Severity of an entry; only an error stops the translation."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Span:
    """A stretch of text: lines and columns count from 1, columns in characters; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A suggested change of the text: replace `span` by `text`. `label` says what it does, in a few words."""

    span: Span
    text: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One finding.

    `path` leads to the value in the source ("$.storage.files.0.mode", or "" for none). `span` is its place in the text,
    if it has one. `code` is the stable identifier of the message, and `values` fill in its placeholders. `teach` is one
    more sentence for beginners. `edits` are suggested fixes.
    """

    kind: Kind
    path: str
    message: str
    span: Span | None = None
    code: str = ""
    values: Mapping[str, str] = field(default_factory=dict, compare=False)
    teach: str = ""
    edits: tuple[Edit, ...] = ()

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        place = f", line {self.span.line} col {self.span.column}" if self.span else ""
        return f"{self.kind}{where}{place}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class Report:
    """All entries about one text, in the order in which they were found."""

    entries: tuple[Entry, ...] = field(default=())

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __add__(self, other: Report) -> Report:
        return Report(entries=self.entries + other.entries)

    def __str__(self) -> str:
        return "\n".join(str(entry) for entry in self.entries)

    @property
    def is_fatal(self) -> bool:
        """True when an error is among the entries."""
        return any(entry.kind is Kind.ERROR for entry in self.entries)
