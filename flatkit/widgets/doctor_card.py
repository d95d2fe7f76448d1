"""The checks of the host as a table, with a text twin."""

from __future__ import annotations

from dataclasses import dataclass

from flatkit.host import Examination, HostCheck
from flatkit.widgets import html
from flatkit.widgets.twin import Twin


@dataclass(frozen=True, kw_only=True, repr=False)
class DoctorCard(Twin):
    """What was found about this host."""

    examination: Examination

    @property
    def ok(self) -> bool:
        """Whether machines can boot here."""
        return self.examination.ok

    def as_text(self) -> str:
        """Return the text twin."""
        return str(self.examination)

    def _repr_html_(self) -> str:
        rows = "".join(_row(check) for check in self.examination.checks)
        last = html.line(html.text(self.examination.verdict, "ok" if self.ok else "bad"))
        return html.block(f"<table>{rows}</table>", last)


def _row(check: HostCheck) -> str:
    state = str(check.state)
    kind = {"ok": "ok", "fail": "bad"}.get(state, "dim")
    more = html.line(html.text(check.why, "dim"))
    if state != "ok":
        more += html.line("fix: ", f"<code>{html.text(check.fix)}</code>") if check.fix else ""
        more += html.line(html.text(check.note, "dim")) if check.note else ""
    return (
        f"<tr><td>{html.text(check.state.mark, kind)}</td><th scope='row'>{html.text(check.name)}</th>"
        f"<td>{html.text(check.found)}{more}</td></tr>"
    )
