"""The machine panel's Python half: traits that the page draws (js/src/machine/), and the buttons that it sends back."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable
from typing import Any

from flatkit.widgets import bundle
from flatkit.widgets.panel import Panel
from flatkit.widgets.progress import PhaseRow

# They have no types: named by text.
_traitlets: Any = importlib.import_module("traitlets")

CONSOLE_LINES = 60


def verbs_for(panel: Panel) -> list[str]:
    """The buttons that make sense now, by name."""
    if panel.is_busy:
        return ["cancel"]
    return {
        "running": ["terminal", "stop", "restart", "rewind", "unplug"],
        "stopped": ["start", "rewind"],
        "failed": ["restart", "rewind", "unplug"],
    }.get(panel.state, [])


def as_value(panel: Panel) -> dict[str, Any]:
    """The panel as plain values for the page."""
    return {
        "name": panel.name,
        "state": panel.state,
        "mark": panel.mark,
        "headline": panel.headline,
        "badge": panel.badge,
        "busy": panel.is_busy,
        "urls": list(panel.urls),
        "said": list(panel.said[-4:]),
        "error": panel.error,
        "hint": panel.hint,
        "verbs": verbs_for(panel),
        "facts": [list(row) for row in panel.facts],
        "phases": [
            {
                "key": f"{number} {row.name}",
                "title": row.title,
                "mark": row.mark,
                "seconds": round(row.elapsed(panel.now), 1),
                "ok": row.ok,
                "open": row.seconds is None,
                "note": _note(row),
                "about": _about(row),
            }
            for number, row in enumerate(panel.phases)
        ],
    }


def _note(row: PhaseRow) -> str:
    """What is shown while the phase is open."""
    if row.seconds is not None:
        return row.note
    usual = f"usually about {row.typical:.0f} s" if row.typical >= 1 else ""
    return ". ".join(part.rstrip(".") for part in (row.note, usual, row.says) if part)


def _about(row: PhaseRow) -> str:
    """What a phase that is over was for, and the console's last line in it: shown when asked for."""
    if row.seconds is None:
        return ""
    return " ".join(part for part in (row.says, f"Last line: {row.line}" if row.line else "") if part)


def make_panel(on_verb: Callable[[str], None]) -> Any:
    """A panel widget; `on_verb` is called with a button's name, or "look" while the page shows what has to be asked for."""
    widget = MachinePanel()
    widget.on_msg(lambda _, content, __: on_verb(str(content.get("verb", ""))) if isinstance(content, dict) else None)
    return widget


class MachinePanel(bundle.BundledWidget):
    """The traits: `panel` and `inside` as values, `usage` as rows, `console` as lines, `tab` by name."""

    _esm = bundle.script("machine")
    _css = bundle.style("machine")
    panel = _traitlets.Dict().tag(sync=True)
    inside = _traitlets.Dict().tag(sync=True)
    usage = _traitlets.List().tag(sync=True)
    console = _traitlets.List().tag(sync=True)
    tab = _traitlets.Unicode("boot").tag(sync=True)


class Looker:
    """Looks into a running machine, one look at a time, in a thread of its own.

    `ask` is given the last answer, and returns the next; that goes to `show`.
    """

    def __init__(self, ask: Callable[[Any], Any], show: Callable[[Any], None]) -> None:
        self._ask, self._show = ask, show
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.last: Any = None

    def look(self) -> None:
        """Begin a look, unless one is under way."""
        if self._lock.acquire(blocking=False):
            self._thread = threading.Thread(target=self._work, name="flatkit: look inside", daemon=True)
            self._thread.start()

    def wait(self, timeout: float) -> bool:
        """Wait for the end of the look under way; False when it is not over in time."""
        if self._thread:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def _work(self) -> None:
        try:
            self.last = self._ask(self.last)
        finally:
            self._lock.release()
        self._show(self.last)
