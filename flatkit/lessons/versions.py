"""Statements of the course that depend on Flatcar's version: one table, versions.json, beside this file. Pure.

Notebooks refer to a row by a cell's tag `fact-NAME`, quizzes and the glossary by a key `fact`, docs/fidelity.md by
`[fact: NAME]`. `make accept` asks a real machine those that a machine can answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from flatkit.errors import UsageError
from flatkit.files import read_data

_FILE = Path(__file__).resolve().parent / "versions.json"
REFERENCE = re.compile(r"\[fact: ([a-z0-9-]+)\]")
TAG = "fact-"


class FactVerdict(str, Enum):
    """FactVerdict on a statement after a machine's answer."""

    RIGHT = "as stated"
    STALE = "stale"
    UNREADABLE = "no answer"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class VersionFact:
    """A statement that holds for the majors from `since` (None: open, or all) up to, not including, `until` (None: today).

    `seen`: read in the source, said in a thread only, measured, or open (then `open` says what). `ask` is a command that a
    machine can answer, "" where none can. The answer matches `reads` whenever the machine did answer, and `expect` where, and
    only where, the statement holds.
    """

    name: str
    fact: str
    since: int | None
    until: int | None
    source: str
    seen: str
    open: str = ""
    ask: str = ""
    expect: str = ""
    reads: str = ""

    def holds_on(self, major: int) -> bool:
        """Tell whether the statement holds for releases of this major version."""
        return (self.since is None or major >= self.since) and (self.until is None or major < self.until)

    def judge(self, answer: str, *, major: int) -> FactVerdict:
        """Compare a machine's answer with the statement."""
        text = answer.strip()
        if not re.search(self.reads, text):
            return FactVerdict.UNREADABLE
        agrees = bool(re.search(self.expect, text)) == self.holds_on(major)
        return FactVerdict.RIGHT if agrees else FactVerdict.STALE

    def __str__(self) -> str:
        span = f"from {self.since}" if self.since else "since when is open"
        return f"{self.fact} ({span}{f', until {self.until}' if self.until else ''}; {self.seen}: {self.source})"


@cache
def version_facts() -> tuple[VersionFact, ...]:
    """Return every statement."""
    rows = read_data(_FILE, list)
    return tuple(VersionFact(since=row.pop("from"), **row) for row in rows)


def get_version_fact(name: str) -> VersionFact:
    """Return a statement by its name. Raises UsageError."""
    found = next((fact for fact in version_facts() if fact.name == name), None)
    if found is None:
        known = ", ".join(fact.name for fact in version_facts())
        raise UsageError(f'there is no statement "{name}" in versions.json; expected one of {known}')
    return found
