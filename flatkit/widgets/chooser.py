"""How a learner's config is handed over on each platform: choose one, and see what to type. Nothing is run."""

from __future__ import annotations

from typing import Any

from flatkit.platforms import PLATFORMS, Fit, Handover, Payload, get_platform, hand_over
from flatkit.platforms.handover import NOT_RUN, shortened
from flatkit.widgets import display, html
from flatkit.widgets.twin import Twin
from flatkit.workshop import Config

_MARKS = {Fit.TOO_BIG: "✗", Fit.FITS: "✓", Fit.NO_LIMIT: "·"}


class Chooser(Twin):
    """A config, and the platform that is looked at. `choose("vmware")` is what the list does; `print` it for the text."""

    def __init__(self, config: Config) -> None:
        self._payload = Payload.of(config.name, config.ignition)
        self._chosen = "aws"
        self._view: display.View | None = None
        self._place = display.Place()

    @property
    def chosen(self) -> Handover:
        """The hand-over to the chosen platform."""
        return hand_over(PLATFORMS[self._chosen], self._payload)

    @property
    def all(self) -> tuple[Handover, ...]:
        """The hand-overs to all of them."""
        return tuple(hand_over(platform, self._payload) for platform in PLATFORMS.values())

    @property
    def headline(self) -> str:
        """What is handed over."""
        return f"{self._payload.file}: {self._payload.size} bytes of Ignition {self._payload.spec}"

    def choose(self, platform: str) -> Chooser:
        """Look at another platform. Raises UsageError."""
        self._chosen = get_platform(platform).name
        if self._view is not None:
            self._view.show(self)
        return self

    def options(self) -> list[tuple[str, str]]:
        """The list: label and name."""
        return [
            (f"{_MARKS[one.fit]} {one.platform.title} ({one.platform.kind}): {one.fit}", one.platform.name)
            for one in self.all
        ]

    def as_text(self) -> str:
        """Return the text twin."""
        others = ", ".join(f"{name}{' (too big)' if one.fit is Fit.TOO_BIG else ''}"
                           for name, one in zip(PLATFORMS, self.all, strict=True))  # fmt: skip
        return f'{self.headline}\n\n{shortened(str(self.chosen))}\n\n.choose("...") shows another: {others}'

    def body_html(self) -> str:
        """The chosen hand-over."""
        done = self.chosen
        kind = {Fit.TOO_BIG: "bad", Fit.FITS: "ok"}.get(done.fit, "dim")
        out = [
            html.line(html.text(done.platform.title, "line"), ": ", html.text(done.platform.how)),
            html.line(html.text(f"{_MARKS[done.fit]} {done.verdict}", kind)),
        ]
        if done.first:
            out.append(html.line("first: ", f"<code>{html.text(done.first)}</code>"))
        for piece in (*done.pieces, *done.offers):
            known = "" if piece.is_verified else html.text("  unverified", "badge")
            out.append(html.line(html.text(piece.title), known) + html.pre(piece.text, piece.title))
        out += [html.line(html.text(f"note: {note}", "dim")) for note in done.platform.notes]
        return html.block(*out, html.line(html.text(NOT_RUN, "dim")), role="status")

    def _ipython_display_(self) -> None:
        if not self._place.is_new():
            return
        if self._view is None:
            self._view = ChooserView(self)
        self._view.show(self)
        self._place.shown()
        display.publish(self._view, repr(self))


class ChooserView:
    """Draws a Chooser in plain ipywidgets."""

    def __init__(self, chooser: Chooser) -> None:
        from flatkit.widgets import kit

        self._chooser = chooser
        self.head = kit.HTML(value=html.block(html.text(chooser.headline, "line")))
        self.list = kit.Dropdown(options=chooser.options(), description="Platform")
        self.list.observe(lambda change: chooser.choose(change["new"]), names="value")
        self.body = kit.HTML()
        self.widget: Any = kit.VBox([self.head, self.list, self.body])

    def show(self, value: Chooser) -> None:
        """Draw it."""
        self.list.value = value.chosen.platform.name
        self.body.value = value.body_html()
