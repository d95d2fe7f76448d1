"""List what flatkit created on this host, and remove exactly that.

Two marks identify what belongs to flatkit. One is the tag in a domain's metadata with this state folder's owner ID. The
other is the state folder itself. Nothing is guessed from names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flatkit.emulators import find_emulator, list_emulators
from flatkit.errors import FlatkitError, UsageError
from flatkit.events import Observer, Said
from flatkit.machines import ports
from flatkit.machines.checkpoints import Checkpoint
from flatkit.machines.creator import UNKNOWN_CREATOR, Creator
from flatkit.machines.domain import domain_name
from flatkit.machines.handle import MachineState
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.machine import Machine
from flatkit.machines.records import RecordBroken
from flatkit.machines.spec import Forward
from flatkit.machines.store import Folder, folders, owner_id
from flatkit.usage import size_of


@dataclass(frozen=True, kw_only=True)
class MachineInfo:
    """A machine, or the leftovers of one, for `flatkit list`. `ssh_port` is 0 for a leftover."""

    name: str
    state: MachineState
    label: str = ""
    accelerator: str = ""
    ssh_port: int = 0
    forwards: tuple[Forward, ...] = ()
    created: str = ""
    cause: str = ""
    cure: str = ""
    disk_bytes: int = 0
    checkpoints: tuple[Checkpoint, ...] = ()
    folder: Path | None = None
    made_by: Creator = UNKNOWN_CREATOR


def list_machines(hypervisor: Hypervisor | None = None) -> list[MachineInfo]:
    """Return every machine of this state folder by name, including leftovers.

    Raises HostError if libvirt cannot be reached.
    """
    connection = hypervisor or Hypervisor()
    names = {folder.name for folder in folders()}
    names.update(domain.tag.name for domain in connection.owned(owner_id()))
    if not connection.remote:
        names.update(_names_in_processes())
    result = []
    for name in sorted(names):
        try:
            result.append(_info(Machine(name, hypervisor=connection)))
        except UsageError:
            continue  # a folder whose name is invalid for a machine is not ours
    return [info for info in result if info.state is not MachineState.ABSENT]


def _names_in_processes() -> set[str]:
    """Return the names of this state folder's machines whose QEMU runs under whatever libvirt."""
    prefix = domain_name(owner_id(), "")
    domains = [emulator.domain for emulator in list_emulators()]
    return {domain.removeprefix(prefix) for domain in domains if domain.startswith(prefix)}


def _info(machine: Machine) -> MachineInfo:
    path = machine.folder.path if machine.folder.exists() else None
    try:
        record = machine.folder.find()
    except RecordBroken as error:
        return _broken(machine.folder, error)
    state = machine.state
    elsewhere = machine.elsewhere if state is MachineState.ELSEWHERE else None
    words, way = (elsewhere.words, elsewhere.way) if elsewhere else ("", "")
    if record is None:
        return MachineInfo(name=machine.name, state=state, cause=words, cure=way, disk_bytes=_size(path), folder=path)
    return MachineInfo(
        name=machine.name,
        state=state,
        label=record.spec.label,
        accelerator=record.accelerator.value,
        ssh_port=ports.ssh_port(record.forwards),
        forwards=ports.for_people(record.forwards),
        created=record.created,
        cause=words or record.cause,
        cure=way,
        disk_bytes=_size(path),
        checkpoints=machine.checkpoints,
        folder=path,
        made_by=record.made_by,
    )


def _broken(folder: Folder, error: RecordBroken) -> MachineInfo:
    return MachineInfo(
        name=folder.name,
        state=MachineState.BROKEN,
        cause=error.message,
        cure=error.hint,
        disk_bytes=_size(folder.path),
        folder=folder.path,
    )


def _size(folder: Path | None) -> int:
    return size_of(folder) if folder else 0


def remove_machines(
    machines: Sequence[MachineInfo], *, hypervisor: Hypervisor | None = None, observer: Observer | None = None
) -> list[str]:
    """Remove these machines and all their files. Never raises: errors are returned as text.

    A broken machine is kept, because its disks may be all that a user has. The user can still remove it by name.
    """
    watcher = observer or Observer()
    troubles: list[str] = []
    for info in machines:
        if info.state is MachineState.BROKEN:
            troubles.append(f"{info.cause}; {info.cure}")
            continue
        found = Machine(info.name, hypervisor=hypervisor).down()
        troubles += found
        watcher.notify(Said(text=f'"{info.name}" {"could not be removed" if found else "is removed"}'))
    return troubles


def find_machines(hypervisor: Hypervisor | None = None) -> list[MachineInfo]:
    """List machines as `list_machines` does; if that fails, list what the state folder shows.

    `clean` must also work without libvirt. Raises HostError for an invalid libvirt URI, because the machines are then
    elsewhere.
    """
    connection = hypervisor or Hypervisor()
    _ = connection.remote
    try:
        return list_machines(connection)
    except FlatkitError:
        result = []
        for folder in folders():
            try:
                record = folder.find()
            except RecordBroken as error:
                result.append(_broken(folder, error))
                continue
            runner = find_emulator(record.domain, folder=folder.path) if record else None
            if runner:
                words = f"its QEMU runs (process {runner.pid}), and libvirt cannot be asked about it"
                result.append(
                    MachineInfo(
                        name=folder.name,
                        state=MachineState.ELSEWHERE,
                        cause=words,
                        cure="flatkit doctor",
                        folder=folder.path,
                    )
                )
                continue
            result.append(
                MachineInfo(
                    name=folder.name,
                    state=MachineState.LEFTOVER,
                    label=record.spec.label if record else "",
                    disk_bytes=_size(folder.path),
                    folder=folder.path,
                    made_by=record.made_by if record else UNKNOWN_CREATOR,
                )
            )
        return result


def find_users(images: Path) -> list[str]:
    """Return the names of machines whose disks use an image inside this folder.

    Broken machines are included, because their images are unknown.
    """
    named = [folder.name for folder in folders() if _uses(folder, images)]
    # Other state folders and users have machines too, and a QEMU may have outlived its folder.
    running = [emulator for emulator in list_emulators() if emulator.uses(images)]
    records = {record.domain: record.spec.name for folder in folders() if (record := folder.peek())}
    others = [records.get(emulator.domain) or f"process {emulator.pid}" for emulator in running]
    return list(dict.fromkeys([*named, *others]))


def _uses(folder: Folder, images: Path) -> bool:
    try:
        record = folder.find()
    except RecordBroken:
        return True
    return record is not None and any(images in disk.parents for disk in (record.spec.disk, *record.spec.extra_images))
