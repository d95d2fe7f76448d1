"""Extract the kernel from a Flatcar disk image, to try it under KVM before a machine is created.

QEMU can load this kernel directly. It is on the partition EFI-SYSTEM as /flatcar/vmlinuz-a (flatcar/scripts,
build_library/grub.cfg). The image is only read.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flatkit.diskcontent import TABLE_BYTES, copy_range, parse_gpt
from flatkit.errors import FlatkitError
from flatkit.run import run

_EFI_SYSTEM = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
_KERNEL = "::/flatcar/vmlinuz-a"


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
    copy_range(disk, disk_format, table, start=0, size=TABLE_BYTES)
    place = find_efi_system(table.read_bytes())
    if place is None:
        return None
    # The output is sparse, and only allocated data is unpacked: fast even for a partition of a gigabyte.
    copy_range(disk, disk_format, esp, start=place[0], size=place[1])
    run(["mcopy", "-i", esp, _KERNEL, kernel])
    return kernel


def find_efi_system(table: bytes) -> tuple[int, int] | None:
    """Return the start and size of EFI-SYSTEM in bytes, or None if there is none."""
    found = [one for one in parse_gpt(table) or () if one.type_guid == _EFI_SYSTEM.bytes_le]
    return (found[0].start, found[0].size) if found else None
