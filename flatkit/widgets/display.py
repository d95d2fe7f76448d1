"""Where displays meet IPython: publishing a view with its text twin, once in a cell. Works without IPython too."""

from __future__ import annotations

import sys
from typing import Any, Protocol

from flatkit.errors import Cancelled, FlatkitError, WaitTimeout
from flatkit.untrusted import escape_hidden, lines_of
from flatkit.widgets import html


class HasWidget(Protocol):
    """Something to display: `widget` is what a notebook is given."""

    @property
    def widget(self) -> Any:
        """The widget."""


class View(HasWidget, Protocol):
    """Draws a value."""

    def show(self, value: Any) -> None:
        """Draw it."""


def get_shell() -> Any:
    """The running IPython shell, or None: it is not imported for that."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module else None


def cell_number() -> int | None:
    """The number of the cell that runs now, or None outside IPython."""
    shell = get_shell()
    return None if shell is None else int(shell.execution_count)


def publish(view: HasWidget, twin: str) -> None:
    """Show a widget below the cell, with text for where widgets are not shown."""
    shell = get_shell()
    if shell is None:
        return
    made = view.widget._repr_mimebundle_() or {}
    # anywidget gives data and metadata, ipywidgets the data alone.
    data, metadata = made if isinstance(made, tuple) else (made, {})
    shell.display_pub.publish({**data, "text/plain": escape_hidden(twin)}, metadata)


def publish_text(twin: str) -> None:
    """Show a few lines below the cell."""
    shell = get_shell()
    if shell is not None:
        lines = "".join(html.line(html.text(line)) for line in lines_of(twin))
        shell.display_pub.publish({"text/plain": escape_hidden(twin), "text/html": html.block(lines)})


class Place:
    """Remembers in which cell something was shown or awaited, so that one cell does not show it twice."""

    def __init__(self) -> None:
        self._shown: int | None = None
        self._awaited: int | None = None

    def is_new(self) -> bool:
        """Whether it was not yet shown in this cell."""
        return self._shown is None or self._shown != cell_number()

    def was_awaited(self) -> bool:
        """Whether this cell has awaited it."""
        return self._awaited is not None and self._awaited == cell_number()

    def shown(self) -> None:
        """It is shown in this cell."""
        self._shown = cell_number()

    def awaited(self) -> None:
        """This cell has awaited it."""
        self._awaited = cell_number()


def message_of(error: BaseException | None) -> str:
    """An error in words for a panel."""
    if error is None:
        return ""
    if isinstance(error, Cancelled):
        return "cancelled"
    return error.message if isinstance(error, FlatkitError) else f"{type(error).__name__}: {error}"


def not_in_time(what: str, timeout: float | None) -> WaitTimeout:
    """The error for a wait that took too long."""
    return WaitTimeout(f"{what} after {timeout or 0:g} s", hint="wait again, or cancel")
