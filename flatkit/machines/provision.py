"""Create a machine's folder, disks and domain, power it on, and remove it all again.

Creation is all or nothing: an error or Ctrl-C undoes everything.
"""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from flatkit import paths
from flatkit.accounts import why_refused
from flatkit.errors import FlatkitError, MachineError, MissingDependency
from flatkit.events import Observer, Said, phase
from flatkit.machines import ports
from flatkit.machines.backend import Backend
from flatkit.machines.checkpoints import Checkpoint, Shelf
from flatkit.machines.creator import UNKNOWN_CREATOR, Creator
from flatkit.machines.daemon import daemon_of
from flatkit.machines.disks import check_room
from flatkit.machines.domain import Tag, build_domain, domain_name
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.keys import save_host_keys
from flatkit.machines.libvirt_errors import is_kvm_refused
from flatkit.machines.records import Life, Record, RecordBroken, RecordNewer
from flatkit.machines.remote_backend import say_where
from flatkit.machines.scheduler import admission, room_left
from flatkit.machines.spec import Accelerator, Forward, MachineSpec
from flatkit.machines.store import Folder, make_folder, owner_id, taken_ports
from flatkit.machines.whereabouts import refuse_elsewhere
from flatkit.usage import saying_disk_full
from flatkit.waiting import check_cancel

log = logging.getLogger(__name__)

_PORT_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class PoweredOn:
    """A machine that was powered on; the console output of this boot begins at `console_offset`."""

    record: Record
    console_offset: int


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Creation and start of the machine of one folder on one hypervisor. The caller holds the machine's lock."""

    folder: Folder
    hypervisor: Hypervisor
    place: Backend
    observer: Observer
    cancel: threading.Event | None = None

    def make(
        self, spec: MachineSpec, accelerator: Accelerator | None = None, made_by: Creator = UNKNOWN_CREATOR
    ) -> PoweredOn:
        """Create the machine and power it on. Raises HostError, ImageError, MachineError, Cancelled."""
        self.hypervisor.connect()
        if self.hypervisor.remote:
            say_where(self.hypervisor.remote, self.observer)
        self.place.prepare(spec, self.observer, self.cancel)
        accelerator = accelerator or self._choose(spec)
        with (
            admission(self.cancel),
            saying_disk_full(self.folder.path, spare=self.folder.name),
            phase(self.observer, "create", "Making the machine"),
            ExitStack() as undo,
        ):
            self._check_room(spec)
            record = self._plan(spec, accelerator, made_by)
            undo.callback(remove, self.place, self.hypervisor)
            make_folder(self.folder.path, private=True)
            self.folder.save(record)
            self.place.make(spec)
            check_cancel(self.cancel)
            started = self._power_on(record)
            undo.pop_all()
        return started

    def restart(self, record: Record) -> PoweredOn:
        """Power on a stopped machine, with other ports in place of ours that were taken meanwhile."""
        self.place.prepare(record.spec, self.observer, self.cancel)
        with (
            admission(self.cancel),
            saying_disk_full(self.folder.path, spare=self.folder.name),
            phase(self.observer, "create", "Starting the machine"),
        ):
            self._check_room(record.spec)
            return self._power_on(self._with_free_ports(record))

    def remake(self, record: Record) -> PoweredOn:
        """Delete the machine's disks, re-create them from its image, and power it on for a first boot."""
        self.place.prepare(record.spec, self.observer, self.cancel)
        refuse_elsewhere(self.folder, record.domain, record, self.hypervisor)
        self.hypervisor.kill(record.domain)
        # Its checkpoints are stored in the disks, and libvirt must forget them too.
        self.hypervisor.undefine(record.domain)
        with (
            admission(self.cancel),
            saying_disk_full(self.folder.path, spare=self.folder.name),
            phase(self.observer, "create", "Making the machine again"),
        ):
            record = self.folder.update(record, life=Life.MAKING, cause="")
            shutil.rmtree(self.folder.checkpoints, ignore_errors=True)
            for path in (self.folder.hostkeys, self.folder.known_hosts):
                path.unlink(missing_ok=True)
            self._check_room(record.spec)
            refuse_elsewhere(self.folder, record.domain, record, self.hypervisor)
            self.place.make_disks_anew(record.spec)
            return self._power_on(self._with_free_ports(record))

    def bring_back(self, record: Record, checkpoint: Checkpoint) -> Record:
        """Restore the machine to a checkpoint: in place if it runs, else by starting it there. Raises MachineError."""
        shelf = Shelf(folder=self.folder, hypervisor=self.hypervisor, place=self.place)
        if self.hypervisor.status(record.domain).state.is_active:
            shelf.revert(record, checkpoint)
        else:
            self.place.prepare(record.spec, self.observer, self.cancel)
            with admission(self.cancel):
                self._check_room(record.spec)
                record = self._power_on(
                    self._with_free_ports(record), lambda record: shelf.revert(record, checkpoint)
                ).record
        save_host_keys(self.folder.hostkeys, checkpoint.host_keys)
        # The next login writes it again: the server may have had another key meanwhile.
        self.folder.known_hosts.unlink(missing_ok=True)
        return self.folder.update(record, life=Life.READY, cause="")

    def _choose(self, spec: MachineSpec) -> Accelerator:
        chosen = self.place.choose(spec)
        self.observer.notify(Said(text=f"accelerator: {chosen.accelerator.words}: {chosen.why}"))
        return chosen.accelerator

    def _check_room(self, spec: MachineSpec) -> None:
        check_room(spec, room_left(self.hypervisor, self.place.room()))

    def _plan(self, spec: MachineSpec, accelerator: Accelerator, made_by: Creator) -> Record:
        return Record(
            spec=spec,
            uuid=str(uuid.uuid4()),
            domain=domain_name(owner_id(), self.folder.name),
            accelerator=accelerator,
            forwards=ports.resolve(spec.forwards, taken=taken_ports()),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            made_by=made_by,
            daemon=daemon_of(self.hypervisor.uri),
        )

    def _power_on(self, record: Record, start: Callable[[Record], None] | None = None) -> PoweredOn:
        """Define and start the domain.

        A port that was taken at the last moment is replaced if flatkit had chosen it.
        """
        refuse_elsewhere(self.folder, record.domain, record, self.hypervisor)
        daemon = daemon_of(self.hypervisor.uri)
        if record.daemon != daemon:
            record = self.folder.update(record, daemon=daemon)
        offset = self.place.prepare_console()
        self.place.close_files(record.spec, self.hypervisor.qemu_owner())
        for _ in range(_PORT_TRIES):
            self._define(record)
            try:
                self.place.open_line(record.forwards)
                if start:
                    start(record)
                else:
                    self.hypervisor.start(record.domain)
            except MachineError as error:
                record = self._mend(record, error)
            else:
                return PoweredOn(record=record, console_offset=offset)
        raise MachineError(f'no port could be kept for the machine "{self.folder.name}"', hint="flatkit up again")

    def _mend(self, record: Record, error: MachineError) -> Record:
        """Return a changed record that makes another try worthwhile. Raises the error if there is none."""
        port = ports.parse_refused_port(error)
        if port is not None:
            return self._with_other_port(record, port)
        if record.accelerator is Accelerator.KVM and is_kvm_refused(f"{error.message}\n{error.details}"):
            self.observer.notify(Said(text=f"KVM is refused here, so the machine is emulated: {error.message}"))
            return self.folder.update(record, accelerator=Accelerator.TCG)
        raise error

    def _with_free_ports(self, record: Record) -> Record:
        ours = _chosen_by_us(record)
        taken = taken_ports()
        result = []
        for forward in record.forwards:
            if not ports.is_free(forward.host):
                if forward not in ours:
                    raise ports.port_taken(forward)
                forward = replace(forward, host=ports.find_free_port(taken))
                taken.add(forward.host)
            result.append(forward)
        return self.folder.update(record, forwards=tuple(result))

    def _with_other_port(self, record: Record, port: int) -> Record:
        lost = next((forward for forward in record.forwards if forward.host == port), None)
        if lost is None or lost not in _chosen_by_us(record):
            raise ports.port_taken(lost or Forward(host=port, guest=22))
        other = replace(lost, host=ports.find_free_port(taken_ports() | {port}))
        forwards = tuple(other if forward is lost else forward for forward in record.forwards)
        return self.folder.update(record, forwards=forwards)

    def _define(self, record: Record) -> None:
        tag = Tag(
            owner=owner_id(),
            name=self.folder.name,
            label=record.spec.label,
            folder=str(self.folder.path),
            ports=" ".join(str(forward) for forward in record.forwards),
            created=record.created,
        )
        xml = build_domain(
            self.place.seen(record.spec),
            tag=tag,
            accelerator=record.accelerator,
            files=self.place.files(record.spec),
            forwards=record.forwards,
            uuid=record.uuid,
            address=self.place.address,
        )
        self.hypervisor.define(xml)


def remove(place: Backend, hypervisor: Hypervisor) -> list[str]:
    """Remove domain and folder. Never raises: errors are returned as text.

    The folder stays while its domain may still be running, so that the next try finds it.
    """
    folder = place.folder
    try:
        record = _read(folder)
        # The folder may have been reached by another spelling of its path when the machine was made.
        domain = record.domain if record else domain_name(owner_id(), folder.name)
        refuse_elsewhere(folder, domain, record, hypervisor)
        try:
            hypervisor.destroy(domain)
            hypervisor.undefine(domain)
        except MissingDependency as error:
            log.debug("without libvirt there is no domain %s: %s", domain, error)
        refuse_elsewhere(folder, domain, record, hypervisor)
    except FlatkitError as error:
        log.warning("removing the machine %s: %s", folder.name, error)
        return [in_one_line(error)]
    try:
        place.remove()
    except FlatkitError as error:
        log.warning("removing the machine %s: %s", folder.name, error)
        return [in_one_line(error)]
    except OSError as error:
        log.warning("removing the machine %s: %s", folder.name, error)
        why, way = why_refused(folder.path, error), paths.way_out(folder.path, error)
        return [f'the folder "{folder.path}" cannot be removed: {why}; {way}']
    return []


def in_one_line(error: FlatkitError) -> str:
    """Return an error's message and its hint."""
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _read(folder: Folder) -> Record | None:
    """Return the record; None for a broken one, whose machine is removed all the same.

    Raises RecordNewer for a machine of a newer flatkit: it may have parts that this flatkit does not know.
    """
    try:
        return folder.find()
    except RecordNewer:
        raise
    except RecordBroken:
        return None


def _chosen_by_us(record: Record) -> set[Forward]:
    """Return the forwards whose host port the user left to flatkit."""
    fixed = {forward.host for forward in record.spec.forwards if forward.host}
    return {forward for forward in record.forwards if forward.host not in fixed}
