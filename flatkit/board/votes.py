"""The answers of the room to one prediction, for a presenter on the board's own host. Read-only: the board may be running."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from urllib.parse import quote

from flatkit.board.look import found_store
from flatkit.untrusted import parse_json

# Each seat's latest answer counts; its journals follow one another.
_QUERY = "select seat, data from events join journals using(seat, journal) where kind = 'prediction' order by begun, journal, n"


def count_votes(task: str, choices: int, *, question: int = 1, store: Path | None = None) -> tuple[int, ...] | None:
    """Return how many seats chose each answer of a prediction; None where no board is, or it cannot be read."""
    place = store or found_store()
    if not place.exists():
        return None
    chosen: dict[str, int] = {}
    with suppress(sqlite3.Error, OSError, ValueError, KeyError, TypeError):
        with closing(sqlite3.connect(f"file:{quote(str(place))}?mode=ro", uri=True, timeout=1.0)) as opened:
            for seat, text in opened.execute(_QUERY):
                data = parse_json(text)
                if data["task"] == task and data["question"] == question:
                    chosen[seat] = data["choice"]
        counted = Counter(chosen.values())
        return tuple(counted[choice] for choice in range(choices))
    return None
