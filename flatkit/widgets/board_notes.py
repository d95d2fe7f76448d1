"""Notes for the trainer's board, once the learner has joined one: the cell that runs, checks, hints, machines.

Nothing of a cell's text or output is noted, only its number.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from flatkit.board.seat import attend, note
from flatkit.events import Event, Observer, PhaseEnded, PhaseStarted
from flatkit.files import read_regular
from flatkit.untrusted import parse_json
from flatkit.widgets import display
from flatkit.widgets.board_looks import notebook_look

_BYTES_MAX = 64 * 1024 * 1024


def register() -> None:
    """Note each cell that runs in a notebook; elsewhere do nothing. Registering again changes nothing."""
    shell = display.get_shell()
    if shell is None:
        return
    with suppress(ValueError):  # it was not registered
        shell.events.unregister("pre_run_cell", _note_cell)
    shell.events.register("pre_run_cell", _note_cell)
    attend(notebook_look)


class MachineNotes(Observer):
    """Notes the phases of a machine's boot."""

    def __init__(self, machine: str) -> None:
        self._machine = machine

    def notify(self, event: Event) -> None:
        """Note a phase that begins, and one that fails."""
        if isinstance(event, PhaseStarted):
            note("boot", machine=self._machine, phase=event.title, result="")
        elif isinstance(event, PhaseEnded) and not event.ok:
            note("boot", machine=self._machine, phase=event.title, result="failed")


def _note_cell(info: Any) -> None:
    name = os.environ.get("JPY_SESSION_NAME", "")
    cell = getattr(info, "cell_id", None)
    if name and cell:
        notebook = Path(name).stem
        place = _place(Path(name), str(cell))
        if place:
            note("step", notebook=notebook, step=place[0], steps=place[1])
        else:
            note("opened", notebook=notebook)


def _place(notebook: Path, cell: str) -> tuple[int, int] | None:
    """Return the number of a cell among the code cells of its notebook, and their count; None where it cannot be found."""
    for path in (notebook, Path(notebook.name)):  # the path starts at the server's root; a kernel starts beside it
        try:
            found = parse_json(read_regular(path, limit=_BYTES_MAX), limit=_BYTES_MAX)
            ids = [one.get("id") for one in found["cells"] if one.get("cell_type") == "code"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
        if cell in ids:
            return ids.index(cell) + 1, len(ids)
    return None
