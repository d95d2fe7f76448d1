"""`flatkit seats`: a room of learners on this host, each with a seat in the browser."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.cli.options import whole_number
from flatkit.cli.show import observer_for, print_json, qr_code
from flatkit.errors import FlatkitError, HostError, UsageError
from flatkit.untrusted import is_number, printable, shell_word

if TYPE_CHECKING:
    from flatkit.seats.check import SizeFinding
    from flatkit.seats.settings import Settings
    from flatkit.seats.up import Passwords

_PORT, _SEATS, _SEATS_MAX = 8000, 30, 1000
# MiB, and minutes; a server with one kernel needs the least.
_MEMORY, _IDLE = (512, 2**20), (1, 7 * 24 * 60)
_LEFT_OUT_MAX = 10
_LEAST_FREE_MIB = 50
_EVERYWHERE = "0.0.0.0"  # noqa: S104  (a room is for others: docs/seats.md)


def run(argv: list[str]) -> int:
    """Run one of the commands of `seats`."""
    options = _parser().parse_args(argv[1:])
    actions = {
        "up": _up, "check": _check, "status": _status, "down": _down, "archive": _archive, "reset": _reset, "pin": _pin,
        "serve": _serve, "images": _images,
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
    from flatkit.seats import check, supervisor, up

    host, port = _address(options.listen, room)
    seats = options.seats if options.seats is not None else room.seats if room else _SEATS
    own = tuple(supervisor.parts_of(room.folder)) if room else ()
    home = Path("/home") if Path("/home").is_dir() else Path("/")
    return [*check.judge(check.measure(home, up.cache()), seats), *check.find_obstacles(host, port, own=own)]


def _check(options: argparse.Namespace) -> int:
    findings = _findings(options, _earlier())
    for finding in findings:
        print(finding)
    return 1 if any(finding.level == "fail" for finding in findings) else 0


def _up(options: argparse.Namespace) -> int:
    from flatkit.seats import install, settings, up

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
    try:
        up.begin(made)
    except FlatkitError:
        if is_new:  # nobody has seen its passwords
            up.remove_room(made, print)
        raise
    _show(made, passwords)
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


def _show(room: Settings, passwords: Passwords | None) -> None:
    from flatkit.packs.serve import find_own_address
    from flatkit.seats import certificate, up

    host = room.host
    if host in {"0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        host = find_own_address(ipv6=host == "::") or "127.0.0.1"
    if room.certificate:
        with suppress(FlatkitError):  # the room runs all the same, and `up` has said what is wrong
            host = certificate.check(Path(room.certificate), Path(room.key)).host_for(host)
    url = f"{'https' if room.certificate else 'http'}://{f'[{host}]' if ':' in host else host}:{room.port}/"
    print(f"{url}\n\n{qr_code(url)}")
    if passwords:
        print(f"  the room's password:     {passwords.room}")
        print(f"  the trainer's password:  {passwords.trainer}   (log in as trainer, with it as the PIN)")
        print(f"  the trainer's board:     {url}services/board/   (docs/board.md)")
        print("These are shown this once. flatkit seats up --new-passwords makes new ones.")
    else:
        print("The passwords are the same as before. flatkit seats up --new-passwords makes new ones.")
    print(f"{room.seats} seats; {up.limits_of(room)}.")
    if not room.certificate:
        print("Nothing is encrypted: on a network of others use --tls CERT KEY.")


def _status(options: argparse.Namespace) -> int:
    from flatkit.seats import status, up
    from flatkit.seats.settings import load

    room = load(up.folder())
    found = status.look(room)
    if options.json:
        for row in found.seats:
            print_json(event="seat", **asdict(row))
        print_json(event="result", ok=found.is_served, seats=len(found.seats), taken=found.taken, most=room.seats)
        return 0 if found.is_served else 1
    print(f"{printable(room.url)}: {'the hub answers' if found.is_served else 'the hub does not answer'}")
    for row in found.seats:
        print(
            f"  {row.name}: {row.processes} processes, {row.machines} machines, {row.memory_mib} MiB, {row.disk_mib} MiB of disk"
        )
    print(f"{found.taken} of {room.seats} seats are taken")
    if found.disk_mib < _LEAST_FREE_MIB:
        print(
            f"The disk of {printable(room.folder)} is full: {found.disk_mib} MiB are free. Without room the hub cannot start."
        )
    if not found.is_kept:
        print("Nothing starts the hub again when it ends: its supervisor has ended.\n  Next: flatkit seats up")
    elif not found.is_served:
        print(f"  Next: tail -n 50 {shell_word(room.folder / 'hub.log')}")
    elif not up.shows_certificate(room):
        print("The proxy shows another certificate than the one on the disk now.\n  Next: flatkit seats up")
    return 0 if found.is_served else 1


def _archive(_options: argparse.Namespace) -> int:
    from flatkit.seats import up
    from flatkit.seats.archive import NAME
    from flatkit.seats.settings import load

    is_whole = _write_archives(load(up.folder()))
    print(f"Each learner who has an archive has it in their folder too: {NAME}")
    return 0 if is_whole else 1


def _write_archives(room: Settings) -> bool:
    """Write the archives and list them; return whether each learner has one."""
    from flatkit.seats.archive import archive_all

    done = archive_all(room)
    for one in done:
        if one.fault:
            print(f"  {one.seat}: not archived: {printable(one.fault)}", file=sys.stderr)
        elif one.path:
            print(f"  {one.seat}: {one.path} ({one.size / 1e6:.1f} MB)")
            more = len(one.left_out) - _LEFT_OUT_MAX
            for line in (*one.left_out[:_LEFT_OUT_MAX], *([f"{more} more"] if more > 0 else [])):
                print(f"    left out: {line}", file=sys.stderr)
    return not any(one.fault for one in done)


def _remove(options: argparse.Namespace, question: str) -> Settings:
    """Ask, and archive; return the room. Raises HostError if a learner's work could not be archived."""
    from flatkit.seats import up
    from flatkit.seats.settings import load

    room = load(up.folder())
    if not options.yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody can be asked here", hint=f"flatkit seats {options.command} --yes")
        if input(f"{question} [y/N] ").strip().lower() not in {"y", "yes"}:
            raise HostError("nothing was removed")
    if options.no_archive:
        return room
    up.end_seats(room)  # what is saved after the archive would be lost
    if not _write_archives(room):
        up.begin(room)
        raise HostError(
            "not everybody's work could be archived: nothing was removed, and learners may log in again",
            hint=f"flatkit seats {options.command} --no-archive   (removes it all the same)",
        )
    return room


def _reset(options: argparse.Namespace) -> int:
    from flatkit.seats import settings, up

    room = _remove(options, "Remove every seat of this room, after archiving the learners' work?")
    up.stop(room)
    up.remove_seats(room, print)
    made, passwords = up.make_settings(room, room, fresh=True)
    settings.save(made)
    up.begin(made)
    _show(made, passwords)
    return 0


def _down(options: argparse.Namespace) -> int:
    from flatkit.seats import up

    room = _remove(options, "Remove this room, after archiving the learners' work?")
    up.remove_room(room, print)
    print(f"The room is gone. Kept: {room.archives}, the images in {room.cache}, and flatkit in {room.bin.parent}.")
    return 0


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
