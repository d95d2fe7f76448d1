"""`flatkit room`: everything a room needs without the Internet. `flatkit channels`: what its update server offers."""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from flatkit.cli import rehearse
from flatkit.cli.options import folder
from flatkit.cli.show import Json, fail_json, observer_for, print_error, print_json, qr_code
from flatkit.errors import FlatkitError, HostError, UsageError
from flatkit.untrusted import printable, printable_lines, shell_word

if TYPE_CHECKING:
    from flatkit.packs.pack import Wishes
    from flatkit.updates.channels import Channels
    from flatkit.updates.server import UpdateServer

_LOOK_SECONDS = 0.5


def run(argv: list[str]) -> int:
    """Run `channels`, or the `pack`, `check`, `serve`, `group` or `rehearse` of `room`."""
    if argv[0] == "channels":
        return _channels(argv[1:])
    if argv[1:2] == ["rehearse"]:  # of the room's board
        return rehearse.run(argv[2:], program="flatkit room")
    options = _parser().parse_args(argv[1:])
    actions = {"pack": _pack, "check": _check, "serve": _serve, "group": _group}
    observer = observer_for(as_json=options.json)
    try:
        return actions[options.command](options)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flatkit room", description="Everything a room needs without the Internet.")
    commands = parser.add_subparsers(dest="command", required=True)
    about = "gather images, updates, extensions, container images, wheels and the course in a folder"
    pack = commands.add_parser("pack", help=about, description=f"{about[0].upper()}{about[1:]}.")
    pack.add_argument("folder", type=folder, metavar="DIR", help="a new or empty folder, or an earlier pack")
    pack.add_argument(
        "--channel", action="append", default=[], metavar="C",
        help="also Flatcar's image and update payload: stable, beta, alpha, lts or a version (about 900 MB each)",
    )  # fmt: skip
    pack.add_argument(
        "--opt-in", action="append", default=[], metavar="NAME", help="Flatcar's own extension, as podman"
    )
    pack.add_argument("--lab", metavar="NAMES", help="releases of the lab image (default: all; none for none)")
    pack.add_argument(
        "--extensions", metavar="NAMES", help="extensions from Debian packages (default: podman,docker-compose)"
    )
    pack.add_argument(
        "--extension", action="append", default=[], type=Path, metavar="FILE", help="an extension of yours"
    )
    pack.add_argument(
        "--python", metavar="VERSIONS", help="Pythons of the seats (default: 3.11,3.12,3.13; none for no wheels)"
    )
    pack.add_argument("--containers", choices=["none"], help="none: leave the container image of the lessons out")
    check = commands.add_parser("check", help="prove that a pack suffices", description="Prove that a pack suffices.")
    check.add_argument("folder", type=folder, metavar="DIR")
    about = "serve a pack to the room, until Ctrl-C"
    serve = commands.add_parser("serve", help=about, description=f"{about[0].upper()}{about[1:]}.")
    serve.add_argument(
        "folder", type=folder, nargs="?", default=Path(), metavar="DIR", help="the pack (default: this folder)"
    )
    serve.add_argument(
        "--listen", default="127.0.0.1", metavar="ADDR[:PORT]",
        help="where to listen (default: 127.0.0.1:8000, this host alone; 0.0.0.0 for the room)",
    )  # fmt: skip
    serve.add_argument("--new-room", action="store_true", help="forget the machines of the last room")
    group = commands.add_parser(
        "group", help="groups of machines: follow a channel, pinned to a version, or paused",
        description="Without a name: list channels, groups and machines. GROUP=NAME in update.conf puts a machine in a group.",
    )  # fmt: skip
    group.add_argument("name", nargs="?", metavar="NAME", help="the group to make or change")
    group.add_argument("--channel", metavar="C", help="the channel that it follows (a new group needs one)")
    group.add_argument(
        "--pin", metavar="VERSION", help="the version that its machines get; none: what the channel offers"
    )
    pause = group.add_mutually_exclusive_group()
    pause.add_argument("--pause", action="store_true", help="offer it no updates")
    pause.add_argument("--resume", action="store_true", help="offer it updates again")
    pause.add_argument("--remove", action="store_true", help="remove the group")
    commands.add_parser("rehearse", help=rehearse.ABOUT)
    for command in (pack, check, serve, group):
        command.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _wishes(options: argparse.Namespace) -> Wishes:
    from flatkit.packs.pack import Wishes
    from flatkit.packs.wheels import PYTHONS

    base = Wishes()

    def names(text: str | None, default: tuple[str, ...]) -> tuple[str, ...]:
        return default if text is None else () if text == "none" else tuple(filter(None, text.split(",")))

    pythons = names(options.python, base.pythons)
    unknown = [python for python in pythons if python not in PYTHONS]
    if unknown:
        raise UsageError(f'there are no wheels for Python "{unknown[0]}"; expected some of {", ".join(PYTHONS)}')
    return Wishes(
        lab=names(options.lab, base.lab), flatcar=tuple(options.channel), opt_in=tuple(options.opt_in),
        extensions=names(options.extensions, base.extensions), files=tuple(options.extension), pythons=pythons,
        containers=options.containers is None,
    )  # fmt: skip


def _pack(options: argparse.Namespace) -> int:
    from flatkit.packs.pack import pack

    observer = observer_for(as_json=options.json)
    manifest = pack(_folder(options), _wishes(options), observer=observer)
    if isinstance(observer, Json):
        observer.result(
            ok=True, folder=str(options.folder), files=len(manifest.files), bytes=manifest.size,
            left_out=list(manifest.left_out),
        )  # fmt: skip
        return 0
    print(f"{printable(options.folder)}: {len(manifest.files)} files, {manifest.size / 1e6:.0f} MB")
    print(f"  flatkit room check {shell_word(options.folder)}")
    print(f"  flatkit room serve {shell_word(options.folder)} --listen 0.0.0.0")
    return 0


def _check(options: argparse.Namespace) -> int:
    from flatkit.packs.check import check

    observer = observer_for(as_json=options.json)
    found = check(_folder(options), observer=observer)
    if isinstance(observer, Json):
        observer.result(ok=found.ok, findings=[asdict(finding) for finding in found.findings])
    else:
        print(found)
    return 0 if found.ok else 1


def _serve(options: argparse.Namespace) -> int:
    from flatkit.packs.serve import parse_address, serving, state_file

    # Progress goes to terminals only: programs read the served addresses from the first line on.
    watcher = None if options.json or not sys.stderr.isatty() else observer_for(as_json=False)
    address = parse_address(options.listen)
    try:
        with serving(_folder(options), address, store=state_file(), observer=watcher) as (server, words):
            if options.new_room:
                server.channels.forget_machines()
            if options.json:
                print_json(event="serving", url=words.url, install=words.install, use=words.use)
            else:
                print(
                    f"{words.url}\n\n{qr_code(words.url)}\n{words}\n\n{_table(server.channels)}\n\nCtrl-C ends it",
                    flush=True,
                )
            _watch(server, as_json=options.json)
    except KeyboardInterrupt:
        print("\nthe server has ended", file=sys.stderr)
    return 0


def _group(options: argparse.Namespace) -> int:
    from flatkit.packs.serve import open_channels

    channels = open_channels()
    changes = options.channel or options.pin or options.pause or options.resume or options.remove
    if options.name is None and changes:
        raise UsageError("the group has no name", hint="flatkit room group NAME --channel beta")
    old = channels.groups.get(options.name)
    if options.name is not None and old is None and (options.remove or not options.channel):
        raise UsageError(
            f'there is no group "{printable(options.name)}"; a new one needs a channel',
            hint=f"flatkit room group {shell_word(options.name)} --channel beta   (or flatkit room group: list them)",
        )
    if options.remove:
        channels.remove_group(options.name)
    elif changes:
        pinned = {None: old.version if old else "", "none": ""}.get(options.pin, options.pin)
        channels.set_group(
            options.name, channel=options.channel or (old.channel if old else ""), version=pinned or "",
            paused=options.pause or bool(old and old.paused and not options.resume),
        )  # fmt: skip
    shown = [found for name, found in sorted(channels.groups.items()) if options.name in {None, name}]
    if options.json:
        print_json(ok=True, groups=[asdict(found) for found in shown])
    else:
        print(_table(channels))
    return 0


def _folder(options: argparse.Namespace) -> Path:
    """Return the folder of the pack, also for a quoted `~/pack`. Raises UsageError."""
    folder: Path = options.folder
    try:
        return folder.expanduser()
    except RuntimeError:
        raise UsageError(f'"{printable(folder)}" names the home of a user who does not exist') from None


def _table(channels: Channels) -> str:
    """Return the channels and machines as text. Machines choose parts of it, so it is untrusted."""
    return printable_lines(channels, limit=1000, lines=2000)


def _watch(server: UpdateServer, *, as_json: bool) -> NoReturn:
    """Print the machines' reports until Ctrl-C."""
    told = {found.machine_id: (found.state, found.version) for found in server.machines}
    trouble = ""
    while True:
        try:
            machines, trouble = server.machines, ""
        except HostError as error:  # the state is broken: downloads continue nevertheless
            if error.message != trouble:
                print_error(error)
            trouble = error.message
            time.sleep(_LOOK_SECONDS)
            continue
        for found in machines:
            if told.get(found.machine_id) == (found.state, found.version):
                continue
            row = {"machine": found.name, "group": found.group, "version": found.version, "state": str(found.state)}
            if as_json:
                print_json(event="machine", **row)
            else:
                machine, group, version, state = map(printable, row.values())
                print(f"{machine}  {group}  runs {version}  {state}", flush=True)
        told = {found.machine_id: (found.state, found.version) for found in machines}
        time.sleep(_LOOK_SECONDS)  # between two looks at the table


def _channels(argv: list[str]) -> int:
    """Show the table, or run `promote`."""
    parser = argparse.ArgumentParser(
        prog="flatkit channels", description="Who runs which version of which channel, as the update server saw it."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    commands = parser.add_subparsers(dest="command")
    about = "let a channel offer what another one offers"
    promote = commands.add_parser("promote", help=about, description=f"{about[0].upper()}{about[1:]}.")
    promote.add_argument("channel", metavar="FROM")
    promote.add_argument("--to", required=True, metavar="CHANNEL")
    options = parser.parse_args(argv)
    from flatkit.packs.serve import open_channels

    channels = open_channels()
    if options.command == "promote":
        release = channels.promote(options.channel, to=options.to)
        print(f"{printable(options.to)} offers {printable(release.version)} from now on")
    elif options.json:
        for seen in channels.machines:
            print_json(event="machine", **{**asdict(seen), "state": str(seen.state)})
        offers = {name: release.version for name, release in channels.releases.items()}
        print_json(event="result", ok=True, channels=offers)
    else:
        print(channels)
    return 0
