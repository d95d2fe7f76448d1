"""What the tests of text from outside share: an attack, and what may never reach a terminal."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import MISSING, fields
from typing import Any

# Title, clipboard, link, clear screen, 8-bit CSI, reordering, a forged line, a line rewritten, other line ends, half a pair.
ATTACK = (
    "before\x1b]0;owned\x07\x1b]52;c;Zm9v\x07\x1b]8;;http://evil\x1b\\link\x1b[2J\x9b31m\x90q\u202egnp.exe\u2066\u2069"
    "\nFORGED line\rFORGED again\x0b\x0c\x85FORGED\u2028FORGED\u2029FORGED\x7f\x00\x08\ud800\udcff" + "x" * 50_000
)
# In what cannot hold a newline or NUL: a file's name, an argument.
NAME = "a\x1b]0;owned\x07\x1b[2J\x9b31m\u202eb\u2066\x7fc"
_OWN_CODES = re.compile(r"\x1b\[(?:32|31|2|1|0)m|\r\x1b\[K")
_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def faults(text: str, *, is_terminal: bool = False, longest: int = 6000) -> list[str]:
    """What of a text would move the cursor, change the terminal, reorder what is read, forge a line or flood the screen."""
    if is_terminal:
        text = _OWN_CODES.sub("", text)
    hidden = sorted({repr(one) for one in text if one not in "\n\t" and unicodedata.category(one) in _HIDDEN})
    lines = text.split("\n")
    forged = [line[:40] for line in lines if line.startswith("FORGED")]
    return [*hidden, *forged, *(f"a line of {len(line)}" for line in lines if len(line) > longest)]


def filled(kind: type[Any], text: str = ATTACK, **given: Any) -> Any:
    """An instance of a dataclass with the text wherever text goes."""
    values: dict[str, Any] = {}
    for field in fields(kind):
        if field.name in given:
            values[field.name] = given[field.name]
        elif str(field.type) in {"str", "Any"}:
            values[field.name] = text
        elif field.default is MISSING and field.default_factory is MISSING:
            values[field.name] = {"int": 1, "float": 1.0, "bool": False}[str(field.type)]
    return kind(**values)
