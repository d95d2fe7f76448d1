"""An undefined name in a cell: name the cell that defines it, instead of a traceback.

Cells are skipped, run out of order, and lost when a kernel restarts. Python then says "name 'm' is not defined", which is
true and does not help. The first cell of the notebook that sets the name does.
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
    """Explain undefined names in a notebook; elsewhere do nothing."""
    shell = display.get_shell()
    if shell is not None:
        shell.set_custom_exc((NameError,), _explain)


def _explain(
    shell: Any, kind: Any, error: NameError, trace: TracebackType | None, tb_offset: int | None = None
) -> None:
    """Explain an error for IPython. One inside a function, or of a name that no cell sets, keeps Python's message."""
    if error.name and _is_of_the_cell(trace, shell.user_ns) and (line := find_line(error.name)):
        error._render_traceback_ = missing(error.name, line)._render_traceback_  # type: ignore[attr-defined]
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def missing(name: str, line: str) -> UsageError:
    """Return the error for an undefined name that `line` defines."""
    return UsageError(
        f'"{name}" is not there yet: the cell that makes it was not run since the kernel started',
        hint=f"run the cell with this line, then this one again:   {line}",
    )


def _is_of_the_cell(trace: TracebackType | None, names: dict[str, Any]) -> bool:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals is names


def find_line(name: str) -> str:
    """Return the line that defines a name: of the open notebook, else one that is in every notebook; "" without one."""
    for source in _cells():
        if line := _line_in(source, name):
            return line
    return {"fk": _IMPORT, "m": 'm = fk.up("...")'}.get(name, "")


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
