"""A report as butane prints it: one line an entry (--raw-errors, and butane up to 0.28), or with the lines around it (0.29)."""

from __future__ import annotations

from flatkit.butane.transpile import Translation
from flatkit.report import Entry, Kind, Report

_CONTEXT = 2
_BLUE, _RED, _YELLOW, _RESET = "\x1b[1;34m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[0m"


def raw_line(entry: Entry) -> str:
    """One line: `error at $.path, line 3 col 1: message`."""
    where = f" at {entry.path}" if entry.path else ""
    if not entry.span:
        return f"{entry.kind}{where}: {entry.message}"
    separator = "," if entry.path else " at"
    return f"{entry.kind}{where}{separator} line {entry.span.line} col {entry.span.column}: {entry.message}"


class _Paint:
    def __init__(self, color: bool) -> None:
        self.color = color

    def __call__(self, text: str, code: str = _BLUE) -> str:
        return f"{code}{text}{_RESET}" if self.color else text


def _block(entry: Entry, lines: list[str], name: str, paint: _Paint) -> str:
    span = entry.span
    if span is None or not 1 <= span.line <= len(lines):
        return raw_line(entry)
    text = lines[span.line - 1].encode("utf-8", "surrogateescape")
    start = span.column - 1
    if start >= len(text):
        return raw_line(entry)
    # Columns count characters, the carets count bytes: so does butane.
    rest = text[start:].decode("utf-8", "replace")
    word = next((rest[:at] for at, ch in enumerate(rest) if ch.isspace()), rest)
    carets = "^" * len(text[start : start + _width(text[start:], word)])
    first, last = max(1, span.line - _CONTEXT), min(len(lines), span.line + _CONTEXT)
    gutter = len(str(last))
    margin = " " * (gutter + 1)
    color = _RED if entry.kind is Kind.ERROR else _YELLOW
    where = f"[{entry.path}]" if entry.path else ""
    out = [f"{paint(str(entry.kind), color)}{where}:", f"  {paint('-->')} {name}:{span.line}:{span.column}"]
    out.append(f"{margin} |")
    for number in range(first, last + 1):
        out.append(f" {paint(str(number).rjust(gutter))} | {lines[number - 1]}")
        if number == span.line:
            out.append(f"{margin} | {' ' * start}{paint(carets)} {entry.message}")
    out.append(f"{margin} |")
    return "\n".join(out)


def _width(rest: bytes, word: str) -> int:
    """The bytes of the first word of `rest`."""
    # A broken first character decodes to U+FFFD of another width: measure on the bytes where that can be.
    size = len(word.encode("utf-8"))
    return size if rest[:size].decode("utf-8", "replace") == word else len(rest.split()[0]) if rest.split() else 0


def render(translation: Translation, *, raw: bool = False, color: bool = False) -> str:
    """All that butane writes to standard error about a config."""
    report = translation.report if translation.is_printed else ()
    if raw:
        out = "".join(raw_line(entry) + "\n" for entry in report)
    else:
        lines = translation.text.split("\n")
        paint = _Paint(color)
        out = "\n".join(_block(entry, lines, translation.name, paint) + "\n" for entry in report)
    return out + (translation.failure + "\n" if translation.failure else "")


def render_taught(translation: Translation, report: Report) -> str:
    """A linted report for the terminal: each entry with its place, advice and fixes."""
    out = []
    lines = translation.text.split("\n")
    for entry in report:
        place = f"{translation.name}:{entry.span.line}:{entry.span.column}: " if entry.span else ""
        out.append(f"{place}{entry.kind}: {entry.message}" + (f" [{entry.code}]" if entry.code else ""))
        if entry.span and entry.kind is not Kind.INFO and entry.span.line <= len(lines):
            out.append(f"    {lines[entry.span.line - 1].rstrip()}")
        if entry.teach:
            out.extend(f"    {line}" for line in entry.teach.split("\n"))
        out.extend(f"    Fix: {edit.label}" for edit in entry.edits)
    return "".join(line + "\n" for line in out)
