"""Sizes of memory and disks as people write them: 2048, 512M, 1G, 1.5GiB."""

from __future__ import annotations

import re

from flatkit.errors import UsageError
from flatkit.untrusted import printable

# QEMU and libvirt's tools read "1G" of memory as 1024 MiB. So does everybody who writes "1GB" for a machine.
_MIB = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024**2}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ?(?:([kmgt])(?:i?b)?)?", re.IGNORECASE | re.ASCII)
_MIB_MAX = 2**31 - 1


def find_mib(text: str, *, unit: str = "m") -> float | None:
    """Return a size in MiB; None for a text that is not a size. `unit` (k, m, g, t) is that of a bare number."""
    found = _SIZE.fullmatch(text.strip(" "))
    return float(found[1]) * _MIB[(found[2] or unit).lower()] if found else None


def parse_memory(text: str) -> int:
    """Parse an amount of memory to whole MiB; a bare number counts MiB. Raises UsageError."""
    mib = find_mib(text)
    if mib is None or mib != int(mib) or not 0 < mib <= _MIB_MAX:
        raise UsageError(
            f'the memory "{printable(text)}" is not understood: expected whole MiB, such as 2048, 512M, 1G or 1.5GiB',
            hint="--memory 2G",
        )
    return int(mib)


def parse_disk(text: str) -> int:
    """Parse the size of a disk to whole GiB; a bare number counts GiB. Raises UsageError."""
    mib = find_mib(text, unit="g")
    if mib is None or mib % 1024 or not 0 < mib <= _MIB_MAX:
        raise UsageError(
            f'the disk size "{printable(text)}" is not understood: expected whole GiB, such as 2, 2G or 1T',
            hint="--disk 2G",
        )
    return int(mib) // 1024
