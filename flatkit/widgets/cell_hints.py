"""Hints for cells: an error of a machine names commands of a terminal, and a learner in a notebook has cells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from flatkit.errors import FlatkitError

_NAME = r"(?P<name>[\w.-]*\w)"
# A command of a terminal -> the cell that does the same. `me` is the variable that holds the machine.
_CELLS = (
    (rf"flatkit console {_NAME}( --lines \d+)?", "{me}.console"),
    (rf"flatkit up --name {_NAME}(?! --)", "{me}.start()"),
    (rf"flatkit rewind {_NAME}( --to \S*\w)?", "{me}.rewind()"),
    (rf"flatkit down {_NAME}", "{me}.down()"),
    (r"flatkit up again", "the cell with fk.up again"),
    (r"flatkit list", "{me}"),
)


def in_cells(hint: str, me: str, name: str) -> str:
    """Return a hint about the machine `name` with cells instead of commands; other commands stay."""

    for command, what in _CELLS:
        for found in reversed([*re.finditer(command, hint)]):
            if found.groupdict().get("name", name) == name:
                hint = hint[: found.start()] + what.format(me=me) + hint[found.end() :]
    return hint


@contextmanager
def cell_hints(me: str, name: str) -> Iterator[None]:
    """Raise an error of the work inside with its hint for a cell."""
    try:
        yield
    except FlatkitError as error:
        error.hint = in_cells(error.hint, me, name)
        raise
