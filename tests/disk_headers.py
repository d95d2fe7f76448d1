"""The beginning of a qcow2 file, with everything that such a file may ask of its reader, and of a disk with partitions."""

from __future__ import annotations

import struct
from collections.abc import Sequence

FLATCAR = ("EFI-SYSTEM", "BIOS-BOOT", "USR-A", "USR-B", "OEM", "OEM-CONFIG", "ROOT")


def partitioned(labels: Sequence[str] = FLATCAR, *, sectors: int = 256, boot_sector: bytes = b"") -> bytes:
    """Return a disk of so many sectors with a GPT of these partitions, one sector each. Its sums are not computed."""
    header = struct.pack(
        "<8sIIIIQQQQ16sQII", b"EFI PART", 0x10000, 92, 0, 0, 1, sectors - 1, 34, sectors - 34, b"", 2, 128, 128
    )
    entries = b"".join(
        struct.pack("<16s16sQQQ72s", b"type", b"guid", 40 + number, 40 + number, 0, label.encode("utf-16-le"))
        for number, label in enumerate(labels)
    )
    start = boot_sector.ljust(510, b"\0") + b"\x55\xaa" + header.ljust(512, b"\0") + entries
    return start.ljust(sectors * 512, b"\0")


def qcow2_header(
    *, version: int = 3, size: int = 2**20, backing: bytes | None = None, data_file: bytes | None = None, crypt: int = 0
) -> bytes:
    """Return a header for a disk of `size` bytes; `backing` and `data_file` are names of the files that it refers to."""
    features = 1 << 2 if data_file is not None else 0
    at = 72 if version == 2 else 104
    extensions = struct.pack(">II", 0x44415441, len(data_file)) + data_file if data_file is not None else b""
    extensions += bytes(-len(extensions) % 8) + bytes(8)
    head = struct.pack(
        ">4sIQIIQIIQQIIQ",
        b"QFI\xfb", version, at + len(extensions) if backing is not None else 0, len(backing or b""), 16, size, crypt,
        1, 0x30000, 0x10000, 1, 0, 0,
    )  # fmt: skip
    if version != 2:
        head += struct.pack(">QQQII", features, 0, 0, 4, at)
    return (head + extensions + (backing or b"")).ljust(0x40000, b"\0")
