"""`flatkit seat`: what JupyterHub starts in a seat, and what its hooks call there."""

from __future__ import annotations

import sys
from pathlib import Path

from flatkit.errors import UsageError
from flatkit.untrusted import printable

_HELP = """\
usage: flatkit seat [ARGUMENT...]    become the server of this seat (JupyterHub starts this)
       flatkit seat stop             switch this user's machines off; their disks stay
       flatkit seat pack             write the course's folder into my-work.zip there, and print its path
"""


def run(argv: list[str]) -> int:
    """Run one of the three."""
    words = argv[1:]
    if words[:1] in (["-h"], ["--help"]):
        print(_HELP, end="")
        return 0
    if words == ["stop"]:
        return _stop()
    if words == ["pack"]:
        return _pack()
    if words and not words[0].startswith("-"):
        raise UsageError(f'"{printable(words[0])}" is not a task of flatkit seat', hint="flatkit seat --help")
    from flatkit.seats.seat import start

    return start(words)


def _stop() -> int:
    from flatkit.seats.seat import stop_machines

    faults = stop_machines()
    for fault in faults:
        print(printable(fault), file=sys.stderr)
    return 1 if faults else 0


def _pack() -> int:
    from flatkit.seats.archive import pack
    from flatkit.seats.seat import COURSE

    folder = Path.home() / COURSE
    if not folder.is_dir() or folder.is_symlink():
        return 0  # this user has not begun
    try:
        path, left_out = pack(folder)
    except OSError as error:
        place = printable(error.filename2 or error.filename or folder)
        raise UsageError(f'"{place}" cannot be written: {error.strerror or error}') from None
    for name in left_out:
        print(name, file=sys.stderr)
    print(path)
    return 0
