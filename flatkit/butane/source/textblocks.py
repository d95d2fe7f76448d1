"""Text that fell out of a block (`inline: |`): its lines are not indented below the key. Works on lines, for YAML that is broken."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENS = re.compile(r"(?P<lead>\s*(?:- +)*)(?P<key>[\w.-]+) *: *[|>][-+0-9]*\s*(#.*)?\r?$", re.ASCII)
# What may follow a block in a config of ours: keys in lower case, list items, comments, the ends of documents.
_KEY = re.compile(r"\s*(- +)*(&\S+ +)?[a-z][a-z0-9_]* *:(\s|$)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class FallenOut:
    """Lines `first` to `last` (from 1) belong to the block of `key` in line `opened`; `indent` columns are missing."""

    key: str
    opened: int
    first: int
    last: int
    indent: int


def fallen_out(text: str, line: int) -> FallenOut | None:
    """The text that fell out of a block at or before this line (0: anywhere), or None. `line` is that of a YAML fault."""
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        match = _OPENS.match(lines[at])
        at += 1
        if match is None:
            continue
        key_column = len(match["lead"])
        inside = [number for number in range(at, _block_end(lines, at, key_column)) if lines[number].strip()]
        opened, at = at, _block_end(lines, at, key_column)
        while at < len(lines) and not lines[at].strip():
            at += 1
        first = at
        while at < len(lines) and (not lines[at].strip() or _is_text(lines[at], has_begun=at > first or bool(inside))):
            at += 1
        last = at
        while last > first and not lines[last - 1].strip():
            last -= 1
        if last > first and (not line or first + 1 <= line <= last + 2):
            own = min(_indent(lines[number]) for number in range(first, last) if lines[number].strip())
            wanted = min((_indent(lines[number]) for number in inside), default=key_column + 2)
            return FallenOut(key=match["key"], opened=opened, first=first + 1, last=last, indent=wanted - own)
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _block_end(lines: list[str], at: int, key_column: int) -> int:
    while at < len(lines) and (not lines[at].strip() or _indent(lines[at]) > key_column):
        at += 1
    return at


def _is_text(line: str, *, has_begun: bool) -> bool:
    """True for a line that is no YAML of a config."""
    bare = line.strip()
    if bare.startswith("#"):
        return has_begun is False and bare.startswith("#!") or (has_begun and not bare.startswith("# "))
    if bare in ("---", "...") or bare.startswith(("- ", "{%", "{{", "<%", "%{")):
        return False
    return not _KEY.match(line)
