"""An undefined name or a slip in a cell: name the cell that defines it, or show the fixed cell, instead of a traceback.

Cells are skipped, run out of order, and lost when a kernel restarts. Python then says "name 'm' is not defined", which is
true and does not help. The first cell of the notebook that sets the name does.
"""

from __future__ import annotations

import ast
import os
import re
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from flatkit.errors import FlatkitError, UsageError
from flatkit.files import read_regular
from flatkit.untrusted import lines_of, parse_json
from flatkit.widgets import board_notes, cell_slips, display, shell_cell, uncalled

# Of a notebook with all its outputs.
_BYTES_MAX = 64 * 1024 * 1024
_IMPORT = "import flatkit as fk"


# The text of the cell that runs; a syntax error does not carry it.
_running = {"cell": ""}


def register() -> None:
    """Explain undefined names and slips in a notebook; elsewhere do nothing. Registering again changes nothing."""
    shell = display.get_shell()
    if shell is None:
        return
    from IPython.core.error import UsageError as MagicError

    kinds = (NameError, SyntaxError, MagicError, AttributeError, TypeError, CancelledError, KeyboardInterrupt)
    shell.set_custom_exc(kinds, _explain)
    # With automagic `rm x` and `cat x` run on this host, while the learner means the machine.
    shell.automagic = False
    uncalled.register(shell)
    with suppress(ValueError):  # it was not registered
        shell.events.unregister("pre_run_cell", _note_cell)
    shell.events.register("pre_run_cell", _note_cell)
    board_notes.register()


def _note_cell(info: Any) -> None:
    _running["cell"] = info.raw_cell or ""


def _explain(
    shell: Any, kind: Any, error: BaseException, trace: TracebackType | None, tb_offset: int | None = None
) -> None:
    """Explain an error for IPython. One inside a function, or without a known cause, keeps Python's message."""
    try:
        found = _find_explanation(shell, error, trace)
    except (Exception, KeyboardInterrupt):  # noqa: BLE001  (IPython never again calls a handler that has raised)
        found = None
    if found is None:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    elif isinstance(error, NameError | AttributeError | TypeError):
        vars(error)["_render_traceback_"] = found._render_traceback_  # IPython calls it, if an error has it
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    else:  # IPython has its own way to show these two, whatever they bring along
        shell.showtraceback((type(found), found, None))


def _find_explanation(shell: Any, error: BaseException, trace: TracebackType | None) -> FlatkitError | None:
    cell, names = _running["cell"], shell.user_ns
    if isinstance(error, CancelledError | KeyboardInterrupt):
        return interrupted() if _passes_flatkit(trace) else None
    if isinstance(error, AttributeError | TypeError):
        return cell_slips.find_slip(cell, error, names) if _is_of_the_cell(trace, names) else None
    if not isinstance(error, NameError):
        if shell_cell.is_late_magic(cell):
            return shell_cell.late_magic(cell)
        if isinstance(error, SyntaxError) and (erases := shell_cell.for_a_file(cell)):
            return erases
        lines, _ = shell_cell.find_command(cell, error.lineno or 0) if isinstance(error, SyntaxError) else ("", "")
        return _for_a_shell(lines, names) if lines else cell_slips.find_slip(cell, error, names)
    if not error.name or not _is_of_the_cell(trace, names):
        return None
    if found := find_missing(error.name):
        return found
    lines, word = shell_cell.find_command(cell)
    # IPython reads `/usr/bin/id x` as a call, and Python `a-b` as a difference.
    if error.name in re.split(r"\W", word):
        return _for_a_shell(lines, names)
    return cell_slips.find_slip(cell, error, names)


def _for_a_shell(lines: str, names: dict[str, Any]) -> UsageError:
    """Return the error for shell lines; the fixed cell names the machine `m` if that is one, else the first, else `m`."""
    from flatkit.widgets.live_machine import LiveMachine

    found = [name for name, value in names.items() if isinstance(value, LiveMachine) and not name.startswith("_")]
    if not found and not _has_machine():
        return shell_cell.for_this_host(lines)
    first = "m" if "m" in found or not found else found[0]
    return shell_cell.for_the_machine(lines, first, others=[name for name in found if name != first])


def interrupted() -> UsageError:
    """Return the error for a cell that the learner stopped while it waited."""
    return UsageError(
        "you stopped this cell while it waited; a boot or a demo continues without it",
        hint="run the cell again to wait on; the panel or the player has a button that stops the work itself",
    )


def _passes_flatkit(trace: TracebackType | None) -> bool:
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("flatkit."):
            return True
        trace = trace.tb_next
    return False


def find_missing(name: str) -> UsageError | None:
    """Return the error for an undefined name that a cell defines; None for any other name."""
    line = find_line(name)
    if not line:
        return None
    if name == "m" and not _has_machine():
        return UsageError(
            'there is no machine "m": no cell of this notebook makes one',
            hint="open a terminal (File > New > Terminal) for a command of this host; or make a machine:   "
            'm = fk.up("web.bu")',
        )
    return UsageError(
        f'"{name}" is not there yet: the cell that makes it was not run since the kernel started',
        hint=f"run the cell with this line, then this one again:   {line}",
    )


def _is_of_the_cell(trace: TracebackType | None, names: dict[str, Any]) -> bool:
    """Return whether the cell itself is at fault: an unknown name of a module is raised by that module for the cell."""
    while trace is not None and trace.tb_next is not None and trace.tb_next.tb_frame.f_code.co_name != "__getattr__":
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals is names


def find_line(name: str) -> str:
    """Return the line that defines a name: of the open notebook, else one that is in every notebook; "" without one."""
    for source in _cells():
        if line := _line_in(source, name):
            return line
    return {"fk": _IMPORT, "m": 'm = fk.up("...")'}.get(name, "")


def _has_machine() -> bool:
    """Return whether a cell of the open notebook makes a machine; True if the notebook is unknown."""
    cells = [*_cells()]
    return not cells or any("fk.up(" in cell for cell in cells)


def _cells() -> Iterator[str]:
    """Yield the code cells of the open notebook, from its file; none if its file is unknown."""
    shell = display.get_shell()
    known = os.environ.get("JPY_SESSION_NAME") or (shell.user_ns.get("__vsc_ipynb_file__") if shell else None)
    if not known:
        return
    path = Path(known)
    for place in (
        path,
        Path(path.name),
    ):  # the path starts at the server's root; a kernel starts beside the notebook
        try:
            notebook = parse_json(read_regular(place, limit=_BYTES_MAX), limit=_BYTES_MAX)
        except (OSError, ValueError):
            continue
        cells = notebook.get("cells") if isinstance(notebook, dict) else None
        for cell in cells if isinstance(cells, list) else []:
            source = cell.get("source") if isinstance(cell, dict) and cell.get("cell_type") == "code" else None
            lines = source if isinstance(source, list) else [source]
            yield "".join(line for line in lines if isinstance(line, str))
        return


def _line_in(source: str, name: str) -> str:
    if source.startswith("%%"):
        return ""
    try:
        tree = ast.parse(re.sub(r"^[ \t]*[%!?].*$", "pass", source, flags=re.MULTILINE))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two by deep nesting
        return ""
    for node in tree.body:
        if name in _made_by(node):
            return lines_of(source)[node.lineno - 1].strip()
    return ""


def _made_by(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}
