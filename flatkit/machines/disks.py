"""A machine's disks, and the check that this host has room for the machine.

The base image stays unchanged. Each machine writes to its own overlay (qcow2), which makes a fresh machine cheap.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flatkit.capacity import available_memory_mib
from flatkit.diskfile import find_fault, find_format, hint_for, read_qcow2
from flatkit.errors import HostError, ImageError
from flatkit.machines.access import make_private
from flatkit.machines.domain import DomainFiles
from flatkit.machines.spec import MachineSpec
from flatkit.paths import cache_layers, machines_dir
from flatkit.run import run
from flatkit.untrusted import parse_json, printable
from flatkit.usage import advise

# Disk space that a machine writes on its first boot and in a lesson, with a margin.
ROOM_MIB = 512
# Memory that QEMU and libvirt take besides the guest's memory.
OVERHEAD_MIB = 200


@dataclass(frozen=True, kw_only=True)
class Room:
    """Free memory and disk space of a host, in MiB."""

    memory_mib: int
    disk_mib: int


def measure_room(folder: Path) -> Room:
    """Measure the memory and disk space that are free for a machine in `folder`."""
    there = folder
    while not there.exists():
        there = there.parent
    return Room(memory_mib=available_memory_mib(), disk_mib=shutil.disk_usage(there).free // 2**20)


def check_room(spec: MachineSpec, room: Room) -> None:
    """Raise HostError if the machine would not fit."""
    needed = spec.memory_mib + OVERHEAD_MIB
    if room.memory_mib < needed:
        raise HostError(
            f'the machine "{spec.name}" needs {needed} MiB of memory, and {room.memory_mib} MiB are free on this host '
            "when the machines that run take what they were promised",
            hint="stop another machine (flatkit list, flatkit stop NAME), or ask for less: flatkit up --memory 768",
        )
    if room.disk_mib < ROOM_MIB:
        raise HostError(
            f'the machine "{spec.name}" needs {ROOM_MIB} MiB of disk, and {room.disk_mib} MiB are free',
            hint=advise(machines_dir(), spare=spec.name),
        )


def check_images(spec: MachineSpec) -> None:
    """Raise ImageError if a file that the machine boots from is missing, or refers to other files of this host."""
    boot = (spec.boot.kernel, spec.boot.initrd) if spec.boot else ()
    for path in (spec.disk, *boot, *spec.extra_images):
        if fault := find_fault(path):
            raise ImageError(f'the image file "{printable(path)}" {fault}', hint=hint_for(path))
    _check_disk(spec)
    for path in spec.extra_images:
        find_format(path)


def _check_disk(spec: MachineSpec) -> None:
    """Check the first disk. An image that was raw at first stays raw, whatever its first bytes are now."""
    # The lab image's later releases contain only what differs from the first one.
    if (
        spec.disk_format == "qcow2"
        and find_format(spec.disk, below=[layer / "lab" for layer in cache_layers()]) != "qcow2"
    ):
        raise ImageError(
            f'the image file "{printable(spec.disk)}" is not a qcow2 file any more', hint="flatkit images list"
        )


def make_disks(spec: MachineSpec, files: DomainFiles) -> None:
    """Create the overlay on the image, and the extra disks.

    Raises CommandFailed, MissingDependency, ImageError, OSError.
    """
    for path in (files.overlay, *files.extra_disks):
        # qemu-img would make it readable for every user, but keeps the mode of an existing file.
        make_private(path)
    for words in disk_commands(spec, files):
        run(words)


def disk_commands(
    spec: MachineSpec, files: DomainFiles, *, at: Callable[[Path], Path] = Path.absolute
) -> Iterator[list[str]]:
    """Yield the commands that create the disks. Raises ImageError.

    `at` returns the path where QEMU finds an image. Every path is absolute and every format is explicit: QEMU would not
    treat "json:..." or "nbd:..." as a file.
    """
    _check_disk(spec)
    create = ["qemu-img", "create", "-q", "-f", "qcow2"]
    # A disk that is smaller than the image would lose the end of its partition table.
    gib = spec.disk_gib
    size = [f"{gib}G"] if gib and gib * 2**30 > measure_image(spec.disk, spec.disk_format) else []
    yield [*create, "-b", str(at(spec.disk)), "-F", spec.disk_format, str(files.overlay.absolute()), *size]
    empty = len(spec.extra_disks_gib)
    for path, gib in zip(files.extra_disks[:empty], spec.extra_disks_gib, strict=True):
        yield [*create, str(path.absolute()), f"{gib}G"]
    for path, image in zip(files.extra_disks[empty:], spec.extra_images, strict=True):
        yield [*create, "-b", str(at(image)), "-F", find_format(image), str(path.absolute())]


def measure_image(image: Path, image_format: str) -> int:
    """Return the size of an image's disk, in bytes."""
    found = read_qcow2(image)
    return found.size if image_format == "qcow2" and found else image.stat().st_size


def saved_memory_bytes(overlay: Path, snapshot: str) -> int:
    """Return the size of a snapshot's memory inside the overlay, in bytes; 0 if there is none.

    This also works while the machine runs.
    """
    # -U: the running QEMU holds the file's lock, and the values that are read here do not change.
    return parse_saved_memory(
        run(["qemu-img", "info", "-U", "-f", "qcow2", "--output=json", str(overlay.absolute())]).stdout, snapshot
    )


def parse_saved_memory(said: str, snapshot: str) -> int:
    """Parse the same size from the JSON of `qemu-img info`; 0 if the text is invalid."""
    try:
        sizes = {entry["name"]: int(entry["vm-state-size"]) for entry in parse_json(said).get("snapshots", [])}
        return sizes.get(snapshot, 0)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError):
        return 0
