"""QEMU processes of this host, found in /proc, and the locks that QEMU holds on its disks.

libvirt knows only the domains of one daemon, and a host has several: the system's, and one for each user and runtime
directory. /proc shows the QEMU of all of them.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# QEMU locks these bytes of an image while it is open (block/file-posix.c: RAW_LOCK_PERM_BASE, RAW_LOCK_SHARED_BASE).
_LOCK_FROM, _LOCK_BYTES = 100, 200
# struct flock: type, whence, start, length, process.
_FLOCK = "hhqqi"
# QEMU's option -m: "1024", "size=1048576k", "size=2G,slots=4"; without a unit MiB.
_MEMORY = re.compile(r"(?:size=)?([0-9]{1,12})([bkmgtBKMGT]?)(?:,|$)")
_UNITS = {"b": 2**-20, "k": 2**-10, "": 1, "m": 1, "g": 2**10, "t": 2**20}


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """A QEMU process: its process ID, the user ID that it runs as, the words of its command line, the memory that it has."""

    pid: int
    uid: int
    words: tuple[str, ...]
    resident_mib: int = 0

    @property
    def domain(self) -> str:
        """The name that libvirt started it with; "" if it was started otherwise."""
        names = [after for before, after in pairwise(self.words) if before == "-name"]
        found = re.match(r"guest=([^,]+)", names[-1]) if names else None
        return found[1] if found else ""

    @property
    def uuid(self) -> str:
        """The UUID of its domain; "" if the command line names none."""
        return next((after for before, after in pairwise(self.words) if before == "-uuid"), "")

    @property
    def memory_mib(self) -> int:
        """The memory that its guest was promised; 0 if the command line does not say."""
        given = [after for before, after in pairwise(self.words) if before == "-m"]
        found = _MEMORY.match(given[-1]) if given else None
        return int(int(found[1]) * _UNITS[found[2].lower()]) if found else 0

    def uses(self, folder: Path) -> bool:
        """Return True if its command line names a file below a folder, as plain text, as JSON or as QEMU's option list."""
        inside = f"{folder}/"
        spellings = (inside, inside.replace("\\", "\\\\").replace('"', '\\"'), inside.replace(",", ",,"))
        return any(spelling in word for word in self.words for spelling in spellings)


def list_emulators(proc: Path = Path("/proc")) -> Iterator[Emulator]:
    """Yield the QEMU processes that this user can see. A process that has ended but was not reaped is none."""
    for path in proc.glob("[0-9]*/cmdline"):
        try:
            words = tuple(path.read_bytes().decode(errors="surrogateescape").split("\0"))
            if "qemu" in words[0] and not words[0].endswith("qemu-img"):
                yield Emulator(
                    pid=int(path.parent.name),
                    uid=path.parent.stat().st_uid,
                    words=words,
                    resident_mib=_resident(path.parent),
                )
        except OSError:
            continue  # it has ended


def _resident(process: Path) -> int:
    """Return the memory that a process has, in MiB (statm's second field, in pages)."""
    try:
        return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 2**20
    except (OSError, ValueError, IndexError):
        return 0


def find_emulator(
    domain: str, *, uuid: str = "", folder: Path | None = None, proc: Path = Path("/proc")
) -> Emulator | None:
    """Return the QEMU of a machine: by its domain's name or UUID, or by a file of its folder; None if there is none."""
    for emulator in list_emulators(proc):
        is_ours = emulator.domain == domain or (uuid and emulator.uuid == uuid)
        if is_ours or (folder is not None and emulator.uses(folder)):
            return emulator
    return None


def is_disk_open(disk: Path) -> bool:
    """Return True if a QEMU of this kernel has the disk open, also one in a container whose processes are not seen here.

    False where the file cannot be read, or where the system cannot tell.
    """
    try:
        import fcntl

        ask = fcntl.F_OFD_GETLK
    except (ImportError, AttributeError):
        return False
    try:
        descriptor = os.open(disk, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        wish = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _LOCK_FROM, _LOCK_BYTES, 0)
        found = fcntl.fcntl(descriptor, ask, wish)
        return bool(struct.unpack(_FLOCK, found)[0] != fcntl.F_UNLCK)
    except OSError:
        return False
    finally:
        os.close(descriptor)
