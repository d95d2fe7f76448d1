"""Power on a machine: its domain, and host ports that are free at that moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from flatkit.errors import MachineError
from flatkit.events import Observer, Said
from flatkit.machines import ports
from flatkit.machines.backend import Backend
from flatkit.machines.daemon import daemon_of
from flatkit.machines.domain import Tag, build_domain
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.libvirt_errors import is_kvm_refused
from flatkit.machines.records import Record
from flatkit.machines.spec import Accelerator, Forward
from flatkit.machines.store import Folder, owner_id, taken_ports
from flatkit.machines.whereabouts import refuse_elsewhere
from flatkit.seat_env import is_seat

_PORT_TRIES = 5


@dataclass(frozen=True, kw_only=True)
class PoweredOn:
    """A machine that was powered on; the console output of this boot begins at `console_offset`.

    `template` is the time at which its template was made, in ISO 8601; "" for a machine that boots from its firmware
    on. `lead` is how long it had been running when it was returned, in seconds.
    """

    record: Record
    console_offset: int
    template: str = ""
    lead: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Power:
    """The power switch of the machine of one folder on one hypervisor. The caller holds the machine's lock."""

    folder: Folder
    hypervisor: Hypervisor
    place: Backend
    observer: Observer

    def on(
        self, record: Record, start: Callable[[Record], None] | None = None, *, as_template: bool = False
    ) -> PoweredOn:
        """Define and start the domain; `start` replaces the plain start.

        A port that was taken at the last moment is replaced if flatkit had chosen it. With `as_template` the guest
        waits before it reads its config. Raises MachineError, HostError.
        """
        refuse_elsewhere(self.folder, record.domain, record, self.hypervisor)
        daemon = daemon_of(self.hypervisor.uri)
        if record.daemon != daemon:
            record = self.folder.update(record, daemon=daemon)
        offset = self.place.prepare_console()
        self.place.close_files(record.spec, self.hypervisor.qemu_owner())
        for _ in range(_PORT_TRIES):
            self._define(record, as_template=as_template)
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

    def with_free_ports(self, record: Record) -> Record:
        """Replace ports of ours that another program has taken. Raises HostError for a port that the user chose."""
        ours = _chosen_by_us(record)
        taken = taken_ports()
        result = []
        for forward in record.forwards:
            if not ports.is_free(forward.host):
                if forward in ours:
                    forward = replace(forward, host=ports.find_free_port(taken))
                elif is_seat():
                    forward = ports.replace_taken(forward, self.observer, taken)
                else:
                    raise ports.port_taken(forward)
                taken.add(forward.host)
            result.append(forward)
        return self.folder.update(record, forwards=tuple(result))

    def _mend(self, record: Record, error: MachineError) -> Record:
        """Return a changed record that makes another try worthwhile. Raises the error if there is none."""
        port = ports.parse_refused_port(error)
        if port is not None:
            return self._with_other_port(record, port)
        if record.accelerator is Accelerator.KVM and is_kvm_refused(f"{error.message}\n{error.details}"):
            self.observer.notify(Said(text=f"KVM is refused here, so the machine is emulated: {error.message}"))
            return self.folder.update(record, accelerator=Accelerator.TCG)
        raise error

    def _with_other_port(self, record: Record, port: int) -> Record:
        lost = next((forward for forward in record.forwards if forward.host == port), None)
        taken = taken_ports() | {port}
        if lost and lost in _chosen_by_us(record):
            other = replace(lost, host=ports.find_free_port(taken))
        elif lost and is_seat():
            other = ports.replace_taken(lost, self.observer, taken)
        else:
            raise ports.port_taken(lost or Forward(host=port, guest=22))
        forwards = tuple(other if forward is lost else forward for forward in record.forwards)
        return self.folder.update(record, forwards=forwards)

    def _define(self, record: Record, *, as_template: bool) -> None:
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
            as_template=as_template,
        )
        self.hypervisor.define(xml)


def _chosen_by_us(record: Record) -> set[Forward]:
    """Return the forwards whose host port the user left to flatkit."""
    fixed = {forward.host for forward in record.spec.forwards if forward.host}
    return {forward for forward in record.forwards if forward.host not in fixed}
