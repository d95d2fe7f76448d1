"""The checks that were hard in a room, for the trainer to improve the course: as values, and as a page. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from flatkit.board.ledger import Received


@dataclass(frozen=True, kw_only=True)
class HardCheck:
    """A check: the `seats` that tried it, how many `passed`, and the middle seat's tries, hints and minutes.

    The minutes count from its first check or hint to the first pass, else to the last try, by the board's clock.
    """

    task: str
    seats: int
    passed: int
    tries: float
    hints: float
    minutes: float


class _SeatTries(Counter[str]):
    first = last = 0.0

    def take(self, kind: str, received: float) -> None:
        self.first = self.first or received
        if not self["passed"]:
            self.last = received
        self[kind] += 1


def find_hard(events: Iterable[Received]) -> list[HardCheck]:
    """Return the checks, the hardest first: where fewest passed, then by tries."""
    found: dict[str, dict[str, _SeatTries]] = {}
    for one in events:
        if one.event.kind in {"check", "hint"}:
            seats = found.setdefault(one.event.data["task"], {})
            seats.setdefault(one.seat, _SeatTries()).take(one.event.data.get("verdict", "hint"), one.received)
    rows = [
        HardCheck(
            task=task,
            seats=len(seats),
            passed=sum(1 for one in seats.values() if one["passed"]),
            tries=statistics.median(one["wrong"] + min(1, one["passed"]) for one in seats.values()),
            hints=statistics.median(one["hint"] for one in seats.values()),
            minutes=round(statistics.median(one.last - one.first for one in seats.values()) / 60, 1),
        )
        for task, seats in found.items()
    ]
    return sorted(rows, key=lambda row: (row.passed / row.seats, -row.tries, -row.minutes, row.task))


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>What was hard</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 50em; padding: 0 1em; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
td, th {{ text-align: right; padding: 3px 12px 3px 0; border-bottom: 1px solid #8884; }}
tbody th, th:first-child {{ text-align: left; }}
</style>
<h1>What was hard</h1>
<p>The hardest first: where fewest passed, then where most tries were needed.
Tries, hints and minutes are those of the middle seat.</p>
<table>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</html>
"""


def hard_page(rows: Sequence[HardCheck]) -> str:
    """Return the table as a page that loads nothing. It has no seat's name."""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("Check", "Seats", "Passed", "Tries", "Hints", "Minutes"))
    body = [
        f'<tr><th scope="row">{escape(row.task)}</th>'
        + "".join(f"<td>{value:g}</td>" for value in (row.seats, row.passed, row.tries, row.hints, row.minutes))
        + "</tr>"
        for row in rows
    ]
    return _PAGE.format(head=head, rows="\n".join(body))
