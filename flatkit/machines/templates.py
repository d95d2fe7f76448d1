"""Templates: a machine that was saved while its initrd waits for a config. First boots continue a copy of it.

Everything that differs between machines is created after that point (`await_machine` in the lab image's initrd). A
template contains neither config nor key. It is stored in its image's folder, and is removed together with the image.
Only flatkit reads it: a machine gets a copy of its own, so that no machine depends on a template.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flatkit.errors import HostError, MachineError
from flatkit.fields import Fields
from flatkit.files import read_regular
from flatkit.machines.disks import ROOM_MIB
from flatkit.machines.domain import DomainFiles, Tag, build_domain
from flatkit.machines.spec import Accelerator, MachineSpec
from flatkit.machines.store import holding
from flatkit.untrusted import parse_json, printable

# What the lab image's initrd prints (images/lab/files/initrd/init).
WAITING = "lab-initrd: template: waiting for a machine"
CONTINUED = "lab-initrd: template: continued"
# Name of the snapshot inside a template's disk.
SNAPSHOT = "template"

# An image that can be a template has this folder beside its disk.
_FOLDER = "templates"
# A change of what a saved machine's memory depends on, or of a template's files, needs another number.
_FORMAT = 1
# Each kind of machine (memory, processors) has a template of about 250 MB; so many of an image are kept.
_MOST = 3
_CHUNK = 4 * 1024 * 1024
_FACTS_MAX = 64 * 1024
_CONSOLE_MAX = 4 * 1024 * 1024
# Usual size of a template, in MiB: without that much room none is begun.
_USUAL_MIB = 300
# Longest wait for another flatkit that makes the same template, in seconds.
_OTHER_MAKER = 300.0


@dataclass(frozen=True, kw_only=True)
class Template:
    """A saved machine: `disk` contains its memory, `console` is what it had printed, `made` a time in ISO 8601."""

    disk: Path
    console: bytes
    made: str
    size: int
    checksum: int

    @property
    def clock(self) -> str:
        """Time at which it was made, for the user."""
        return self.made[:16].replace("T", " ")

    def copy_disk(self, target: Path) -> None:
        """Copy the disk over a machine's own. Raises MachineError if the template is torn, OSError."""
        if _copy(self.disk, target) != (self.size, self.checksum):
            raise MachineError(f'the template "{self.disk}" is not as it was written', hint="flatkit up --cold")


@dataclass(frozen=True, kw_only=True)
class Library:
    """The templates of one image. `key` names the template for one kind of machine on this host."""

    folder: Path
    key: str

    def find(self) -> Template | None:
        """Return the template; None if there is none, or if its description cannot be read."""
        try:
            facts = Fields(parse_json(read_regular(self._path / "template.json", limit=_FACTS_MAX)))
            template = Template(
                disk=self._path / "disk.qcow2",
                console=read_regular(self._path / "console.log", limit=_CONSOLE_MAX),
                made=printable(facts.text("made")),
                size=facts.number("size"),
                checksum=facts.number("checksum"),
            )
        except (OSError, ValueError):
            return None
        with suppress(OSError):  # another user's cache
            os.utime(self._path)
        return template

    def add(self, disk: Path, console: bytes) -> Template:
        """Store a copy of a saved machine's disk, and remove templates that were not used for longest.

        Raises HostError if the cache has no room, OSError. The caller holds the lock.
        """
        for leftover in self.folder.glob(".part-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        self._check_room(disk.stat().st_blocks // 2**11)
        work = Path(tempfile.mkdtemp(prefix=".part-", dir=self.folder))
        try:
            size, checksum = _copy(disk, work / "disk.qcow2")
            (work / "console.log").write_bytes(console)
            made = datetime.now(UTC).isoformat(timespec="seconds")
            facts = {"made": made, "size": size, "checksum": checksum}
            (work / "template.json").write_text(json.dumps(facts) + "\n")
            for path in work.iterdir():
                path.chmod(0o444)
            work.chmod(0o755)
            self.discard()
            work.rename(self._path)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self._remove_unused()
        return Template(disk=self._path / "disk.qcow2", console=console, made=made, size=size, checksum=checksum)

    def discard(self) -> None:
        """Remove the template, if it exists and is ours."""
        shutil.rmtree(self._path, ignore_errors=True)

    def give_up(self) -> None:
        """Make no more templates of this kind: a new one could not be continued on this host."""
        self.discard()
        with suppress(OSError):
            self._given_up.touch()

    @contextmanager
    def locked(self, cancel: threading.Event | None, *, waiting: Callable[[], None]) -> Iterator[None]:
        """Hold the lock for making a template of this image; `waiting` is called once if another flatkit makes one.

        Raises MachineError, HostError, Cancelled.
        """
        if self._given_up.exists():
            raise MachineError(f'no template worked here earlier; to try again, remove "{self._given_up}"')
        if not os.access(self.folder, os.W_OK):
            raise HostError(f'there is none, and only the user who owns "{self.folder}" can make one, by a first boot')
        # Before anything is booted for it.
        self._check_room(_USUAL_MIB)
        lock, what = self.folder / ".lock", "a template of the image"
        with holding(lock, what=what, wait=_OTHER_MAKER, cancel=cancel, waiting=waiting):
            yield

    @property
    def _path(self) -> Path:
        return self.folder / self.key

    @property
    def _given_up(self) -> Path:
        return self.folder / f"{self.key}.given-up"

    def _check_room(self, size: int) -> None:
        free, needed = shutil.disk_usage(self.folder).free // 2**20, size + ROOM_MIB
        if free < needed:
            raise HostError(f"a template may need {needed} MiB of the cache's disk, and {free} MiB are free")

    def _remove_unused(self) -> None:
        found = [path for path in self.folder.iterdir() if path.is_dir()]
        for path in sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)[_MOST:]:
            shutil.rmtree(path, ignore_errors=True)


def is_enabled() -> bool:
    """Return False if first boots must not continue templates: `FLATKIT_TEMPLATES` is 0."""
    return os.environ.get("FLATKIT_TEMPLATES") != "0"


def find_library(spec: MachineSpec, accelerator: Accelerator, *, versions: Sequence[str]) -> Library | None:
    """Return the templates that fit such a machine; None if it must boot from its firmware on.

    `versions` are those of the emulator and of libvirt.
    """
    folder = spec.disk.parent / _FOLDER
    # Other disks are other hardware, and QEMU cannot change a disk's size in a saved machine.
    is_plain = spec.boot is not None and not spec.extra_disks and spec.disk_gib is None
    if not is_plain or not folder.is_dir():
        return None
    return Library(folder=folder, key=_fingerprint(spec, accelerator, versions))


def _fingerprint(spec: MachineSpec, accelerator: Accelerator, versions: Sequence[str]) -> str:
    """Return a digest of everything that a saved memory depends on: the hardware, the image, the programs that run it."""
    plain = replace(spec, name="template", label="", ignition="", forwards=())
    files = DomainFiles(overlay=Path("/overlay"), console=Path("/console"))
    tag = Tag(owner="", name="template")
    xml = build_domain(plain, tag=tag, accelerator=accelerator, files=files, forwards=())
    parts = [str(_FORMAT), xml, str(spec.disk), *versions]
    if accelerator is Accelerator.KVM:
        # The guest has seen the host's own processor.
        parts += [platform.release(), _processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    with suppress(OSError):
        first = Path("/proc/cpuinfo").read_text().split("\n\n", 1)[0]
        return "\n".join(
            line for line in first.split("\n") if line.startswith(("model", "stepping", "microcode", "flags"))
        )
    return platform.processor()


def _copy(source: Path, target: Path) -> tuple[int, int]:
    """Copy a file, and return its size in bytes and its CRC-32."""
    size = checksum = 0
    with source.open("rb") as old, target.open("wb") as new:
        while chunk := old.read(_CHUNK):
            size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
            new.write(chunk)
    return size, checksum
