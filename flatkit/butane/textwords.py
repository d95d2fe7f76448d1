"""Words and edits for texts below a key: no | or > in its place, quotes that keep \\n, units with a broken line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flatkit.butane.places import path_of
from flatkit.butane.source.node import SCALAR, Node, find_node
from flatkit.butane.transpile import Translation
from flatkit.report import Edit, Entry, Span
from flatkit.untrusted import printable

_BARE_KEY = re.compile(r"(?P<lead>\s*(?:- +)*)(?P<key>contents|inline) *:[ \t]*(#.*)?\r?$")
_TEXT = re.compile(r"\s*(\[[A-Z][A-Za-z]+\]\s*$|#!\s*/)")
# Quotes of a word processor or a web page.
CURLY = (
    "\N{LEFT DOUBLE QUOTATION MARK}\N{RIGHT DOUBLE QUOTATION MARK}"
    "\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
)
_STRAY = re.compile(r"(```\s*\w*|%%\s*butane\b.*)")
FOLDED = "The sign > joins the lines with spaces: write | in its place, so that they stay lines."
ESCAPED = "In single quotes, and without quotes, \\n stays two characters: write | and the lines themselves below it."


def stray_line(text: str, line: int) -> str:
    """Return, in quotes, a line that was pasted along with a config: a fence of Markdown, or %%butane; "" if it is none."""
    lines = text.split("\n")
    own = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    return f'"{printable(own, limit=60)}"' if _STRAY.fullmatch(own) else ""


def find_bare_block(text: str, line: int) -> int:
    """Return the line of a `contents:` or `inline:` without | whose text has a YAML fault in `line`, 0 if there is none."""
    lines = text.split("\n")
    for number in range(min(line, len(lines)), 0, -1):
        match = _BARE_KEY.match(lines[number - 1])
        if match is None:
            continue
        below = next((one for one in lines[number:] if one.strip()), "")
        deeper = len(below) - len(below.lstrip(" ")) > len(match["lead"])
        return number if deeper and _TEXT.match(below) else 0
    return 0


def bare_block_words(text: str, line: int) -> str:
    """Say that a text needs |, "" if that is not the fault."""
    found = find_bare_block(text, line)
    if not found:
        return ""
    key = text.split("\n")[found - 1].strip().removeprefix("- ").partition(":")[0]
    return f"The lines below {key}: (line {found}) are a text: write {key}: | so that YAML takes them as they are."


def suggest_bare_block(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """Write | behind a key whose text follows."""
    line = entry.span.line if entry.span is not None else 0
    found = find_bare_block(translation.text, line)
    if found:
        text = translation.text.split("\n")[found - 1]
        column = text.rindex(":", 0, text.find("#") if "#" in text else None) + 2
        span = Span(line=found, column=column, end_line=found, end_column=column)
        yield Edit(span=span, text=" |", label="write | behind the key")


def suggest_literal(entry: Entry, translation: Translation) -> Iterator[Edit]:
    """Write | in place of >."""
    node = _text_at(entry, translation)
    if node is not None and is_folded(node, translation.text):
        span = Span(line=node.line, column=node.column, end_line=node.line, end_column=node.column + 1)
        yield Edit(span=span, text="|", label="write | in place of >")


def is_folded(node: Node, text: str) -> bool:
    """Return True for a block of lines that > joins."""
    lines = text.split("\n")
    return (
        node.kind == SCALAR and 0 < node.line <= len(lines) and lines[node.line - 1][node.column - 1 :].startswith(">")
    )


def unit_words(entry: Entry, translation: Translation) -> str:
    """Say which line of a unit's text is broken, "" if that is not known."""
    node = _text_at(entry, translation)
    if node is None:
        return ""
    if is_folded(node, translation.text):
        return FOLDED
    if "\\n" in node.value and "\n" not in node.value.strip():
        return ESCAPED
    lines = node.value.split("\n")
    for number, line in enumerate(lines, start=1):
        bare = line.strip()
        if re.search(r"\\[ \t]+$", line):
            return f"Line {number} of the text ends with a backslash and a space: take the space away."
        if bare.startswith("[") and not bare.endswith("]"):
            return (
                f'Line {number} of the text is "{printable(bare, limit=60)}": a section is [Name], alone on its line.'
            )
        if bare and not bare.startswith(("[", "#", ";")) and "=" not in bare and _is_joined_over_comment(lines, number):
            return (
                f"Line {number - 1} of the text is a comment between lines that a backslash joins, and Butane reads no further "
                "there: move it above the command."
            )
        if bare and not bare.startswith(("[", "#", ";")) and "=" not in bare:
            return f'Line {number} of the text, "{printable(bare, limit=60)}", has no =: each line of a unit is Name=value.'
    return ""


def _is_joined_over_comment(lines: list[str], number: int) -> bool:
    """True if the line before (numbers from 1) is a comment, and the last one before it that is none ends with a backslash."""
    before = [line.strip() for line in lines[: number - 1]]
    if not before or not before[-1].startswith(("#", ";")):
        return False
    while before and before[-1].startswith(("#", ";")):
        before.pop()
    return bool(before) and before[-1].endswith("\\")


def _text_at(entry: Entry, translation: Translation) -> Node | None:
    path = path_of(entry)
    node = find_node(translation.root, path)
    if node is not None and node.kind != SCALAR:
        node = find_node(translation.root, (*path, "contents"))
    return node if node is not None and node.kind == SCALAR else None
