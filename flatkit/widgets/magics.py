"""`%%butane FILE` and `%%on MACHINE`: cells that contain a config, and cells that run on a machine."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from flatkit.errors import UsageError
from flatkit.widgets import drafts, live_machine, missing
from flatkit.widgets.config_card import ConfigCard, translate_text
from flatkit.widgets.editor import look_again
from flatkit.widgets.live_machine import LiveMachine
from flatkit.widgets.results import Typed


def butane(line: str, cell: str) -> ConfigCard:
    """Save the cell as this file, and show what it becomes. A fault raises nothing: it is shown at its line.

    Raises UsageError for a missing name, InputError when the file cannot be written.
    """
    name = line.strip()
    if len(name.split()) > 1:
        raise UsageError(
            f'"{name}" is more than one word; expected one name of a file, without spaces',
            hint=f"begin the cell with:   %%butane {'-'.join(name.split())}",
        )
    if not name:
        raise UsageError('"%%butane" names no file; expected one name', hint="%%butane web.bu")
    path = Path(name).expanduser()
    kept = drafts.write_draft(path, cell)
    look_again()
    notes = (drafts.explain_name(name), f'the text before is kept as "{kept.name}"' if kept else "")
    note = "; ".join(filter(None, notes))
    return ConfigCard(path=name, translation=translate_text(cell, path), note=note)


def on(line: str, cell: str, names: dict[str, Any]) -> Typed:
    """Run the cell's lines on a machine, by the name of a variable or of the machine. Raises as LiveMachine.run."""
    return get_machine(line.strip(), names).type(cell)


def get_machine(name: str, names: dict[str, Any]) -> LiveMachine:
    """Return the machine of that variable, or of that name. Raises UsageError."""
    found = names.get(name)
    if isinstance(found, LiveMachine):
        return found
    if name and (known := live_machine.find(name)):
        return known
    if name.isidentifier() and name not in names and (error := missing.find_missing(name)):
        raise error
    what = f'"{name}" is not a machine' if name else '"%%on" names no machine'
    held = [key for key, value in names.items() if isinstance(value, LiveMachine) and not key.startswith("_")]
    if held:
        near = difflib.get_close_matches(name, held, n=1)
        right = near[0] if near else "m" if "m" in held else held[0]
        meant = f'; did you mean "{right}"?' if near else f"; expected one of {', '.join(held)}"
        raise UsageError(f"{what}{meant}", hint=f"begin the cell with:   %%on {right}")
    line = missing.find_line("m")
    hint = f"run the cell with this line:   {line}   and begin this one with: %%on m"
    raise UsageError(f"{what}; expected the variable that holds one", hint=hint)
