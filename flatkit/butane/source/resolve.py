"""What a plain scalar means, by the rules of yaml.v3's resolve.go: neither YAML 1.1 (PyYAML's) nor quite 1.2."""

from __future__ import annotations

import functools
import re
from typing import Any

from flatkit.butane import messages
from flatkit.butane.messages import Wording

STR, INT, FLOAT, BOOL, NULL = "!!str", "!!int", "!!float", "!!bool", "!!null"
BINARY, MERGE, TIMESTAMP = "!!binary", "!!merge", "!!timestamp"

_RESOLVABLE = frozenset({"", STR, BOOL, INT, FLOAT, NULL, TIMESTAMP})
_LONG_PREFIX = "tag:yaml.org,2002:"

_KNOWN: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("true", "True", "TRUE"), (BOOL, True)),
    **dict.fromkeys(("false", "False", "FALSE"), (BOOL, False)),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (FLOAT, float("nan"))),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (FLOAT, float("inf"))),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (FLOAT, float("-inf"))),
}
_HINTS = frozenset("+-0123456789yYnNtTfFoO~.")
_NUMBER_START = frozenset("+-0123456789")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_GO_FLOAT = re.compile(r"\.[0-9]+([eE][-+]?[0-9]+)?\Z", re.ASCII)
_INT = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|0[0-7]*|[1-9][0-9]*)\Z", re.ASCII)
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|\s+)(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.\d+)?(?:\s*(?:Z|[+-]\d{1,2}(?::?\d{2})?))?)?\Z",
    re.ASCII,
)


class WrongTag(Exception):
    """An explicit tag that the value does not fit."""

    def __init__(self, message: Wording) -> None:
        super().__init__(message)
        self.message = message


def short_tag(tag: str) -> str:
    """`tag:yaml.org,2002:int` as `!!int`; others stay."""
    return "!!" + tag[len(_LONG_PREFIX) :] if tag.startswith(_LONG_PREFIX) else tag


@functools.lru_cache(maxsize=4096)
def resolve_tag(text: str) -> str:
    """The tag of a plain scalar without an explicit one."""
    return _resolve_plain(text, "")[0]


def resolve(tag: str, text: str) -> tuple[str, Any]:
    """Tag and value of a scalar; a timestamp's value is its text. Raises WrongTag."""
    if tag not in _RESOLVABLE:
        return tag, text
    found, value = (STR, text) if tag == STR else _resolve_plain(text, tag)
    if tag in ("", STR, found):
        return found, value
    if tag == FLOAT and found == INT:
        return FLOAT, float(value)
    raise WrongTag(messages.WRONG_TAG(found=found, value=text, tag=tag))


def _resolve_plain(text: str, tag: str) -> tuple[str, Any]:
    if text == "":
        return NULL, None
    first = text[0]
    if first not in _HINTS:
        return STR, text
    known = _KNOWN.get(text)
    if known is not None:
        return known
    if first == ".":
        return (FLOAT, float(text)) if _GO_FLOAT.match(text) else (STR, text)
    if first not in _NUMBER_START:
        return STR, text
    if tag in ("", TIMESTAMP) and _is_timestamp(text):
        return TIMESTAMP, text
    return _number(text)


def _number(text: str) -> tuple[str, Any]:
    plain = text.replace("_", "")
    if _INT.match(plain):
        value = _go_int(plain)
        # Go takes unsigned numbers only without a sign.
        if -(2**63) <= value < 2**63 or (value < 2**64 and plain[0] not in "+-"):
            return INT, value
    if _FLOAT.match(plain):
        value_f = float(plain)
        # Go's ParseFloat calls what is beyond its range an error.
        return (STR, text) if value_f in (float("inf"), float("-inf")) else (FLOAT, value_f)
    return STR, text


def _go_int(plain: str) -> int:
    sign = -1 if plain[0] == "-" else 1
    digits = plain.lstrip("+-").lower()
    if digits[:2] in ("0x", "0o", "0b"):
        return sign * int(digits[2:], {"x": 16, "o": 8, "b": 2}[digits[1]])
    if len(digits) > 40 and digits[0] != "0":
        return sign * 2**80
    return sign * int(digits, 8 if len(digits) > 1 and digits[0] == "0" else 10)


def _is_timestamp(text: str) -> bool:
    match = _DATE.match(text)
    if not match:
        return False
    year, month, day, *clock = (int(part) if part else 0 for part in match.groups())
    hour, minute, second = clock
    if not (1 <= month <= 12 and hour < 24 and minute < 60 and second < 60):
        return False
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 1 <= day <= (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
