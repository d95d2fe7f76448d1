"""The beginning of a qcow2 file, with everything that such a file may ask of its reader."""

from __future__ import annotations

import struct


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
