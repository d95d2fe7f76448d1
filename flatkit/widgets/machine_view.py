"""The view of a machine: its panel and, once asked for, its terminal. It holds no logic: it shows the value that it is
given, and its buttons call the machine's own verbs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flatkit.errors import FlatkitError
from flatkit.widgets import guest_state, kit, machine_info
from flatkit.widgets.machine_panel import CONSOLE_LINES, Looker, as_value, make_panel
from flatkit.widgets.panel import Panel
from flatkit.widgets.terminal import Terminal, TerminalPlace

if TYPE_CHECKING:
    from flatkit.widgets.live_machine import LiveMachine

# A look must not hang where a machine does: it is asked again soon anyway.
_LOOK_TIMEOUT = 20.0


class MachineView:
    """Draws a Panel."""

    def __init__(self, machine: LiveMachine) -> None:
        self._machine = machine
        self._panel: Panel | None = None
        self._trouble: tuple[str, str] = ("", "")
        self.page = make_panel(self._said)
        self.looker = Looker(lambda last: guest_state.look(self._ask, last), self._show_inside)
        self.meter = Looker(lambda _: machine_info.look(self._ask), self._show_usage)
        self.terminal: Terminal | None = None
        self.widget = kit.VBox([self.page])

    def show(self, value: Panel) -> None:
        """Draw it; a trait that does not change sends nothing."""
        if value.is_busy:
            self._trouble = ("", "")
            # What was seen of its inside may not hold any more: after a rewind the other slot is what it was before.
            self.looker.last = None
        self._panel = value
        message, hint = self._trouble
        if message and not value.error:
            value = replace(value, error=message, hint=hint)
        self.page.panel = as_value(value)
        if value.console:
            self.page.console = list(value.console[-CONSOLE_LINES:])
        if value.state == "absent":
            self.looker.last = None
            self.page.inside, self.page.usage = {}, []
            # In this order: the page hears that it is to end the session while it still shows the terminal.
            if self.terminal is not None:
                self.terminal.close()
                self.terminal = None
            self.widget.children = (self.page,)

    def _said(self, verb: str) -> None:
        """A button, or the page's wish to look. Nobody would see what a callback raises."""
        machine = self._machine
        verbs: dict[str, Callable[[], Any]] = {
            "look": self._look,
            "cancel": machine.cancel,
            "start": machine.start,
            "stop": machine.stop,
            "restart": machine.restart,
            "rewind": machine.rewind,
            "unplug": machine.unplug,
            "terminal": self.open_terminal,
        }
        if verb not in verbs:
            return
        if verb != "look":
            self._trouble = ("", "")
        try:
            verbs[verb]()
        except FlatkitError as error:
            self._trouble = (error.message, error.hint)
            if self._panel is not None:
                self.show(self._panel)

    def open_terminal(self) -> TerminalPlace:
        """Show the terminal below the panel; there is one, however often it is asked for. Raises MachineError."""
        self._machine.must_run()
        if self.terminal is None:
            self.terminal = Terminal(self._machine.name, self._machine.open_shell, self._machine.console_lines)
        self.widget.children = (self.page, self.terminal.widget)
        return TerminalPlace(widget=self.terminal.widget, machine=self._machine.name)

    def _look(self) -> None:
        machine, tab = self._machine, self.page.tab
        if machine.is_busy:
            return
        machine.look()
        if tab == "console" and machine.state != "absent":
            self.page.console = list(machine.console_lines(CONSOLE_LINES))
        elif tab == "facts" and machine.state == "running":
            self.meter.look()
        elif tab in {"slots", "layers"} and machine.state == "running":
            self.looker.look()

    def _ask(self, command: str) -> Any:
        return self._machine.ask(command, timeout=_LOOK_TIMEOUT)

    def _show_inside(self, found: guest_state.Inside) -> None:
        self.page.inside = guest_state.as_value(found)

    def _show_usage(self, found: machine_info.Usage | None) -> None:
        self.page.usage = [list(row) for row in found.rows] if found else []
