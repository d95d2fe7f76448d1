"""The commands of a unit as systemd reads them: prefixes, quotes, specifiers, and for what it refuses the unit.

Source of the rules: config_parse_exec in systemd's src/core/load-fragment.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# systemd.unit(5): what may follow a percent sign. Another letter or digit is an error, `%%` is a percent sign.
_SPECIFIER = re.compile(r"%(.)", re.DOTALL)
_SPECIFIERS = frozenset("%aAbBCdDEfgGhHiIjJlLmMnNopPqsStTuUvVwWyY")


@dataclass(frozen=True, kw_only=True)
class UnitRefusal:
    """The reason, in words, with the value in quotes; `code` tells kinds of reasons apart, `name` is a name that fits."""

    code: str
    words: str
    fix: str
    name: str = ""


def fatal_command(key: str, value: str) -> UnitRefusal | None:
    """Return why systemd refuses a unit with this command, None if it does not."""
    unknown = next(
        filter(None, (unknown_specifier(one) for one in split_commands(value) if "-" not in _command(one)[0])), ""
    )
    if unknown:
        words = f'systemd itself replaces % in {key}=, and "{unknown}" means nothing to it'
        return UnitRefusal(
            code="specifier", words=words, fix="Write %% for each percent sign that the program is to get."
        )
    if not value or "%" in value.split(maxsplit=1)[0]:
        return None
    if words := _command_fault(value):
        fix = "Write the whole path of the program, for example /usr/bin/docker."
        return UnitRefusal(code="command", words=f"{key}= {words}", fix=fix)
    return None


def unknown_specifier(command: str) -> str:
    """Return the first `%x` of a command that systemd does not know, "" if there is none."""
    found = (match for match in _SPECIFIER.finditer(command) if match[1].isascii() and match[1].isalnum())
    return next((match[0] for match in found if match[1] not in _SPECIFIERS), "")


def is_ignored(value: str) -> bool:
    """Return True for commands that systemd leaves out with a warning, as they have a dash before them, or an open quote."""
    return all(_is_skipped(part) for part in split_commands(value))


def _is_skipped(command: str) -> bool:
    prefix, program, rest = _command(command)
    if not program or _has_open_quote(rest):
        return True
    return "-" in prefix and bool(_program_fault(program) or unknown_specifier(command))


def _command(command: str) -> tuple[str, str, str]:
    """Split a command into its prefix, its program, and all but the prefix."""
    at = 0
    while at < len(command) and command[at] in "@:+!|-" and _may_follow(command[at], command[:at]):
        at += 1
    prefix, rest = command[:at], command[at:]
    quoted = re.match(r"""(["'])(.*?)\1""", rest)
    return prefix, quoted[2] if quoted else rest.split(None, 1)[0] if rest.split() else "", rest


def _may_follow(sign: str, before: str) -> bool:
    """Each sign counts once; + and ! exclude each other, and ! may be doubled."""
    if sign in "+!" and set(before) & {"+", "!"}:
        return sign == "!" and before.count("!") == 1 and "+" not in before
    return sign not in before


def _command_fault(value: str) -> str:
    """Return the fault of a command line, "" if it has none for which systemd refuses the unit."""
    for command in split_commands(value):
        prefix, program, rest = _command(command)
        if "-" in prefix:
            continue
        if not program:
            return f'"{value}" names no program'
        if _has_open_quote(rest):
            return f'"{value}" opens a quote and does not close it'
        if "@" in prefix and len(rest.split()) < 2:
            return f'"{value}" has @ and no name for the program behind it'
        if fault := _program_fault(program):
            return fault
    return ""


def _program_fault(program: str) -> str:
    if "\\" in re.sub(r"\\s|\\x[2-7][0-9A-Fa-f]", "", program):
        return f'"{program}" has a character that the name of a program must not have'
    if program.startswith("%") or "\\" in program:
        return ""
    if program.endswith("/"):
        return f'"{program}" is a directory'
    if not program.startswith("/") and ("/" in program or program in (".", "..")):
        return f'"{program}" is neither an absolute path nor the plain name of a program'
    return ""


def split_commands(value: str) -> list[str]:
    """Several commands of one line are separated by a semicolon that is a word of its own."""
    return [part.strip() for part in re.split(r"(?:^|\s);(?=\s|$)", value) if part.strip()]


def _has_open_quote(text: str) -> bool:
    quote, at = "", 0
    while at < len(text):
        ch = text[at]
        if ch == "\\":
            at += 1
        elif quote:
            quote = "" if ch == quote else quote
        elif ch in "\"'":
            quote = ch
        at += 1
    return bool(quote)
