"""A machine's terminal in a notebook: Jupyter's own server runs the session, so it works while the kernel is busy.

Without a Jupyter page (VS Code) the page's keys come to the kernel, and go over the machine's SSH connection.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypedDict

from flatkit import paths
from flatkit.board import seat
from flatkit.errors import FlatkitError
from flatkit.machines import Shell
from flatkit.machines.store import folder_of
from flatkit.widgets.card import Card

# Output that is on its way to the page before the page reports that it has drawn it, in bytes.
_WINDOW = 512 * 1024
# A page that went away draws nothing: its output is dropped after this time.
_DRAW_PATIENCE = 5.0
_KEEP = ("FLATKIT_STATE", "FLATKIT_CACHE", "LIBVIRT_DEFAULT_URI", "PYTHONPATH")
# Both sessions end when the machine is removed, whether a page is open or not: the console's file goes then. A session
# outlives restarts of the machine: they end only the login, and the loop asks before it tries again.
_LOOP = (
    '(while [ -e "$2" ]; do sleep 2; done; kill $$) & '
    'while :; do "$0" -m flatkit ssh "$1"; '
    r'printf "\r\n[the session has ended; Enter connects again]\r\n"; read -r _ || exit; done'
)
# A server that was started by nohup can only kill the session's first process: that is `tail` itself.
_CONSOLE = '(while [ -e "$0" ]; do sleep 2; done; kill $$) & exec tail -n 400 -F "$0" 2>/dev/null'
_CONSOLE_LINES = 200


class TerminalState(TypedDict):
    """The server's sessions and their commands; the console's is named SESSION_console. `gone`: no machine any more.

    `look`: the learner lets the trainer see the screen now.
    """

    machine: str
    session: str
    argv: list[str]
    consoleArgv: list[str]
    gone: bool
    look: bool


def session_name(machine: str) -> str:
    """Return the name of the server's terminal: letters, digits and "_", unique for each state folder."""
    world = hashlib.sha256(f"{paths.state_dir()}/{machine}".encode()).hexdigest()[:6]
    return f"flatkit_{re.sub(r'[^A-Za-z0-9]', '_', machine)}_{world}"


def console_argv(machine: str) -> list[str]:
    """Return the command of the console's session: follow the serial console until the machine is removed."""
    return ["sh", "-c", _CONSOLE, str(folder_of(machine).console)]


def session_argv(machine: str) -> list[str]:
    """Return the command of the terminal's session: `flatkit ssh`, again and again, in this kernel's environment."""
    kept = [f"{name}={os.environ[name]}" for name in _KEEP if os.environ.get(name)]
    return ["env", *kept, "sh", "-c", _LOOP, sys.executable, machine, str(folder_of(machine).console)]


class TerminalCard(Card):
    """A terminal. `open_shell(columns, rows)` opens a login, `console_lines(count)` returns the serial console's last lines."""

    bundle = "terminal"
    is_raw = True

    def __init__(
        self, machine: str, open_shell: Callable[[int, int], Shell], console_lines: Callable[[int], list[str]]
    ) -> None:
        super().__init__()
        self._open_shell, self._console_lines = open_shell, console_lines
        self._lock = threading.Lock()
        self._shell: Shell | None = None
        self._under_way = 0
        self._drawn = threading.Condition()
        self._state: TerminalState = {
            "machine": machine,
            "session": session_name(machine),
            "argv": session_argv(machine),
            "consoleArgv": console_argv(machine),
            "gone": False,
            "look": False,
        }
        seat.attend(self)

    def state(self) -> TerminalState:
        """Return the names and commands of the sessions."""
        return {**self._state, "look": seat.feed.is_open}

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return what a page does that has no server behind it."""
        return {
            "open": self._open,
            "console": self._console,
            "drawn": self._was_drawn,
            "input": self._input,
            "size": self._size,
            "screen": lambda text="": seat.show("screen", f"terminal on {self._state['machine']}", str(text)),
        }

    def _open(self, columns: int, rows: int) -> None:
        work = threading.Thread(target=self._serve, args=(columns, rows), name="flatkit: terminal", daemon=True)
        work.start()

    def _console(self) -> None:
        # The page asks again and again while its console is open.
        with suppress(OSError, FlatkitError):
            self.page.send({"kind": "console", "lines": self._console_lines(_CONSOLE_LINES)})

    def _was_drawn(self, count: int) -> None:
        with self._drawn:
            self._under_way = max(0, self._under_way - count)
            self._drawn.notify_all()

    def _input(self, text: str) -> None:
        # A session that has just ended takes no more keys.
        with suppress(OSError):
            if self._shell is not None:
                self._shell.send(text)

    def _size(self, columns: int, rows: int) -> None:
        with suppress(OSError):
            if self._shell is not None:
                self._shell.resize(columns, rows)

    def _serve(self, columns: int, rows: int) -> None:
        with self._lock:
            self._close()
            try:
                shell = self._shell = self._open_shell(columns, rows)
            except FlatkitError as error:
                self.page.send({"kind": "ended", "why": error.message})
                return
            self._under_way = 0
        while data := shell.receive():
            with self._drawn:
                self._drawn.wait_for(lambda: self._under_way < _WINDOW, timeout=_DRAW_PATIENCE)
                if self._shell is not shell:
                    return  # another session began, or the machine is gone: the page shows that one
                self._under_way = self._under_way + len(data) if self._under_way < _WINDOW else len(data)
            self.page.send({"kind": "output"}, buffers=[data])
        if self._shell is shell:
            self.page.send({"kind": "ended", "why": "The session has ended."})

    def _close(self) -> None:
        shell, self._shell = self._shell, None
        if shell is not None:
            shell.close()

    def close(self) -> None:
        """End the session of a machine that was removed, and say so on the page."""
        with self._lock:
            self._close()
        self._state = {**self._state, "gone": True}
        self.draw()

    def as_text(self) -> str:
        """Return the text of the card."""
        machine = self._state["machine"]
        return f'a terminal on "{machine}"; in a terminal window: flatkit ssh {machine}'
