"""A notebook during an allowed look: the text of its cells, and what they print, go to the trainer's board.

Nothing is hooked into IPython before the learner's first yes, and nothing is taken outside of the allowed time.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from flatkit.board import seat
from flatkit.widgets import display

_ERROR_MAX = _LINE_MAX = 2000


class NotebookLook:
    """Watches the learner's log, as cards do, and hooks into IPython at the first yes."""

    def __init__(self) -> None:
        self._hooked: Any = None

    def draw(self) -> None:
        """Hook in, once a look is allowed; forget the beginning of a line when it is over."""
        if not seat.feed.is_open:
            _printed.clear()
            return
        shell = display.get_shell()
        if shell is None or shell is self._hooked:
            return
        self._hooked = shell
        _tap_outputs(shell)
        # Last: the learner continues meanwhile, and a cell that is shown is shown with what it prints.
        shell.events.register("post_run_cell", _show_end)
        shell.events.register("pre_run_cell", _show_cell)


# Held here: the seat's list of watchers is weak.
notebook_look = NotebookLook()


def source() -> str:
    """Return the name of the notebook, for the trainer."""
    return Path(os.environ.get("JPY_SESSION_NAME", "")).stem or "notebook"


class _Echo:
    """Takes what a stream of the kernel prints, and hands it to the stream's own echo.

    A stream's `write` would not do: IPython replaces it while a cell runs, and puts the former one back after the cell.
    """

    def __init__(self, own: Any) -> None:
        self._own = own

    def write(self, text: str) -> None:
        if seat.feed.is_open:
            with suppress(Exception):  # a look must never stop a learner's cell
                _show_printed(text)
        if self._own is not None:
            with suppress(OSError):  # the kernel's terminal is gone
                self._own.write(text)

    def flush(self) -> None:
        if self._own is not None:
            with suppress(OSError):
                self._own.flush()


def _tap_outputs(shell: Any) -> None:
    """Tap what shows a cell's outputs now. `%%capture` puts others there for the time of its cell."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "echo") and not isinstance(stream.echo, _Echo):
            stream.echo = _Echo(stream.echo)
    _tap(shell.display_pub, "publish", _show_display)
    _tap(shell.displayhook, "write_format_data", _show_result)


def _tap(owner: Any, name: str, show: Callable[..., None]) -> None:
    """Let `show` get the arguments of a method after each call."""
    method = getattr(owner, name)
    if not isinstance(method, _Tap):
        setattr(owner, name, _Tap(method, show))


class _Tap:
    """A method of the kernel, and who sees what it is called with."""

    def __init__(self, method: Callable[..., Any], show: Callable[..., None]) -> None:
        self._method, self._show = method, show

    def __call__(self, *words: Any, **more: Any) -> Any:
        found = self._method(*words, **more)
        if seat.feed.is_open:
            with suppress(Exception):  # a look must never stop a learner's cell
                self._show(*words, **more)
        return found


def _show_cell(info: Any) -> None:
    with suppress(Exception):
        _tap_outputs(display.get_shell())
    seat.show("cell", source(), str(getattr(info, "raw_cell", "") or ""))


def _show_end(result: Any) -> None:
    _flush()
    error = getattr(result, "error_before_exec", None) or getattr(result, "error_in_exec", None)
    if error is not None:
        seat.show("output", source(), f"{type(error).__name__}: {error}"[:_ERROR_MAX])


def _show_display(data: Any, *_: Any, update: bool = False, **__: Any) -> None:
    # What a display becomes later is left out: a command's progress, a card that draws itself again.
    if not update:
        seat.show("output", source(), str(data.get("text/plain", "")))


def _show_result(format_dict: Any, *_: Any, **__: Any) -> None:
    seat.show("output", source(), str(format_dict.get("text/plain", "")))


_printed: list[str] = []
# A cell may print in several threads. Reentrant: what prints may be a signal's handler.
_printing = threading.RLock()


def _show_printed(text: Any) -> None:
    """Show whole lines: `print` writes a line in several parts."""
    with _printing:
        _printed.append(str(text))
        is_due = "\n" in _printed[-1] or sum(map(len, _printed)) > _LINE_MAX
    if is_due:
        _flush()


def _flush() -> None:
    with _printing:
        text = "".join(_printed)
        _printed.clear()
    seat.show("output", source(), text.removesuffix("\n"))
