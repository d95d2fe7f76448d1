"""Extract the kernel from a Flatcar disk image, to try it under KVM before a machine is created.

QEMU can load this kernel directly. It is on the partition EFI-SYSTEM as /flatcar/vmlinuz-a (flatcar/scripts,
build_library/grub.cfg). The image is only read.
"""

from __future__ import annotations

import struct
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flatkit.errors import FlatkitError
from flatkit.run import run

_SECTOR = 512
_EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_KERNEL = "::/flatcar/vmlinuz-a"
# A GPT's header and table end here, whatever the disk's size: 34 sectors.
_TABLE_BYTES = 34 * _SECTOR


@contextmanager
def kernel_of(disk: Path, disk_format: str) -> Iterator[Path | None]:
    """Yield the kernel of slot A as a temporary file; None if there is none (or no mtools to read it with)."""
    with tempfile.TemporaryDirectory(prefix="flatkit-kernel-") as name:
        folder = Path(name)
        try:
            found = _extract(disk, disk_format, folder)
        except (FlatkitError, OSError):
            found = None
        yield found


def _extract(disk: Path, disk_format: str, folder: Path) -> Path | None:
    table, esp, kernel = folder / "table", folder / "esp", folder / "vmlinuz"
    _cut(disk, disk_format, table, start=0, size=_TABLE_BYTES)
    place = find_efi_system(table.read_bytes())
    if place is None:
        return None
    # The output is sparse, and only allocated data is unpacked: fast even for a partition of a gigabyte.
    _cut(disk, disk_format, esp, start=place[0], size=place[1])
    run(["mcopy", "-i", esp, _KERNEL, kernel])
    return kernel


def _cut(disk: Path, disk_format: str, target: Path, *, start: int, size: int) -> None:
    # A comma ends a QEMU option, unless it is doubled.
    name = str(disk.absolute()).replace(",", ",,")
    # Each driver is explicit: QEMU would guess one from a name such as "nbd:...".
    image = f"driver=raw,offset={start},size={size},file.driver={disk_format},file.file.driver=file,file.file.filename={name}"
    if disk_format == "raw":
        image = f"driver=raw,offset={start},size={size},file.driver=file,file.filename={name}"
    run(["qemu-img", "convert", "-O", "raw", "--image-opts", image, target])


def find_efi_system(table: bytes) -> tuple[int, int] | None:
    """Return the start and size of EFI-SYSTEM in bytes, or None if there is none.

    They are read from a disk's first 34 sectors (UEFI specification, 5.3).
    """
    if table[_SECTOR : _SECTOR + 8] != b"EFI PART" or len(table) < _TABLE_BYTES:
        return None
    count, size = struct.unpack_from("<II", table, _SECTOR + 80)
    for number in range(min(count, 128)):
        at = 2 * _SECTOR + number * size
        if table[at : at + 16] == _EFI_SYSTEM.bytes_le:
            first, last = struct.unpack_from("<QQ", table, at + 32)
            return first * _SECTOR, (last - first + 1) * _SECTOR
    return None
