"""Several machines on one host: admission, and the order of boots. Where the host has seats, across all of its users.

Memory that a running guest was promised and has not touched yet still counts as free for the kernel. So flatkit
subtracts promised memory first. Boots take turns: two emulated boots at once take longer than one after the other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flatkit import paths
from flatkit.capacity import processors
from flatkit.emulators import list_emulators
from flatkit.events import Observer, Said
from flatkit.locks import try_lock
from flatkit.machines import host_locks
from flatkit.machines.disks import OVERHEAD_MIB, Room, measure_room
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.store import holding, make_folder
from flatkit.waiting import check_cancel

if TYPE_CHECKING:
    from filelock import BaseFileLock

# Longest time that another flatkit may take from its check for room to its start, in seconds.
_ADMISSION_SECONDS = 120.0
# A boot that takes longer than this no longer delays the others, in seconds.
_LONGEST_TURN = 120.0


def _locks() -> Path:
    # Not in the machines' folder, because these files stay.
    return make_folder(paths.state_dir() / "locks", private=True)


@contextmanager
def admission(cancel: threading.Event | None = None) -> Iterator[None]:
    """Hold a lock from the check for room to the start, so that two machines are not promised the same memory."""
    lock = _locks() / "admission"
    with (
        holding(lock, what="starting another machine", wait=_ADMISSION_SECONDS, cancel=cancel),
        host_locks.admission(_ADMISSION_SECONDS, cancel),
    ):
        yield


def room_left(hypervisor: Hypervisor, room: Room | None = None) -> Room:
    """Return the room for one more machine, in MiB: free memory minus what running guests were promised.

    On this host the guests of every user count, as far as /proc shows them. `room` is the free room of that host;
    without it, this host is measured.
    """
    room = room or measure_room(paths.machines_dir())
    known = [(guest.memory_mib, guest.resident_mib) for guest in hypervisor.running_guests()]
    seen = [(one.memory_mib, one.resident_mib) for one in list_emulators()] if not hypervisor.remote else []
    # The same guests are in both; libvirt's own may be hidden from this user (hidepid, another container).
    promised = max(_still_to_come(known), _still_to_come(seen))
    return Room(memory_mib=max(0, room.memory_mib - promised), disk_mib=room.disk_mib)


def _still_to_come(guests: Iterable[tuple[int, int]]) -> int:
    """Return the memory that guests were promised and do not have yet, of pairs (promised, resident), in MiB."""
    return sum(max(0, promised + OVERHEAD_MIB - resident) for promised, resident in guests)


def turns() -> int:
    """Return the number of machines that may boot at the same time: each keeps two processors busy."""
    return max(1, processors() // 2)


@contextmanager
def turn(observer: Observer, cancel: threading.Event | None = None, *, count: int | None = None) -> Iterator[None]:
    """Wait for a turn to boot, and hold it; after some minutes, continue without one.

    A process that dies releases its turn. Raises Cancelled, HostError.
    """
    shared = host_locks.find_turns() if count is None else []
    own = [] if shared else [_locks() / f"turn-{number}" for number in range(count or turns())]
    pause = cancel or threading.Event()
    began = time.monotonic()
    said = False
    while not (taken := host_locks.take_one(shared) or _take_one(own)) and time.monotonic() - began < _LONGEST_TURN:
        if not said:
            said = True
            observer.notify(
                Said(text="waiting for its turn: another machine is booting, and each would slow the other")
            )
        pause.wait(0.1)
        check_cancel(cancel)
    try:
        yield
    finally:
        if taken:
            taken.release()


def _take_one(places: list[Path]) -> BaseFileLock | None:
    for place in places:
        try:
            lock = try_lock(place, mode=0o600)
        except OSError as error:
            raise paths.refused(place, error, doing="locked") from None
        if lock:
            return lock
    return None
