"""State of a room: each seat's processes, machines, memory and disk, as /proc and the disk show them."""

from __future__ import annotations

import os
import pwd
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flatkit.emulators import list_emulators
from flatkit.errors import HostError, UsageError
from flatkit.seats import certificate
from flatkit.seats.accounts import list_accounts, processes_of
from flatkit.seats.settings import Settings
from flatkit.seats.supervisor import read_pid
from flatkit.seats.up import is_served, owners
from flatkit.usage import size_of


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A seat and what it takes, in MiB. Memory is the sum of what each process has to itself and what it shares."""

    name: str
    processes: int
    machines: int
    memory_mib: int
    disk_mib: int


@dataclass(frozen=True, kw_only=True)
class RoomStatus:
    """The room now. `taken` counts the names that somebody owns, also where the seat has not begun.

    `is_kept` is False where no supervisor runs. `disk_mib` is free for the room itself. `tls` is why nobody can come in
    encrypted, now or once the proxy starts again: it holds a certificate in memory that may be gone from the disk.
    """

    is_served: bool
    is_kept: bool
    disk_mib: int
    seats: tuple[Seat, ...]
    taken: int
    tls: UsageError | None = None
    tls_warning: str = ""


def look(settings: Settings) -> RoomStatus:
    """Look at the room."""
    seats = tuple(_seat(settings, user) for user in list_accounts(settings.prefix))
    names = {seat.name for seat in seats}
    with suppress(HostError):  # the login page says that the list cannot be read
        names |= set(owners(settings))
    tls, tls_warning = _check_tls(settings)
    return RoomStatus(
        is_served=is_served(settings),
        is_kept=read_pid(settings.folder) is not None,
        disk_mib=shutil.disk_usage(settings.folder).free // 2**20,
        seats=seats,
        taken=len(names),
        tls=tls,
        tls_warning=tls_warning,
    )


def _check_tls(settings: Settings) -> tuple[UsageError | None, str]:
    """Return what is wrong with the certificate and key on the disk, and a warning about them."""
    if not settings.certificate:
        return None, ""
    try:
        return None, certificate.check(Path(settings.certificate), Path(settings.key)).warning
    except UsageError as error:
        return error, ""


def _seat(settings: Settings, user: pwd.struct_passwd) -> Seat:
    processes = list(processes_of(user.pw_uid))
    return Seat(
        name=user.pw_name.removeprefix(settings.prefix),
        processes=len(processes),
        machines=sum(emulator.uid == user.pw_uid for emulator in list_emulators()),
        memory_mib=sum(map(_memory, processes)),
        disk_mib=size_of(Path(user.pw_dir)) // 2**20,
    )


def _memory(process: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") // 2**20
    return 0
