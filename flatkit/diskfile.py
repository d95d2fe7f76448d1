"""Disk images from outside: a file's format, read from its first bytes alone, and forbidden references to other files.

A qcow2 file may name other files of this host as parts of itself (a backing file, an external data file), and QEMU
follows those names. Images of other formats may do the same. flatkit reads the header itself and always gives QEMU a
format, so that QEMU never guesses. Layout: QEMU's docs/interop/qcow2.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatkit.accounts import find_obstacle, my_uid, why_refused
from flatkit.errors import ImageError
from flatkit.files import kind_of, read_head
from flatkit.untrusted import printable, shell_word

QCOW2_MAGIC = b"QFI\xfb"
# All header extensions fit: the largest cluster has 2 MiB, and QEMU's own header takes a few hundred bytes.
_HEAD_BYTES = 64 * 1024
_NAME_MAX = 1023
_FORMAT, _DATA_FILE, _LUKS = 0xE2792ACA, 0x44415441, 0x0537BE77
_DATA_FILE_BIT = 1 << 2
# Dirty, corrupt, external data file, compression type, extended L2 entries.
_KNOWN_BITS = 0b11111

_OTHERS = (
    (0, b"KDMV", "vmdk"), (0, b"COWD", "vmdk"), (0, b"# Disk DescriptorFile", "vmdk"), (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"vhdxfile", "vhdx"), (0, b"conectix", "vpc"), (0, b"QED\0", "qed"), (0, b"WithoutFreeSpace", "parallels"),
    (0, b"WithouFreSpacExt", "parallels"), (0, b"LUKS\xba\xbe", "luks"),
)  # fmt: skip
# Magic number, program, and the suffix that the program wants a file to have ("": any name will do).
_PACKED = (
    (b"BZh", "bunzip2", ".bz2"), (b"\x1f\x8b", "gunzip", ".gz"), (b"\xfd7zXZ\0", "unxz", ".xz"),
    (b"\x28\xb5\x2f\xfd", "unzstd", ".zst"), (b"PK\x03\x04", "unzip", ""), (b"\x04\x22\x4d\x18", "unlz4", ".lz4"),
    (b"7z\xbc\xaf\x27\x1c", "7z x", ""),
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Qcow2:
    """Facts of a qcow2 header: the disk's size in bytes, and the other files that it refers to."""

    size: int
    backing: str | None = None
    backing_format: str = ""
    has_data_file: bool = False
    is_encrypted: bool = False


def parse_qcow2(head: bytes) -> Qcow2:
    """Parse the first bytes of a qcow2 file. Raises ValueError for an invalid header."""
    if head[:4] != QCOW2_MAGIC or len(head) < 72:
        raise ValueError("a header that is cut short")
    version, at, length, bits, size, crypt = struct.unpack_from(">IQIIQI", head, 4)
    if version not in {2, 3}:
        raise ValueError(f"version {version}; expected 2 or 3")
    if not 9 <= bits <= 21:
        raise ValueError(f"clusters of 2^{bits} bytes; expected 2^9 to 2^21")
    features, header_end = 0, 72
    if version == 3:
        if len(head) < 104:
            raise ValueError("a header that is cut short")
        features, header_end = struct.unpack_from(">Q", head, 72)[0], struct.unpack_from(">I", head, 100)[0]
    if features & ~_KNOWN_BITS:
        raise ValueError(f"features that are not known here (0x{features:x})")
    if not 72 <= header_end <= len(head):
        raise ValueError(f"a header of {header_end} bytes")
    extensions = _parse_extensions(head, header_end, at or len(head))
    return Qcow2(
        size=size,
        backing=_name(head, at, length) if at else None,
        backing_format=extensions.get(_FORMAT, b"").decode(errors="replace"),
        has_data_file=bool(features & _DATA_FILE_BIT) or _DATA_FILE in extensions,
        is_encrypted=crypt != 0 or _LUKS in extensions,
    )


def _parse_extensions(head: bytes, at: int, end: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while at + 8 <= min(end, len(head)):
        kind, length = struct.unpack_from(">II", head, at)
        if kind == 0:
            return found
        if at + 8 + length > len(head):
            raise ValueError("a header extension that does not end")
        found[kind] = head[at + 8 : at + 8 + length]
        at += 8 + (length + 7) // 8 * 8
    return found


def _name(head: bytes, at: int, length: int) -> str:
    if length > _NAME_MAX or at + length > len(head):
        raise ValueError(f"a backing file's name of {length} bytes at {at}")
    return head[at : at + length].decode(errors="surrogateescape")


def read_qcow2(path: Path) -> Qcow2 | None:
    """Return the facts of a qcow2 file's header, None for a file of another format. Raises ImageError."""
    head = _read_head(path)
    if not head.startswith(QCOW2_MAGIC):
        return None
    try:
        return parse_qcow2(head)
    except ValueError as error:
        raise ImageError(
            f'the image "{printable(path)}" is not a valid qcow2 file: it has {error}', hint=_HINT
        ) from None


def find_format(path: Path, *, below: Sequence[Path] = ()) -> str:
    """Return the format of a disk image, "qcow2" or "raw", when it consists of this file alone.

    `below` are the folders of flatkit's own images. One of them may have another of them as its backing file. Raises
    ImageError for a file that refers to others, is encrypted, compressed or in a format that flatkit does not boot, or
    cannot be read.
    """
    head = _read_head(path)
    shown = printable(path)
    for start, program, suffix in _PACKED:
        if head.startswith(start):
            word = shell_word(path)
            raise ImageError(
                f'the image "{shown}" is compressed; expected a qcow2 or raw disk image',
                hint=f"{program} {word}" if path.name.endswith(suffix) else f"{program} < {word} > {word}.img",
            )
    for at, magic, name in _OTHERS:
        if head[at:].startswith(magic):
            raise ImageError(f'the image "{shown}" is in the format {name}; expected qcow2 or raw', hint=_HINT)
    found = read_qcow2(path)
    if found is None:
        return "raw"
    if found.has_data_file:
        raise ImageError(
            f'the image "{shown}" keeps its data in another file, which is not followed; expected a file on its own',
            hint=_HINT,
        )
    if found.is_encrypted:
        raise ImageError(f'the image "{shown}" is encrypted; expected a disk image that can be read', hint=_HINT)
    if found.backing is not None and not (below and _is_own(path, found, below)):
        raise ImageError(
            f'the image "{shown}" has the backing file "{printable(found.backing)}", which is not followed; expected a file on '
            "its own",
            hint=_HINT,
        )
    return "qcow2"


_HINT = "take an image of one file, qcow2 or raw   (flatkit images list names Flatcar's own)"


def _is_own(path: Path, found: Qcow2, below: Sequence[Path]) -> bool:
    """Tell whether a disk and its backing file are both flatkit's own, and the backing file refers to no other."""
    backing = Path(found.backing or "")
    folders = [folder.resolve() for folder in below]
    if not backing.is_absolute():
        return False
    if not all(any(file.resolve().is_relative_to(folder) for folder in folders) for file in (path, backing)):
        return False
    return found.backing_format == find_format(backing) == "qcow2"


def _read_head(path: Path) -> bytes:
    if fault := find_fault(path):
        raise ImageError(f'the image file "{printable(path)}" {fault}', hint=hint_for(path))
    try:
        return read_head(path, _HEAD_BYTES)
    except OSError as error:
        why = why_refused(path, error)
        raise ImageError(f'the image file "{printable(path)}" cannot be read: {why}', hint=hint_for(path)) from None


def find_fault(path: Path) -> str:
    """Return in words why a path leads to no regular file, such as "is a device"; "" for a regular file."""
    try:
        kind = kind_of(os.stat(path).st_mode)  # noqa: PTH116
    except FileNotFoundError:
        there = next((above for above in (path, *path.parents) if above.is_symlink()), None)
        if there is None or there.exists():
            return "is not there"
        link = "" if there == path else f': "{printable(there)}" is a link'
        leads = f'to "{printable(there.readlink())}", which is not there'
        return f"is not there{link} {leads}" if link else f"is a link {leads}"
    except OSError as error:
        return f"cannot be reached: {why_refused(path, error)}"
    return f"is {kind}" if kind else ""


def hint_for(path: Path) -> str:
    """Return the command that comes next after a file that is not an image, or that the user may not read."""
    obstacle = find_obstacle(path, write=False)
    if obstacle is None:
        return "flatkit images list"
    if obstacle.uid == my_uid():
        return obstacle.cure
    return f"sudo install -o {my_uid()} -m 600 {shell_word(path)} .   (a copy of your own, in this folder)"
