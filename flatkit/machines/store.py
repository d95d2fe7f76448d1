"""What flatkit keeps about a machine on disk: one folder each, with a record that is written whole or not at all.

<state>/machines/<name>/  machine.json  overlay.qcow2  disk1.qcow2 ...  config.ign
                          console.log  hostkeys.json  known_hosts  checkpoints/NAME.json
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from flatkit import paths
from flatkit.errors import Cancelled, HostError, MachineError, MachineNotFound
from flatkit.machines.domain import DomainFiles
from flatkit.machines.spec import Accelerator, Forward, MachineSpec, check_name, spec_from_dict

_FORMAT = 1


def owner_id() -> str:
    """Eight hex digits that stand for this host's state folder: two folders, or two hosts, never touch each other's."""
    host = _host_id()
    return hashlib.sha256(f"{host}:{paths.state_dir()}".encode()).hexdigest()[:8]


def _host_id() -> str:
    with suppress(OSError):
        text = Path("/etc/machine-id").read_text().strip()
        if text and text != "uninitialized":
            return text
    return socket.gethostname()


class Life(str, Enum):
    """How far a machine got in its life, as its record says."""

    MAKING = "making"
    READY = "ready"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known about a machine besides its files. `forwards` are the real ones, SSH among them."""

    spec: MachineSpec
    uuid: str
    domain: str
    accelerator: Accelerator
    forwards: tuple[Forward, ...]
    created: str
    life: Life = Life.MAKING
    cause: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready values. The Ignition text is left out: it stands in a file of its own."""
        spec = self.spec.as_dict()
        del spec["ignition"]
        return {
            "format": _FORMAT,
            "spec": spec,
            "uuid": self.uuid,
            "domain": self.domain,
            "accelerator": self.accelerator.value,
            "forwards": [{"host": forward.host, "guest": forward.guest} for forward in self.forwards],
            "created": self.created,
            "life": self.life.value,
            "cause": self.cause,
        }


def _record_from(values: dict[str, Any], ignition: str) -> Record:
    return Record(
        spec=spec_from_dict({**values["spec"], "ignition": ignition}),
        uuid=values["uuid"],
        domain=values["domain"],
        accelerator=Accelerator(values["accelerator"]),
        forwards=tuple(Forward(**forward) for forward in values["forwards"]),
        created=values["created"],
        life=Life(values["life"]),
        cause=values["cause"],
    )


def make_folder(path: Path) -> Path:
    """Make a folder that QEMU can enter: for root it runs as libvirt's own user."""
    mode = 0o711 if os.geteuid() == 0 else 0o700
    for folder in (*reversed(path.parents), path):
        if not folder.exists():
            with suppress(FileExistsError):
                folder.mkdir()
                # mkdir obeys the umask, which may keep everyone out.
                folder.chmod(mode)
    return path


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old text or the new, and a crash leaves one of them.

    Raises OSError, and HostError when the disk is full.
    """
    write_bytes_atomically(path, text.encode(), mode=mode)


def write_bytes_atomically(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """The same with bytes."""
    with saying_disk_full(path.parent):
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(mode)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A machine's folder. Its files may or may not be there."""

    path: Path

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.path.name

    @property
    def console(self) -> Path:
        """The serial console, from the first byte."""
        return self.path / "console.log"

    @property
    def hostkeys(self) -> Path:
        """The SSH host key fingerprints that the console showed."""
        return self.path / "hostkeys.json"

    @property
    def known_hosts(self) -> Path:
        """The pinned host key, in the words of OpenSSH."""
        return self.path / "known_hosts"

    @property
    def checkpoints(self) -> Path:
        """The folder of what is known about its checkpoints; their contents lie inside the disks."""
        return self.path / "checkpoints"

    def files(self, spec: MachineSpec) -> DomainFiles:
        """Where the domain's files lie."""
        extra = tuple(self.path / f"disk{number}.qcow2" for number in range(1, spec.extra_disks + 1))
        ignition = self.path / "config.ign" if spec.ignition else None
        return DomainFiles(
            overlay=self.path / "overlay.qcow2", console=self.console, ignition=ignition, extra_disks=extra
        )

    def exists(self) -> bool:
        """Whether anything is there, whole or not."""
        return self.path.is_dir()

    def save(self, record: Record) -> Record:
        """Write the record."""
        write_atomically(self.path / "machine.json", json.dumps(record.as_dict(), indent=2) + "\n")
        return record

    def update(self, record: Record, **changes: Any) -> Record:
        """Write the record with some fields changed, and return it."""
        return self.save(replace(record, **changes))

    def find(self) -> Record | None:
        """The record, or None when there is none that can be read: the leftover of a crash."""
        try:
            values = json.loads((self.path / "machine.json").read_text())
            ignition = self.path / "config.ign"
            return _record_from(values, ignition.read_text() if ignition.exists() else "")
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def get(self) -> Record:
        """The record. Raises MachineNotFound."""
        record = self.find()
        if record is None:
            raise MachineNotFound(f'there is no machine named "{self.name}"', hint="flatkit list")
        return record

    def remove(self) -> None:
        """Remove the folder with all in it. Raises OSError."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.path)


def folder_of(name: str) -> Folder:
    """The folder of a machine; nothing is made. Raises UsageError for a name that is none."""
    return Folder(path=paths.machines_dir() / check_name(name))


def folders() -> list[Folder]:
    """Every machine's folder, by name."""
    try:
        found = sorted(path for path in paths.machines_dir().iterdir() if path.is_dir())
    except FileNotFoundError:
        return []
    return [Folder(path=path) for path in found]


def taken_ports() -> set[int]:
    """The host ports that machines have, running or not."""
    records = (folder.find() for folder in folders())
    return {forward.host for record in records if record for forward in record.forwards}


@contextmanager
def locked(name: str, *, wait: float = 5.0, cancel: threading.Event | None = None) -> Iterator[None]:
    """Hold a machine's lock against other threads and programs.

    Raises MachineError when another holds on to it for longer than `wait` seconds, Cancelled.
    """
    lock = paths.machines_dir() / f".{check_name(name)}.lock"
    with holding(lock, what=f'the machine "{name}"', wait=wait, cancel=cancel):
        try:
            yield
        finally:
            if not folder_of(name).exists():
                # Nothing of a removed machine stays. Who waits for this file sees that it is gone, and makes another.
                lock.unlink(missing_ok=True)


@contextmanager
def holding(path: Path, *, what: str, wait: float, cancel: threading.Event | None = None) -> Iterator[None]:
    """Hold a lock file. Raises MachineError, Cancelled."""
    import filelock

    make_folder(path.parent)
    lock = filelock.FileLock(path)
    deadline = time.monotonic() + wait
    while True:
        check_cancel(cancel)
        try:
            lock.acquire(timeout=0.25, poll_interval=0.05)
            break
        except filelock.Timeout:
            if time.monotonic() > deadline:
                raise MachineError(
                    f"another flatkit is at work on {what}, and did not finish within {wait:g} s",
                    hint="wait for it, or look with: flatkit list",
                ) from None
    try:
        yield
    finally:
        lock.release()


def check_cancel(cancel: threading.Event | None) -> None:
    """Raise Cancelled once the person has asked for it."""
    if cancel is not None and cancel.is_set():
        raise Cancelled("cancelled")


@contextmanager
def saying_disk_full(folder: Path) -> Iterator[None]:
    """Turn the host's "no space left" into an error with a way out."""
    import errno

    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise HostError(f'the disk that holds "{folder}" is full', hint="flatkit clean", details=str(error)) from None
