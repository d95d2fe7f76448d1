"""A command that takes its time: below the cell, the machine's words so far, the seconds, and the usual time as a bar.

Drawn by the cell's own thread, from what SSH reports. A button's work and a card's look run in other threads, and their
outputs would land below another cell: they show nothing here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flatkit.untrusted import lines_of
from flatkit.widgets import display, html, usual_times

# A shorter command shows its result alone, in seconds.
_PATIENCE = 2.0
_GAP = 0.5
_HEARD_MAX = 64 * 1024
_LINES = 12
_BAR_PX = 240


# The phase of the work in words, and the part of it that is over, from 0 to 1, where that is known.
Phase = tuple[str, float | None]


class LiveOutput:
    """Shows a running command. `read` turns what was heard into the lines to show; `look` finds out its phase."""

    def __init__(
        self,
        key: str,
        read: Callable[[str], str] = str,
        look: Callable[[], Phase] = lambda: ("", None),
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._key, self._read, self._look, self._clock = key, read, look, clock
        self._usual = usual_times.recall(key)
        self._began = self._drawn = clock()
        self._heard = ""
        self._ident = ""

    def hear(self, piece: str) -> None:
        """Take a piece of output in, "" while nothing comes; draw, if it takes longer."""
        self._heard = (self._heard + piece)[-_HEARD_MAX:]
        now = self._clock()
        is_of_a_cell = threading.current_thread() is threading.main_thread()
        if is_of_a_cell and display.can_replace() and now - self._began >= _PATIENCE and now - self._drawn >= _GAP:
            self._drawn = now
            elapsed = now - self._began
            phase, known = self._look()
            words = f"… {usual_times.in_words(elapsed, self._usual)}" + (f": {phase}" if phase else "")
            lines = "\n".join(lines_of(self._read(self._heard).rstrip())[-_LINES:])
            parts = [html.pre(lines, "output so far")] if lines else []
            share = known if known is not None else usual_times.share(elapsed, self._usual)
            bar = f'<span class="fk-bar" style="width:{round(_BAR_PX * share)}px"></span> ' if share else ""
            self._show(html.block(*parts, html.line(bar, html.text(words))), "\n".join(filter(None, (lines, words))))

    def end(self, *, ok: bool) -> None:
        """Leave one line, if it was shown; remember how long it took if it came to its end."""
        elapsed = self._clock() - self._began
        if ok and elapsed >= _PATIENCE:
            usual_times.remember(self._key, elapsed)
        if self._ident:
            words = f"it took {elapsed:.0f} s" if ok else f"it ended after {elapsed:.0f} s"
            self._show(html.block(html.line(html.text(words, "dim"))), words)

    def _show(self, body: str, twin: str) -> None:
        self._ident = display.publish_live(body, twin, self._ident)


@contextmanager
def live_output(
    key: str, read: Callable[[str], str] = str, look: Callable[[], Phase] = lambda: ("", None)
) -> Iterator[LiveOutput]:
    """Show a command while the block runs."""
    live = LiveOutput(key, read, look)
    ok = False
    try:
        yield live
        ok = True
    finally:
        live.end(ok=ok)
