"""`flatkit seats`: a room of learners on this host, each with a seat in the browser."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.cli import seats_end, seats_show
from flatkit.cli.options import whole_number
from flatkit.cli.show import observer_for
from flatkit.errors import FlatkitError, HostError, UsageError
from flatkit.untrusted import is_number, shell_word

if TYPE_CHECKING:
    from flatkit.seats.check import SizeFinding
    from flatkit.seats.settings import Settings

_PORT, _SEATS, _SEATS_MAX = 8000, 30, 1000
# MiB, and minutes; a server with one kernel needs the least.
_MEMORY, _IDLE = (512, 2**20), (1, 7 * 24 * 60)
_EVERYWHERE = "0.0.0.0"  # noqa: S104  (a room is for others: docs/seats.md)


def run(argv: list[str]) -> int:
    """Run one of the commands of `seats`."""
    options = _parser().parse_args(argv[1:])
    actions = {
        "up": _up, "check": _check, "status": seats_show.status, "down": seats_end.down, "archive": seats_end.archive,
        "reset": seats_end.reset, "pin": _pin, "serve": _serve, "images": _images,
    }  # fmt: skip
    with _alone(options.command):
        return actions[options.command](options)


def _between(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        number = whole_number(text)
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f'"{number}" cannot be used; expected {least} to {most}')
        return number

    return parse


def _alone(command: str) -> AbstractContextManager[None]:
    from flatkit.seats import up

    return up.alone() if command in {"up", "archive", "reset", "down"} else nullcontext()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flatkit seats",
        description="A room of learners on one Linux host: each has a seat in the browser, with machines of their own.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, about: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")

    up = add("up", "make the room, or bring it up to date; print its address and, once, its passwords")
    check = add("check", "say whether this host is big enough, and what is missing")
    for command in (up, check):
        command.add_argument("--seats", type=_between(1, _SEATS_MAX), metavar="N", help=f"seats (default: {_SEATS})")
        command.add_argument(
            "--listen", metavar="ADDR[:PORT]",
            help=f"where learners come in (default: {_EVERYWHERE}:{_PORT}, every address of this host)",
        )  # fmt: skip
    up.epilog = "A room that exists keeps what is not given: seats, address, certificate, memory, time, passwords."
    secure = up.add_mutually_exclusive_group()
    secure.add_argument(
        "--tls", nargs=2, type=Path, metavar=("CERT", "KEY"), help="encrypt, with this certificate and key"
    )
    secure.add_argument("--no-tls", action="store_true", help="do not encrypt any longer")
    up.add_argument("--memory", type=_between(*_MEMORY), metavar="MIB", help="memory of each seat (default: 4096)")
    up.add_argument("--idle", type=_between(*_IDLE), metavar="MINUTES", help="stop an unused seat (default: 90)")
    up.add_argument("--new-passwords", action="store_true", help="replace the passwords of the room and of the trainer")
    up.add_argument(
        "--here", action="store_true", help="run from this environment, which all users must be able to read"
    )
    up.add_argument("--no-images", action="store_true", help="do not build images now; each seat builds what it needs")
    status = add("status", "list the seats, and what each of them takes")
    status.add_argument("--json", action="store_true", help="one JSON object a line")
    add("archive", "write each learner's work into one archive, for them to download and for you")
    for name, about in (
        ("reset", "archive, then remove all seats: the room is new"),
        ("down", "archive, then remove the room"),
    ):
        command = add(name, about)
        command.add_argument("--yes", action="store_true", help="do not ask")
        command.add_argument("--no-archive", action="store_true", help="remove the learners' work as well")
    pin = add("pin", "give a seat a new PIN: its owner has forgotten it")
    pin.add_argument("name", metavar="SEAT")
    add("serve", "run the room in the foreground (systemd calls this)")
    add("images", "fill this process's own cache with everything of the course (up calls this)")
    return parser


def _address(text: str | None, room: Settings | None) -> tuple[str, int]:
    """Return where learners come in: as given, else as before."""
    from flatkit.packs.serve import parse_address

    if text is None and room:
        return room.host, room.port
    text = text or _EVERYWHERE
    if text.startswith(":") and is_number(text[1:]):  # a port alone: a room is for others, so not 127.0.0.1
        text = f"{_EVERYWHERE}{text}"
    found = parse_address(text)
    has_port = is_number(text.rpartition(":")[2]) and (text.count(":") == 1 or "]" in text)
    if has_port and not found.port:
        raise UsageError(f'"{text}" has no port; learners need one that stays: expected 1 to 65535, such as 8000')
    return found.host, found.port if has_port else _PORT


def _earlier() -> Settings | None:
    """Return the room that this host has; None as well if its file cannot be read."""
    from flatkit.seats import up

    try:
        return up.find()
    except HostError:
        return None


def _findings(options: argparse.Namespace, room: Settings | None) -> list[SizeFinding]:
    from flatkit.seats import check, one_room, supervisor, up

    host, port = _address(options.listen, room)
    seats = options.seats if options.seats is not None else room.seats if room else _SEATS
    # The room's proxy may hold its port; one of its hub, which running seats ask, is taken.
    is_inner = room and port in {room.hub_port, room.api_port, room.board_port}
    own = tuple(supervisor.parts_of(room.folder)) if room and not is_inner else ()
    home = Path("/home") if Path("/home").is_dir() else Path("/")
    size = check.judge(check.measure(home, up.cache()), seats)
    return [*size, *check.find_obstacles(host, port, own=own), *one_room.find_obstacle(up.folder())]


def _check(options: argparse.Namespace) -> int:
    findings = _findings(options, _earlier())
    for finding in findings:
        print(finding)
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def _up(options: argparse.Namespace) -> int:
    from flatkit.seats import install, one_room, settings, up

    earlier = _earlier()
    findings = _findings(options, earlier)
    for finding in findings:
        if finding.level != "ok":
            print(finding, file=sys.stderr)
    if any(finding.level == "fail" for finding in findings):
        given = {"--seats": options.seats, "--listen": options.listen}
        words = "".join(f" {name} {shell_word(value)}" for name, value in given.items() if value is not None)
        raise HostError("this host cannot have the room: see above", hint=f"flatkit seats check{words}")
    certificate, key = _certificate(options, earlier)
    observer = observer_for(as_json=False)
    bin_folder = up.here() if options.here else install.install(observer)
    wanted = _wanted(options, earlier, bin_folder, certificate, key)
    if not options.no_images:
        install.build_images(bin_folder, wanted.cache, observer)
    made, passwords = up.make_settings(earlier, wanted, fresh=options.new_passwords)
    is_new = up.is_new(made)
    settings.save(made)
    one_room.claim(made.folder)
    try:
        up.begin(made)
    except FlatkitError:
        if is_new:  # nobody has seen its passwords
            up.remove_room(made, print)
        raise
    seats_show.show(made, passwords)
    return 0


def _wanted(
    options: argparse.Namespace, room: Settings | None, bin_folder: Path, certificate: str, key: str
) -> Settings:
    """Return the settings of the room: what is given, else what it had, else the defaults. Ports and passwords come later."""
    from flatkit.seats import settings, up

    host, port = _address(options.listen, room)
    made = settings.Settings(
        folder=up.folder(), seats=_SEATS, host=host, port=port, hub_port=1, api_port=1, room_hash="", trainer_hash="",
        proxy_password="", bin=bin_folder, certificate=certificate, key=key, cache=up.cache(),
    )  # fmt: skip
    kept = {name: getattr(room, name) for name in ("seats", "memory_mib", "idle")} if room else {}
    given = {"seats": options.seats, "memory_mib": options.memory, "idle": options.idle and options.idle * 60}
    return replace(made, **{**kept, **{name: value for name, value in given.items() if value is not None}})


def _certificate(options: argparse.Namespace, room: Settings | None) -> tuple[str, str]:
    """Return the paths of certificate and key, "" without. Raises UsageError for files that are not usable."""
    from flatkit.seats import certificate

    paths: Sequence[Path] = options.tls or ()
    if room and room.certificate and not options.tls and not options.no_tls:
        paths = (Path(room.certificate), Path(room.key))
    if not paths:
        return "", ""
    found = certificate.check(*paths)
    if found.warning:
        print(f"! certificate: {found.warning}", file=sys.stderr)
    return str(paths[0].absolute()), str(paths[1].absolute())


def _pin(options: argparse.Namespace) -> int:
    from flatkit.seats import up
    from flatkit.seats.login import Pins
    from flatkit.seats.names import parse_name
    from flatkit.seats.settings import load, new_password

    room, name, pin = load(up.folder()), parse_name(options.name), new_password(1)
    Pins(room.folder / "pins.sqlite").replace(name, pin)
    print(f"The new PIN of {name}: {pin}")
    return 0


def _serve(_options: argparse.Namespace) -> int:
    from flatkit.seats import supervisor, up

    if os.geteuid() != 0:
        raise HostError("only root can run a room", hint="sudo flatkit seats up")
    stop = threading.Event()
    for which in (signal.SIGTERM, signal.SIGINT):
        signal.signal(which, lambda *_: stop.set())
    supervisor.serve(up.folder(), stop, lambda text: print(text, flush=True))
    return 0


def _images(_options: argparse.Namespace) -> int:
    from flatkit.seats.install import fill_cache

    fill_cache(observer_for(as_json=False))
    return 0
