"""Cards that only inform: the host's checks, a term, the community, and how a config is handed over on each platform."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, TypedDict

from flatkit.api import Config
from flatkit.host import Examination, HostCheck
from flatkit.lessons import community
from flatkit.lessons.glossary import Term
from flatkit.platforms import PLATFORMS, Fit, Handover, Payload, get_platform, hand_over
from flatkit.platforms.handover import NOT_RUN, shortened
from flatkit.widgets import html
from flatkit.widgets.card import Card
from flatkit.widgets.display import Twin


@dataclass(frozen=True, kw_only=True, repr=False)
class DoctorCard(Twin):
    """The checks of this host as a table, folded into one green line where machines can boot."""

    examination: Examination

    @property
    def ok(self) -> bool:
        """True if machines can boot here."""
        return self.examination.ok

    def as_text(self) -> str:
        """Return the text of the card."""
        return str(self.examination)

    def _repr_html_(self) -> str:
        rows = "".join(_check_row(check) for check in self.examination.checks)
        verdict = html.text(self.examination.verdict, "ok" if self.ok else "bad")
        if not self.ok:
            return html.block(f"<table>{rows}</table>", html.line(verdict))
        remarks = sum(str(check.state) != "ok" for check in self.examination.checks)
        has = "has" if remarks == 1 else "have"
        words = f" ({remarks} of {len(self.examination.checks)} checks {has} a remark)"
        more = html.text(words, "dim") if remarks else ""
        return html.block(
            f"<details><summary>{html.text('✓ ', 'ok')}{verdict}{more}</summary><table>{rows}</table></details>"
        )


def _check_row(check: HostCheck) -> str:
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


class CommunityCard(Twin):
    """Flatcar's channels and meetings, with the next dates seen from `now`."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or datetime.now(UTC)

    def as_text(self) -> str:
        """Return the text of the card."""
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
        last = html.line(html.text(community.CAUTION, "dim"))
        return html.block(f"<table>{links}</table><table>{meetings}</table>", last)


@dataclass(frozen=True, kw_only=True, repr=False)
class TermCard(Twin):
    """A term of the glossary."""

    term: Term

    def as_text(self) -> str:
        """Return the text of the card."""
        return str(self.term)

    def _repr_html_(self) -> str:
        link = f' <a href="{html.escape(self.term.link)}">more</a>' if self.term.link else ""
        return html.block(html.line(f"<b>{html.text(self.term.term)}</b>: {html.text(self.term.text)}{link}"))


_MARKS = {Fit.TOO_BIG: "✗", Fit.FITS: "✓", Fit.NO_LIMIT: "·"}
_KINDS = {Fit.TOO_BIG: "bad", Fit.FITS: "ok"}


class ChoiceState(TypedDict):
    """A platform of the list."""

    name: str
    label: str


class PieceState(TypedDict):
    """A text to copy. `verified`: it was tried on that platform."""

    title: str
    text: str
    verified: bool


class PlatformsState(TypedDict):
    """The list of platforms, and the hand-over to the chosen one."""

    headline: str
    choices: list[ChoiceState]
    chosen: str
    title: str
    how: str
    verdict: str
    kind: str
    first: str
    pieces: list[PieceState]
    notes: list[str]


class Chooser(Card):
    """A config, and the chosen platform. `choose("vmware")` does what the list does. Nothing is run."""

    bundle = "platforms"

    def __init__(self, config: Config) -> None:
        super().__init__()
        self._payload = Payload.of(config.name, config.ignition)
        self._chosen = "aws"

    @property
    def chosen(self) -> Handover:
        """The hand-over to the chosen platform."""
        return hand_over(PLATFORMS[self._chosen], self._payload)

    @property
    def all(self) -> tuple[Handover, ...]:
        """The hand-overs to all platforms."""
        return tuple(hand_over(platform, self._payload) for platform in PLATFORMS.values())

    @property
    def headline(self) -> str:
        """The config's name, size and Ignition version."""
        return f"{self._payload.file}: {self._payload.size} bytes of Ignition {self._payload.spec}"

    def choose(self, platform: str) -> Self:
        """Choose another platform. Raises UsageError."""
        self._chosen = get_platform(platform).name
        self.draw()
        return self

    def verbs(self) -> Mapping[str, Callable[..., object]]:
        """Return what a choice in the list does."""
        return {"choose": self.choose}

    def state(self) -> PlatformsState:
        """Return the list, and the chosen hand-over."""
        done = self.chosen
        platform = done.platform
        return {
            "headline": self.headline,
            "choices": [
                {
                    "name": one.platform.name,
                    "label": f"{_MARKS[one.fit]} {one.platform.title} ({one.platform.kind}): {one.fit}",
                }
                for one in self.all
            ],
            "chosen": platform.name,
            "title": platform.title,
            "how": platform.how,
            "verdict": f"{_MARKS[done.fit]} {done.verdict}",
            "kind": _KINDS.get(done.fit, "dim"),
            "first": done.first,
            "pieces": [
                {"title": piece.title, "text": piece.text, "verified": piece.is_verified}
                for piece in (*done.pieces, *done.offers)
            ],
            "notes": [*(f"note: {note}" for note in platform.notes), NOT_RUN],
        }

    def as_text(self) -> str:
        """Return the text of the card."""
        names = (
            f"{name} (too big)" if one.fit is Fit.TOO_BIG else name
            for name, one in zip(PLATFORMS, self.all, strict=True)
        )
        others = ", ".join(names)
        return f'{self.headline}\n\n{shortened(str(self.chosen))}\n\n.choose("...") shows another: {others}'
