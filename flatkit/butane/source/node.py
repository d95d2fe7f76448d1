"""The nodes of a YAML document (yaml.v3's yaml.Node), and the meaning of plain scalars (its resolve.go).

Plain slotted classes and no dataclasses: a config of 2,000 lines has thousands of nodes and must be read in milliseconds. The
scalars follow neither YAML 1.1 (PyYAML's rules) nor quite 1.2.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any, Final

from flatkit.butane import messages
from flatkit.butane.wording import Wording
from flatkit.report import Span

STR, INT, FLOAT, BOOL, NULL = "!!str", "!!int", "!!float", "!!bool", "!!null"
BINARY, MERGE, TIMESTAMP = "!!binary", "!!merge", "!!timestamp"


SCALAR: Final = 1
SEQUENCE: Final = 2
MAPPING: Final = 3
ALIAS: Final = 4

Path = tuple[str | int, ...]


class YamlFault(Exception):
    """The document cannot be read; the place counts from 1 (0: unknown), `printed` is the line that yaml.v3 prints."""

    def __init__(self, message: Wording, *, line: int = 0, column: int = 0, printed: int = 0) -> None:
        super().__init__(f"line {printed}: {message}" if printed else message)
        self.message = message
        self.line = line
        self.column = column


class Node:
    """A scalar, a list, a mapping (`content` is key, value, key, value ...) or an alias (`target` is its node).

    `line` and `column` count from 1, columns in characters; `end_line` and `end_column` are exclusive.
    """

    __slots__ = (
        "_index", "anchor", "column", "content", "end_column", "end_line", "flow", "kind", "line", "plain", "tag",
        "target", "value",
    )  # fmt: skip

    def __init__(self, kind: int, tag: str, value: str, line: int, column: int) -> None:
        self.kind = kind
        self.tag = tag
        self.value = value
        self.line = line
        self.column = column
        self.end_line = line
        self.end_column = column
        self.content: list[Node] = []
        self.target: Node | None = None
        self.plain = False
        self.flow = False
        self.anchor = ""
        self._index: dict[str, int] | None = None

    @property
    def span(self) -> Span:
        """The place of the node in the text."""
        return Span(line=self.line, column=self.column, end_line=self.end_line, end_column=self.end_column)

    def positions(self) -> dict[str, int]:
        """The position in `content` of each key of a mapping; as in Go, a later key of the same text wins."""
        if self._index is None:
            content = self.content
            self._index = {content[i].value: i for i in range(0, len(content), 2)}
        return self._index

    def child(self, part: str | int) -> Node | None:
        """The value under a key or at an index, or None. Aliases are opaque, as they are to Butane's reports."""
        if self.kind == MAPPING:
            at = self.positions().get(part) if isinstance(part, str) else None
            return None if at is None else self.content[at + 1]
        if self.kind == SEQUENCE and isinstance(part, int) and 0 <= part < len(self.content):
            return self.content[part]
        return None

    def key(self, name: str) -> Node | None:
        """The key node itself."""
        at = self.positions().get(name) if self.kind == MAPPING else None
        return None if at is None else self.content[at]


def find_node(root: Node | None, path: Sequence[str | int]) -> Node | None:
    """The node at exactly this path, or None."""
    for part in path:
        if root is None:
            return None
        root = root.child(part)
    return root


def nearest_node(root: Node | None, path: Sequence[str | int]) -> Node | None:
    """The deepest node that exists on the path."""
    for part in path:
        deeper = root.child(part) if root is not None else None
        if deeper is None:
            return root
        root = deeper
    return root


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
