"""The course's terms, one plain sentence each, and the plan of its notebooks; both are JSON files in this folder.

JSON, so that tools/check_notebooks.py can read the same data without flatkit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flatkit.errors import UsageError

_FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True)
class Term:
    """A term, its meaning in one sentence, and a link to read more ("" for none). `fact` names its row in versions.json."""

    term: str
    text: str
    link: str
    fact: str = ""

    def __str__(self) -> str:
        return f"{self.term}: {self.text}" + (f"\n  {self.link}" if self.link else "")


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A notebook of the course, written or not; `core` notebooks form the path of 90 minutes."""

    name: str
    title: str
    minutes: int
    core: bool


@cache
def glossary() -> tuple[Term, ...]:
    """Return every term, in alphabetical order."""
    return tuple(Term(**row) for row in json.loads((_FOLDER / "glossary.json").read_text(encoding="utf-8")))


@cache
def plan() -> tuple[Planned, ...]:
    """Return every notebook of the course, in order."""
    return tuple(Planned(**row) for row in json.loads((_FOLDER / "plan.json").read_text(encoding="utf-8")))


def get_term(word: str) -> Term:
    """Return the term of that word. Raises UsageError."""
    import difflib

    terms = {term.term.lower(): term for term in glossary()}
    found = terms.get(word.strip().lower())
    if found is None:
        near = difflib.get_close_matches(word.strip().lower(), terms, n=1)
        meant = f'; did you mean "{terms[near[0]].term}"?' if near else ""
        raise UsageError(f'"{word}" is not in the glossary{meant}', hint="flatkit glossary")
    return found
