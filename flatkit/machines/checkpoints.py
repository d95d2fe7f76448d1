"""Checkpoints: memory and disks of a running machine, saved inside its disks. A rewind takes about a second.

Checkpoints are snapshots inside qcow2, not files of saved memory. libvirt restores a running machine from them in
place, in a third of the time that a new QEMU process takes. They are also removed together with the disks. Checkpoint
metadata is stored in the machine's folder and re-registered if libvirt lost it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from flatkit.errors import HostError, MachineError, UsageError
from flatkit.fields import NUMBER_MAX, Fields, to_json
from flatkit.files import read_regular, save
from flatkit.machines.backend import Backend
from flatkit.machines.disks import ROOM_MIB
from flatkit.machines.domain import with_forwards, without_parent
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.keys import HostKey, load_host_keys
from flatkit.machines.records import Record
from flatkit.machines.spec import PLAIN_TEXT
from flatkit.machines.store import Folder, make_folder
from flatkit.paths import machines_dir
from flatkit.untrusted import parse_json, printable, shell_word
from flatkit.usage import advise

_DESCRIPTION_MAX = 4 * 1024 * 1024
# Name of the checkpoint that is saved after the first successful boot.
FRESH = "fresh"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A saved state. `bytes` is the size of its memory inside the disk, `created` a time in ISO 8601."""

    name: str
    created: str = ""
    bytes: int
    host_keys: tuple[HostKey, ...]
    xml: str = field(metadata=PLAIN_TEXT)

    def __str__(self) -> str:
        return f"{self.name} ({self.bytes / 1e6:.0f} MB)"


def check_checkpoint_name(name: str) -> str:
    """Return the name if it is valid for a checkpoint. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f'"{printable(name)}" cannot be a checkpoint\'s name: expected 1 to 32 of a-z, 0-9 and "-", no "-" at either end',
            hint="flatkit checkpoint MACHINE before-update",
        )
    return name


def list_checkpoints(folder: Folder) -> tuple[Checkpoint, ...]:
    """Return the machine's checkpoints, the oldest first, without those whose description cannot be read."""
    found = (_read(path) for path in _described(folder))
    return tuple(sorted((one for one in found if one), key=lambda one: (one.created, one.name)))


def _described(folder: Folder) -> list[Path]:
    try:
        return sorted(path for path in folder.checkpoints.glob("*.json") if _NAME.fullmatch(path.stem))
    except OSError:
        return []


def _read(path: Path) -> Checkpoint | None:
    """Read a checkpoint's description; return None if it is invalid.

    A missing optional key has a default. An unknown key is ignored.
    """
    try:
        values = parse_json(read_regular(path, limit=_DESCRIPTION_MAX))
        if not isinstance(values, dict):
            return None
        size = values.get("bytes")
        values |= {"name": path.stem, "bytes": size if type(size) is int and 0 <= size <= NUMBER_MAX else 0}
        found = Fields(values, limit=_DESCRIPTION_MAX).build(Checkpoint)
        return replace(found, created=printable(found.created))
    except (OSError, ValueError):
        return None


def find_checkpoint(folder: Folder, name: str | None) -> Checkpoint | None:
    """Find the checkpoint with this name, by default `fresh`.

    Return None if a machine without checkpoints must go back to its first boot. Raises UsageError for an invalid name.
    Raises MachineError if the checkpoint is missing, or if `fresh` is missing but others exist. A first boot would
    destroy those.
    """
    there = list_checkpoints(folder)
    wanted = FRESH if name is None else check_checkpoint_name(name)
    found = next((one for one in there if one.name == wanted), None)
    if not found:
        _refuse_broken(folder)
    if found or (name is None and not there):
        return found
    names = ", ".join(one.name for one in there)
    hint = (
        f"flatkit rewind {folder.name} --to {there[-1].name}" if there else f"flatkit checkpoint {folder.name} {wanted}"
    )
    raise MachineError(
        f'the machine "{folder.name}" has no checkpoint "{wanted}"; it has: {names or "none"}', hint=hint
    )


def _refuse_broken(folder: Folder) -> None:
    """Raise MachineError for a description that cannot be read: a first boot would destroy its checkpoint."""
    for path in _described(folder):
        if _read(path) is None:
            raise MachineError(
                f'the checkpoint "{path.stem}" of the machine "{folder.name}" cannot be used: "{path}" cannot be read',
                hint=f"restore that file, or remove it: rm {shell_word(path)}",
            )


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """Checkpoints of one machine on one hypervisor. The caller holds the machine's lock."""

    folder: Folder
    hypervisor: Hypervisor
    place: Backend

    def save(self, record: Record, name: str) -> Checkpoint:
        """Save the running machine; a checkpoint with the same name is replaced.

        Raises HostError if the disk has no room for it, MachineError if libvirt refuses.
        """
        check_saving_room(record, self.place.room().disk_mib)
        self.remove(record, name)
        try:
            xml = self.hypervisor.save_snapshot(record.domain, name)
        except MachineError as error:
            # QEMU reports a full disk as an input/output error, and gives back at once what it had written. There was room
            # before: if there is none now, the disk filled up.
            if self.place.room().disk_mib < _needed_mib(record):
                raise HostError(
                    f'the checkpoint "{name}" could not be saved: the disk is full',
                    hint=advise(self.folder.path, spare=self.folder.name),
                    details=error.message,
                ) from None
            raise
        checkpoint = Checkpoint(
            name=name,
            created=datetime.now(UTC).isoformat(timespec="microseconds"),
            bytes=self.place.saved_memory_bytes(record.spec, name),
            host_keys=load_host_keys(self.folder.hostkeys),
            xml=without_parent(xml),
        )
        make_folder(self.folder.checkpoints, private=True)
        save(self._path(name), _as_json(checkpoint), mode=0o600)
        return checkpoint

    def remove(self, record: Record, name: str) -> None:
        """Remove a checkpoint, if it exists."""
        # Remove the metadata first, then the snapshot: after a crash in between, nothing seems complete.
        self._path(name).unlink(missing_ok=True)
        self.hypervisor.remove_snapshot(record.domain, name)

    def revert(self, record: Record, checkpoint: Checkpoint) -> None:
        """Restore the machine to a checkpoint, in place if it runs. Its domain must be defined. Raises MachineError."""
        known = self.hypervisor.find_snapshot(record.domain, checkpoint.name)
        # Ports may have changed since, and libvirt may have lost the checkpoint together with its domain.
        wanted = with_forwards(known or checkpoint.xml, record.forwards, self.place.address)
        if wanted != known:
            self.hypervisor.redefine_snapshot(record.domain, wanted)
        self.hypervisor.revert(record.domain, checkpoint.name)

    def _path(self, name: str) -> Path:
        return self.folder.checkpoints / f"{name}.json"


def _as_json(checkpoint: Checkpoint) -> str:
    return json.dumps(to_json(checkpoint), indent=2) + "\n"


def _needed_mib(record: Record) -> int:
    return record.spec.memory_mib + ROOM_MIB


def check_saving_room(record: Record, free: int) -> None:
    """Raise HostError if a machine's memory could fill the disk: a full disk pauses the machine."""
    needed = _needed_mib(record)
    if free < needed:
        raise HostError(
            f'a checkpoint of "{record.spec.name}" may need {needed} MiB of disk, and {free} MiB are free',
            hint=advise(machines_dir(), spare=record.spec.name),
        )
