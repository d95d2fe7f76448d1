"""`flatkit seats archive`, `reset` and `down`: what learners made is kept before anything is removed."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from flatkit.cli.seats_show import show
from flatkit.errors import HostError, UsageError
from flatkit.untrusted import printable

if TYPE_CHECKING:
    from flatkit.seats.settings import Settings

_LEFT_OUT_MAX, _WHY_MAX = 10, 200


def archive(_options: argparse.Namespace) -> int:
    """Write each learner's archive."""
    from flatkit.seats import up
    from flatkit.seats.archive import NAME
    from flatkit.seats.settings import load

    faults = _write_archives(load(up.folder()))
    print(f"Each learner who has an archive has it in their folder too: {NAME}")
    return 1 if faults else 0


def reset(options: argparse.Namespace) -> int:
    """Archive, remove all seats, and open the room with new passwords. Raises HostError if a seat had to be kept."""
    from flatkit.seats import settings, up

    room, unsaved = _prepare(options, "Remove every seat of this room, after archiving the learners' work?")
    up.stop(room)
    kept = up.remove_seats(room, print, unsaved=unsaved)
    made, passwords = up.make_settings(room, room, fresh=True)
    settings.save(made)
    up.begin(made)
    show(made, passwords)
    _tell_kept(kept, "The room is open again, and the PIN is as before", "flatkit seats archive   (once that is fixed)")
    return 0


def down(options: argparse.Namespace) -> int:
    """Archive, and remove the room. Raises HostError if a seat had to be kept."""
    from flatkit.seats import up

    room, unsaved = _prepare(options, "Remove this room, after archiving the learners' work?")
    kept = up.remove_room(room, print, unsaved=unsaved)
    _tell_kept(
        kept, "The room is closed", "flatkit seats down   (once that is fixed; with --no-archive it goes all the same)"
    )
    print(f"The room is gone. Kept: {room.archives}, the images in {room.cache}, and flatkit in {room.bin.parent}.")
    return 0


def _prepare(options: argparse.Namespace, question: str) -> tuple[Settings, dict[str, str]]:
    """Ask, end all seats, and archive; return the room, and why a seat has no archive. Raises HostError, UsageError."""
    from flatkit.seats import up
    from flatkit.seats.settings import load

    room = load(up.folder())
    if not options.yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody can be asked here", hint=f"flatkit seats {options.command} --yes")
        if input(f"{question} [y/N] ").strip().lower() not in {"y", "yes"}:
            raise HostError("nothing was removed")
    if options.no_archive:
        return room, {}
    up.end_seats(room)  # what is saved after the archive would be lost
    return room, _write_archives(room)


def _write_archives(room: Settings) -> dict[str, str]:
    """Write the archives and list them; return why a seat has none."""
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
    return {one.seat: f"not archived: {printable(one.fault, limit=_WHY_MAX)}" for one in done if one.fault}


def _tell_kept(kept: dict[str, str], state: str, hint: str) -> None:
    """Raise HostError if seats had to be kept, with each one's reason."""
    if kept:
        seats = "; ".join(f'"{name}" ({why})' for name, why in sorted(kept.items()))
        raise HostError(f"kept with everything that is in it: the seat {seats}. {state}", hint=hint)
