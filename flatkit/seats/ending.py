"""The end of a seat: its machines are switched off in order and stay on disk, then everything that it runs ends."""

from __future__ import annotations

import pwd
from pathlib import Path

from flatkit.errors import FlatkitError
from flatkit.run import run
from flatkit.seat_env import BOARD, SEAT
from flatkit.seats.accounts import as_user, end_processes
from flatkit.seats.settings import Settings

# Longest time for the machines of one seat to switch off, in seconds.
_STOP_SECONDS = 120.0


def environment_of(settings: Settings, seat: str) -> dict[str, str]:
    """Return the variables of flatkit in a seat: the same for its server, for hooks and for logins."""
    board = {BOARD: f"http://127.0.0.1:{settings.board_port}/services/board"} if settings.board_port else {}
    return {SEAT: seat, "FLATKIT_SHARED_CACHE": str(settings.cache), **board}


def flatkit_as(settings: Settings, user: pwd.struct_passwd, *words: str) -> list[str]:
    """Return the command that calls flatkit as a seat's user."""
    seat = user.pw_name.removeprefix(settings.prefix)
    return as_user(user, [str(settings.bin / "flatkit"), *words], **environment_of(settings, seat))


def end_seat(settings: Settings, user: pwd.struct_passwd) -> str:
    """Switch a seat's machines off, and end its processes; return what went wrong, or "". Nothing of its files is lost."""
    said = ""
    try:
        done = run(flatkit_as(settings, user, "seat", "stop"), cwd=Path("/"), timeout=_STOP_SECONDS, check=False)
        said = "" if done.status == 0 else (done.stderr or done.stdout).strip()
    except FlatkitError as error:
        said = error.message
    end_processes(user.pw_uid)
    return said
