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
# A command or option of a terminal -> the call of `fk` that does the same.
_CALLS = (
    (r"flatkit lesson check ([\w-]+)", r'fk.check("\1")'),
    (r"flatkit lesson list", "fk.course()   shows the notebooks, which name their exercises"),
    (r"flatkit demo run ([\w-]+)", r'fk.play("\1")'),
    (r"flatkit demo list", 'fk.play("update")   plays one of them'),
    (r'flatkit glossary "(.+)"', r'fk.glossary("\1")'),
    (r"flatkit glossary   lists every word", 'fk.glossary("slot")   explains one of the words'),
    (r"--memory (\w+)", r'fk.up(..., memory="\1")'),
    (r"--forward \d+:(\d+)", r"fk.up(..., ports=\1)"),
    (r"flatkit up --name (\S+)", r'fk.up(..., name="\1")'),
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


@contextmanager
def call_hints() -> Iterator[None]:
    """Raise an error of the work inside with its hint as a call of `fk`."""
    try:
        yield
    except FlatkitError as error:
        for command, call in _CALLS:
            error.hint = re.sub(rf"(?<!\S){command}", call, error.hint)
        raise
