"""The card of a machine: its panel, what is inside it while it runs, and its terminal on request."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flatkit.errors import FlatkitError
from flatkit.widgets import board_flag, guest_state, machine_info
from flatkit.widgets.board_flag import FlaggedState
from flatkit.widgets.card import Card
from flatkit.widgets.guest_state import Inside, InsideState
from flatkit.widgets.machine_commands import MachineCommands
from flatkit.widgets.machine_info import FactState, Usage, fact_states
from flatkit.widgets.panel import Panel, PanelState, panel_state
from flatkit.widgets.terminal import TerminalCard

# ipywidgets has no types: imported by name.
_ipywidgets: Any = importlib.import_module("ipywidgets")

CONSOLE_LINES = 60
# A look must not hang where a machine does: the page asks again soon.
_LOOK_TIMEOUT = 20.0


class MachineCardState(PanelState, FlaggedState):
    """The state of the page. `tab` is the open tab."""

    inside: InsideState | None
    usage: list[FactState]
    console: list[str]
    tab: str


class MachineCard(Card):
    """Draws what `shown` returns. `verbs` are those of the panel's buttons."""

    bundle = "machine"
    quiet = frozenset({"look"})
    has_flag = True

    def __init__(
        self, machine: MachineCommands, shown: Callable[[], Panel], verbs: Mapping[str, Callable[[], object]]
    ) -> None:
        super().__init__()
        self._machine, self._shown, self._verbs = machine, shown, verbs
        self._panel: Panel | None = None
        self._inside: Inside | None = None
        self._usage: Usage | None = None
        self._console: tuple[str, ...] = ()
        self._tab = "boot"
        self._terminal: TerminalCard | None = None
        self._box: Any = None
        self._looker = Looker(lambda: machine.look_inside(timeout=_LOOK_TIMEOUT), self._take_inside)
        self._meter = Looker(lambda: machine_info.look(self._ask), self._take_usage)

    def state(self) -> MachineCardState:
        """Return the panel, what is inside, and the console's last lines."""
        panel = self._panel or self._shown()
        if self.refusal and not panel.error:
            panel = replace(panel, error=self.refusal.message, hint=self.refusal.hint)
        return {
            **panel_state(panel),
            "inside": guest_state.inside_state(self._inside) if self._inside else None,
            "usage": fact_states(self._usage.rows) if self._usage else [],
            "console": list(self._console),
            "tab": self._tab,
            "flag": board_flag.state_of(self),
        }

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return the machine's verbs, the terminal, and the page's own look."""
        return {**self._verbs, "terminal": self.open_terminal, "look": self._look}

    @property
    def widget(self) -> Any:
        """The panel, and the terminal below it once it is open."""
        if self._box is None:
            self._box = _ipywidgets.VBox([self.page])
        return self._box

    @property
    def is_moving(self) -> bool:
        """True while the machine boots, or does something else that takes time."""
        return bool(self._panel and self._panel.is_busy)

    def kept_text(self) -> str:
        """Return the text to store: of the last look at the machine, which is not asked again."""
        return (self._panel or self._shown()).as_text()

    def draw(self) -> None:
        """Look at the machine, and send what has changed."""
        with self._drawing:
            if self._page is not None:
                self._take(self._shown())
                super().draw()

    def _take(self, panel: Panel) -> None:
        self._panel = panel
        if panel.console:
            self._console = panel.console[-CONSOLE_LINES:]
        if panel.is_busy:
            self.refusal = None
            self._machine.forget_changes()
        if panel.state == "absent":
            self._machine.forget_changes(versions=True)
            self._inside = self._usage = None
            # In this order: the page ends the session while it still shows the terminal.
            if self._terminal is not None:
                self._terminal.close()
                self._terminal = None
                self.widget.children = (self.page,)

    def open_terminal(self) -> TerminalCard:
        """Show the terminal below the panel; there is one, however often it is opened. Raises MachineError."""
        machine = self._machine
        machine.must_run()
        if self._terminal is None:
            self._terminal = TerminalCard(machine.name, machine.open_shell, machine.console_lines)
        self.widget.children = (self.page, self._terminal.page)
        return self._terminal

    def _look(self, tab: str = "boot") -> None:
        """Ask the machine for what the open tab shows. Another program may have changed the machine: it is drawn anyway."""
        self._tab = tab
        machine = self._machine
        if machine.is_busy:
            return
        if tab == "console" and machine.state != "absent":
            self._console = tuple(machine.console_lines(CONSOLE_LINES))
        elif tab == "facts" and machine.state == "running":
            self._meter.look()
        elif tab in {"slots", "layers"} and machine.state == "running":
            self._looker.look()

    def _ask(self, command: str) -> Any:
        return self._machine.ask(command, timeout=_LOOK_TIMEOUT)

    def _take_inside(self, found: Inside) -> None:
        self._inside = found
        self.draw()

    def _take_usage(self, found: Usage | None) -> None:
        self._usage = found
        self.draw()

    def as_text(self) -> str:
        """Return the text of the card."""
        return self._shown().as_text()


class Looker:
    """Looks into a running machine, one look at a time, in a thread, and gives the answer to `take`."""

    def __init__(self, ask: Callable[[], Any], take: Callable[[Any], None]) -> None:
        self._ask, self._take = ask, take
        self._lock = threading.Lock()

    def look(self) -> None:
        """Start a look, unless one is under way."""
        if self._lock.acquire(blocking=False):
            threading.Thread(target=self._work, name="flatkit: look inside", daemon=True).start()

    def _work(self) -> None:
        try:
            found = self._ask()
        except FlatkitError:  # it went off between two looks: the panel says so
            return
        finally:
            self._lock.release()
        self._take(found)
