"""The events that a seat sends to the board: a few kinds with few fields. Pure.

No contents of files, no outputs, no names but the seat's. A field that is not listed here never leaves the seat, and the
board refuses it. What a learner lets the trainer see does not become an event (asks.py).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flatkit.errors import InputError
from flatkit.untrusted import printable

TEXT_MAX = 120
WORD_MAX = 80  # the learner's own word beside a flag
NUMBER_MAX = 2**53
# The year 9999.
_AT_MAX = 253_402_300_799.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,39}")

# kind -> field -> its type. All are wanted, and no other is taken.
KINDS: dict[str, dict[str, type]] = {
    "joined": {},
    "opened": {"notebook": str},
    "step": {"notebook": str, "step": int, "steps": int},
    "prediction": {"task": str, "question": int, "choice": int},
    "quiz": {"task": str, "question": int, "choice": int, "right": bool},
    "check": {"task": str, "verdict": str},
    "hint": {"task": str, "number": int},
    "boot": {"machine": str, "phase": str, "result": str},
    "machine": {"machine": str, "state": str, "image": str},
    "flag": {"flag": str, "word": str},
    "shown": {"number": int},
}
# A seat of a rehearsal. A user of a hub has no dash in the name (seats/names.py).
REHEARSED = "rehearsal-"
FLAGS = ("none", "help", "done")


@dataclass(frozen=True, kw_only=True)
class SeatEvent:
    """An event of a seat: `number` counts from 1 in its journal, `at` is the seat's own clock (seconds since 1970)."""

    number: int
    at: float
    kind: str
    data: Mapping[str, Any]

    def as_json(self) -> str:
        """Return the event as a line of JSON."""
        return json.dumps({"n": self.number, "at": round(self.at, 3), "kind": self.kind, **self.data}, sort_keys=True)


def make_event(number: int, at: float, kind: str, data: Mapping[str, Any]) -> SeatEvent:
    """Return an event whose texts are printable and bounded. Raises InputError for a kind or a field that is not known."""
    fields = KINDS.get(kind)
    if fields is None:
        raise InputError(
            f'"{printable(kind, limit=TEXT_MAX)}" is not a kind of event; expected one of {", ".join(KINDS)}'
        )
    if not 1 <= number <= NUMBER_MAX or not math.isfinite(at) or not 0 <= at <= _AT_MAX:
        raise InputError(f"an event's number or time is out of range: {number}, {at}")
    if set(data) != set(fields):
        raise InputError(f'an event "{kind}" has the fields {_listed(data)}; expected {_listed(fields)}')
    values = {name: _value(kind, name, data[name], wanted) for name, wanted in fields.items()}
    if kind == "flag" and values["flag"] not in FLAGS:
        raise InputError(f'the flag is "{values["flag"]}"; expected {", ".join(FLAGS)}')
    return SeatEvent(number=number, at=float(at), kind=kind, data=values)


def parse_event(values: Any) -> SeatEvent:
    """Return the event of JSON values, as `SeatEvent.as_json` wrote it. Raises InputError."""
    if not isinstance(values, dict):
        raise InputError("an event is not a JSON object")
    rest = dict(values)
    number, at, kind = rest.pop("n", None), rest.pop("at", None), rest.pop("kind", None)
    if type(number) is not int or isinstance(at, bool) or not isinstance(at, int | float) or not isinstance(kind, str):
        raise InputError('an event has no usable "n", "at" or "kind"')
    return make_event(number, at, kind, rest)


def check_seat(name: str) -> str:
    """Return a seat's name. Raises InputError for one that a page or a terminal could not show safely."""
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise InputError(
            f'"{printable(str(name), limit=TEXT_MAX)}" cannot be a seat\'s name; expected 1 to 40 letters, digits, dots, dashes',
            hint="flatkit join URL --seat ada",
        )
    return name


def _listed(fields: Mapping[str, object]) -> str:
    return printable(", ".join(sorted(map(str, fields))) or "none", limit=TEXT_MAX)


def _value(kind: str, name: str, value: Any, wanted: type) -> Any:
    if type(value) is not wanted:
        raise InputError(f'"{name}" of an event "{kind}" is not of the type {wanted.__name__}')
    if wanted is str:
        return printable(value, limit=WORD_MAX if name == "word" else TEXT_MAX)
    if isinstance(value, int) and not -1 <= value <= NUMBER_MAX:
        raise InputError(f'"{name}" of an event "{kind}" is out of range: {value}')
    return value
