"""`flatkit sysext`: system extensions from Debian packages."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.cli.options import folder, whole_number
from flatkit.cli.show import Json, fail_json, observer_for
from flatkit.errors import FlatkitError, InputError
from flatkit.files import read_regular
from flatkit.untrusted import printable, shell_word

if TYPE_CHECKING:
    from flatkit.images.sysext_tree import Recipe

_LOOK_SECONDS = 1.0
_FILE_MAX_MIB = 256


def run(argv: list[str]) -> int:
    """Run `build` or `serve`."""
    parser = argparse.ArgumentParser(prog="flatkit sysext", description="System extensions from Debian packages.")
    commands = parser.add_subparsers(dest="command", required=True)
    about = "build an extension image for the lab image from Debian packages"
    build = commands.add_parser("build", help=about, description=about)
    build.add_argument("name", metavar="NAME", help="its name; on the machine it must lie as NAME.raw")
    build.add_argument(
        "--package",
        action="append",
        default=[],
        metavar="PKG",
        help="a package that it brings, with the programs that it calls (default: NAME)",
    )
    build.add_argument(
        "--file", action="append", default=[], metavar="PATH=FILE", help="a file of yours at PATH below /usr or /opt"
    )
    build.add_argument("--unit", action="append", default=[], metavar="UNIT", help="a unit that starts with it")
    build.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it (default: NAME.raw)")
    build.add_argument(
        "--for", dest="machine", metavar="MACHINE", help="build it for the system that this machine runs"
    )
    build.add_argument(
        "--id", metavar="ID", help="the os-release ID that it is for (default: flatcar-lab; _any fits all)"
    )
    build.add_argument("--level", metavar="LEVEL", help="the SYSEXT_LEVEL that it is for (default: 1.0)")
    build.add_argument("--version-id", metavar="ID", help="the one VERSION_ID that it is for, instead of a level")
    build.add_argument("--version", metavar="VERSION", help="its own version")
    build.add_argument("--json", action="store_true", help="one JSON object a line")
    about = "offer the NAME-VERSION.raw of a folder to machines on this host, for systemd-sysupdate, until Ctrl-C"
    serve = commands.add_parser("serve", help=about, description=f"{about[0].upper()}{about[1:]}.")
    serve.add_argument("folder", type=folder, nargs="?", default=Path(), metavar="DIR", help="default: this folder")
    serve.add_argument(
        "--port", type=whole_number, default=0, metavar="PORT", help="where to listen (default: any free one)"
    )
    options = parser.parse_args(argv[1:])
    return _serve(options) if options.command == "serve" else _build(options)


def _recipe(options: argparse.Namespace) -> Recipe:
    from flatkit.images.lab.extensions import recipe_for, with_companions
    from flatkit.images.sysext_tree import Recipe

    given = {
        "name": options.name, "packages": tuple(options.package), "units": tuple(options.unit), "os_id": options.id,
        "sysext_level": options.level, "version_id": options.version_id, "version": options.version,
        "files": dict(_file(text) for text in options.file),
    }  # fmt: skip
    base = (
        Recipe(name=options.name)
        if options.package or options.file
        else recipe_for(options.name, options.version or "")
    )
    if options.machine:
        from flatkit.api.extensions import fitted
        from flatkit.machines import get_machine

        base = fitted(base, get_machine(options.machine))
    return with_companions(replace(base, **{name: value for name, value in given.items() if value}))


def _file(text: str) -> tuple[str, bytes]:
    path, equals, name = text.partition("=")
    try:
        return path, read_regular(name, limit=_FILE_MAX_MIB * 2**20)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        what = f'"{printable(name)}" cannot be read ({why})' if equals else f'"{printable(text)}" names no file'
    raise InputError(
        f"{what}; expected PATH=FILE, a file of at most {_FILE_MAX_MIB} MiB",
        hint="for example: --file /usr/bin/greet=greet",
    )


def _build(options: argparse.Namespace) -> int:
    from flatkit.images.sysext import build

    observer = observer_for(as_json=options.json)
    target = options.output or Path(f"{options.name}.raw")
    try:
        built = build(_recipe(options), target=target, observer=observer)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise
    if isinstance(observer, Json):
        observer.result(ok=True, name=built.name, file=str(target), bytes=built.size, packages=list(built.packages))
        return 0
    about = f"{built.size / 1e6:.1f} MB, of {len(built.packages)} packages"
    print(f"{printable(target)}: the extension {printable(built.name)}, {about}")
    machine, name, file = map(shell_word, (options.machine or "MACHINE", built.name, target))
    print(f"  flatkit ssh {machine} -- sudo tee /var/lib/extensions/{name}.raw < {file} > /dev/null")
    print(f"  flatkit ssh {machine} -- sudo systemctl restart systemd-sysext")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from flatkit.api.extensions import offer_extensions
    from flatkit.updates.server import UpdateServer

    offered: tuple[str, ...] = ()
    with UpdateServer(port=options.port) as server:
        print(f"machines on this host find extensions at {server.guest_url}/extensions/; Ctrl-C ends it", flush=True)
        try:
            while True:
                found = offer_extensions(server, options.folder)
                if found != offered:
                    print(f"offered: {', '.join(map(printable, found))}", flush=True)
                offered = found
                time.sleep(_LOOK_SECONDS)  # between two looks into the folder
        except KeyboardInterrupt:
            return 0
