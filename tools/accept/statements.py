"""The statements of the course that depend on Flatcar's version (flatkit/lessons/versions.json), asked of a machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from flatkit.lessons.versions import FactVerdict, VersionFact, version_facts
from flatkit.untrusted import printable

_SHOWN_MAX = 120


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A statement, what the machine answered, and what that means for a machine of this version."""

    fact: VersionFact
    said: str
    answer: FactVerdict

    def words(self, *, counts: bool) -> str:
        """The result as the report has it; an answer of a machine that is not Flatcar does not count."""
        said = printable(" ".join(self.said.split()), limit=_SHOWN_MAX)
        if not counts:
            return f'not counted: "{said}"'
        return f'**{self.answer}**: "{said}"' if self.answer is FactVerdict.STALE else str(self.answer)


def major_of(identity: str) -> int | None:
    """Return the major version in "ID VERSION", None when there is none."""
    match = re.fullmatch(r"\S+ ([0-9]{1,6})\.[0-9]+\.[0-9]+\S*", identity.strip())
    return int(match[1]) if match else None


def ask_statements(run: Callable[[str], str], identity: str) -> Iterator[Asked]:
    """Ask a machine every statement that it can answer; `run` types a command there and returns its output."""
    major = major_of(identity)
    if major is None:
        return
    for fact in version_facts():
        if fact.ask:
            said = run(fact.ask)
            yield Asked(fact=fact, said=said, answer=fact.judge(said, major=major))
