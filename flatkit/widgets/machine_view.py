"""The panel of a machine, in plain ipywidgets: state, phases, console, and the buttons that make sense now.

It holds no logic: it shows the value that it is given, and its buttons call the machine's own verbs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flatkit.errors import FlatkitError
from flatkit.widgets import html, kit
from flatkit.widgets.panel import Panel, console_html, head_html, phases_html

if TYPE_CHECKING:
    from flatkit.widgets.live import LiveMachine


class MachineView:
    """Draws a Panel."""

    def __init__(self, machine: LiveMachine) -> None:
        self._machine = machine
        self.head = kit.HTML()
        self.phases = kit.HTML()
        self.console = kit.HTML()
        self.cancel = kit.Button(description="Cancel", tooltip="Stop this boot; what was made is undone")
        self.console_shown = kit.ToggleButton(description="Console", tooltip="Show the console's last lines")
        self.phases_shown = kit.ToggleButton(description="Timeline", tooltip="Show where the time went")
        self.trouble = kit.HTML()
        self.cancel.on_click(self._cancel)
        for button in (self.console_shown, self.phases_shown):
            button.observe(self._toggled, names="value")
        self._panel: Panel | None = None
        buttons = kit.HBox([self.cancel, self.phases_shown, self.console_shown])
        self.widget = kit.VBox([self.head, self.phases, self.console, buttons, self.trouble])

    def show(self, value: Panel) -> None:
        """Draw it; a trait that does not change sends nothing."""
        self._panel = value
        self.head.value = head_html(value)
        self.phases.value = phases_html(value)
        self.console.value = console_html(value)
        open_phases = value.is_busy or bool(value.error) or self.phases_shown.value
        open_console = value.is_busy or bool(value.error) or self.console_shown.value
        _show(self.phases, open_phases and bool(value.phases))
        _show(self.console, open_console and bool(value.console))
        _show(self.cancel, value.is_busy)
        for button in (self.console_shown, self.phases_shown):
            _show(button, not value.is_busy and not value.error and bool(value.phases))

    def _toggled(self, _: Any) -> None:
        if self._panel is not None:
            self.show(self._panel)

    def _cancel(self, _: Any) -> None:
        # Nobody would see what a callback raises.
        try:
            self._machine.cancel()
        except FlatkitError as error:
            self.trouble.value = html.block(html.text(error, "bad"))


def _show(widget: Any, wanted: bool) -> None:
    widget.layout.display = None if wanted else "none"
