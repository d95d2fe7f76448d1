"""Marks the first use of each glossary term in a notebook: its sentence on hover, and in a fold that the keyboard reaches.

Done when the course is laid out (layout.py), so that the notebooks in the repository stay plain Markdown. Pure.

Why both: `<abbr title>` is what JupyterLab's sanitizer keeps and what a pointer expects, but the keyboard cannot reach it.
`<details>` can be reached and opened by keys, needs no network, and works in other programs that show notebooks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from functools import cache
from html import escape
from typing import Any

from flatkit.lessons.glossary import Term, glossary

# Text in which nothing is marked: code, folds, tags, links, pictures, titles.
_PLAIN = r"```.*?```|`[^`\n]*`|<details.*?</details>|<[^>]+>|!?\[[^\]]*\]\([^)]*\)|^#[^\n]*$"
# What a learner meets first as an everyday word; only the bold use is the term.
_ONLY_BOLD = frozenset({"cell", "domain", "merge", "mode", "reset", "stable", "tree"})


def mark_terms(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the notebook with the first use of each term marked, and the sentences in a fold below that cell."""
    marked = deepcopy(notebook)
    seen: set[str] = set()
    for cell in marked.get("cells", []):
        if cell.get("cell_type") != "markdown":
            continue
        source = cell["source"]
        text, terms = mark_text("".join(source), seen)
        if terms:
            seen |= {term.term for term in terms}
            whole = f"{text}\n\n{_fold(terms)}"
            cell["source"] = re.findall(r"[^\n]*\n|[^\n]+", whole) if isinstance(source, list) else whole
    return marked


def mark_text(text: str, seen: Iterable[str] = ()) -> tuple[str, tuple[Term, ...]]:
    """Return Markdown with the first use of each term marked that is not in `seen`, and these terms in order."""
    done, found = set(seen), []

    def mark(match: re.Match[str]) -> str:
        word = match["term"]
        term = _find(word.strip("*")) if word else None
        if term is None or term.term in done or (term.term in _ONLY_BOLD and not word.startswith("**")):
            return match[0]
        done.add(term.term)
        found.append(term)
        return f'<abbr title="{escape(term.text)}">{word}</abbr>'

    return _pattern().sub(mark, text), tuple(found)


@cache
def _pattern() -> re.Pattern[str]:
    # The longest first: "lab image" is not an image.
    names = "|".join(re.escape(term.term) for term in sorted(glossary(), key=lambda term: -len(term.term)))
    word = rf"(?:{names})s?"
    # The stars go inside the mark: beside a tag, they would not always mean bold.
    term = rf"(?P<term>\*\*{word}\*\*|(?<![\w/.-]){word}(?![\w/-]|\.\w))"
    return re.compile(f"(?:{_PLAIN})|{term}", re.DOTALL | re.MULTILINE | re.IGNORECASE)


@cache
def _by_name() -> dict[str, Term]:
    return {term.term.lower(): term for term in glossary()}


def _find(word: str) -> Term | None:
    names = _by_name()
    return names.get(word.lower()) or names.get(word.lower().removesuffix("s"))


def _fold(terms: tuple[Term, ...]) -> str:
    rows = "".join(f"<dt><b>{escape(term.term)}</b></dt><dd>{escape(term.text)}</dd>" for term in terms)
    names = ", ".join(term.term for term in terms)
    return f"<details><summary>Words: {escape(names)}</summary><dl>{rows}</dl></details>"
