"""The course's terms, one plain sentence each, and the plan of its notebooks; both are JSON files in this folder.

JSON, so that tools/check_notebooks.py can read the same data without flatkit.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flatkit.errors import UsageError
from flatkit.files import read_data

_NEAR = 3
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
    return tuple(Term(**row) for row in read_data(_FOLDER / "glossary.json", list))


@cache
def plan() -> tuple[Planned, ...]:
    """Return every notebook of the course, in order."""
    return tuple(Planned(**row) for row in read_data(_FOLDER / "plan.json", list))


def get_term(word: str) -> Term:
    """Return the term of that word, in any case, in the plural, or as a part of one term only. Raises UsageError."""
    asked = " ".join(word.lower().replace("-", " ").split())
    terms = {term.term.lower().replace("-", " "): term for term in glossary()}
    for form in (asked, asked.removesuffix("s"), re.sub("ies$", "y", asked)):
        if form in terms:
            return terms[form]
    holding = [name for name in terms if f" {asked.removesuffix('s')} " in f" {name} "]
    if len(holding) == 1:
        return terms[holding[0]]
    near = holding or difflib.get_close_matches(asked, terms, n=_NEAR)
    nearest = f"; the nearest: {', '.join(terms[name].term for name in near)}" if near else ""
    raise UsageError(
        f'"{word}" is not in the glossary{nearest}',
        hint=f'flatkit glossary "{terms[near[0]].term}"' if near else "flatkit glossary   lists every word",
    )
