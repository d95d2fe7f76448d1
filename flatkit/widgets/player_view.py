"""The player in plain ipywidgets: the steps with their marks, and buttons for one step, for all, and to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flatkit.errors import FlatkitError
from flatkit.widgets import html, kit
from flatkit.widgets.player import StepShown, prompt_of

if TYPE_CHECKING:
    from flatkit.widgets.player import Player

_KINDS = {"ok": "ok", "failed": "bad", "running": "line", "next": "line"}


class PlayerView:
    """Draws a Player."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self.head = kit.HTML()
        self.steps = kit.HTML()
        self.next = kit.Button(description="Play this step", button_style="primary")
        self.all = kit.Button(description="Play all")
        self.stop = kit.Button(description="Stop", tooltip="Stop, and remove the demo's machines")
        self.next.on_click(lambda _: self._do(player.next))
        self.all.on_click(lambda _: self._do(player.all))
        self.stop.on_click(lambda _: self._do(player.stop))
        self.recorded = kit.Button(description="Recorded", tooltip="Go on with the recorded run, from this step")
        self.recorded.on_click(lambda _: self._do(player.recorded))
        buttons = kit.HBox([self.next, self.all, self.stop, self.recorded])
        self.widget = kit.VBox([self.head, self.steps, buttons])

    def show(self, value: Player) -> None:
        """Draw it."""
        kind = "bad" if value.error or (value.is_over and not value.ok) else "ok" if value.ok else "dim"
        title = html.text(value.demo.title, "line")
        recorded = html.line(html.text(f"⏺ {value.banner}", "badge")) if value.banner else ""
        self.head.value = html.block(html.line(title, " ", html.text(value.verdict, kind)), recorded, role="status")
        self.steps.value = html.block(*(_step_html(step, len(value.steps)) for step in value.steps), _boot_html(value))
        over, working = value.is_over, value.is_working
        self.next.description = "Play again" if over else "Play this step"
        self.next.disabled = self.all.disabled = working
        self.stop.disabled = not value.is_running
        self.recorded.disabled = not value.can_be_recorded

    def _do(self, verb: Any) -> None:
        # Nobody would see what a callback raises.
        try:
            verb()
        except FlatkitError as error:
            self.head.value = html.block(html.text(error, "bad"))


def _step_html(step: StepShown, total: int) -> str:
    kind = _KINDS.get(step.state, "dim")
    seconds = html.text(f" {step.seconds:.1f} s", "dim") if step.seconds else ""
    head = html.line(html.text(f"{step.mark} {step.number}/{total}  {step.title}", kind), seconds)
    if step.state == "waiting":
        return head
    typed = f"<code>{html.text(prompt_of(step), 'dim')} {html.text(step.command, 'line')}</code>"
    parts = [html.line(html.text(step.why)), html.line(typed)]
    if step.output.strip():
        parts.append(html.pre(step.output.rstrip(), f"output of {step.command}"))
    if step.found:
        parts.append(html.line(html.text(f"{step.mark} {step.found}", kind)))
    if step.hint:
        parts.append(html.line("Next: ", html.text(step.hint, "line")))
    return head + f'<div style="margin-left: 1.5em">{"".join(parts)}</div>'


def _boot_html(player: Player) -> str:
    rows = player.progress.phases
    if not player.is_working or not rows or rows[-1].seconds is not None:
        return ""
    console = player.progress.console(1)
    return html.line(html.text(f"… {rows[-1].title}  {console[-1] if console else ''}", "dim"))
