"""From a /usr tree to a bootable disk: erofs and its verity hash tree, file systems, partition table.

Needs no root and no loop devices.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from flatkit.errors import ImageError
from flatkit.files import hash_file
from flatkit.images.lab import recipe
from flatkit.run import run
from flatkit.untrusted import lines_of

_MIB = 1024 * 1024
_CLUSTER = 64 * 1024  # of qcow2: its unit of storage
_BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class UsrImage:
    """A file with a /usr file system and its hash tree behind it: `hash_offset` in bytes, `root_hash` hex."""

    path: Path
    hash_offset: int
    root_hash: str
    uuid: str


def usr_image(tree: Path, target: Path, *, salt: str) -> UsrImage:
    """Pack a /usr tree as erofs and append its dm-verity hash tree; the same tree and salt give the same root hash."""
    uuid = f"{salt[:8]}-{salt[8:12]}-4{salt[13:16]}-8{salt[17:20]}-{salt[20:32]}"
    run(["mkfs.erofs", "-zlz4", "-T0", f"-U{uuid}", "--all-root", target, tree])
    size = target.stat().st_size
    # At least one free MiB, then rounded up to a MiB: an offset that is easy to type.
    hash_offset = (size // _MIB + 1) * _MIB
    with target.open("r+b") as file:
        file.truncate(hash_offset)
    said = run(
        ["veritysetup", "format", "--hash=sha256", f"--data-block-size={_BLOCK}", f"--hash-block-size={_BLOCK}",
         f"--data-blocks={hash_offset // _BLOCK}", f"--hash-offset={hash_offset}", f"--salt={salt}", f"--uuid={uuid}",
         target, target]
    ).stdout  # fmt: skip
    found = re.search(r"^Root hash:\s*([0-9a-f]{64})$", said, re.MULTILINE)
    if not found:
        raise ImageError("veritysetup named no root hash", details=said)
    return UsrImage(path=target, hash_offset=hash_offset, root_hash=found.group(1), uuid=uuid)


def slot_kernel(kernel: Path, target: Path, root_hash: str) -> None:
    """Copy a kernel and insert the root hash of its /usr, where Flatcar's GRUB looks for it."""
    shutil.copyfile(kernel, target)
    with target.open("r+b") as file:
        file.seek(recipe.ROOT_HASH_OFFSET)
        file.write(root_hash.encode())


def sums(folder: Path, names: tuple[str, ...]) -> str:
    """Return the output of `sha256sum` for these files of a folder."""
    return "".join(f"{hash_file(folder / name)}  {name}\n" for name in names)


def esp_image(target: Path, *, kernel: Path, initrd: Path, work: Path) -> None:
    """Create EFI-SYSTEM: slot A's kernel and initrd with their sums, and the flag file for the first boot."""
    slot = work / "slot"
    slot.mkdir()
    kernel.rename(slot / "vmlinuz-a")
    initrd.rename(slot / "initrd-a")
    (slot / "sums-a").write_text(sums(slot, ("vmlinuz-a", "initrd-a")))
    partition = next(p for p in recipe.PARTITIONS if p.label == "EFI-SYSTEM")
    run(["mkfs.vfat", "-F", "32", "-n", "EFI-SYSTEM", "--invariant", "-C", target, str(partition.mib * 1024)])
    run(["mmd", "-i", target, "::flatcar"])
    for path in sorted(slot.iterdir()):
        run(["mcopy", "-i", target, path, f"::flatcar/{path.name}"])
    run(["mcopy", "-i", target, "-", "::flatcar/first_boot"], input="")


def oem_image(target: Path) -> None:
    """Create OEM with its grub.cfg, as vfat, which the selector can read."""
    partition = next(p for p in recipe.PARTITIONS if p.label == "OEM")
    run(["mkfs.vfat", "-F", "32", "-n", "OEM", "--invariant", "-C", target, str(partition.mib * 1024)])
    run(["mcopy", "-i", target, "-", "::grub.cfg"], input=recipe.OEM_GRUB_CFG)


def ext4_image(target: Path, *, label: str) -> None:
    """Create an empty ext4 file system of the size of its partition."""
    partition = next(p for p in recipe.PARTITIONS if p.label == label)
    options = "lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0,hash_seed=8e2ab2b3-7a4f-4d4c-9d5e-6a1f0f7d2c11"
    command = ["mke2fs", "-q", "-F", "-t", "ext4", "-L", label, "-m", "1", "-E", options]
    if partition.mib >= 1024:
        command += ["-J", "size=32"]
    run([*command, target, f"{partition.mib}M"])


def partition_table() -> str:
    """Return the table as an sfdisk script; sizes in 512-byte sectors, the first partition at sector 4096 as on Flatcar."""
    lines = ["label: gpt", f"label-id: {recipe.DISK_GUID}", "unit: sectors", "sector-size: 512", "grain: 2097152"]
    start = 4096
    for row in recipe.PARTITIONS:
        sectors = row.mib * 2048
        line = f'{row.number} : start={start}, size={sectors}, type={row.type_guid}, name="{row.label}"'
        line += f", uuid={row.guid}" if row.guid else ""
        line += f', attrs="{row.attributes}"' if row.attributes else ""
        lines.append(line)
        start += -(-sectors // 4096) * 4096
    return "\n".join(lines) + "\n"


def offsets() -> dict[str, int]:
    """Return the offset of each partition on the disk, in bytes, by label."""
    found: dict[str, int] = {}
    for line in lines_of(partition_table()):
        match = re.search(r'start=(\d+),.*name="([^"]+)"', line)
        if match:
            found[match.group(2)] = int(match.group(1)) * 512
    return found


def _data_ranges(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the begin and end of each stretch of data in a sparse file."""
    end = 0
    while end < size:
        try:
            begin = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole is left
            return
        end = os.lseek(descriptor, begin, os.SEEK_HOLE)
        yield begin, end


def _write_at(disk: Path, offset: int, source: Path) -> None:
    """Copy `source` into the disk; its holes stay holes."""
    with source.open("rb") as reader, disk.open("r+b") as writer:
        for begin, end in _data_ranges(reader.fileno(), source.stat().st_size):
            reader.seek(begin)
            writer.seek(offset + begin)
            while begin < end:
                begin += writer.write(reader.read(min(_MIB, end - begin)))


def _copy_range(source: Path, target: Path, *, offset: int, size: int) -> None:
    """Copy `size` bytes from `offset` on into a separate file."""
    with source.open("rb") as reader, target.open("wb") as writer:
        reader.seek(offset)
        while size > 0:
            chunk = reader.read(min(_MIB, size))
            if not chunk:
                raise ImageError(f'"{source}" ends too early', hint="flatkit images rm && flatkit images build-lab")
            writer.write(chunk)
            size -= len(chunk)


def assemble(target: Path, contents: dict[str, Path], *, work: Path, base: Path | None = None) -> None:
    """Write a qcow2 disk with Flatcar's partition table and the given partition contents (by label).

    With a `base`, only the differences from that disk are stored, and reading needs the base.
    """
    raw = work / "disk.raw"
    last = recipe.PARTITIONS[-1]
    with raw.open("wb") as file:
        file.truncate(offsets()[last.label] + last.mib * _MIB + 2 * _MIB)
    run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", raw], input=partition_table())
    for label, source in contents.items():
        _write_at(raw, offsets()[label], source)
    if base:
        _store_difference(raw, target, base=base, work=work)
    else:
        run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, target])
    raw.unlink()


def _store_difference(raw: Path, target: Path, *, base: Path, work: Path) -> None:
    """Write `raw` as a qcow2 on top of `base`; qemu-img itself would store all of it (its -B compares nothing)."""
    old, piece = work / "base.raw", work / "pieces"
    piece.mkdir()
    run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", base, old])
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", target])
    commands: list[str | Path] = []
    for number, (offset, data) in enumerate(differences(old, raw)):
        (piece / str(number)).write_bytes(data)
        commands += ["-c", f"write -q -s {piece / str(number)} {offset} {len(data)}"]
    run(["qemu-io", "-f", "qcow2", *commands, target])
    old.unlink()


def differences(old: Path, new: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the differences between two files of one size, in whole clusters, neighbours joined: offset and new bytes."""
    with old.open("rb") as one, new.open("rb") as other:
        size = new.stat().st_size
        places = {
            start // _MIB
            for file in (one, other)
            for begin, end in _data_ranges(file.fileno(), size)
            for start in range(begin - begin % _MIB, end, _MIB)
        }
        for place in sorted(places):
            one.seek(place * _MIB)
            other.seek(place * _MIB)
            yield from _differing(place * _MIB, one.read(_MIB), other.read(_MIB))


def _differing(offset: int, old: bytes, new: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the stretches of whole clusters in which two pieces differ."""
    begin = None
    for at in range(0, len(new), _CLUSTER):
        same = old[at : at + _CLUSTER] == new[at : at + _CLUSTER]
        if same and begin is not None:
            yield offset + begin, new[begin:at]
            begin = None
        elif not same and begin is None:
            begin = at
    if begin is not None:
        yield offset + begin, new[begin:]


def take_apart(image: Path, *, usr_size: int, work: Path) -> dict[str, Path]:
    """Extract the parts of slot A from a disk, as files `usr`, `kernel` and `initrd` in `work`."""
    raw = work / "disk.raw"
    run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw])
    parts = {name: work / f"{name}.img" for name in ("usr", "kernel", "initrd")}
    _copy_range(raw, parts["usr"], offset=offsets()["USR-A"], size=usr_size)
    esp = f"{raw}@@{offsets()['EFI-SYSTEM']}"
    run(["mcopy", "-i", esp, "::flatcar/vmlinuz-a", parts["kernel"]])
    run(["mcopy", "-i", esp, "::flatcar/initrd-a", parts["initrd"]])
    raw.unlink()
    return parts
