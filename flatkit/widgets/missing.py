"""A name that no cell has made yet: the learner is told which cell brings it, instead of a traceback.

Cells are skipped, run out of order, and forgotten by a kernel that was restarted. Python then says "name 'm' is not defined",
which is true and no help. The notebook itself knows better: it is read, and the first cell that sets the name is shown.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from flatkit.errors import UsageError
from flatkit.files import read_regular
from flatkit.untrusted import lines_of, parse_json
from flatkit.widgets import display

# Of a notebook with all its outputs.
_BYTES_MAX = 64 * 1024 * 1024
_IMPORT = "import flatkit as fk"


def register() -> None:
    """In a notebook, explain names that are missing; elsewhere nothing happens."""
    shell = display.get_shell()
    if shell is not None:
        shell.set_custom_exc((NameError,), _explain)


def _explain(
    shell: Any, kind: Any, error: NameError, trace: TracebackType | None, tb_offset: int | None = None
) -> None:
    """Called by IPython. A fault inside a function, or a typing error of a known name, keeps Python's own words."""
    if error.name and _is_of_the_cell(trace, shell.user_ns) and (line := find_line(error.name)):
        error._render_traceback_ = missing(error.name, line)._render_traceback_  # type: ignore[attr-defined]
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def missing(name: str, line: str) -> UsageError:
    """What is said about a missing name, when `line` is what brings it."""
    return UsageError(
        f'"{name}" is not there yet: the cell that makes it was not run since the kernel started',
        hint=f"run the cell with this line, then this one again:   {line}",
    )


def _is_of_the_cell(trace: TracebackType | None, names: dict[str, Any]) -> bool:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals is names


def find_line(name: str) -> str:
    """The line that brings a name: of the notebook that is open, else what is the same in every notebook; "" if unknown."""
    for source in _cells():
        if line := _line_in(source, name):
            return line
    return {"fk": _IMPORT, "m": 'm = fk.up("...")'}.get(name, "")


def _cells() -> Iterator[str]:
    """The code cells of the notebook that is open, from its file; none where it cannot be told which one that is."""
    shell = display.get_shell()
    known = os.environ.get("JPY_SESSION_NAME") or (shell.user_ns.get("__vsc_ipynb_file__") if shell else None)
    if not known:
        return
    path = Path(known)
    for place in (
        path,
        Path(path.name),
    ):  # the server tells the path from its own root; a kernel starts beside the notebook
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
