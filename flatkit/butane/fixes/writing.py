"""YAML for suggested edits: new values, and pieces of the user's own text moved to another place. Pure.

A value to write is YAML as a string (see `quoted`), a node whose text is taken over, or a dict or list of these.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from flatkit.butane.source.node import ALIAS, MAPPING, SCALAR, Node, resolve_tag
from flatkit.report import Edit, Span

Written: TypeAlias = "str | Node | Mapping[str, Written] | Sequence[Written]"

# The anchor and the tag before a value.
_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")
# What a plain scalar cannot contain inside braces.
_NEEDS_QUOTES = re.compile(r"[,\[\]{}?#]|:(?:\s|$)")
_PLAIN = re.compile(r"[A-Za-z0-9/_.+=~][A-Za-z0-9/_.+=~@%:-]*(?: [A-Za-z0-9/_.+=~@%:-]+)*", re.ASCII)
_HEADER = re.compile(r"[|>][-+]?\s*(#.*)?")
_WIDE = 100


class Unwritable(Exception):
    """This piece of text cannot be moved safely."""


def apply_edit(text: str, edit: Edit) -> str:
    """The text with one edit done."""
    starts = _line_starts(text)
    return text[: _offset(starts, edit, is_end=False)] + edit.text + text[_offset(starts, edit, is_end=True) :]


def _line_starts(text: str) -> list[int]:
    starts = [0]
    for line in text.split("\n")[:-1]:
        starts.append(starts[-1] + len(line) + 1)
    return starts


def _offset(starts: list[int], edit: Edit, *, is_end: bool) -> int:
    span = edit.span
    line, column = (span.end_line, span.end_column) if is_end else (span.line, span.column)
    return starts[min(line, len(starts)) - 1] + column - 1


def combined(text: str, edits: Sequence[Edit], label: str) -> Edit:
    """Return one edit that does several, which must not overlap. Raises Unwritable."""
    starts = _line_starts(text)
    places = sorted((_offset(starts, e, is_end=False), _offset(starts, e, is_end=True), e.text) for e in edits)
    if any(after[0] < before[1] for before, after in itertools.pairwise(places)):
        raise Unwritable
    first, last = places[0][0], max(place[1] for place in places)
    out, at = "", first
    for start, end, new in places:
        out += text[at:start] + new
        at = end
    line, end_line = text.count("\n", 0, first), text.count("\n", 0, last)
    span = Span(
        line=line + 1, column=first - starts[line] + 1, end_line=end_line + 1, end_column=last - starts[end_line] + 1
    )
    return Edit(span=span, text=out, label=label)


def insert(line: int, column: int, text: str, label: str) -> Edit:
    """Return the edit that inserts a text."""
    return Edit(span=Span(line=line, column=column, end_line=line, end_column=column), text=text, label=label)


def quoted(text: str) -> str:
    """Return a text as a YAML scalar that is read as this text."""
    if _PLAIN.fullmatch(text) and resolve_tag(text) == "!!str" and not text.endswith(":") and ": " not in text:
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    raise Unwritable


class Writer:
    """Writes values for one text."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")

    def end_of(self, node: Node) -> tuple[int, int]:
        """The end of a node: a block scalar ends with its last line, not at the start of the next one."""
        if node.end_column == 1 and node.end_line > node.line:
            return node.end_line - 1, len(self.lines[node.end_line - 2]) + 1
        return node.end_line, node.end_column

    def slice(self, node: Node) -> list[str]:
        """The lines of a node as they are written, from its first character to its last."""
        end_line, end_column = self.end_of(node)
        lines = self.lines[node.line - 1 : end_line]
        lines[-1] = lines[-1][: end_column - 1]
        lines[0] = lines[0][node.column - 1 :]
        return lines

    def flow(self, value: Written) -> str:
        """Return a value on one line, for use in braces. Raises Unwritable."""
        if isinstance(value, str):
            return value
        if isinstance(value, Node):
            return self._flow_node(value)
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{key}: {self.flow(item)}" for key, item in value.items()) + "}"
        return "[" + ", ".join(self.flow(item) for item in value) + "]"

    def _flow_node(self, node: Node) -> str:
        if node.kind != SCALAR:
            if node.line != node.end_line or not (node.flow or node.kind == ALIAS):
                raise Unwritable
            return self.slice(node)[0]
        if node.line != node.end_line:
            raise Unwritable
        written = self.slice(node)[0]
        properties = _PROPERTIES.match(written)
        assert properties is not None
        tags = [part for part in properties[0].split() if part.startswith("!")]
        text = written[properties.end() :]
        if node.plain and _NEEDS_QUOTES.search(text):
            text = "'" + text.replace("'", "''") + "'"
        return " ".join([*tags, text])

    def after_key(self, value: Written, indent: int) -> str:
        """Return what follows `key:` of a block mapping at this indentation. Raises Unwritable."""
        if isinstance(value, str):
            return f" {value}"
        if isinstance(value, Node):
            is_below = value.kind not in (SCALAR, ALIAS) and not value.flow
            text = self.moved(value, indent + 2)
            return ("\n" + " " * (indent + 2) if is_below else " " if text else "") + text
        is_long_list = not isinstance(value, Mapping) and any(
            isinstance(item, Mapping) and len(item) > 1 for item in value
        )
        try:
            on_one_line = "" if is_long_list else self.flow(value)
        except Unwritable:
            on_one_line = ""
        if on_one_line and len(on_one_line) + indent < _WIDE:
            return f" {on_one_line}"
        lead = "\n" + " " * (indent + 2)
        if isinstance(value, Mapping):
            return lead + self.entries(value, indent + 2)
        return lead + lead.join("- " + self.item(item, indent + 2) for item in value)

    def item(self, value: Written, indent: int) -> str:
        """Return what follows the dash of a list at this indentation. Raises Unwritable."""
        if isinstance(value, str):
            return value
        if isinstance(value, Node):
            return self.moved(value, indent + 2)
        return self.entries(value, indent + 2) if isinstance(value, Mapping) else self.flow(value)

    def entries(self, mapping: Mapping[str, Written], indent: int) -> str:
        """Return the lines of a block mapping; the first without its indentation. Raises Unwritable."""
        return ("\n" + " " * indent).join(f"{key}:{self.after_key(value, indent)}" for key, value in mapping.items())

    def moved(self, node: Node, indent: int) -> str:
        """Return a node's own text for another indentation; the first line without it. Raises Unwritable."""
        first, *rest = self.slice(node)
        if not rest:
            return first
        pad = " " * indent
        if any("\t" in line[: len(line) - len(line.lstrip())] for line in rest):
            raise Unwritable
        if node.kind in (MAPPING, 2) and not node.flow:
            return "\n".join([first, *_shifted(rest, indent - (node.column - 1))])
        if first.startswith(("|", ">")):
            if not _HEADER.fullmatch(first):
                raise Unwritable  # an indentation that is given as a number
            own = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
            return "\n".join([first, *_shifted(rest, indent - own)])
        if first.startswith(("&", "!")):
            raise Unwritable
        return "\n".join([first, *(pad + line.lstrip() if line.strip() else "" for line in rest)])

    def replace_entry(self, parent: Node, name: str, entries: Mapping[str, Written], label: str) -> Edit:
        """Return the edit that writes `entries` in place of one key of a mapping. Raises Unwritable."""
        key, value = parent.key(name), parent.child(name)
        if key is None or value is None or key.anchor or (value.anchor and value not in entries.values()):
            raise Unwritable
        self.refuse_comment(key, value)
        if parent.flow:
            text = ", ".join(f"{key}: {self.flow(item)}" for key, item in entries.items())
        else:
            text = self.entries(entries, key.column - 1)
        return Edit(span=self.span(key, value), text=text, label=label)

    def refuse_comment(self, key: Node, value: Node) -> None:
        """Raise Unwritable for a comment between a key and its value, which would be lost."""
        between = self.lines[key.line - 1 : value.line]
        if between:
            between[-1] = between[-1][: value.column - 1]
            between[0] = between[0][key.end_column - 1 :]
        if any("#" in line for line in between):
            raise Unwritable

    def remove_entry(self, parent: Node, name: str) -> Edit:
        """Return the edit that takes one of several keys out of a mapping. Raises Unwritable."""
        at, content = parent.positions()[name], parent.content
        key, value = content[at], content[at + 1]
        if len(content) < 4 or key.anchor or value.anchor:
            raise Unwritable
        if at + 2 < len(content):
            last = max(self.end_of(value)[0], key.line)
            if not parent.flow and not self.lines[key.line - 1][: key.column - 1].strip():
                # Whole lines: a comment above the next key is that key's.
                span = Span(line=key.line, column=1, end_line=last + 1, end_column=1)
                return Edit(span=span, text="", label="")
            after = content[at + 2]
            span = Span(line=key.line, column=key.column, end_line=after.line, end_column=after.column)
            return Edit(span=span, text="", label="")
        line, column = self.end_of(content[at - 1])
        end_line, end_column = max(self.end_of(value), (key.end_line, key.end_column + 1))
        return Edit(span=Span(line=line, column=column, end_line=end_line, end_column=end_column), text="", label="")

    def add_entry(self, parent: Node, name: str, value: Written) -> Edit:
        """Return the edit that adds a key at the end of a mapping that has some. Raises Unwritable."""
        if parent.kind != MAPPING or not parent.content or parent.line == 0:
            raise Unwritable
        if parent.flow:
            return insert(parent.end_line, parent.end_column - 1, f", {name}: {self.flow(value)}", "")
        line, column = self.end_of(parent.content[-1])
        if (line, column) < (parent.content[-2].end_line, parent.content[-2].end_column + 1):
            raise Unwritable  # the last value is empty
        indent = parent.column - 1
        return insert(line, column, "\n" + " " * indent + self.entries({name: value}, indent), "")

    def span(self, first: Node, last: Node) -> Span:
        """The place from the start of one node to the end of another."""
        end_line, end_column = self.end_of(last)
        if (end_line, end_column) < (first.end_line, first.end_column):
            raise Unwritable
        return Span(line=first.line, column=first.column, end_line=end_line, end_column=end_column)


def _shifted(lines: list[str], by: int) -> list[str]:
    return [
        " " * max(len(line) - len(line.lstrip(" ")) + by, 0) + line.lstrip(" ") if line.strip() else ""
        for line in lines
    ]


def replace(node: Node, text: str, label: str) -> Edit:
    """Return the edit of a value on one line. Its anchor stays, its tag goes; an alias gives way to a value of its own."""
    if node.line != node.end_line:
        raise Unwritable
    anchor = f"&{node.anchor} " if node.anchor else ""
    lead = " " if node.span.column == node.span.end_column else ""
    return Edit(span=node.span, text=lead + anchor + text, label=label)


def scalar(node: Node | None) -> Node | None:
    """The scalar itself, or the target of an alias."""
    found = node.target if node is not None and node.kind == ALIAS else node
    return found if found is not None and found.kind == SCALAR else None
