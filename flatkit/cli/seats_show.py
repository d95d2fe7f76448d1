"""Output of `flatkit seats` about a room: its address and passwords, and how it is now."""

from __future__ import annotations

import argparse
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit.cli.show import print_json, qr_code
from flatkit.errors import FlatkitError
from flatkit.untrusted import printable, shell_word

if TYPE_CHECKING:
    from flatkit.seats.settings import Settings
    from flatkit.seats.up import Passwords

_LEAST_FREE_MIB = 50


def show(room: Settings, passwords: Passwords | None) -> None:
    """Print where learners come in, and the passwords if they are new."""
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


def status(options: argparse.Namespace) -> int:
    """Print the state of the room and of each seat; return 1 if learners cannot come in as they should."""
    from flatkit.seats import status, up
    from flatkit.seats.settings import load

    room = load(up.folder())
    found = status.look(room)
    is_right = found.is_served and found.tls is None
    if options.json:
        for row in found.seats:
            print_json(event="seat", **asdict(row))
        said = found.tls.message if found.tls else found.tls_warning
        print_json(event="result", ok=is_right, seats=len(found.seats), taken=found.taken, most=room.seats, tls=said)
        return 0 if is_right else 1
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
    if found.tls:
        print(f"Encryption: {found.tls.message}.\n  Next: {found.tls.hint or 'flatkit seats up --tls CERT KEY'}")
    elif found.tls_warning:
        print(f"Encryption: {found.tls_warning}.")
    if not found.is_kept:
        print("Nothing starts the hub again when it ends: its supervisor has ended.\n  Next: flatkit seats up")
    elif not found.is_served:
        print(f"  Next: tail -n 50 {shell_word(room.folder / 'hub.log')}")
    elif not found.tls and not up.shows_certificate(room):
        print("The proxy shows another certificate than the one on the disk now.\n  Next: flatkit seats up")
    return 0 if is_right else 1
