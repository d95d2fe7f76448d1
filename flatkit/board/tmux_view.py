"""The screen of a learner's tmux session as text, for a look that they allowed in it. Reads only; sends no keys."""

from __future__ import annotations

import os
from dataclasses import dataclass

from flatkit.errors import FlatkitError
from flatkit.run import run

_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class TmuxPane:
    """A pane of the session that this process is in."""

    ident: str
    title: str


def find_pane() -> TmuxPane | None:
    """Return the pane beside our own that is in view, or was last; None outside of tmux, and where ours is the only one."""
    own = os.environ.get("TMUX_PANE", "")
    if not os.environ.get("TMUX") or not own:
        return None
    asked = "#{pane_id} #{window_active} #{pane_active} #{window_activity} #{window_index}.#{pane_index}"
    try:
        said = run(["tmux", "list-panes", "-s", "-F", asked], timeout=_SECONDS).stdout
    except FlatkitError:
        return None
    rows = [words for line in said.split("\n") if len(words := line.split(" ")) == 5 and words[0] != own]
    if not rows:
        return None
    best = max(rows, key=lambda row: tuple(row[1:4]))
    return TmuxPane(ident=best[0], title=f"tmux {best[4]}")


def screen_of(pane: TmuxPane) -> str:
    """Return the rows of a pane; "" once it is closed."""
    try:
        return run(["tmux", "capture-pane", "-p", "-t", pane.ident], timeout=_SECONDS).stdout
    except FlatkitError:
        return ""
