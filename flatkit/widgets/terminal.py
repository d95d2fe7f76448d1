"""A machine's terminal in a notebook: Jupyter's own server holds the session, so it works while the kernel is busy.

Where there is no Jupyter page (VS Code), the same widget's keys come to the kernel and go over the machine's SSH connection.
There is one for each machine, however often a cell is run.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from flatkit import paths
from flatkit.errors import FlatkitError
from flatkit.machines import Shell
from flatkit.machines.store import folder_of
from flatkit.widgets import bundle, display
from flatkit.widgets.twin import Twin

_traitlets: Any = importlib.import_module("traitlets")

# So much may be under way to the page before it says that it has drawn it, in bytes.
_WINDOW = 512 * 1024
_KEEP = ("FLATKIT_STATE", "FLATKIT_CACHE", "LIBVIRT_DEFAULT_URI", "PYTHONPATH")
# Both sessions end when the machine is removed, whether a page is open or not: the console's file goes then. It outlives
# restarts, which end a login only; the terminal stays, and asks before it tries again.
_LOOP = (
    '(while [ -e "$2" ]; do sleep 2; done; kill $$) & '
    'while :; do "$0" -m flatkit ssh "$1"; '
    r'printf "\r\n[the session has ended; Enter connects again]\r\n"; read -r _ || exit; done'
)

# Where the server was started by nohup a page that ends the session can only kill its first process: that is `tail` itself.
_CONSOLE = '(while [ -e "$0" ]; do sleep 2; done; kill $$) & exec tail -n 400 -F "$0" 2>/dev/null'
_CONSOLE_LINES = 200


def session_name(machine: str) -> str:
    """A name for the server's terminal: it takes letters, digits and "_" only, and another state folder is another world."""
    world = hashlib.sha256(f"{paths.state_dir()}/{machine}".encode()).hexdigest()[:6]
    return f"flatkit_{re.sub(r'[^A-Za-z0-9]', '_', machine)}_{world}"


def console_argv(machine: str) -> list[str]:
    """What the server is to run for the serial console: its end, and what comes, until the machine is removed."""
    return ["sh", "-c", _CONSOLE, str(folder_of(machine).console)]


def session_argv(machine: str) -> list[str]:
    """What the server is to run: `flatkit ssh`, again and again, in this kernel's world."""
    kept = [f"{name}={os.environ[name]}" for name in _KEEP if os.environ.get(name)]
    return ["env", *kept, "sh", "-c", _LOOP, sys.executable, machine, str(folder_of(machine).console)]


class TerminalWidget(bundle.BundledWidget):
    """The traits: the machine's name, the server's session and what it runs; `gone` when the machine is removed.

    The serial console beside it is a session of the server too, named after the first with `_console` at its end.
    """

    _esm = bundle.script("terminal")
    _css = bundle.style("terminal")
    machine = _traitlets.Unicode().tag(sync=True)
    session = _traitlets.Unicode().tag(sync=True)
    argv = _traitlets.List().tag(sync=True)
    console_argv = _traitlets.List().tag(sync=True)
    gone = _traitlets.Bool(default_value=False).tag(sync=True)


class Terminal:
    """The widget, and the way over the kernel.

    `open_shell(columns, rows)` opens a login on the machine; `console_lines(count)` gives the serial console's last lines.
    """

    def __init__(
        self, machine: str, open_shell: Callable[[int, int], Shell], console_lines: Callable[[int], list[str]]
    ) -> None:
        self._open_shell, self._console_lines = open_shell, console_lines
        self._lock = threading.Lock()
        self._shell: Shell | None = None
        self._under_way = 0
        self._drawn = threading.Condition()
        self.widget: Any = TerminalWidget(
            machine=machine,
            session=session_name(machine),
            argv=session_argv(machine),
            console_argv=console_argv(machine),
        )
        self.widget.on_msg(self._said)

    def _said(self, _: Any, content: Any, __: Any) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "open":
            threading.Thread(target=self._serve, args=(content,), name="flatkit: terminal", daemon=True).start()
        elif kind == "console":
            # The page asks again and again while its console is open.
            with suppress(OSError, FlatkitError):
                self.widget.send({"kind": "console", "lines": self._console_lines(_CONSOLE_LINES)})
        elif kind == "drawn":
            with self._drawn:
                self._under_way = max(0, self._under_way - int(content["bytes"]))
                self._drawn.notify_all()
        elif self._shell is not None:
            # A session that has just ended takes no more keys.
            with suppress(OSError):
                if kind == "input":
                    self._shell.send(str(content["text"]))
                elif kind == "size":
                    self._shell.resize(int(content["columns"]), int(content["rows"]))

    def _serve(self, size: dict[str, Any]) -> None:
        with self._lock:
            self._close()
            try:
                shell = self._shell = self._open_shell(int(size["columns"]), int(size["rows"]))
            except FlatkitError as error:
                self.widget.send({"kind": "ended", "why": error.message})
                return
            self._under_way = 0
        while data := shell.receive():
            with self._drawn:
                # A page that went away draws nothing: after a while its output is let go.
                self._drawn.wait_for(lambda: self._under_way < _WINDOW, timeout=5)
                self._under_way = self._under_way + len(data) if self._under_way < _WINDOW else len(data)
            self.widget.send({"kind": "output"}, buffers=[data])
        if self._shell is shell:
            self.widget.send({"kind": "ended", "why": "The session has ended."})

    def _close(self) -> None:
        shell, self._shell = self._shell, None
        if shell is not None:
            shell.close()

    def close(self) -> None:
        """The machine is gone: end its session, and say so on the page."""
        with self._lock:
            self._close()
        self.widget.gone = True


@dataclass(frozen=True, kw_only=True, repr=False)
class TerminalPlace(Twin):
    """The terminal as the value of a cell: shows itself, and says in text what does the same in any terminal."""

    widget: Any
    machine: str

    def as_text(self) -> str:
        """Return the text twin."""
        return f'a terminal on "{self.machine}"; in a terminal of your own: flatkit ssh {self.machine}'

    def _ipython_display_(self) -> None:
        display.publish(self, repr(self))
