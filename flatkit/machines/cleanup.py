"""Lists what flatkit made on this host, and removes exactly that.

What is ours is known by two marks: the tag in a domain's metadata with this state folder's owner, and the state folder
itself. Nothing is guessed from names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatkit.errors import FlatkitError, UsageError
from flatkit.events import Observer, Said
from flatkit.machines import ports
from flatkit.machines.checkpoints import Checkpoint
from flatkit.machines.handle import MachineState
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.machine import Machine
from flatkit.machines.spec import Forward
from flatkit.machines.store import folders, owner_id


@dataclass(frozen=True, kw_only=True)
class MachineInfo:
    """A machine, or what is left of one, for `flatkit list`. `ssh_port` is 0 for a leftover."""

    name: str
    state: MachineState
    label: str = ""
    accelerator: str = ""
    ssh_port: int = 0
    forwards: tuple[Forward, ...] = ()
    created: str = ""
    cause: str = ""
    disk_bytes: int = 0
    checkpoints: tuple[Checkpoint, ...] = ()
    folder: Path | None = None


def list_machines(hypervisor: Hypervisor | None = None) -> list[MachineInfo]:
    """Every machine of this state folder, leftovers too, by name. Raises HostError when libvirt cannot be asked."""
    connection = hypervisor or Hypervisor()
    names = {folder.name for folder in folders()}
    names.update(domain.tag.name for domain in connection.owned(owner_id()))
    result = []
    for name in sorted(names):
        try:
            result.append(_info(Machine(name, hypervisor=connection)))
        except UsageError:
            continue  # a folder of a name that no machine can have is not ours
    return [info for info in result if info.state is not MachineState.ABSENT]


def _info(machine: Machine) -> MachineInfo:
    record = machine.folder.find()
    path = machine.folder.path if machine.folder.exists() else None
    if record is None:
        return MachineInfo(name=machine.name, state=machine.state, disk_bytes=_size(path), folder=path)
    return MachineInfo(
        name=machine.name,
        state=machine.state,
        label=record.spec.label,
        accelerator=record.accelerator.value,
        ssh_port=ports.ssh_port(record.forwards),
        forwards=ports.for_people(record.forwards),
        created=record.created,
        cause=record.cause,
        disk_bytes=_size(path),
        checkpoints=machine.checkpoints,
        folder=path,
    )


def _size(folder: Path | None) -> int:
    """What the folder really takes on disk: overlays are sparse."""
    total = 0
    for path in folder.rglob("*") if folder else ():
        try:
            total += path.lstat().st_blocks * 512
        except OSError:
            continue
    return total


def remove_machines(
    machines: Sequence[MachineInfo], *, hypervisor: Hypervisor | None = None, observer: Observer | None = None
) -> list[str]:
    """Remove these machines with all they have; never raises, the troubles are returned as text."""
    watcher = observer or Observer()
    troubles: list[str] = []
    for info in machines:
        found = Machine(info.name, hypervisor=hypervisor).down()
        troubles += found
        watcher.notify(Said(text=f'"{info.name}" {"could not be removed" if found else "is removed"}'))
    return troubles


def find_machines(hypervisor: Hypervisor | None = None) -> list[MachineInfo]:
    """As `list_machines`, but without libvirt only what the state folder tells: `clean` must work there too."""
    try:
        return list_machines(hypervisor)
    except FlatkitError:
        result = []
        for folder in folders():
            record = folder.find()
            label = record.spec.label if record else ""
            result.append(
                MachineInfo(
                    name=folder.name,
                    state=MachineState.LEFTOVER,
                    label=label,
                    disk_bytes=_size(folder.path),
                    folder=folder.path,
                )
            )
        return result


def find_users(images: Path) -> list[str]:
    """The names of machines whose disks rest on an image inside this folder."""
    records = [(folder.name, folder.find()) for folder in folders()]
    return [
        name
        for name, record in records
        if record and any(images in disk.parents for disk in (record.spec.disk, *record.spec.extra_images))
    ]
