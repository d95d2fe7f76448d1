"""A shell command in a Python cell: say that it is for the machine, and show the cell with `%%on` in front of it.

Python answers `sudo touch /x` with "invalid syntax", which does not help. IPython runs some commands (`ls`, `cat`, `rm`) on
this host instead, without a sign; `register` in missing.py switches that off.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Sequence

from flatkit.errors import UsageError
from flatkit.untrusted import lines_of

# Commands that the course types, and those that everybody knows.
_WORDS = """
apt apt-get awk base64 bash blkid cat cd cgpt chmod chown cp curl cut date dd df diff dmesg docker du echo env export find
findmnt flatcar-reset flatcar-update free getent grep groups gzip head hostname hostnamectl id ignition ip
journalctl kill less ln locksmithctl losetup ls lsblk lscpu man mkdir mkfs.ext4 more mount mv nano networkctl
passwd ping podman poweroff printf ps pwd readlink reboot rm rmdir rootdev sed sh shutdown sleep sort ss ssh
stat su sudo sync sysctl systemctl systemd-analyze systemd-run systemd-sysext systemd-sysupdate tail tar tee
test top touch tree true truncate umount uname update_engine_client uptime useradd usermod vi vim wc wget
which whoami xargs
"""
_COMMANDS = frozenset(_WORDS.split())
_FIRST_WORD = re.compile(r"\s*([A-Za-z0-9_./+-]+)(?=\s|$|[|;&<>])")
# What only a shell writes: `> /a/file` at the end of a line.
_INTO_A_FILE = re.compile(r"[^()=\"']*\s>{1,2}\s*[/~][\w./~-]*\s*")
_ASSIGNMENT = re.compile(r"\s*[A-Za-z_]\w*\s*=")
# The one command that must not be run here: it erases a disk.
_INSTALL = re.compile(r"(?:sudo\s+)?flatcar-install\s")
_SHOWN_MAX = 60


def find_command(cell: str, line: int = 0) -> tuple[str, str]:
    """Return the shell lines of a cell and their first word; two empty texts for Python, magics and unknown words.

    The lines are all of the cell if its first one is a command, else the one with the number `line` (from 1), where Python
    found an error.
    """
    rows = lines_of(cell)
    if word := _command_of(next((row for row in rows if row.strip() and not row.lstrip().startswith("#")), "")):
        return cell.strip(), word
    row = rows[line - 1] if 0 < line <= len(rows) else ""
    return (row.strip(), word) if (word := _command_of(row)) else ("", "")


def _command_of(row: str) -> str:
    found = _FIRST_WORD.match(row.removeprefix("$ "))
    word = found[1] if found else ""
    if keyword.iskeyword(word) or _ASSIGNMENT.match(row):
        return ""
    if word and _INTO_A_FILE.fullmatch(row):
        return word
    return word if word in _COMMANDS or re.fullmatch(r"(\.{0,2}/)[A-Za-z0-9_./-]+", word) else ""


def is_late_magic(cell: str) -> bool:
    """Return whether a cell has `%%on` or `%%butane` below its first line, where it means nothing."""
    lines = lines_of(cell)
    return any(line.lstrip().startswith(("%%on", "%%butane")) for line in lines[1:]) and not lines[0].startswith("%%")


def for_the_machine(lines: str, machine: str, others: Sequence[str] = ()) -> UsageError:
    """Return the error for shell lines in a Python cell; `machine` is the variable that the fixed cell names."""
    choice = "".join(f" (or %%on {other})" for other in others)
    return UsageError(
        f'this is a command for the machine, and the cell is Python: "{_shown(lines)}"',
        hint=f"begin a cell with %%on {machine}{choice}, like this:",
        details=f"%%on {machine}\n{_fixed(lines)}",
    )


def for_this_host(lines: str) -> UsageError:
    """Return the error for shell lines in a notebook that has no machine."""
    return UsageError(
        f'this is a command for a terminal, and the cell is Python: "{_shown(lines)}"',
        hint="open a terminal of this host (File > New > Terminal), and type it there: this notebook has no machine",
    )


def for_a_file(cell: str) -> UsageError | None:
    """Return the error for flatcar-install in a Python cell, None for any other cell. It is written down, and not run."""
    if not _INSTALL.match(_first(cell).removeprefix("$ ")):
        return None
    return UsageError(
        f'this command erases a disk, and the cell is Python: "{_shown(cell)}"',
        hint="write it into a file, which runs nothing:",
        details=f"%%writefile install.sh\n{_fixed(cell.strip())}",
    )


def _first(lines: str) -> str:
    return next((row.strip() for row in lines_of(lines) if row.strip() and not row.lstrip().startswith("#")), "")


def _shown(lines: str) -> str:
    first = _first(lines)
    return first if len(first) <= _SHOWN_MAX else f"{first[: _SHOWN_MAX - 1]}…"


def _fixed(lines: str) -> str:
    return "\n".join(row.removeprefix("$ ") for row in lines_of(lines))


def late_magic(cell: str) -> UsageError:
    """Return the error for a `%%` line that is not the first one."""
    lines = lines_of(cell.strip())
    at = next(number for number, line in enumerate(lines) if line.lstrip().startswith("%%"))
    fixed = [lines[at].strip(), *lines[:at], *lines[at + 1 :]]
    return UsageError(
        f'"{lines[at].strip()}" is on line {at + 1}; expected it on the first line of the cell',
        hint="move it to the top, and run the cell again:",
        details="\n".join(fixed),
    )
