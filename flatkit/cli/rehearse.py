"""`flatkit board rehearse`, also `flatkit room rehearse`: simulated beginners at a board, to try it before the learners come."""

from __future__ import annotations

import argparse
import math
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.cli.options import secret
from flatkit.errors import UsageError

if TYPE_CHECKING:
    from flatkit.board.ledger import Ledger

ABOUT = "play simulated beginners of the course at a board; they leave it again, with all that they sent"
_SPEED, _SPEED_MAX, _MINUTES = 20.0, 10_000.0, 90.0
_EACH = 10  # minutes of the room from one line to the next


def run(argv: list[str], *, program: str) -> int:
    """Run `rehearse`."""
    parser = argparse.ArgumentParser(prog=f"{program} rehearse", description=f"{ABOUT[0].upper()}{ABOUT[1:]}.")
    parser.add_argument(
        "url", metavar="URL", nargs="?", help="a board that is served (default: one for this rehearsal)"
    )
    parser.add_argument("--seats", type=int, default=30, metavar="N", help="beginners (default: 30)")
    parser.add_argument("--speed", type=float, default=_SPEED, metavar="X",
                        help=f"times as fast as a room (default: {_SPEED:.0f})")  # fmt: skip
    parser.add_argument("--minutes", type=float, default=_MINUTES, metavar="M",
                        help=f"of the room (default: {_MINUTES:.0f})")  # fmt: skip
    parser.add_argument(
        "--password", metavar="P", help="of the board at URL: the room's password; of a hub's board a trainer's token"
    )
    options = parser.parse_args(argv)
    _check(options, program)
    with tempfile.TemporaryDirectory(prefix="flatkit-rehearsal-") as folder, _board(options, Path(folder)) as board:
        url, password, ledger = board
        return _play(options, url, password, ledger, Path(folder))


def _check(options: argparse.Namespace, program: str) -> None:
    from flatkit.board.rehearse import REHEARSED_MAX

    if not 1 <= options.seats <= REHEARSED_MAX:
        raise UsageError(
            f'the seats are "{options.seats}"; expected 1 to {REHEARSED_MAX}', hint=f"{program} rehearse --seats 30"
        )
    if not 0 < options.speed <= _SPEED_MAX:  # also not a number
        raise UsageError(
            f'the speed is "{options.speed}"; expected more than 0, at most {_SPEED_MAX:.0f}',
            hint=f"{program} rehearse --speed 20",
        )
    if not 0 < options.minutes < math.inf:
        raise UsageError(
            f'the minutes are "{options.minutes}"; expected more than 0', hint=f"{program} rehearse --minutes 90"
        )


@contextmanager
def _board(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str, Ledger | None]]:
    """Yield the address of a board, its room's password, and its store if it is one for this rehearsal alone."""
    from flatkit import web
    from flatkit.board.ledger import Ledger
    from flatkit.board.passwords import PasswordDoor, make_password
    from flatkit.board.server import BoardServer

    if options.url:
        url = options.url.rstrip("/")
        web.check_address(url)
        password = options.password or secret("FLATKIT_ROOM_PASSWORD", "the room's password, or a token of its hub")
        yield url, password, None
        return
    ledger = Ledger(folder / "board.sqlite")
    door = PasswordDoor(ledger, room=make_password(8), trainer=make_password(16))
    server = BoardServer(ledger, door, port=0).start()
    try:
        print(f"a board for this rehearsal: {server.url}/   trainers' password: {door.trainer}")
        yield server.url, door.room, ledger
    finally:
        server.stop()
        ledger.close()


def _play(options: argparse.Namespace, url: str, password: str, ledger: Ledger | None, folder: Path) -> int:
    from flatkit.board.rehearse import Rehearsal

    def tell(minute: int, noted: Counter[str]) -> None:
        if minute % _EACH == 0:
            print(f"minute {minute}: {noted.total()} events, {noted['check']} checks, {noted['flag']} changes of a flag",
                  flush=True)  # fmt: skip

    with Rehearsal(url, password, seats=options.seats, folder=folder) as rehearsal:
        print(f"{options.seats} simulated beginners play {options.minutes:.0f} minutes, {options.speed:g} times as fast; "
              "Ctrl-C ends it", flush=True)  # fmt: skip
        played = rehearsal.play(speed=options.speed, minutes=options.minutes, tell=tell)
        stored = sum(1 for _ in ledger.events()) if ledger else played.arrived
    said = ", ".join(f"{count} {kind}" for kind, count in sorted(played.heard.items())) or "nothing"
    print(f"{played.arrived + played.missing} events were noted, the board has {stored}; the trainer said: {said}")
    if rehearsal.left_over:
        print(f"the board did not answer: {', '.join(rehearsal.left_over)} are still on it")
        print("  flatkit board forget --seat NAME deletes each")
        return 1
    print("the beginners have left: the board has nothing of them any more")
    return 0 if not played.missing and stored == played.arrived else 1
