"""Contents of a disk image, looked at before a machine boots from it: a disk, or a text, a web page, a CD, half a file?

QEMU takes every file for a raw disk, and the machine then waits for a boot loader for ever. Layouts: UEFI specification 5.3
(GPT), flatcar/scripts build_library/disk_layout.json (Flatcar's partitions), file(1)'s magic numbers.
"""

from __future__ import annotations

import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path

from flatkit.diskfile import find_format, read_qcow2
from flatkit.errors import CommandFailed, ImageError
from flatkit.files import read_head
from flatkit.run import run
from flatkit.untrusted import lines_of, printable

SECTOR = 512
# A GPT's header and table end here, whatever the disk's size: 34 sectors.
TABLE_BYTES = 34 * SECTOR
# All magic numbers below are in this part.
_HEAD_BYTES = 68 * 1024
_ENTRIES_MAX = 128
# Flatcar's boot loader looks for these by their labels.
FLATCAR_LABELS = ("EFI-SYSTEM", "USR-A", "USR-B", "OEM", "ROOT")

# Files that are not disks, whatever follows: offset, magic number, what it is.
_FILES = (
    (514, b"HdrS", "a kernel"), (0, b"\x7fELF", "a program"), (0, b"MZ", "a program of Windows or UEFI"), (0, b"%PDF", "a PDF"),
    (0, b"\x89PNG", "a picture"), (0, b"\xff\xd8\xff", "a picture"), (0, b"GIF8", "a picture"), (0, b"!<arch>\n", "a package"),
    (0, b"\xed\xab\xee\xdb", "a package"), (0, b"070701", "an initrd (cpio)"), (0, b"070702", "an initrd (cpio)"),
    (257, b"ustar", "a tar archive"), (0, b"SQLite format 3", "a database"),
    (0, b"\x3a\xff\x26\xed", "an Android sparse image"), (0, b"CrAU", "an update payload"),
)  # fmt: skip
# File systems without a partition table: they can be further disks, but nothing boots from them.
_FILE_SYSTEMS = (
    (0, b"hsqs", "a squashfs"), (1024, b"\xe2\xe1\xf5\xe0", "an erofs"),
    (1080, b"\x53\xef", "an ext file system"), (65600, b"_BHRfS_M", "a btrfs"), (0, b"XFSB", "an XFS file system"),
    (54, b"FAT1", "a FAT file system"), (82, b"FAT32", "a FAT file system"), (3, b"NTFS", "an NTFS file system"),
    (536, b"LVM2 001", "an LVM volume"),
)  # fmt: skip
_HINT = "flatkit images fetch stable, then: flatkit up --image stable   (flatkit images list names what is there)"


@dataclass(frozen=True, kw_only=True)
class GptPartition:
    """An entry of a GPT; start and size in bytes."""

    label: str
    type_guid: bytes
    start: int
    size: int


def parse_gpt(start: bytes) -> tuple[GptPartition, ...] | None:
    """Parse the partitions in a disk's first sectors; None without a GPT."""
    if start[SECTOR : SECTOR + 8] != b"EFI PART" or len(start) < TABLE_BYTES:
        return None
    count, size = struct.unpack_from("<II", start, SECTOR + 80)
    found = []
    for number in range(min(count, _ENTRIES_MAX)):
        entry = start[2 * SECTOR + number * size :][:128]
        if size < 128 or len(entry) < 128 or not any(entry[:16]):
            continue
        first, last = struct.unpack_from("<QQ", entry, 32)
        label = entry[56:128].decode("utf-16-le", "replace").split("\0")[0]
        found.append(
            GptPartition(label=label, type_guid=entry[:16], start=first * SECTOR, size=(last - first + 1) * SECTOR)
        )
    return tuple(found)


def copy_range(image: Path, image_format: str, target: Path, *, start: int, size: int) -> None:
    """Copy a range of a disk, in bytes, out of its image. Raises CommandFailed, MissingDependency."""
    # A comma ends a QEMU option, unless it is doubled.
    name = str(image.absolute()).replace(",", ",,")
    # Each driver is explicit: QEMU would guess one from a name such as "nbd:...".
    options = f"driver=raw,offset={start},size={size},file.driver={image_format},file.file.driver=file,file.file.filename={name}"
    if image_format == "raw":
        options = f"driver=raw,offset={start},size={size},file.driver=file,file.filename={name}"
    run(["qemu-img", "convert", "-U", "-O", "raw", "--image-opts", options, target])


def check_boot_disk(path: Path) -> str:
    """Return the format, "qcow2" or "raw", of an image that Flatcar can boot from.

    Raises ImageError for anything else, MissingDependency without qemu-img, which reads a qcow2 file.
    """
    found = find_format(path)
    size, start = _start(path, found)
    shown = f'the image "{printable(path)}"'
    gpt = parse_gpt(start)
    # An ISO image may have a GPT as well.
    is_iso = start[32769:].startswith(b"CD001")
    what = _name_file(start, size) or ("an ISO image, which is for a CD drive" if is_iso else "")
    if what := what or ("" if gpt else _name_file_system(start)):
        raise ImageError(f"{shown} is {what}; expected a disk with Flatcar's partitions", hint=_HINT)
    if gpt is None:
        kind = "a partition table of the old kind (MBR)" if start[510:512] == b"\x55\xaa" else "no partition table"
        raise ImageError(f"{shown} has {kind}; expected a disk with Flatcar's partitions (GPT)", hint=_HINT)
    missing = [label for label in FLATCAR_LABELS if label not in {one.label for one in gpt}]
    if missing:
        there = ", ".join(f'"{printable(one.label, limit=36)}"' for one in gpt) or "none"
        raise ImageError(
            f"{shown} is not Flatcar's: it has no partition {', '.join(missing)}; its partitions are {there}",
            hint=_HINT,
        )
    _check_whole(path, found, size, struct.unpack_from("<Q", start, SECTOR + 32)[0])
    return found


def check_data_disk(path: Path) -> str:
    """Return the format of an image that can be a further disk: blank, partitioned or with a file system. Raises as above."""
    found = find_format(path)
    size, start = _start(path, found)
    if what := _name_file(start, size):
        raise ImageError(
            f'the disk "{printable(path)}" is {what}; expected the image of a disk, or a size in GB', hint="--disk 2"
        )
    if found == "qcow2":
        _check_qcow2(path)
    return found


def _start(path: Path, image_format: str) -> tuple[int, bytes]:
    """Return a disk's size and its first bytes."""
    header = read_qcow2(path) if image_format == "qcow2" else None
    if header is None:
        return path.stat().st_size, read_head(path, _HEAD_BYTES)
    size = min(header.size, _HEAD_BYTES) // SECTOR * SECTOR
    if not size:
        return header.size, b""
    with tempfile.TemporaryDirectory(prefix="flatkit-disk-") as folder:
        target = Path(folder) / "start"
        try:
            copy_range(path, image_format, target, start=0, size=size)
        except CommandFailed as error:
            raise _broken(path, error) from None
        return header.size, target.read_bytes()


def _check_whole(path: Path, image_format: str, size: int, last_sector: int) -> None:
    """Raise ImageError for half a download. A GPT says where its copy at the disk's end is."""
    whole = (last_sector + 1) * SECTOR
    if size < whole:
        raise ImageError(
            f'the image "{printable(path)}" is cut short: {size} bytes are there, its partition table says {whole}',
            hint="fetch it again, or: flatkit images fetch stable",
        )
    if image_format == "qcow2":
        _check_qcow2(path)


def _check_qcow2(path: Path) -> None:
    checked = run(["qemu-img", "check", "-U", "-q", "-f", "qcow2", path.absolute()], check=False)
    if checked.status not in {0, 3, 63}:  # 3: space is lost, nothing else; 63: the format has no check
        raise _broken(path, CommandFailed(checked.stderr.strip() or f"status {checked.status}"))


def _broken(path: Path, error: CommandFailed) -> ImageError:
    said = lines_of(error.details or error.message)
    return ImageError(
        f'the image "{printable(path)}" is damaged or cut short: {printable(said[0] if said else error.message)}',
        hint="fetch it again, or: flatkit images fetch stable",
        details=error.details or error.message,
    )


def _name_file(head: bytes, size: int) -> str:
    """Return in words what a file is that no disk can be; "" for one that may be a disk."""
    if size == 0 and not head:  # files of /proc have no size
        return "empty"
    for at, magic, name in _FILES:
        # Boot sectors of some disks begin with "MZ" too; a kernel has a boot sector's end.
        if head[at:].startswith(magic) and (head[510:512] != b"\x55\xaa" or magic != b"MZ"):
            return name
    if text := _text_of(head):
        first = next((line.strip() for line in lines_of(text) if line.strip()), "")
        begins = f'that begins with "{printable(first, limit=60)}"'
        is_page = "<html" in text[:2000].lower() or "<!doctype html" in text[:2000].lower()
        return f"a web page {begins}: a server's answer instead of the file" if is_page else f"a text {begins}"
    if size < SECTOR:
        return f"too small for a disk ({size} bytes)"
    return ""


def _name_file_system(head: bytes) -> str:
    """Return in words which file system fills a whole disk; "" if none that is known."""
    name = next((name for at, magic, name in _FILE_SYSTEMS if head[at:].startswith(magic)), "")
    return f"{name} without a partition table" if name else ""


def _text_of(head: bytes) -> str:
    """Return the beginning of a text in UTF-8, UTF-16 or an older encoding; "" for other files."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return head[:2000].decode("utf-16", "ignore")
    # Disks have zeros in their first sectors; texts have no control characters but for their lines' ends and colors.
    if any(byte < 32 and byte not in b"\t\n\r\f\x1b" for byte in head[:4096]):
        return ""
    text = head[:4096].decode("utf-8", "replace")
    return text if text.count("\ufffd") <= len(text) // 2 else ""
