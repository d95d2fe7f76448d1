"""`flatkit up`: from a config to a machine that answers."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from flatkit.cli.show import Json, fail_json, observer_for
from flatkit.errors import FlatkitError


def parser() -> argparse.ArgumentParser:
    """The options of `flatkit up`."""
    result = argparse.ArgumentParser(
        prog="flatkit up",
        description="Boot a machine from a Butane (.bu) or Ignition (.ign) config; without one: user core and flatkit's key.",
        epilog="A machine that runs already is returned. A config is applied on the first boot only: flatkit down, then up.",
    )
    result.add_argument("config", nargs="?", help="a Butane or Ignition file")
    result.add_argument("--name", help="the machine's name (default: the config's file name, or machine)")
    result.add_argument("--image", default="auto", help="auto, lab, or the path of a disk image (default: auto)")
    result.add_argument(
        "--forward",
        action="append",
        default=[],
        metavar="HOST:GUEST",
        help="forward a TCP port; host port 0: a free one",
    )
    result.add_argument("--memory", type=int, metavar="MB")
    result.add_argument("--disk", action="append", type=int, default=[], metavar="GB", help="an extra, empty disk")
    result.add_argument(
        "--ssh-key", type=Path, metavar="FILE", help="a private key of yours instead of flatkit's (FILE.pub beside it)"
    )
    result.add_argument("--verbose", action="store_true", help="show the whole console")
    result.add_argument("--json", action="store_true", help="one JSON object a line")
    return result


def run(argv: list[str]) -> int:
    """Boot, and say how to reach the machine."""
    options = parser().parse_args(argv[1:])
    from flatkit import workshop
    from flatkit.machines import parse_forward

    observer = observer_for(as_json=options.json, verbose=options.verbose)
    try:
        wish = workshop.Wish(
            name=options.name or workshop.default_name(options.config),
            image=options.image,
            forwards=tuple(parse_forward(text) for text in options.forward),
            memory_mib=options.memory,
            disks_gib=tuple(options.disk),
            key_file=options.ssh_key.expanduser().absolute() if options.ssh_key else None,
        )
        upped = workshop.boot(options.config, wish, observer=observer)
    except FlatkitError as error:
        if isinstance(observer, Json):
            return fail_json(observer, error)
        raise
    machine = upped.machine
    if isinstance(observer, Json):
        observer.result(
            ok=True,
            name=machine.name,
            state=str(machine.state),
            image=machine.spec.label,
            forwards=[asdict(forward) for forward in machine.forwards],
            timeline=[{"phase": name, "seconds": round(seconds, 3)} for name, _, seconds in upped.timeline.phases],
        )
        return 0
    print(f'The machine "{machine.name}" is ready ({machine.spec.label}).')
    print(f"  flatkit ssh {machine.name}")
    for forward in machine.forwards:
        if forward.guest != 22:
            print(f"  http://127.0.0.1:{forward.host}/ leads to its port {forward.guest}")
    return 0
