"""How a seat is doing, computed when somebody looks: who needs help first, then who is stuck, then who is silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flatkit.board.events import make_event
from flatkit.board.exported import export_rows
from flatkit.board.hard import HardCheck, find_hard, hard_page
from flatkit.board.ledger import Ledger, Received
from flatkit.board.overview import AWAY, SILENT, RoomOverview


def events(seat: str, *told: tuple[str, dict[str, Any]], at: float = 1000.0) -> list[Received]:
    return [
        Received(seat=seat, received=at + number, event=make_event(number, 1.0, kind, data))
        for number, (kind, data) in enumerate(told, start=1)
    ]


def check(task: str, verdict: str) -> tuple[str, dict[str, Any]]:
    return "check", {"task": task, "verdict": verdict}


def flag(name: str, word: str = "") -> tuple[str, dict[str, Any]]:
    return "flag", {"flag": name, "word": word}


def step(notebook: str, number: int, count: int = 20) -> tuple[str, dict[str, Any]]:
    return "step", {"notebook": notebook, "step": number, "steps": count}


@pytest.mark.parametrize(
    ("told", "quiet", "status"),
    [
        ([step("01-provision", 3)], 10, "active"),
        ([step("01-provision", 3)], AWAY, "away"),
        ([step("01-provision", 3)], SILENT, "silent"),
        ([check("a", "wrong")] * 3, 10, "stuck"),
        ([check("a", "wrong")] * 2 + [check("b", "wrong")], 10, "active"),
        ([check("a", "wrong")] * 3 + [check("a", "passed")], 10, "active"),
        ([check("a", "wrong")] * 3 + [flag("help")], 10, "help"),
        ([flag("help"), flag("none")], 10, "active"),
        ([flag("done")], SILENT, "done"),
    ],
)
def test_status(told: list[tuple[str, dict[str, Any]]], quiet: float, status: str) -> None:
    overview = RoomOverview()
    overview.take(events("ada", *told))
    seen = overview.rows["ada"].seen
    assert overview.rows["ada"].status(seen + quiet) == status


def test_who_waits_for_help_longest_comes_first() -> None:
    overview = RoomOverview(["zoe"])
    overview.take(events("late", step("01", 1), flag("help"), at=2000))
    overview.take(events("early", step("01", 1), flag("help", "no boot"), at=1000))
    overview.take(events("stuck", *[check("a", "wrong")] * 3, at=2000))
    overview.take(events("good", step("02", 4), at=2090))
    overview.take(events("quiet", step("02", 4), at=500))
    rows = overview.sorted_rows(2100)
    assert [row["seat"] for row in rows][:4] == ["early", "late", "stuck", "quiet"]
    assert rows[0]["word"] == "no boot"
    assert rows[0]["where"] == "01 1/20"
    assert {row["seat"]: row["status"] for row in rows}["good"] == "active"


def test_the_room_as_a_whole() -> None:
    overview = RoomOverview()
    overview.take(events("a", step("01", 5), ("prediction", {"task": "03", "question": 1, "choice": 0})))
    overview.take(events("b", step("02", 2), ("prediction", {"task": "03", "question": 1, "choice": 2})))
    overview.take(events("c", step("02", 9), ("prediction", {"task": "03", "question": 1, "choice": 2})))
    told = overview.as_dict(1005)
    assert told["middle"] == {"notebook": "02", "step": 2, "seats": 3}
    assert told["questions"] == [{"task": "03", "question": 1, "choices": {0: 1, 2: 2}}]
    assert told["notebooks"][1] == {"notebook": "02", "seats": {"b": 2, "c": 9}}
    overview.remove_seat("c")
    assert overview.histograms == [{"task": "03", "question": 1, "choices": {0: 1, 2: 1}}]


def test_what_was_hard() -> None:
    told = [
        *events(
            "a", check("x", "wrong"), ("hint", {"task": "x", "number": 1}), check("x", "passed"), check("x", "passed")
        ),
        *events("b", check("x", "passed"), check("<b>y", "wrong")),
    ]
    late = Received(seat="b", received=1602.0, event=make_event(3, 1.0, *check("<b>y", "wrong")))
    rows = find_hard([*told, late])
    assert rows == [
        HardCheck(task="<b>y", seats=1, passed=0, tries=2, hints=0, minutes=10.0),
        HardCheck(task="x", seats=2, passed=2, tries=1.5, hints=0.5, minutes=0.0),
    ]
    page = hard_page(rows)
    assert "<b>" not in page
    assert '<th scope="row">&lt;b&gt;y</th><td>1</td><td>0</td><td>2</td><td>0</td><td>10</td>' in page


def test_a_seat_that_invents_notebooks_and_questions_does_not_fill_the_page() -> None:
    """Each name was a line of the page, drawn at every change: 20,000 of them, and any character as a choice."""
    overview = RoomOverview()
    false = [step(f"{number:0120}", 1) for number in range(2000)]
    false += [
        ("quiz", {"task": f"{number:0120}", "question": number, "choice": 1, "right": True}) for number in range(2000)
    ]
    false += [
        ("prediction", {"task": "03", "question": 1, "choice": choice}) for choice in (-1, 26, 0x202E - 97, 2**53)
    ]
    overview.take(events("eve", *false))
    for seat in ("a", "b"):
        overview.take(events(seat, step("zz", 5), ("prediction", {"task": "zz", "question": 1, "choice": 3})))
    told = overview.as_dict(1005)
    assert told["notebooks"][-1] == {"notebook": "zz", "seats": {"a": 5, "b": 5}}, "what the room shares is there"
    assert told["questions"][-1] == {"task": "zz", "question": 1, "choices": {3: 2}}
    assert len(json.dumps(told)) < 100_000
    assert len(overview.rows["eve"].furthest) + len(overview.rows["eve"].choices) < 500


def test_an_export_without_names_says_nothing_about_who_it_was(tmp_path: Path) -> None:
    """The numbers were in the order of the names: a list of who was there said whose each was."""
    ledger = Ledger(tmp_path / "board.sqlite")
    seats = [f"{letter}nna" for letter in "abcdefghijkl"]
    for seat in seats:
        ledger.add_seat(seat)
        told = [("opened", {"notebook": "03-immutable"}), ("opened", {"notebook": f"notes of {seat}"}),
                ("opened", {"notebook": "of our company"}), flag("help", f"I am {seat}"),
                ("machine", {"machine": seat, "state": "running", "image": "lab"}),
                ("quiz", {"task": seat, "question": 1, "choice": 0, "right": True})]  # fmt: skip
        if seat != "anna":
            told.pop()  # a task's name stays: it is an exercise's
        values = [make_event(number, 1.0, kind, data) for number, (kind, data) in enumerate(told, start=1)]
        ledger.add(seat, "j1", [json.loads(value.as_json()) for value in values])
    rows = list(export_rows(ledger, names=False))
    text = json.dumps([row for row in rows if row["kind"] != "quiz"])
    assert not [seat for seat in seats if seat in text]
    assert {row["notebook"] for row in rows if "notebook" in row} == {"03-immutable", "own", "of our company"}
    assert list(dict.fromkeys(row["seat"] for row in rows)) == [f"seat {number}" for number in range(1, 13)]
    of_anna = {
        next(row["seat"] for row in export_rows(ledger, names=False) if row["kind"] == "quiz") for _ in range(40)
    }
    assert len(of_anna) > 1, "by chance: all the same once in 12**11 runs"
    named = list(export_rows(ledger, names=True))
    assert [row["seat"] for row in named if row["kind"] == "flag"] == seats
    assert named[3]["word"] == "I am anna"
    ledger.close()
