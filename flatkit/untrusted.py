"""Text from outside (servers, packs, guests, recordings, lessons, file names): split, parse and escape it.

Python's `str.splitlines`, `strip`, `isdigit`, `\\s` and `\\d` accept far more than ASCII, so text that one program prints as one
line can become several lines here. This module splits at `\\n` only and accepts ASCII digits only.
"""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from functools import lru_cache
from typing import Any

SHOWN_MAX = 500
_LINES_MAX = 200
_WORD_MAX = 2000
_JSON_MAX = 16 * 1024 * 1024
_NUMBER = re.compile(r"[0-9]+")
# Control characters, lone surrogates and format characters: those move the cursor, change colors or reorder what is read.
# U+200D and variation selectors only join emoji.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_HARMLESS = frozenset("\u200d")
# Everything that may have to be escaped. A carriage return at the end of a line moves nothing, so it is allowed.
_SUSPECT = re.compile(r"\r(?!\n)|[^\r\n\t -~]")


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, split at `\\n` (or `\\r\\n`) alone, without their ends; a final empty line is dropped."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines[:-1] if lines and not lines[-1] else lines


def is_number(text: str, *, digits: int = 18) -> bool:
    """Tell whether a text is a decimal number of ASCII digits alone, at most `digits` of them."""
    return len(text) <= digits and _NUMBER.fullmatch(text) is not None


def parse_json(text: str | bytes, *, limit: int = _JSON_MAX) -> Any:
    """Parse JSON. Raises ValueError, also for text over `limit` characters, deep nesting, and invalid UTF-8."""
    if len(text) > limit:
        raise ValueError(f"it has {len(text)} bytes; expected at most {limit}")
    try:
        decoded = text.decode() if isinstance(text, bytes) else text
        value = json.loads(decoded)
        if "\\u" in decoded or not isinstance(text, bytes):
            json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates, which no file or terminal accepts
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeError:
        raise ValueError("it has characters that are not valid UTF-8") from None
    return value


def escape_hidden(text: object) -> str:
    """Return a whole text with its hidden characters escaped (`\\x1b`); newlines, `\\r\\n` and tabs stay."""
    return _SUSPECT.sub(lambda found: _escape(found[0]), str(text))


def printable(text: object, *, limit: int = SHOWN_MAX) -> str:
    """Return a text as one line that is safe to show: hidden characters escaped (`\\x1b`), at most `limit` characters."""
    raw = str(text)
    shown = "".join(map(_escape, raw[:limit]))
    return f"{shown[:limit]}..." if len(raw) > limit or len(shown) > limit else shown


def printable_lines(text: object, *, limit: int = SHOWN_MAX, lines: int = _LINES_MAX) -> str:
    """Return a text as lines that are safe to show: each one `printable`, tabs kept, at most `lines` of them."""
    found = lines_of(str(text))
    shown = [
        "\t".join(printable(part, limit=limit) for part in line[: limit + 1].split("\t")) for line in found[:lines]
    ]
    return "\n".join([*shown, f"... ({len(found) - lines} more lines)"] if len(found) > lines else shown)


def shell_word(text: object, *, limit: int = _WORD_MAX) -> str:
    """Return a text as one quoted word of a command that is suggested to the user, so that no part of it is a command itself.

    What is hidden in it is escaped first: such a word can be shown, and names nothing.
    """
    return shlex.quote(printable(text, limit=limit))


@lru_cache(maxsize=4096)
def _escape(character: str) -> str:
    if character.isascii():
        hidden = not character.isprintable()
    else:
        hidden = unicodedata.category(character) in _HIDDEN and character not in _HARMLESS
    return ascii(character)[1:-1] if hidden else character
