"""The board as text: the state of a room as a table, for `flatkit board` and for a notebook. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MARKS = {"passed": "✓", "wrong": "✗", "shown": "◐"}


def table_of(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the head and a line for each seat. It has what seats sent: show it through a screen, or escaped."""
    yield f"{'SEAT':<16} {'STATE':<8} {'WHERE':<24} {'HERE':>6}  {'LAST CHECKS':<12} {'HINT':<16} MACHINE"
    for row in rows:
        word = f"  ({row['word']})" if row["word"] and row["status"] == "help" else ""
        failing = f"  {row['failing']}" if row["failing"] else ""
        yield (
            f"{row['seat']:<16} {row['status']:<8} {row['where']:<24} {row['here'] // 60:>4} m  {marks_of(row):<12} "
            f"{hint_of(row['hint']):<16} {row['machine']}{word}{failing}"
        ).rstrip()


def marks_of(row: Mapping[str, Any]) -> str:
    """Return the last checks of a seat, a character each."""
    return "".join(_MARKS.get(one["verdict"], "…") for one in row["results"])


def hint_of(hint: Mapping[str, Any]) -> str:
    """Return what became of the trainer's last hint; "" without one."""
    return f"{'✓ shown' if hint['shown'] else 'sent'} {hint['ago'] // 60} m ago" if hint else ""


def summary_of(state: Mapping[str, Any]) -> str:
    """Return the state of the room in a line: how many seats are in which state, where half of the room is."""
    counts = ", ".join(f"{count} {status}" for status, count in state["counts"].items()) or "no seat has joined"
    middle = state["middle"]
    half = f"; half the room is at {middle['notebook']}, step {middle['step']}, or further" if middle else ""
    room = f"; all seats see: {state['room']}" if state["room"] else ""
    return f"{counts}{half}{room}"
