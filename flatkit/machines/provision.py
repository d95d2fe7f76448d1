"""Create a machine's folder, disks and domain, power it on, and remove it all again.

Creation is all or nothing: an error or Ctrl-C undoes everything.
"""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from flatkit import paths
from flatkit.accounts import why_refused
from flatkit.errors import FlatkitError, MissingDependency
from flatkit.events import Observer, Said, phase
from flatkit.machines import ports
from flatkit.machines.backend import Backend
from flatkit.machines.checkpoints import Checkpoint, Shelf
from flatkit.machines.creator import UNKNOWN_CREATOR, Creator
from flatkit.machines.daemon import daemon_of
from flatkit.machines.disks import check_room
from flatkit.machines.domain import domain_name
from flatkit.machines.first_boot import FirstBoot
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.keys import save_host_keys
from flatkit.machines.power import Power, PoweredOn
from flatkit.machines.records import Life, Record, RecordBroken, RecordNewer
from flatkit.machines.remote_backend import say_where
from flatkit.machines.scheduler import admission, room_left
from flatkit.machines.spec import Accelerator, MachineSpec
from flatkit.machines.store import Folder, make_folder, owner_id, taken_ports
from flatkit.machines.whereabouts import refuse_elsewhere
from flatkit.usage import saying_disk_full
from flatkit.waiting import check_cancel

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Creation and start of the machine of one folder on one hypervisor. The caller holds the machine's lock."""

    folder: Folder
    hypervisor: Hypervisor
    place: Backend
    observer: Observer
    cancel: threading.Event | None = None

    def make(
        self,
        spec: MachineSpec,
        accelerator: Accelerator | None = None,
        made_by: Creator = UNKNOWN_CREATOR,
        *,
        cold: bool = False,
    ) -> PoweredOn:
        """Create the machine and start its first boot, from the firmware on if `cold`.

        Raises HostError, ImageError, MachineError, Cancelled.
        """
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
            started = self._first_boot.start(record, cold=cold)
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
            return self._power.on(self._power.with_free_ports(record))

    def remake(self, record: Record, *, cold: bool = False) -> PoweredOn:
        """Delete the machine's disks, re-create them from its image, and power it on for a first boot.

        A `cold` one boots from the firmware on. Raises as `make`.
        """
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
            return self._first_boot.start(self._power.with_free_ports(record), cold=cold)

    def bring_back(self, record: Record, checkpoint: Checkpoint) -> Record:
        """Restore the machine to a checkpoint: in place if it runs, else by starting it there. Raises MachineError."""
        shelf = Shelf(folder=self.folder, hypervisor=self.hypervisor, place=self.place)
        if self.hypervisor.status(record.domain).state.is_active:
            shelf.revert(record, checkpoint)
        else:
            self.place.prepare(record.spec, self.observer, self.cancel)
            with admission(self.cancel):
                self._check_room(record.spec)
                record = self._power.on(
                    self._power.with_free_ports(record), lambda record: shelf.revert(record, checkpoint)
                ).record
        save_host_keys(self.folder.hostkeys, checkpoint.host_keys)
        # The next login writes it again: the server may have had another key meanwhile.
        self.folder.known_hosts.unlink(missing_ok=True)
        return self.folder.update(record, life=Life.READY, cause="")

    @property
    def _power(self) -> Power:
        return Power(folder=self.folder, hypervisor=self.hypervisor, place=self.place, observer=self.observer)

    @property
    def _first_boot(self) -> FirstBoot:
        return FirstBoot(power=self._power, observer=self.observer, cancel=self.cancel)

    def _choose(self, spec: MachineSpec) -> Accelerator:
        chosen = self.place.choose(spec)
        self.observer.notify(Said(text=f"accelerator: {chosen.accelerator.words}: {chosen.why}"))
        return chosen.accelerator

    def _check_room(self, spec: MachineSpec) -> None:
        check_room(spec, room_left(self.hypervisor, self.place.room()))

    def _plan(self, spec: MachineSpec, accelerator: Accelerator, made_by: Creator) -> Record:
        wanted = ports.give_way(spec.forwards, self.observer)
        return Record(
            spec=spec,
            uuid=str(uuid.uuid4()),
            domain=domain_name(owner_id(), self.folder.name),
            accelerator=accelerator,
            forwards=ports.resolve(wanted, taken=taken_ports()),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            made_by=made_by,
            daemon=daemon_of(self.hypervisor.uri),
        )


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
