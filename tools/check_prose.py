"""`tools/check_prose.py FILE...`: find words that flatkit does not use, in comments, strings, Markdown, notebooks and JSON data.

Without files it reads everything that git tracks. Each row of BLOCKED has a pattern, the reason and a better word.
Exit status: 0 nothing found, 1 something found.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# The licences and recorded machine output are not our prose; the changelog's old entries stay as they were written.
SKIPPED = (
    "LICENSE",
    "notebooks/LICENSE",
    "docs/third-party.txt",
    "tests/",
    "flatkit/recordings/",
    "flatkit/images/lab/files/",
)


@dataclass(frozen=True, kw_only=True)
class Blocked:
    """A pattern (a regular expression, case ignored) with the reason and a better word."""

    pattern: str
    reason: str
    better: str

    def search(self, text: str) -> re.Match[str] | None:
        """Find the first place of the pattern in a text."""
        return re.search(self.pattern, text, re.IGNORECASE)


def _blocked(pattern: str, better: str, reason: str = "sounds translated") -> Blocked:
    return Blocked(pattern=pattern, reason=reason, better=better)


BLOCKED = (
    _blocked(r"\banew\b", "again, or re-create"),
    _blocked(r"\bwhoever\b", "anyone who, or name the role"),
    _blocked(r"\ba person\b|\bpersons\b|\bperson's\b", "user, learner, trainer", "names no role"),
    _blocked(r"\b(is|are|was|were|be) told\b", "is reported"),
    _blocked(r"\bof one's own\b", "your own"),
    _blocked(r"\bmend(s|ed|ing)?\b", "fix"),
    _blocked(r"\blen(d|ds|t|ding)\b", "forward, share"),
    _blocked(r"\bstands? (for|in|below|beside|on|there|above|behind)\b", "is, means, is in"),
    _blocked(r"\bhow (it|they|he|she) stands?\b", "the current state"),
    _blocked(r"(?<!there )\b(is|are) no (?!longer|more|less|fewer|doubt|better|different)", "is not a"),
    _blocked(r"\bjudge(s|d)?\b|\bjudging\b", "validate, check"),
    _blocked(r"\b(to|cannot|can) be had\b", "is available, can be downloaded"),
    _blocked(r"\bshall\b", "must, should"),
    _blocked(r"\blikewise\b", "also, the same"),
    _blocked(r"\b(is|are) said\b", "is reported"),
    _blocked(r"\bhere and there\b|\bherein\b|\bthereof\b|\bhence\b", "say where", "bookish"),
    _blocked(r"\bremedy\b", "fix"),
    _blocked(r"\brather no\b", "no X is better than"),
    _blocked(r"\bby wish\b", "on request"),
    _blocked(r"\beveryday life\b", "normal"),
    _blocked(r"\bpretended\b", "fake, local"),
    _blocked(r"\blies? (in|below|beside|there|on|here)\b", "is in, is stored in"),
    _blocked(r"\bgoes on\b", "continues"),
    _blocked(r"\bholds? that\b", "checks that"),
    _blocked(r"\bholds? (the|this|that) (law|rule)s?\b", "enforces"),
    _blocked(r"\bcounts as seen\b", "is accepted as evidence"),
    _blocked(r"\bfor looking at\b", "so that you can inspect it"),
    _blocked(r"\bwho asks\b|\bwho calls\b|\bwho serves\b", "the client, the caller, the server"),
    _blocked(r"\bwent wrong badly\b|\bended badly\b", "failed"),
    _blocked(r"\bcome(s)? to be\b", "is created"),
)
_DOCSTRING_START = _blocked(
    r"\A(What|How|Whether|Who|Where|When)\b(?![^.\n]*\?)", "an imperative verb or a noun phrase", "hides the subject"
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A blocked word: where it is, and the row of BLOCKED."""

    file: str
    line: int
    words: str
    blocked: Blocked

    def __str__(self) -> str:
        return f'{self.file}:{self.line}: "{self.words}" ({self.blocked.reason}); better: {self.blocked.better}'


def prose_of(file: Path) -> Iterator[tuple[int, str, bool]]:
    """Yield the line number, the text and whether it is a docstring, for each piece of prose in a file."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".py":
        yield from _python(text)
    elif file.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        yield from (
            (number, "".join(cell["source"]), False)
            for number, cell in enumerate(cells, 1)
            if cell["cell_type"] == "markdown"
        )
    elif file.suffix == ".json":
        yield from ((1, each, False) for each in _strings(json.loads(text)))
    else:
        yield from _markdown(text)


def _python(text: str) -> Iterator[tuple[int, str, bool]]:
    before = None
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string.lstrip("# "), False
        elif token.type == tokenize.STRING:
            starts = before is None or before in {tokenize.INDENT, tokenize.NEWLINE, tokenize.NL, tokenize.DEDENT}
            is_doc = starts and token.string.startswith('"""')
            yield token.start[0], token.string.strip("rbfRBF\"' \n"), is_doc
        if token.type not in {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING}:
            before = token.type


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _strings(each)


def _markdown(text: str) -> Iterator[tuple[int, str, bool]]:
    fenced = False
    for number, line in enumerate(text.split("\n"), 1):
        fenced ^= line.startswith("```")
        if not fenced:
            yield number, re.sub(r"`[^`]*`", "", line), False


def check(file: Path, name: str) -> Iterator[Found]:
    """Yield every blocked word of a file."""
    for line, text, is_docstring in prose_of(file):
        for row in (*BLOCKED, *([_DOCSTRING_START] if is_docstring else [])):
            if match := row.search(text):
                yield Found(file=name, line=line + text[: match.start()].count("\n"), words=match[0], blocked=row)


def tracked() -> list[str]:
    """Return the files that git tracks and that have prose of ours."""
    said = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in said.split("\0") if name.endswith((".py", ".md", ".ipynb", ".json"))]
    data = re.compile(r"flatkit/lessons/[a-z]+\.json")
    return [
        name
        for name in names
        if not name.startswith(SKIPPED) and name not in {"CHANGELOG.md", "tools/check_prose.py"}
        and (not name.endswith(".json") or data.fullmatch(name))
    ]  # fmt: skip


def main(argv: list[str]) -> int:
    """Print what is found; return the exit status."""
    count = 0
    for name in argv or tracked():
        for found in check(ROOT / name, name):
            print(found)
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
