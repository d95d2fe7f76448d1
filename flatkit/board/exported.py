"""Export of what the seats sent, for other programs: without names of anybody, unless they are asked for."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from flatkit.board.ledger import Ledger
from flatkit.board.places import course_notebooks

# A learner's own words are personal, and a machine's name may be.
_PERSONAL = ("word", "machine")
# In the place of the name of a notebook that is not the course's, and that one seat alone has opened.
_OWN = "own"


def export_rows(ledger: Ledger, *, names: bool) -> Iterator[dict[str, Any]]:
    """Yield each event as JSON-ready values, seat by seat. Without names the seats are numbered in an order of chance.

    In the order of their names, a list of who was there would say whose number each is.
    """
    seats = list(ledger.seats)
    if not names:
        secrets.SystemRandom().shuffle(seats)
    shared = course_notebooks() | (set() if names else _shared_notebooks(ledger))
    for number, seat in enumerate(seats, start=1):
        for one in ledger.events(seat):
            data = dict(one.event.data)
            if not names:
                data = {key: value for key, value in data.items() if key not in _PERSONAL}
                if data.get("notebook", "") not in shared | {""}:
                    data["notebook"] = _OWN
            yield {
                "seat": seat if names else f"seat {number}",
                "received": round(one.received, 3),
                "n": one.event.number,
                "kind": one.event.kind,
                **data,
            }


def _shared_notebooks(ledger: Ledger) -> set[str]:
    """Return the notebooks that several seats have opened."""
    seats: dict[str, set[str]] = {}
    for one in ledger.events():
        if notebook := one.event.data.get("notebook"):
            seats.setdefault(notebook, set()).add(one.seat)
    return {notebook for notebook, who in seats.items() if len(who) > 1}
