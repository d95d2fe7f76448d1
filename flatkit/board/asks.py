"""Requests of a trainer to one seat, the seat's answers, and the text that a seat shows during an allowed look. Pure.

Each side parses what the other one sent as text from outside: bounded, and with its hidden characters escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flatkit.errors import InputError
from flatkit.untrusted import printable, printable_lines

# look: see what the seat's cells and terminals show; rewind and restart: a verb for the seat's machine.
ASK_KINDS = ("look", "rewind", "restart")
# yes and no: the learner's; end: the look is over; done and failed: the result of a verb.
ANSWERS = ("yes", "no", "end", "done", "failed")
# What a seat shows: the text of a cell that runs, what it prints, and the screen of a terminal (the newest replaces it).
PIECE_KINDS = ("cell", "output", "screen")
MINUTES = (5, 15)
LOOK_SECONDS_MAX = 60 * max(MINUTES)
ASK_TEXT_MAX, PIECE_MAX = 200, 8 * 1024
_PIECE_LINES, _PIECE_COLUMNS, _SOURCE_MAX = 200, 400, 60
_IDENT = re.compile(r"[0-9a-f]{16}")
_MACHINE = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?)?")


@dataclass(frozen=True, kw_only=True)
class TrainerAsk:
    """A request as the seat gets it. `state` is the board's: asked, or allowed once it has the learner's yes."""

    ident: str
    kind: str
    machine: str = ""
    state: str = "asked"


@dataclass(frozen=True, kw_only=True)
class SeatAnswer:
    """An answer to a request. `seconds`: how long a look is allowed from now on; `text`: the result of a verb."""

    ident: str
    answer: str
    seconds: int = 0
    text: str = ""


@dataclass(frozen=True, kw_only=True)
class ShownPiece:
    """Text that a seat shows. `source` is the notebook or the terminal that it is from."""

    kind: str
    source: str
    text: str


def words_of(kind: str, machine: str = "") -> str:
    """Return what a request is about, in words."""
    if kind == "look":
        return "look at what your cells and terminals show"
    which = f'your machine "{machine}"' if machine else "your machine"
    return f"rewind {which} (what was changed on it is lost)" if kind == "rewind" else f"restart {which}"


def check_ask(kind: Any, machine: Any = "") -> tuple[str, str]:
    """Return kind and machine of a request. Raises InputError."""
    if not isinstance(kind, str) or kind not in ASK_KINDS:
        raise InputError(f'"{printable(kind, limit=40)}" cannot be asked; expected one of {", ".join(ASK_KINDS)}')
    if not isinstance(machine, str) or not _MACHINE.fullmatch(machine):
        raise InputError(f'"{printable(machine, limit=40)}" cannot be a machine\'s name; expected a name such as web')
    return kind, "" if kind == "look" else machine


def parse_ask(values: Any) -> TrainerAsk:
    """Return the request of a board's JSON values. Raises InputError."""
    values = values if isinstance(values, Mapping) else {}
    kind, machine = check_ask(values.get("kind"), values.get("machine", ""))
    state = values.get("state")
    if not isinstance(state, str) or state not in {"asked", "allowed"}:
        raise InputError(f'the state of a request is "{printable(state, limit=40)}"; expected asked or allowed')
    return TrainerAsk(ident=_ident(values.get("ask")), kind=kind, machine=machine, state=state)


def parse_answer(values: Any) -> SeatAnswer:
    """Return the answer of a seat's JSON values. Raises InputError."""
    values = values if isinstance(values, Mapping) else {}
    answer, seconds, text = values.get("answer"), values.get("seconds", 0), values.get("text", "")
    if not isinstance(answer, str) or answer not in ANSWERS:
        raise InputError(f'"{printable(answer, limit=40)}" is not an answer; expected one of {", ".join(ANSWERS)}')
    if type(seconds) is not int or not 0 <= seconds <= LOOK_SECONDS_MAX or not isinstance(text, str):
        raise InputError(f'an answer has no usable "seconds" or "text"; expected at most {LOOK_SECONDS_MAX} seconds')
    return SeatAnswer(
        ident=_ident(values.get("ask")), answer=answer, seconds=seconds, text=printable(text, limit=ASK_TEXT_MAX)
    )


def make_piece(kind: Any, source: Any, text: Any) -> ShownPiece:
    """Return a piece, bounded and safe to show. Raises InputError."""
    if not isinstance(kind, str) or kind not in PIECE_KINDS or not isinstance(source, str) or not isinstance(text, str):
        raise InputError(f"a piece of a look is not usable; expected one of {', '.join(PIECE_KINDS)}, a source, a text")
    # Cut before it is escaped: that is the costly part.
    shown = printable_lines(text[:PIECE_MAX], limit=_PIECE_COLUMNS, lines=_PIECE_LINES)
    return ShownPiece(kind=kind, source=printable(source, limit=_SOURCE_MAX), text=shown[:PIECE_MAX])


def parse_piece(values: Any) -> ShownPiece:
    """Return the piece of a seat's JSON values. Raises InputError."""
    values = values if isinstance(values, Mapping) else {}
    return make_piece(values.get("kind"), values.get("source"), values.get("text"))


def _ident(value: Any) -> str:
    if not isinstance(value, str) or not _IDENT.fullmatch(value):
        raise InputError(f'"{printable(value, limit=40)}" is not the identifier of a request')
    return value
