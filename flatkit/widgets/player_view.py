"""The player's view: what the page draws (js/src/player/) as one value, and the buttons and keys that it sends back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from flatkit.errors import FlatkitError
from flatkit.widgets import bundle
from flatkit.widgets.player import prompt_of
from flatkit.widgets.player_state import StepShown

if TYPE_CHECKING:
    from flatkit.widgets.player import Player

_traitlets: Any = importlib.import_module("traitlets")


class PlayerWidget(bundle.BundledWidget):
    """One trait: the demo as it stands."""

    _esm = bundle.script("player")
    _css = bundle.style("player")
    demo = _traitlets.Dict().tag(sync=True)


class PlayerView:
    """Draws a Player."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._trouble = ""
        self.widget: Any = PlayerWidget()
        self.widget.on_msg(self._said)

    def show(self, value: Player) -> None:
        """Draw it; what does not change sends nothing."""
        self.widget.demo = as_value(value, trouble=self._trouble)

    def _said(self, _: Any, content: Any, __: Any) -> None:
        """A button or a key. Nobody would see what a callback raises."""
        player = self._player
        verbs = {"next": player.next, "all": player.all, "stop": player.stop, "recorded": player.recorded}
        verb = verbs.get(content.get("verb", "")) if isinstance(content, dict) else None
        if verb is None:
            return
        self._trouble = ""
        try:
            verb()
        except FlatkitError as error:
            self._trouble = str(error)
        self.show(player)


def as_value(player: Player, *, trouble: str = "") -> dict[str, Any]:
    """The player as plain values for the page; `last` is the step that was played last."""
    played = [step.number for step in player.steps if step.state in {"ok", "failed"}]
    bad = trouble or player.error or (player.is_over and not player.ok)
    return {
        "name": player.demo.name,
        "title": player.demo.title,
        "verdict": trouble or player.verdict,
        "kind": "bad" if bad else "ok" if player.ok else "dim",
        "banner": player.banner,
        "over": player.is_over,
        "working": player.is_working,
        "running": player.is_running,
        "recordable": player.can_be_recorded,
        "last": played[-1] if played else 0,
        "steps": [_step(step, player) for step in player.steps],
    }


def _step(step: StepShown, player: Player) -> dict[str, Any]:
    return {
        "number": step.number,
        "title": step.title,
        "why": step.why,
        "prompt": prompt_of(step),
        "command": step.command,
        "state": step.state,
        "mark": step.mark,
        "output": step.output.rstrip(),
        "found": step.found,
        "hint": step.hint,
        "seconds": round(step.seconds, 1),
        "boot": _boot(player) if step.state == "running" else "",
    }


def _boot(player: Player) -> str:
    """How far a boot inside the step is."""
    rows = player.progress.phases
    if not rows or rows[-1].seconds is not None:
        return ""
    console = player.progress.console(1)
    return f"… {rows[-1].title}  {console[-1] if console else ''}".rstrip()
