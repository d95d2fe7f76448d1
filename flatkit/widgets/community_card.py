"""Where Flatcar's people are, and when they meet next, as a card."""

from __future__ import annotations

from datetime import UTC, datetime

from flatkit.lessons import community
from flatkit.widgets import html
from flatkit.widgets.twin import Twin


class CommunityCard(Twin):
    """Links, and the next dates seen from `now`."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)

    def as_text(self) -> str:
        """Return the text twin."""
        return community.as_text(self.now)

    def _repr_html_(self) -> str:
        links = "".join(
            f"<tr><th scope='row'>{html.text(name)}</th><td><a href='{html.text(link)}'>{html.text(link)}</a></td></tr>"
            for name, link in community.LINKS
        )
        meetings = "".join(
            f"<tr><th scope='row'>{html.text(one.name)}</th><td>{html.text(one.when)}<br>{html.text(one.about, 'dim')}"
            f"<br>{html.text(one.why, 'dim')}</td></tr>"
            for one in community.invitations(self.now)
        )
        last = html.line(html.text(f"Meetings move: look at the agenda before you go, {community.AGENDAS}", "dim"))
        return html.block(f"<table>{links}</table><table>{meetings}</table>", last)
