"""`flatkit board`: how each seat of a room is doing."""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from flatkit.board.desk import open_desk
from flatkit.board.exported import export_rows
from flatkit.board.hard import find_hard, hard_page
from flatkit.board.ledger import Ledger
from flatkit.board.look import AddressLook, found_store, own_store
from flatkit.board.overview import RoomOverview
from flatkit.board.table import table_of
from flatkit.cli import board_ask, rehearse
from flatkit.cli.options import add_board, board_password
from flatkit.cli.show import print_json
from flatkit.errors import HostError, UsageError
from flatkit.locks import try_lock
from flatkit.untrusted import printable

if TYPE_CHECKING:
    from flatkit.board.server import BoardServer

_HOUR = 3600.0
_KEPT_HOURS = 48.0
_FROM_HUB = 600  # connections: all seats and the proxy are on one address


def run(argv: list[str]) -> int:
    """Run `board`."""
    if argv[1:2] == ["rehearse"]:  # it may have a board of its own
        return rehearse.run(argv[2:], program="flatkit board")
    parser = argparse.ArgumentParser(prog="flatkit board", description="How each seat of a room is doing.")
    commands = parser.add_subparsers(dest="command")
    show = commands.add_parser("show", help="the seats as a table (without a command, too)")
    show.add_argument("--json", action="store_true", help="one JSON object")
    add_board(show)
    serve = commands.add_parser("serve", help="serve the board to seats and trainers, until Ctrl-C")
    serve.add_argument("--listen", default="127.0.0.1", metavar="ADDR[:PORT]",
                       help="where to listen (default: 127.0.0.1:8020, this host alone; 0.0.0.0 for the room)")  # fmt: skip
    serve.add_argument("--keep", type=float, default=_KEPT_HOURS, metavar="HOURS",
                       help=f"delete events that are older (default: {_KEPT_HOURS:.0f})")  # fmt: skip
    serve.add_argument("--hub", action="store_true", help="as a service of a JupyterHub, which starts this by itself")
    export = commands.add_parser(
        "export", help="what was sent, for other programs; seats have numbers instead of names"
    )
    export.add_argument("--format", choices=["jsonl", "csv", "html"], default="jsonl",
                        help="html: a page of what was hard, without names")  # fmt: skip
    export.add_argument("--names", action="store_true", help="the seats' names instead of numbers")
    commands.add_parser("hard", help="what was hard: for each check the tries, hints and minutes, and how many passed")
    commands.add_parser("rehearse", help=rehearse.ABOUT)
    forget = commands.add_parser("forget", help="delete what was sent")
    which = forget.add_mutually_exclusive_group(required=True)
    which.add_argument("--seat", metavar="NAME", help="of this seat")
    which.add_argument("--all", action="store_true", help="of every seat")
    board_ask.add_parsers(commands)
    options = parser.parse_args(argv[1:])
    own = own_store()
    if options.command == "serve":
        ledger = _open_for_hub(own) if options.hub else Ledger(own)
    else:
        store = found_store()
        if options.command in {"look", "rewind", "restart"}:
            return board_ask.run(options, store)
        if getattr(options, "board", None):  # of show
            return _print_state(options, AddressLook(options.board, board_password()).state())
        ledger = Ledger(store)
        ledger.forget_old()
    try:
        return {"serve": _serve, "export": _export, "hard": _hard, "forget": _forget}.get(options.command, _show)(
            options, ledger
        )
    finally:
        ledger.close()


def _open_for_hub(store: Path) -> Ledger:
    """Open the store; one that cannot be used is put aside, or the hub would not start."""
    try:
        return Ledger(store)
    except HostError as error:
        aside = store.with_name(f"{store.name}.broken-{time.strftime('%Y%m%dT%H%M%S')}")
        print(f'{error.message}: it is now "{aside}"', file=sys.stderr, flush=True)
        store.replace(aside)
        return Ledger(store)


def _show(options: argparse.Namespace, ledger: Ledger) -> int:
    overview = RoomOverview.replay(ledger.seats, ledger.events(), ledger.said())
    return _print_state(options, overview.as_dict(time.time()))


def _print_state(options: argparse.Namespace, state: dict[str, Any]) -> int:
    if getattr(options, "json", False):
        print_json(**state)
        return 0
    rows = state["rows"]
    if not rows:
        served = getattr(options, "board", None)
        print("no seat has joined" + ("" if served else "; flatkit board serve opens a board"))
        return 0
    for line in table_of(rows):
        print(line)
    return 0


def _serve(options: argparse.Namespace, ledger: Ledger) -> int:
    from flatkit.board.passwords import PasswordDoor, make_password
    from flatkit.board.server import PORT, BoardServer
    from flatkit.packs.serve import parse_address, reachable_url

    if not options.keep > 0:  # also not a number
        raise UsageError(f'the hours to keep are "{options.keep}"; expected more than 0', hint="--keep 48")
    store = own_store()
    lock = None if options.hub else try_lock(store.with_name("serve.lock"), mode=0o600)
    if lock is None and not options.hub:  # two would not know of each other's seats
        raise UsageError("this account's board is served already, by another process", hint="end that one with Ctrl-C")
    ledger.keep_for(options.keep * _HOUR)
    ledger.forget_old()
    if options.hub:
        return _serve_hub(ledger, options.keep, store)
    address = parse_address(options.listen, usual=PORT)
    door = PasswordDoor(
        ledger,
        room=os.environ.get("FLATKIT_ROOM_PASSWORD") or make_password(8),
        trainer=os.environ.get("FLATKIT_TRAINER_PASSWORD") or make_password(16),
    )
    server = BoardServer(ledger, door, host=address.host, port=address.port).start()
    url = reachable_url(server.url, address.host)
    print(f"the board: {url}/   trainers' password: {door.trainer}")
    print(f"seats type: flatkit join {url} --seat NAME   room's password: {door.room}")
    print("Ctrl-C ends it; what the seats send meanwhile waits there", flush=True)
    _wait(server, options.keep, open_desk(store, server.url, server.key))
    return 0


def _serve_hub(ledger: Ledger, hours: float, store: Path) -> int:
    from flatkit.board.hub import HubDoor
    from flatkit.board.server import BoardServer

    url = urlsplit(os.environ.get("JUPYTERHUB_SERVICE_URL", ""))
    if not url.port:
        raise UsageError("this is not a service of a JupyterHub, which starts this command", hint="flatkit board serve")
    server = BoardServer(ledger, HubDoor(), host=url.hostname or "127.0.0.1", port=url.port, from_one=_FROM_HUB)
    _wait(server.start(), hours, open_desk(store, server.url + server.door.prefix.rstrip("/"), server.key))
    return 0


def _wait(server: BoardServer, hours: float, desk: Path) -> None:
    """Wait for Ctrl-C, and delete what has become too old."""
    try:
        while True:
            time.sleep(60)
            server.forget_before(time.time() - hours * _HOUR)
    except KeyboardInterrupt:
        print("\nthe board is closed; flatkit board shows it again, flatkit board forget --all deletes it")
    finally:
        desk.unlink(missing_ok=True)
        server.stop()


def _export(options: argparse.Namespace, ledger: Ledger) -> int:
    if options.format == "html":
        print(hard_page(find_hard(ledger.events())), end="")
        return 0
    rows = export_rows(ledger, names=options.names)
    if options.format == "jsonl":
        for row in rows:
            print_json(**row)
        return 0
    columns = ["seat", "received", "n", "kind"]
    table = csv.writer(sys.stdout)
    table.writerow([*columns, "data"])
    for row in rows:
        rest = " ".join(f"{key}={value}" for key, value in row.items() if key not in columns)
        table.writerow([*(row[name] for name in columns), rest])
    return 0


def _hard(_: argparse.Namespace, ledger: Ledger) -> int:
    rows = find_hard(ledger.events())
    if not rows:
        print("no check was tried yet")
        return 0
    print(f"{'CHECK':<20} {'SEATS':>5} {'PASSED':>6} {'TRIES':>5} {'HINTS':>5} {'MINUTES':>7}   (the middle seat's)")
    for row in rows:
        print(f"{row.task:<20} {row.seats:>5} {row.passed:>6} {row.tries:>5g} {row.hints:>5g} {row.minutes:>7g}")
    return 0


def _forget(options: argparse.Namespace, ledger: Ledger) -> int:
    if options.all:
        ledger.forget_all()
        print("everything that the seats sent is deleted")
        return 0
    if options.seat not in ledger.seats:
        raise UsageError(f'there is no seat "{printable(options.seat)}"', hint="flatkit board")
    ledger.remove_seat(options.seat)
    print(f'what the seat "{options.seat}" sent is deleted')
    return 0
