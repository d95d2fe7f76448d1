"""Checkpoints: memory and disks of a running machine, saved inside its own disks, to go back to in a second.

Snapshots inside qcow2 and not files of saved memory: a running machine is brought back in place, in a third of the time that
ending its QEMU and starting another takes; and they go when the disks go. What is known about each is kept in the machine's
folder, so that a libvirt that has forgotten them is told again.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from flatkit.errors import HostError, MachineError, UsageError
from flatkit.files import read_regular
from flatkit.machines.backend import Backend
from flatkit.machines.disks import ROOM_MIB
from flatkit.machines.domain import with_forwards, without_parent
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.keys import HostKey, host_keys_from, load_host_keys
from flatkit.machines.records import Record
from flatkit.machines.spec import text_from
from flatkit.machines.store import Folder, make_folder, write_atomically
from flatkit.untrusted import parse_json, printable

# With less than this the disk counts as full: others may have freed a little meanwhile.
_FULL_MIB = 64
_DESCRIPTION_MAX = 4 * 1024 * 1024
# What the first healthy boot leaves.
FRESH = "fresh"

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A saved state: `bytes` is what its memory takes inside the disk, `created` a time in ISO 8601."""

    name: str
    created: str
    bytes: int
    host_keys: tuple[HostKey, ...]
    xml: str

    def __str__(self) -> str:
        return f"{self.name} ({self.bytes / 1e6:.0f} MB)"


def check_checkpoint_name(name: str) -> str:
    """Return a checkpoint's name if it is one. Raises UsageError."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f'"{printable(name)}" cannot be a checkpoint\'s name: expected 1 to 32 of a-z, 0-9 and "-", no "-" at either end',
            hint="flatkit checkpoint MACHINE before-update",
        )
    return name


def list_checkpoints(folder: Folder) -> tuple[Checkpoint, ...]:
    """The machine's checkpoints, the oldest first, without those whose description cannot be read."""
    found = (_read(path) for path in _described(folder))
    return tuple(sorted((one for one in found if one), key=lambda one: (one.created, one.name)))


def _described(folder: Folder) -> list[Path]:
    try:
        return sorted(path for path in folder.checkpoints.glob("*.json") if _NAME.fullmatch(path.stem))
    except OSError:
        return []


def _read(path: Path) -> Checkpoint | None:
    """The checkpoint that a file describes: a missing key has a default, an unknown one is ignored."""
    try:
        values = parse_json(read_regular(path, limit=_DESCRIPTION_MAX))
        if not isinstance(values, dict):
            return None
        size = values.get("bytes", 0)
        return Checkpoint(
            name=path.stem,
            created=printable(text_from(values, "created", "")),
            bytes=size if isinstance(size, int) and 0 <= size < 2**63 else 0,
            host_keys=host_keys_from(values.get("host_keys")),
            xml=text_from(values, "xml"),
        )
    except (OSError, ValueError, TypeError):
        return None


def find_checkpoint(folder: Folder, name: str | None) -> Checkpoint | None:
    """The checkpoint of that name, or `fresh`; None when a machine without any is to go back to its first boot.

    Raises MachineError when there is none of that name, or no `fresh` beside others that a first boot would destroy.
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
    """Raise MachineError for a description that cannot be read: a first boot would destroy what it describes."""
    for path in _described(folder):
        if _read(path) is None:
            raise MachineError(
                f'the checkpoint "{path.stem}" of the machine "{folder.name}" cannot be used: "{path}" cannot be read',
                hint=f"restore that file, or remove it: rm {path}",
            )


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The checkpoints of one machine on one hypervisor. The caller holds the machine's lock."""

    folder: Folder
    hypervisor: Hypervisor
    place: Backend

    def save(self, record: Record, name: str) -> Checkpoint:
        """Save the running machine; a checkpoint of the same name is replaced.

        Raises HostError when the disk has no room for it, MachineError when libvirt refuses.
        """
        check_saving_room(record, self.place.room().disk_mib)
        self.remove(record, name)
        try:
            xml = self.hypervisor.save_snapshot(record.domain, name)
        except MachineError as error:
            # QEMU calls a full disk an input/output error.
            if self.place.room().disk_mib < _FULL_MIB:
                raise HostError(
                    f'the checkpoint "{name}" could not be saved: the disk is full',
                    hint="flatkit clean, or set FLATKIT_STATE to a folder on a larger disk",
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
        write_atomically(self._path(name), _as_json(checkpoint), mode=0o600)
        return checkpoint

    def remove(self, record: Record, name: str) -> None:
        """Remove a checkpoint; nothing happens when there is none of that name."""
        # First what is known of it, then what it holds: a crash in between leaves nothing that seems whole.
        self._path(name).unlink(missing_ok=True)
        self.hypervisor.remove_snapshot(record.domain, name)

    def revert(self, record: Record, checkpoint: Checkpoint) -> None:
        """Bring the machine back, in place when it runs. Its domain is defined. Raises MachineError."""
        known = self.hypervisor.find_snapshot(record.domain, checkpoint.name)
        # Ports may have changed since, and libvirt may have forgotten the checkpoint with its domain.
        wanted = with_forwards(known or checkpoint.xml, record.forwards, self.place.address)
        if wanted != known:
            self.hypervisor.redefine_snapshot(record.domain, wanted)
        self.hypervisor.revert(record.domain, checkpoint.name)

    def _path(self, name: str) -> Path:
        return self.folder.checkpoints / f"{name}.json"


def _as_json(checkpoint: Checkpoint) -> str:
    return json.dumps(asdict(checkpoint), indent=2) + "\n"


def check_saving_room(record: Record, free: int) -> None:
    """Raise HostError when a machine's memory could fill the disk: a machine whose disk is full stands still."""
    needed = record.spec.memory_mib + ROOM_MIB
    if free < needed:
        raise HostError(
            f'a checkpoint of "{record.spec.name}" may need {needed} MiB of disk, and {free} MiB are free',
            hint="flatkit clean, or set FLATKIT_STATE to a folder on a larger disk",
        )
