"""The next dates, computed from a moment."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

import flatkit as fk
from flatkit.cli import main
from flatkit.lessons.community import AGENDAS, LINKS, MEETINGS, Rule, as_text, invitations

OFFICE, SYNC, SMASH = MEETINGS


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


DATES = [
    # The talk's rule: second and fourth Tuesday, 15:30 UTC.
    (OFFICE, "2026-03-28 12:00", "2026-04-14 15:30"),
    (SYNC, "2026-03-28 12:00", "2026-04-28 15:30"),
    (OFFICE, "2026-04-14 15:29", "2026-04-14 15:30"),
    (OFFICE, "2026-04-14 15:30", "2026-05-12 15:30"),
    (OFFICE, "2025-12-10 00:00", "2026-01-13 15:30"),
    # As the agendas of the summer were.
    (OFFICE, "2026-06-10 00:00", "2026-07-08 14:30"),
    (OFFICE, "2026-08-01 00:00", "2026-08-12 14:30"),
    (OFFICE, "2026-09-01 00:00", "2026-09-09 14:30"),
    (SYNC, "2026-07-01 00:00", "2026-07-22 14:30"),
    (SYNC, "2026-08-27 00:00", "2026-09-23 14:30"),
    # As they are since October.
    (OFFICE, "2026-09-10 00:00", "2026-10-15 14:30"),
    (SYNC, "2026-09-24 00:00", "2026-10-29 14:30"),
    (SYNC, "2026-11-24 00:00", "2026-11-26 14:30"),
    (OFFICE, "2026-12-31 23:59", "2027-01-21 14:30"),
    (OFFICE, "2028-02-01 00:00", "2028-02-17 14:30"),
]


@pytest.mark.parametrize(("meeting", "now", "begins"), DATES, ids=[f"{m.name}-{now}" for m, now, _ in DATES])
def test_next_date(meeting: object, now: str, begins: str) -> None:
    assert meeting.find_next(at(now)) == at(begins)  # type: ignore[attr-defined]


def test_another_time_zone_is_the_same_moment() -> None:
    assert OFFICE.find_next(datetime.fromisoformat("2026-04-14T17:29+02:00")) == at("2026-04-14 15:30")
    assert OFFICE.find_next(datetime.fromisoformat("2026-04-14T17:30+02:00")) == at("2026-05-12 15:30")


def test_a_meeting_without_a_rule_has_no_date() -> None:
    assert SMASH.find_next(at("2026-11-24 00:00")) is None
    assert "announced in Discussions" in invitations(at("2026-11-24 00:00"))[-1].when


@pytest.mark.parametrize(
    ("nth", "weekday", "month", "day"),
    [(1, 0, 2, 2), (4, 6, 2, 22), (5, 6, 3, 29), (5, 0, 2, None), (-1, 3, 10, 29), (-1, 5, 2, 28), (3, 3, 10, 15)],
)
def test_the_nth_weekday(nth: int, weekday: int, month: int, day: int | None) -> None:
    rule = Rule(nth=nth, weekday=weekday, at=time(9), since=date(2020, 1, 1), source="s")
    assert rule.date_in(2026, month) == (date(2026, month, day) if day else None)


def test_the_soonest_comes_first_and_every_date_says_what_it_rests_on() -> None:
    first, second, third = invitations(at("2026-11-24 08:00"))
    assert [first.name, second.name, third.name] == ["Developer sync", "Office hours", "Bug smash"]
    assert first.why == "usually Thursday 14:30 UTC, by discussions #2203 and #2443; the day of the month is open"
    text = as_text(at("2026-11-24 08:00"))
    assert "usually Thursday, 26 November 2026, 14:30 UTC" in text
    assert AGENDAS in text
    assert [name.split()[0] for name, _ in LINKS] == ["Discord", "Website", "Slack", "Discussions"]
    summer = invitations(at("2026-08-01 08:00"))[0]
    assert summer.when == "Wednesday, 12 August 2026, 14:30 UTC"
    assert summer.why.startswith("second Wednesday of the month, 14:30 UTC, by ")


def test_it_is_shown_in_terminal_and_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["community"]) == 0
    assert "Office hours: " in capsys.readouterr().out
    card = fk.play("community")
    assert "Meetings move" in repr(card)
    assert "<a href='https://www.flatcar.org'>" in card._repr_html_()  # type: ignore[union-attr]
