"""`flatkit board look|rewind|restart SEAT`: ask a seat, wait for its learner's answer, show what comes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from flatkit.board.asks import LOOK_SECONDS_MAX, ShownPiece, parse_piece
from flatkit.board.desk import BoardDesk
from flatkit.cli.options import add_board, board_password
from flatkit.errors import FlatkitError, InputError
from flatkit.untrusted import lines_of, printable

_EVERY = 1.0
_ENDS = {
    "refused": "the learner said no",
    "over": "the look is over",
    "withdrawn": "the request is taken back",
    "expired": "no answer came",
    "done": "done",
    "failed": "it failed",
}
_UNKNOWN = "the board does not know of it any more"


def add_parsers(commands: Any) -> None:
    """Add the three commands."""
    words = {
        "look": "ask to see what a seat's cells and terminals show, read-only; Ctrl-C ends it",
        "rewind": "ask to rewind a seat's machine: its learner says yes or no",
        "restart": "ask to restart a seat's machine: its learner says yes or no",
    }
    for kind, about in words.items():
        parser = commands.add_parser(kind, help=about)
        parser.add_argument("seat", metavar="SEAT")
        add_board(parser)
        if kind != "look":
            parser.add_argument(
                "--machine", default="", metavar="NAME", help="which one (default: the seat's only one)"
            )


def run(options: argparse.Namespace, store: Path) -> int:
    """Ask, and wait for the end."""
    desk = BoardDesk.at(options.board, board_password()) if options.board else BoardDesk.open(store)
    seat, kind = options.seat, options.command
    machine = getattr(options, "machine", "")
    desk.ask(seat, kind, machine=machine)
    about = f"{kind} {machine}".strip()
    print(f'asked "{printable(seat)}": {about}; its learner answers. Ctrl-C takes it back', flush=True)
    try:
        ask = _wait(desk, seat, kind)
    except KeyboardInterrupt:
        print(f"\n{_take_back(desk, seat, kind)}")
        return 130
    state, text = str(ask.get("state")), str(ask.get("text", ""))
    print(_ENDS.get(state, _UNKNOWN) + (f": {printable(text)}" if text else ""))
    return 0 if state in {"done", "over"} else 1


def _take_back(desk: BoardDesk, seat: str, kind: str) -> str:
    """Take the request back, or end the look; return what came of it."""
    try:
        state = str(_find(desk.ask(seat, kind, back=True), kind).get("state"))
    except FlatkitError as error:
        return f"the request is not taken back: {printable(error.message)}"
    # A verb that is under way is not stopped.
    return "the learner said yes before, and it is under way" if state == "allowed" else _ENDS.get(state, _UNKNOWN)


def _find(asks: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    return _object_in(asks, "look" if kind == "look" else "verb")


def _wait(desk: BoardDesk, seat: str, kind: str) -> Mapping[str, Any]:
    last, said = 0, ""
    drawn: dict[str, str] = {}
    while True:
        found = desk.look(seat, last)
        ask = _find(_object_in(found, "asks"), kind)
        state = str(ask.get("state", ""))
        if state not in {"asked", "allowed"}:
            return ask
        if state == "allowed" and state != said:
            print(f"the learner said yes{_until(ask) if kind == 'look' else '; it is under way'}", flush=True)
        said = state
        if kind == "look":
            last = _draw(found, last, drawn)
        time.sleep(_EVERY)


def _until(ask: Mapping[str, Any]) -> str:
    left: Any = ask.get("left")
    is_usable = type(left) is int and 0 <= left <= LOOK_SECONDS_MAX
    return f" for {max(1, round(left / 60))} min" if is_usable else ""


def _object_in(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a field of what may be another program than the board; {} if it is not an object."""
    value = values.get(name)
    return value if isinstance(value, Mapping) else {}


def _pieces_in(values: Mapping[str, Any], name: str) -> Iterator[ShownPiece]:
    found = values.get(name)
    for value in found if isinstance(found, list) else ():
        with suppress(InputError):
            yield parse_piece(value)


def _draw(found: Mapping[str, Any], last: int, drawn: dict[str, str]) -> int:
    for piece in _pieces_in(found, "pieces"):
        mark = f"{piece.source} > " if piece.kind == "cell" else ""
        for line in lines_of(piece.text):
            print(mark + line)
    for screen in _pieces_in(found, "screens"):
        if drawn.get(screen.source) != screen.text:
            drawn[screen.source] = screen.text
            print(f"--- {screen.source}\n{screen.text.rstrip()}\n---")
    print(end="", flush=True)
    new = found.get("last")
    return new if type(new) is int else last
