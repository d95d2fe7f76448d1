"""`flatkit up`: from a config to a machine that answers."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.cli.options import whole_number
from flatkit.cli.show import Json, fail_json, observer_for
from flatkit.diskfile import find_fault
from flatkit.errors import FlatkitError, UsageError
from flatkit.seat_env import page_url
from flatkit.untrusted import is_number, printable, shell_word

if TYPE_CHECKING:
    from flatkit.machines import Forward


def parser() -> argparse.ArgumentParser:
    """Return the parser for the options of `flatkit up`."""
    result = argparse.ArgumentParser(
        prog="flatkit up",
        description="Boot a machine from a Butane (.bu) or Ignition (.ign) config; without one: user core and flatkit's key.",
        epilog="A machine that runs already is returned. A config is applied on the first boot only: flatkit down, then up. "
        "The short options are those of flatcar_production_qemu.sh.",
    )
    result.add_argument("config", nargs="?", help="a Butane or Ignition file")
    result.add_argument("-i", dest="script_config", metavar="CONFIG", help="the same, as the script's users type it")
    result.add_argument("--name", help="the machine's name (default: the config's file name, or machine)")
    result.add_argument(
        "--image",
        "-I",
        default="auto",
        help="auto, lab, stable, beta, alpha, lts, a version (4593.2.5), or the path of a disk image (default: auto)",
    )
    result.add_argument(
        "--forward",
        "-f",
        action="append",
        default=[],
        metavar="HOST:GUEST",
        help="forward a TCP port; host port 0: a free one",
    )
    result.add_argument(
        "--ssh-port", "-p", type=whole_number, metavar="PORT", help="the host port for SSH (default: a free one)"
    )
    result.add_argument("--memory", "-M", metavar="SIZE", help="in MiB, or with a unit: 2048, 512M, 1.5G")
    result.add_argument(
        "--disk",
        "-d",
        action="append",
        default=[],
        metavar="SIZE|PATH",
        help="an extra disk: empty, of so many GiB (2, 2G, 1T); or a disk image, only read (images come after empty ones)",
    )
    result.add_argument(
        "--ssh-key",
        "-a",
        type=Path,
        metavar="FILE",
        help="a private key of yours to log in with instead of flatkit's (FILE.pub beside it), or public keys to add",
    )
    result.add_argument(
        "--firmware", choices=("bios", "uefi"), help="what starts the disk's boot loader (default: bios)"
    )
    result.add_argument(
        "--cold",
        action="store_true",
        help="boot from the firmware on, not from a template (always: export FLATKIT_TEMPLATES=0)",
    )
    result.add_argument("--verbose", action="store_true", help="show the whole console")
    result.add_argument("--json", action="store_true", help="one JSON object a line")
    return result


def run(argv: list[str]) -> int:
    """Boot a machine, and print how to reach it."""
    options = parser().parse_args(argv[1:])
    if options.config and options.script_config:
        raise UsageError(
            f'there are two configs, "{options.config}" and "{options.script_config}"; expected one',
            hint=f"flatkit up {shell_word(options.config)}",
        )
    options.config = options.script_config if options.config is None else options.config
    if options.config == "":  # as in "$CONFIG" without the variable: a machine without it is not what was meant
        raise UsageError('the config "" has no name; expected a file, or no config at all', hint="flatkit up web.bu")
    from flatkit import api
    from flatkit.machines import Creator, Firmware, terminal_session
    from flatkit.machines.sizes import parse_memory

    observer = observer_for(as_json=options.json, verbose=options.verbose)
    try:
        key_file, public_keys = _keys(options.ssh_key)
        empty, images = _disks(options.disk)
        wish = api.Wish(
            name=api.default_name(options.config) if options.name is None else options.name,
            image=options.image,
            forwards=_forwards(options.forward, options.ssh_port),
            memory_mib=None if options.memory is None else parse_memory(options.memory),
            disks_gib=empty,
            disk_images=images,
            key_file=key_file,
            public_keys=public_keys,
            firmware=Firmware(options.firmware) if options.firmware else None,
            made_by=Creator(session=terminal_session()),
            cold=options.cold,
        )
        upped = api.boot(options.config, wish, observer=observer)
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
            version=upped.version,
            forwards=[asdict(forward) for forward in machine.forwards],
            timeline=[{"phase": name, "seconds": round(seconds, 3)} for name, _, seconds in upped.timeline.phases],
        )
        return 0
    print(f'The machine "{machine.name}" is ready ({printable(upped.words)}).')
    print(f"  flatkit ssh {machine.name}")
    for forward in machine.forwards:
        if forward.guest != 22:
            print(f"  {page_url(forward.host)} leads to its port {forward.guest}")
    return 0


def _forwards(texts: list[str], ssh_port: int | None) -> tuple[Forward, ...]:
    from flatkit.machines import Forward, parse_forward

    ssh = () if ssh_port is None else (Forward(host=ssh_port, guest=22),)
    return (*ssh, *(parse_forward(text) for text in texts))


def _disks(texts: list[str]) -> tuple[tuple[int, ...], tuple[Path, ...]]:
    """Return the sizes of empty disks, and the disk images. A word of digits is a size, and "2G" unless a file has that name."""
    from flatkit.machines.sizes import find_mib, parse_disk

    is_size = {text: is_number(text) or (find_mib(text) is not None and not Path(text).exists()) for text in texts}
    empty = tuple(parse_disk(text) for text in texts if is_size[text])
    # PTH111: this leaves an unknown ~user unchanged.
    images = tuple(Path(os.path.expanduser(text)).absolute() for text in texts if not is_size[text])  # noqa: PTH111
    for path in images:
        if fault := find_fault(path):
            raise UsageError(
                f'the disk "{printable(path)}" {fault}; expected a size in GB, or the path of a disk image',
                hint="--disk 2",
            )
    return empty, images


def _keys(path: Path | None) -> tuple[Path | None, tuple[str, ...]]:
    from flatkit.machines import read_key_file

    return read_key_file(path.expanduser().absolute()) if path else (None, ())
