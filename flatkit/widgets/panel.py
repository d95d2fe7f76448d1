"""What a machine's panel shows, as one plain value, and its twin in text. Any view may draw the same value."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from flatkit.events import Waiting
from flatkit.widgets.machine_info import Rows
from flatkit.widgets.progress import PhaseRow

_MARKS = {"running": "●", "failed": "✗", "stopped": "○", "absent": "○"}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A machine at one moment. `job` says what is being done with it ("" when nothing is), `error` why the last job failed.

    `facts` are what is known of it whether it runs or not, `about` the most important of them in one line.
    """

    name: str
    state: str
    badge: str = ""
    job: str = ""
    phases: tuple[PhaseRow, ...] = ()
    said: tuple[str, ...] = ()
    console: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
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
        """Whether a job is at work."""
        return bool(self.job)

    @property
    def remaining(self) -> float | None:
        """About how many seconds a boot still takes; None when there is nothing to guess from.

        Rests on what such boots have taken on this host, and before the first of them on the phases' usual lengths.
        """
        if not self.is_busy or self.waiting is None or not self.waiting.remaining:
            return None
        return max(0.0, self.waiting.remaining - (self.now - self.waiting.at))

    @property
    def headline(self) -> str:
        """The state in a few words."""
        if self.is_busy:
            left = self.remaining
            usual = f", usually about {left:.0f} s more" if left else ""
            return f"{self.job}: {self.seconds:.0f} s{usual}"
        if self.state == "running" and self.outcome and not self.error:
            return f"running; {self.outcome}"
        if self.state == "running" and self.phases and not self.error:
            return "running already" if self.was_running else f"running; ready after {self.seconds:.1f} s"
        return {"absent": "removed: there is no such machine now", "stopped": "off; its disk is kept"}.get(
            self.state, self.state
        )

    @property
    def mark(self) -> str:
        """The state as one character, so that colour is never needed."""
        return "…" if self.is_busy else "✗" if self.error else _MARKS.get(self.state, "·")


def as_text(panel: Panel, *, short: bool = False) -> str:
    """The panel for a terminal, a log or a screen reader; `short` leaves the phases out."""
    badge = f" ({panel.badge})" if panel.badge else ""
    lines = [f"{panel.mark} {panel.name}: {panel.headline}{badge}"]
    rows = () if short else panel.phases
    width = max((len(row.title) for row in rows), default=0)
    for row in rows:
        note = f"  {row.note}" if row.note else ""
        lines.append(f"  {row.mark} {row.title:<{width}}  {row.elapsed(panel.now):5.1f} s{note}")
    lines += [f"  {panel.about}"] if panel.about and not short else []
    lines += [f"  {url}" for url in panel.urls]
    if panel.error:
        lines.append(f"  {panel.error}")
    if panel.hint:
        lines.append(f"  Next: {panel.hint}")
    return "\n".join(lines)
