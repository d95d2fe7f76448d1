"""The display of values: as text, and below a cell of IPython. Works without IPython too."""

from __future__ import annotations

import sys
import threading
import uuid
from typing import Any

from flatkit.untrusted import escape_hidden, lines_of, printable_lines
from flatkit.widgets import html

# Of a text: a page that a machine served may be one long line, and a console has many.
_LONGEST_LINE = 4000
_LINES = 5000
# Of a text that is stored beside a widget.
_KEPT_COLUMNS = 200
_KEPT_LINES = 60


class Twin:
    """A value that displays itself as text. The text quotes machines and servers, so it is escaped and bounded here."""

    def as_text(self) -> str:
        """Return the raw text."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return printable_lines(self.as_text(), limit=_LONGEST_LINE, lines=_LINES)

    __str__ = __repr__


def get_shell() -> Any:
    """Return the running IPython shell, or None. Does not import IPython."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None


def _publisher(shell: Any) -> Any:
    """Return what publishes for this thread: `%%capture` puts another publisher there for the time of its cell."""
    if threading.current_thread() is threading.main_thread():
        return shell.display_pub
    return next((one for one in shell.configurables if hasattr(one, "publish")), shell.display_pub)


def variable_of(value: object) -> str:
    """Return the notebook's variable for a value, as a hint names it: `m` for a machine in none or in several."""
    shell = get_shell()
    found = (
        [key for key, other in list(shell.user_ns.items()) if other is value and not key.startswith("_")]
        if shell
        else []
    )
    return "m" if "m" in found or not found else str(found[0])


def session() -> str:
    """Return the session that machines of this kernel are recorded with: the notebook's path, where it is known."""
    from flatkit.machines import notebook_session

    shell = get_shell()
    # VS Code sets this variable; Jupyter's servers set one of the environment.
    return notebook_session(str(shell.user_ns.get("__vsc_ipynb_file__", "")) if shell else "")


def cell_number() -> int | None:
    """Return the number of the running cell, or None outside IPython."""
    shell = get_shell()
    return None if shell is None else int(shell.execution_count)


def publish(widget: Any, twin: str) -> None:
    """Show a widget below the cell, with text for places that show no widgets."""
    shell = get_shell()
    if shell is None:
        return
    made = widget._repr_mimebundle_() or {}
    # anywidget returns data and metadata, ipywidgets the data alone.
    data, metadata = made if isinstance(made, tuple) else (made, {})
    _publisher(shell).publish({**data, "text/plain": escape_hidden(twin)}, metadata)


def keep(twin: str, wake: str, ident: str, *, again: bool = False) -> None:
    """Store a widget's text below it, for a reader whose kernel is gone; JupyterLab hides it while the widget lives.

    `wake` says what brings the widget back. With `again` the text that is stored as `ident` is replaced.
    """
    shell = get_shell()
    if shell is not None:
        text = printable_lines(twin, limit=_KEPT_COLUMNS, lines=_KEPT_LINES)
        _publisher(shell).publish(
            {"text/html": html.kept(text, wake)}, {}, transient={"display_id": ident}, update=again
        )


def publish_html(body: str, twin: str) -> None:
    """Show HTML of ours below the cell, with its text."""
    shell = get_shell()
    if shell is not None:
        _publisher(shell).publish({"text/plain": escape_hidden(twin), "text/html": body})


def can_replace() -> bool:
    """Return True in a notebook; a terminal would print each display below the one before."""
    return hasattr(get_shell(), "kernel")


def publish_live(body: str, twin: str, ident: str = "") -> str:
    """Show HTML of ours below the cell, or in the place of an earlier one. Return its name; "" where nothing can be replaced."""
    shell = get_shell()
    if shell is None or not can_replace():
        return ""
    name = ident or uuid.uuid4().hex
    data = {"text/plain": escape_hidden(twin), "text/html": body}
    _publisher(shell).publish(data, transient={"display_id": name}, update=bool(ident))
    return name


def publish_text(twin: str, ident: str = "", *, again: bool = False) -> None:
    """Show a few lines below the cell. With `again` the lines that are shown as `ident` are replaced."""
    shell = get_shell()
    if shell is not None:
        lines = "".join(html.line(html.text(line)) for line in lines_of(twin))
        more: dict[str, Any] = {"transient": {"display_id": ident}, "update": again} if ident else {}
        _publisher(shell).publish({"text/plain": escape_hidden(twin), "text/html": html.block(lines)}, {}, **more)
