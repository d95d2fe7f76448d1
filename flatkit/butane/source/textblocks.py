"""Text that fell out of a block (`inline: |`): its lines are not indented below the key. For YAML that cannot be read."""

from __future__ import annotations

import re
from dataclasses import dataclass

_OPENS = re.compile(r"(?P<lead>\s*(?:- +)*)(?P<key>[\w.-]+) *: *[|>][-+0-9]*\s*(#.*)?\r?$", re.ASCII)
# What may follow a block in a config of ours: keys in lower case, list items, comments, the ends of documents.
_KEY = re.compile(r"\s*(- +)*(&\S+ +)?[a-z][a-z0-9_]* *:(\s|$)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class FallenOut:
    """Lines `first` to `last` (from 1) belong to the block of `key` in line `opened`, whose text starts in column `indent`."""

    key: str
    opened: int
    first: int
    last: int
    indent: int

    def indented(self, lines: list[str]) -> list[str]:
        """The lines, as far in as the block's text. Those that are already stay, the others keep their shape."""
        filled = [_indent(line) for line in lines if line.strip()]
        by = self.indent - min(filled)
        are_some_right = max(filled) >= self.indent
        return [
            line if not line.strip() or (are_some_right and _indent(line) >= self.indent) else " " * by + line
            for line in lines
        ]


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
            wanted = min((_indent(lines[number]) for number in inside), default=key_column + 2)
            return FallenOut(key=match["key"], opened=opened, first=first + 1, last=last, indent=wanted)
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _block_end(lines: list[str], at: int, key_column: int) -> int:
    while at < len(lines) and (not lines[at].strip() or _indent(lines[at]) > key_column):
        at += 1
    return at


def _is_text(line: str, *, has_begun: bool) -> bool:
    """True for a line that does not look like the YAML of a config."""
    bare = line.strip()
    if bare.startswith("#"):
        return (has_begun is False and bare.startswith("#!")) or (has_begun and not bare.startswith("# "))
    if bare in ("---", "...") or bare.startswith(("- ", "{%", "{{", "<%", "%{")):
        return False
    return not _KEY.match(line)
