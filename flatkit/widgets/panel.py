"""A machine's panel as one plain value, with its text and its state for the page."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TypedDict

from flatkit.events import Waiting
from flatkit.widgets.machine_info import FactState, Rows, fact_states
from flatkit.widgets.progress import PhaseRow

_MARKS = {"running": "●", "failed": "✗", "stopped": "○", "absent": "○"}
_HEADLINES = {"absent": "removed: there is no such machine now", "stopped": "off; its disk is kept"}
_VERBS = {
    "running": ("terminal", "stop", "restart", "rewind", "unplug"),
    "stopped": ("start", "rewind"),
    "failed": ("restart", "rewind", "unplug"),
}
_SAID_LINES = 4


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A machine at one moment. `job` is the work under way ("" without any), `error` the reason why the last job failed.

    `facts` are its properties whether it runs or not, `about` the most important of them in one line. `urls` are addresses on
    this host, each with the port that it leads to.
    """

    name: str
    state: str
    badge: str = ""
    job: str = ""
    phases: tuple[PhaseRow, ...] = ()
    said: tuple[str, ...] = ()
    console: tuple[str, ...] = ()
    urls: tuple[tuple[str, int], ...] = ()
    error: str = ""
    hint: str = ""
    seconds: float = 0.0
    was_running: bool = False
    outcome: str = ""
    facts: Rows = ()
    about: str = ""
    waiting: Waiting | None = None
    now: float = field(default_factory=time.monotonic)

    @property
    def is_busy(self) -> bool:
        """True if a job is at work."""
        return bool(self.job)

    @property
    def remaining(self) -> float | None:
        """Seconds that a boot still takes, estimated from earlier boots on this host; None without an estimate."""
        if not self.is_busy or self.waiting is None or not self.waiting.remaining:
            return None
        return max(0.0, self.waiting.remaining - (self.now - self.waiting.at))

    @property
    def headline(self) -> str:
        """The state in a few words."""
        if self.is_busy:
            return f"{self.job}: {self.seconds:.0f} s{self._estimate}"
        if self.state == "running" and self.outcome and not self.error:
            return f"running; {self.outcome}"
        if self.state == "running" and self.phases and not self.error:
            return "running already" if self.was_running else f"running; ready after {self.seconds:.1f} s"
        return _HEADLINES.get(self.state, self.state)

    @property
    def _estimate(self) -> str:
        if self.waiting is not None and self.waiting.is_late:
            return ", longer than usual"
        left = self.remaining
        return f", usually about {left:.0f} s more" if left and left >= 1 else ""

    @property
    def mark(self) -> str:
        """The state as one character, so that it can be read without colours."""
        return "…" if self.is_busy else "✗" if self.error else _MARKS.get(self.state, "·")

    @property
    def verbs(self) -> tuple[str, ...]:
        """The buttons that make sense now."""
        return ("cancel",) if self.is_busy else _VERBS.get(self.state, ())

    def as_text(self, *, short: bool = False) -> str:
        """Return the panel for a terminal, a log or a screen reader; `short` leaves out the phases."""
        badge = f" ({self.badge})" if self.badge else ""
        lines = [f"{self.mark} {self.name}: {self.headline}{badge}"]
        rows = () if short else self.phases
        width = max((len(row.title) for row in rows), default=0)
        for row in rows:
            note = f"  {row.note}" if row.note else ""
            lines.append(f"  {row.mark} {row.title:<{width}}  {row.elapsed(self.now):5.1f} s{note}")
        lines += [f"  {self.about}"] if self.about and not short else []
        lines += [f"  {address} leads to port {port}" for address, port in self.urls]
        lines += [f"  {self.error}"] if self.error else []
        lines += [f"  Next: {self.hint}"] if self.hint else []
        return "\n".join(lines)


class UrlState(TypedDict):
    """An address on this host, and where it leads."""

    address: str
    about: str


class PhaseState(TypedDict):
    """A phase of a boot. `begins` counts from the boot's start, `seconds` is its length so far, `usual` the usual one.

    `about` is shown on request, once it is over; `usual` is 0 when it is unknown.
    """

    key: str
    title: str
    mark: str
    begins: float
    seconds: float
    usual: float
    ok: bool
    open: bool
    note: str
    about: str


class PanelState(TypedDict):
    """The panel for the page."""

    name: str
    state: str
    mark: str
    headline: str
    badge: str
    busy: bool
    urls: list[UrlState]
    said: list[str]
    error: str
    hint: str
    verbs: list[str]
    facts: list[FactState]
    phases: list[PhaseState]


def panel_state(panel: Panel) -> PanelState:
    """Return the panel for the page."""
    return {
        "name": panel.name,
        "state": panel.state,
        "mark": panel.mark,
        "headline": panel.headline,
        "badge": panel.badge,
        "busy": panel.is_busy,
        "urls": [{"address": address, "about": f"leads to port {port}"} for address, port in panel.urls],
        "said": list(panel.said[-_SAID_LINES:]),
        "error": panel.error,
        "hint": panel.hint,
        "verbs": list(panel.verbs),
        "facts": fact_states(panel.facts),
        "phases": [_phase(number, row, panel.phases[0].began, panel.now) for number, row in enumerate(panel.phases)],
    }


def _phase(number: int, row: PhaseRow, start: float, now: float) -> PhaseState:
    is_open = row.seconds is None
    usual = f"usually about {row.typical:.0f} s" if row.typical >= 1 else ""
    doing = ". ".join(part.rstrip(".") for part in (row.note, usual, row.says) if part)
    was_for = " ".join(part for part in (row.says, f"Last line: {row.line}" if row.line else "") if part)
    return {
        "key": f"{number} {row.name}",
        "title": row.title,
        "mark": row.mark,
        "begins": round(max(0.0, row.began - start), 1),
        "seconds": round(row.elapsed(now), 1),
        "usual": round(row.typical, 1),
        "ok": row.ok,
        "open": is_open,
        "note": doing if is_open else row.note,
        "about": "" if is_open else was_for,
    }
