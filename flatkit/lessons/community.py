"""Getting involved: the Flatcar community and its next meetings. Pure: the dates are computed from a given moment.

The meetings have moved before. So each rule has the date since which it is valid, and its source; both are shown. Since
autumn 2026 the weekday and the time are known, and the day of the month is a guess: such a date is only "usually" right.
Sources of the links: flatcar.org's front page (Discord is preferred, Matrix is being retired) and flatcar/Flatcar's README.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_LAST = -1
_MONTHS_AHEAD = 13
AGENDAS = "https://github.com/flatcar/Flatcar/discussions"
CAUTION = f"Meetings move: each one is announced with its agenda, {AGENDAS}"

LINKS = (
    ("Discord", "https://discord.gg/PMYjFUsJyq"),
    ("Website", "https://www.flatcar.org"),
    ("Slack (Kubernetes, #flatcar)", "https://kubernetes.slack.com/archives/C03GQ8B5XNJ"),
    ("Discussions", AGENDAS),
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A monthly date: the `nth` (from 1; -1 is the last) weekday (Monday is 0), at a time in UTC; valid from `since`.

    `is_guess`: the day of the month is derived from one meeting only.
    """

    nth: int
    weekday: int
    at: time
    since: date
    source: str
    is_guess: bool = False

    def date_in(self, year: int, month: int) -> date | None:
        """Return the day in that month; None when the month has too few of the weekday."""
        days = [
            date(year, month, day)
            for day in range(1, calendar.monthrange(year, month)[1] + 1)
            if date(year, month, day).weekday() == self.weekday
        ]
        at = self.nth if self.nth == _LAST else self.nth - 1
        return days[at] if at < len(days) else None

    def __str__(self) -> str:
        if self.is_guess:
            return f"usually {calendar.day_name[self.weekday]} {self.at:%H:%M} UTC"
        which = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", _LAST: "last"}[self.nth]
        return f"{which} {calendar.day_name[self.weekday]} of the month, {self.at:%H:%M} UTC"


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """A public meeting; without rules it is announced each time."""

    name: str
    about: str
    rules: tuple[Rule, ...] = ()

    def rule_on(self, day: date) -> Rule | None:
        """Return the rule that is valid on a day, or None."""
        return next((rule for rule in reversed(self.rules) if rule.since <= day), None)

    def find_next(self, now: datetime) -> datetime | None:
        """Return the start of the first meeting after `now` (with a time zone), or None without a rule."""
        for ahead in range(_MONTHS_AHEAD):
            year, month = divmod(now.year * 12 + now.month - 1 + ahead, 12)
            for rule in self.rules:
                day = rule.date_in(year, month + 1)
                if day is None or self.rule_on(day) is not rule:
                    continue
                begins = datetime.combine(day, rule.at, tzinfo=UTC)
                if begins > now:
                    return begins
        return None


_TUESDAY, _WEDNESDAY, _THURSDAY = 1, 2, 3
_TALK = "the talk of 28 March 2026"
_AUTUMN = date(2026, 10, 1)
_SUMMER = "the agendas of July to September 2026"

MEETINGS = (
    Meeting(
        name="Office hours",
        about="news, demos, questions; for everybody",
        rules=(
            Rule(nth=2, weekday=_TUESDAY, at=time(15, 30), since=date(2020, 1, 1), source=_TALK),
            Rule(nth=2, weekday=_WEDNESDAY, at=time(14, 30), since=date(2026, 7, 1), source=_SUMMER),
            Rule(nth=3, weekday=_THURSDAY, at=time(14, 30), since=_AUTUMN,
                source="discussion #2203", is_guess=True),
        ),
    ),
    Meeting(
        name="Developer sync",
        about="what is being worked on; for those who want to take part",
        rules=(
            Rule(nth=4, weekday=_TUESDAY, at=time(15, 30), since=date(2020, 1, 1), source=_TALK),
            Rule(nth=4, weekday=_WEDNESDAY, at=time(14, 30), since=date(2026, 7, 1), source=_SUMMER),
            Rule(nth=_LAST, weekday=_THURSDAY, at=time(14, 30), since=_AUTUMN,
                source="discussions #2203 and #2443", is_guess=True),
        ),
    ),
    Meeting(name="Bug smash", about="a day on old issues, together; a good first day"),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Invitation:
    """The next date of a meeting, in words."""

    name: str
    about: str
    begins: datetime | None
    why: str
    is_guess: bool = False

    @property
    def when(self) -> str:
        """The date, or the place where it will be announced."""
        if self.begins is None:
            return "announced in Discussions; there is no fixed rule"
        usually = "usually " if self.is_guess else ""
        return f"{usually}{self.begins:%A, %d %B %Y, %H:%M} UTC"


def invitations(now: datetime) -> tuple[Invitation, ...]:
    """Return the next date of each meeting, the soonest first, the undated last."""
    found = []
    for meeting in MEETINGS:
        begins = meeting.find_next(now)
        rule = meeting.rule_on(begins.date()) if begins else None
        guess = bool(rule and rule.is_guess)
        why = f"{rule}, by {rule.source}{'; the day of the month is open' * guess}" if rule else ""
        found.append(Invitation(name=meeting.name, about=meeting.about, begins=begins, why=why, is_guess=guess))
    far = now + timedelta(days=10_000)
    return tuple(sorted(found, key=lambda one: one.begins or far))


def as_text(now: datetime) -> str:
    """Return links and dates for a terminal, which are also the text version of the card."""
    lines = [f"{name:<29} {link}" for name, link in LINKS]
    for one in invitations(now):
        lines += ["", f"{one.name}: {one.when}", f"  {one.about}", *([f"  {one.why}"] if one.why else [])]
    return "\n".join([*lines, "", CAUTION])
