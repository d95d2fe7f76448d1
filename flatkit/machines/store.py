"""Files of the machines: one folder each, with a record that is written completely or not at all.

<state>/machines/<name>/  machine.json  overlay.qcow2  disk1.qcow2 ...  config.ign
                          console.log  hostkeys.json  known_hosts  checkpoints/NAME.json
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flatkit import locks, paths
from flatkit.accounts import why_refused
from flatkit.errors import HostError, MachineError, MachineNotFound
from flatkit.files import save
from flatkit.machines.domain import DomainFiles
from flatkit.machines.records import Record, RecordBroken, read_record
from flatkit.machines.spec import MachineSpec, check_name, is_name
from flatkit.untrusted import printable
from flatkit.usage import FULL, saying_disk_full


def owner_id() -> str:
    """Return eight hex digits that identify this host's state folder.

    Two folders, or two hosts, never touch each other's machines.
    """
    host = _host_id()
    return hashlib.sha256(f"{host}:{paths.state_dir()}".encode()).hexdigest()[:8]


def _host_id() -> str:
    with suppress(OSError):
        text = Path("/etc/machine-id").read_text().strip()
        if text and text != "uninitialized":
            return text
    return socket.gethostname()


def make_folder(path: Path, *, private: bool = False) -> Path:
    """Create a folder that QEMU can enter; a private one is for its owner only.

    If flatkit runs as root, QEMU runs as libvirt's own user. Raises HostError, also for a full disk.
    """
    mode = 0o711 if os.geteuid() == 0 else 0o700
    with saying_disk_full(path):
        try:
            for folder in (*reversed(path.parents), path):
                if not folder.is_dir():
                    with suppress(FileExistsError):
                        folder.mkdir(mode=0o700)
                        if not (private and folder == path):
                            # mkdir applies the umask, which may keep everyone out.
                            folder.chmod(mode)
            if not path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except OSError as error:
            if error.errno in FULL:
                raise
            raise HostError(
                f'the folder "{printable(path)}" cannot be made: {why_refused(path, error)}',
                hint=paths.way_out(path, error),
            ) from None
    return path


@dataclass(frozen=True, kw_only=True)
class Folder:
    """A machine's folder. Its files may be missing."""

    path: Path

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.path.name

    @property
    def console(self) -> Path:
        """The output of the serial console, from the first byte."""
        return self.path / "console.log"

    @property
    def hostkeys(self) -> Path:
        """The SSH host key fingerprints that the console showed."""
        return self.path / "hostkeys.json"

    @property
    def known_hosts(self) -> Path:
        """The pinned host key, in OpenSSH's format."""
        return self.path / "known_hosts"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoint metadata; the checkpoints themselves are inside the disks."""
        return self.path / "checkpoints"

    def files(self, spec: MachineSpec) -> DomainFiles:
        """Return the paths of the domain's files."""
        extra = tuple(self.path / f"disk{number}.qcow2" for number in range(1, spec.extra_disks + 1))
        ignition = self._config if spec.ignition else None
        return DomainFiles(overlay=self._overlay, console=self.console, ignition=ignition, extra_disks=extra)

    def exists(self) -> bool:
        """Return True if the folder exists, complete or not."""
        return self.path.is_dir()

    def save(self, record: Record) -> Record:
        """Write the record, and return it."""
        save(self._record, json.dumps(record.as_dict(), indent=2) + "\n", mode=0o600)
        return record

    def update(self, record: Record, **changes: Any) -> Record:
        """Write the record with some fields changed, and return it."""
        return self.save(replace(record, **changes))

    def find(self) -> Record | None:
        """Return the record; None for a folder without one, which a crash left. Raises RecordBroken."""
        record = read_record(self._record, self._config)
        if record is None and self._overlay.exists():
            # A record is written before the disk, and removed after it. Another thread may have written both since the look.
            record = read_record(self._record, self._config)
        if record is None and self._overlay.exists():
            raise RecordBroken(
                f'the machine "{self.name}" cannot be used: "{self._record}" is gone; its disks are left as they are',
                hint=f"restore that file, or remove the machine with its disks: flatkit down {self.name}",
            )
        return record

    def peek(self) -> Record | None:
        """Return the record; None also if it cannot be read."""
        try:
            return self.find()
        except RecordBroken:
            return None

    def get(self) -> Record:
        """Return the record. Raises MachineNotFound, RecordBroken."""
        record = self.find()
        if record is None:
            raise MachineNotFound(f'there is no machine named "{self.name}"', hint="flatkit list")
        return record

    def remove(self) -> None:
        """Remove the folder with its contents, the record last. Raises OSError."""
        if self.path.is_symlink():
            raise OSError(errno.ELOOP, "it is a symbolic link")
        with suppress(FileNotFoundError):
            for path in self.path.iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path != self._record:
                    path.unlink(missing_ok=True)
            self._record.unlink(missing_ok=True)
            self.path.rmdir()

    @property
    def _record(self) -> Path:
        return self.path / "machine.json"

    @property
    def _config(self) -> Path:
        return self.path / "config.ign"

    @property
    def _overlay(self) -> Path:
        return self.path / "overlay.qcow2"


def folder_of(name: str) -> Folder:
    """Return the folder of a machine without creating it. Raises UsageError for an invalid name."""
    return Folder(path=paths.machines_dir() / check_name(name))


def folders() -> list[Folder]:
    """Return every machine's folder, by name. Raises HostError.

    A folder whose name is invalid for a machine is not flatkit's.
    """
    there = paths.machines_dir()
    try:
        found = sorted(path for path in there.iterdir() if is_name(path.name) and path.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise HostError(
            f'the machines in "{there}" cannot be listed: {why_refused(there, error)}', hint=paths.way_out(there, error)
        ) from None
    return [Folder(path=path) for path in found]


def taken_ports() -> set[int]:
    """Return the host ports of all machines, running or not."""
    records = (folder.peek() for folder in folders())
    return {forward.host for record in records if record for forward in record.forwards}


@contextmanager
def locked(name: str, *, wait: float = 5.0, cancel: threading.Event | None = None) -> Iterator[None]:
    """Hold a machine's lock against other threads and programs.

    Raises Cancelled, and MachineError if another program holds the lock for longer than `wait` seconds.
    """
    lock = paths.machines_dir() / f".{check_name(name)}.lock"
    with holding(lock, what=f'the machine "{name}"', wait=wait, cancel=cancel):
        try:
            yield
        finally:
            if not folder_of(name).exists():
                # Nothing of a removed machine stays. A program that waits for this file sees that it is gone, and
                # creates another.
                lock.unlink(missing_ok=True)


@contextmanager
def holding(
    path: Path,
    *,
    what: str,
    wait: float,
    cancel: threading.Event | None = None,
    waiting: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Hold a lock file; `waiting` is called once if somebody else holds it. Raises MachineError, HostError, Cancelled."""
    make_folder(path.parent)
    with ExitStack() as held:
        try:
            held.enter_context(locks.locked(path, wait=wait, cancel=cancel, mode=0o600, waiting=waiting))
        except TimeoutError:
            raise MachineError(
                f"another flatkit is at work on {what}, and did not finish within {wait:g} s",
                hint="wait for it, or look with: flatkit list",
            ) from None
        except OSError as error:
            raise HostError(
                f'the lock "{path}" cannot be held: {why_refused(path, error)}', hint=paths.way_out(path, error)
            ) from None
        yield
