"""The editor in plain ipywidgets: the text on the left, what it becomes on the right, what is wrong with it below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flatkit.widgets import html, kit
from flatkit.widgets.config_card import pretty_json, report_html, summary

if TYPE_CHECKING:
    from flatkit.widgets.editor import Editor

# ipywidgets styles the box, not what is written in it.
_MONOSPACE = """<style>.fk-editor textarea {font-family: var(--jp-code-font-family, monospace) !important;
 font-size: 12px !important; line-height: 1.45 !important; white-space: pre; overflow-x: auto; tab-size: 2}</style>"""


class EditorView:
    """Draws an Editor and tells it what is typed."""

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._quiet = False
        name = str(editor.path)
        self.label = kit.HTML(f"{_MONOSPACE}<label><b>{html.text(name)}</b></label>")
        wide = kit.Layout(width="100%", height="30em")
        self.area = kit.Textarea(
            value=editor.text, continuous_update=True, layout=wide, tooltip=f"Butane config {name}"
        )
        self.area.add_class("fk-editor")
        self.area.observe(self._typed, names="value")
        self.verdict = kit.HTML()
        self.report = kit.HTML()
        self.preview = kit.HTML(layout=kit.Layout(width="50%"))
        self.reset = kit.Button(
            description="Reset to the example…",
            tooltip="Asks first; your text is kept",
            layout=kit.Layout(width="auto"),
        )
        self.reset_yes = kit.Button(description="Yes, reset", button_style="warning")
        self.reset_no = kit.Button(description="No")
        self.keep = kit.Button(description="Keep mine", tooltip="Write this text to the file; the other is kept")
        self.load = kit.Button(description="Load the file", tooltip="Show what the file holds; yours is kept")
        self._wire()
        self._asking(False)
        left = kit.VBox([self.area], layout=kit.Layout(width="50%"))
        buttons = kit.HBox([self.reset, self.reset_yes, self.reset_no, self.keep, self.load])
        body = kit.HBox([left, self.preview])
        self.widget = kit.VBox([self.label, body, self.verdict, self.report, buttons])

    def _wire(self) -> None:
        self.reset.on_click(lambda _: self._asking(True))
        self.reset_no.on_click(lambda _: self._asking(False))
        self.reset_yes.on_click(self._reset)
        self.keep.on_click(lambda _: self._editor.keep_mine())
        self.load.on_click(lambda _: self._editor.load())

    def show(self, value: Editor) -> None:
        """Draw all but the text itself."""
        card, translation = value.card, value.translation
        kind = "ok" if card.ok else "bad"
        note = html.text(f" ({value.note})", "dim") if value.note else ""
        headline = card.headline.partition(". Correct")[0].replace(" is saved", "")
        self.verdict.value = html.block(html.line(html.text(headline, kind), note), role="status")
        self.report.value = html.block(report_html(translation))
        if value.ignition is not None:
            rows = "".join(f"<li>{html.text(line)}</li>" for line in summary(value.ignition))
            json = html.pre(pretty_json(translation), "the Ignition that it becomes")
            self.preview.value = html.block(html.line("A machine gets on its first boot") + f"<ul>{rows}</ul>", json)
        else:
            self.preview.value = html.block(html.text("no Ignition while the text has faults", "dim"))
        for button in (self.keep, self.load):
            button.layout.display = None if value.has_conflict else "none"

    def replace(self, text: str) -> None:
        """Put another text into the box: only when it was asked for."""
        self._quiet = True
        try:
            self.area.value = text
        finally:
            self._quiet = False

    def _typed(self, change: Any) -> None:
        if not self._quiet:
            self._editor.change(change["new"])

    def _asking(self, asking: bool) -> None:
        self.reset.layout.display = None if self._editor.has_example and not asking else "none"
        for button in (self.reset_yes, self.reset_no):
            button.layout.display = None if asking else "none"

    def _reset(self, _: Any) -> None:
        self._editor.reset()
        self._asking(False)
