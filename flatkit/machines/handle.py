"""A machine by its name: its spec, its state, and its SSH connection. machine.py adds the verbs that change it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

from flatkit.errors import HostError, MachineError
from flatkit.machines import ports
from flatkit.machines.backend import Backend
from flatkit.machines.checkpoints import Checkpoint, list_checkpoints
from flatkit.machines.console import read_tail
from flatkit.machines.domain import domain_name
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.keys import load_host_keys, workshop_key
from flatkit.machines.records import Life, Record, RecordBroken
from flatkit.machines.remote_backend import place_of
from flatkit.machines.shell import Shell, open_shell
from flatkit.machines.spec import Forward, MachineSpec
from flatkit.machines.ssh import Connection, Endpoint, RunResult
from flatkit.machines.states import DomainState, Status
from flatkit.machines.store import Folder, folder_of, owner_id
from flatkit.machines.whereabouts import Elsewhere, error_for, find_elsewhere
from flatkit.waiting import wait_until

# Read back at most this much of a huge console, in bytes.
_CONSOLE_READ = 8 * 1024 * 1024

# Longest pause that libvirt's own work, such as saving a checkpoint, may cause, in seconds.
_PASSING = 60.0


class MachineState(str, Enum):
    """State of a machine, as shown to the user.

    A failed machine is one whose boot failed. A leftover is what a crash left behind. The record of a broken machine
    cannot be read: flatkit removes nothing of it unless the user asks for that. A machine that is elsewhere runs under a
    libvirt that this one does not see.
    """

    RUNNING = "running"
    BOOTING = "booting"
    PAUSED = "paused"
    STOPPED = "stopped"
    ELSEWHERE = "elsewhere"
    FAILED = "failed"
    BROKEN = "broken"
    LEFTOVER = "leftover"
    ABSENT = "absent"

    def __str__(self) -> str:
        return self.value


class Handle:
    """Handle to the machine with this name, which may not exist yet. Thread-safe."""

    def __init__(self, name: str, *, hypervisor: Hypervisor | None = None) -> None:
        self.folder: Folder = folder_of(name)
        self.hypervisor = hypervisor or Hypervisor()
        self._place: Backend | None = None
        self._lock = threading.RLock()
        self._connection: Connection | None = None

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.folder.name

    @property
    def place(self) -> Backend:
        """Backend of the machine: this host, or the host of its libvirt. Raises HostError."""
        if self._place is None:
            self._place = place_of(self.folder, self.hypervisor.remote)
        return self._place

    def __repr__(self) -> str:
        record = self.folder.peek()
        about = f", made from {record.spec.label}, ssh on port {ports.ssh_port(record.forwards)}" if record else ""
        return f"<Machine {self.name!r}{about}>"

    # Metadata and state

    @property
    def record(self) -> Record:
        """Persistent metadata of the machine. Raises MachineNotFound, RecordBroken."""
        return self.folder.get()

    @property
    def spec(self) -> MachineSpec:
        """The machine's spec. Raises MachineNotFound, RecordBroken."""
        return self.record.spec

    @property
    def forwards(self) -> tuple[Forward, ...]:
        """The machine's forwards with their actual host ports, including SSH. Raises MachineNotFound, RecordBroken."""
        return ports.for_people(self.record.forwards)

    def host_port(self, guest: int) -> int:
        """Return the port on 127.0.0.1 that leads to this port of the guest. Raises MachineError if there is none."""
        for forward in self.forwards:
            if forward.guest == guest:
                return forward.host
        there = ", ".join(str(forward.guest) for forward in self.forwards)
        raise MachineError(
            f'port "{guest}" of the machine "{self.name}" is not forwarded; forwarded: {there or "none"}',
            hint=f"flatkit up --name {self.name} --forward 8080:{guest}   (after flatkit down {self.name})",
        )

    @property
    def state(self) -> MachineState:
        """The machine's current state."""
        try:
            record = self.folder.find()
        except RecordBroken:
            return MachineState.BROKEN
        domain = record.domain if record else domain_name(owner_id(), self.name)
        found = self.hypervisor.status(domain).state
        if not found.is_active and find_elsewhere(self.folder, domain, record, self.hypervisor):
            return MachineState.ELSEWHERE
        if record is None:
            there = self.folder.exists() or found is not DomainState.UNDEFINED
            return MachineState.LEFTOVER if there else MachineState.ABSENT
        if found is DomainState.PAUSED:
            return MachineState.PAUSED
        if found is DomainState.RUNNING:
            return {
                Life.READY: MachineState.RUNNING,
                Life.FAILED: MachineState.FAILED,
                Life.MAKING: MachineState.BOOTING,
            }[record.life]
        if record.life is Life.FAILED:
            return MachineState.FAILED
        # A domain that was removed from outside is defined again from the record. A removed disk is lost.
        whole = record.life is Life.READY and self.place.has_disk(record.spec)
        return MachineState.STOPPED if whole else MachineState.LEFTOVER

    @property
    def elsewhere(self) -> Elsewhere | None:
        """The place where the machine runs, if this flatkit's libvirt does not see it; None otherwise."""
        record = self.folder.peek()
        domain = record.domain if record else domain_name(owner_id(), self.name)
        return find_elsewhere(self.folder, domain, record, self.hypervisor)

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """The machine's checkpoints, the oldest first."""
        return list_checkpoints(self.folder)

    def attend(self) -> None:
        """Make sure that ports and console of a machine on another host arrive here. Raises HostError.

        The tunnel to that host may have been cut.
        """
        record = self.folder.find()
        if self.hypervisor.remote and record and self.hypervisor.status(record.domain).state.is_active:
            self.place.open_line(record.forwards)

    def lend_port(self, port: int) -> None:
        """Let the machine reach a server on this host's port at 10.0.2.2, wherever it runs. Raises HostError."""
        self.attend()
        self.place.lend(port)

    def console_tail(self, lines: int = 40) -> list[str]:
        """Return the console's last lines, without escape sequences."""
        return read_tail(self.folder.console, lines=lines, within=min(_CONSOLE_READ, max(256 * 1024, 256 * lines)))

    @property
    def console_size(self) -> int:
        """Size of the console file in bytes: the offset where new output begins."""
        return self.folder.console.stat().st_size

    # Connections

    def run(
        self,
        command: str,
        *,
        timeout: float | None = None,
        on_output: Callable[[str], None] | None = None,
    ) -> RunResult:
        """Run a command line on the machine and return its result, whatever its status. `on_output`: as in Connection.run.

        Raises MachineNotFound, WaitTimeout, and MachineError if the connection fails.
        """
        return self.connection().run(command, timeout=timeout, on_output=on_output)

    def open_shell(self, *, columns: int = 80, rows: int = 24) -> Shell:
        """Open an interactive login shell. Raises MachineNotFound, MachineError."""
        return open_shell(self.connection(), columns=columns, rows=rows)

    def connection(self) -> Connection:
        """Return the SSH connection, which is kept between commands. Raises MachineNotFound."""
        endpoint = self._endpoint(self.record)
        with self._lock:
            if self._connection is None or not self._connection.is_active:
                self.attend()
            if self._connection is None or self._connection.endpoint != endpoint:
                self._drop_connection()
                # Not a method of this handle: handle and connection must not keep each other alive.
                check = partial(_check_that_it_may_answer, self.folder, self.hypervisor)
                self._connection = Connection(endpoint, check=check)
            return self._connection

    def close(self) -> None:
        """Close the SSH connection. The machine keeps running, and the next command connects again."""
        with self._lock:
            self._drop_connection()

    def ssh_argv(self, command: Sequence[str] = ()) -> list[str]:
        """Return the `ssh` command for the user's terminal, after the host key is pinned.

        Raises MachineError, also for a machine that is off.
        """
        _check_that_it_runs(self.folder, self.record, self.hypervisor)
        connection = self.connection()
        connection.pin()
        return connection.endpoint.argv(command)

    def _endpoint(self, record: Record) -> Endpoint:
        return Endpoint(
            name=self.name,
            port=ports.ssh_port(record.forwards),
            user=record.spec.ssh_user,
            key_file=record.spec.key_file or workshop_key().private,
            host_keys=load_host_keys(self.folder.hostkeys),
            known_hosts=self.folder.known_hosts,
        )

    def _settled(self, record: Record) -> Status:
        # The program that was saving it may have died; libvirt then finishes the work.
        return wait_until(
            lambda: self.hypervisor.status(record.domain), seconds=_PASSING, ok=lambda status: not status.passing
        )

    def _is_paused(self, record: Record) -> bool:
        """Return True for a machine that was ready once and that somebody, or a full disk, paused since."""
        return record.life is Life.READY and self._settled(record).state is DomainState.PAUSED

    def _is_running(self, record: Record) -> bool:
        status = self._settled(record)
        if status.state is DomainState.PAUSED:
            raise paused(record, status, self.hypervisor)
        return status.state is DomainState.RUNNING

    def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()


def _check_that_it_may_answer(folder: Folder, hypervisor: Hypervisor) -> None:
    """Raise MachineError if nothing will answer there: the machine does not run, or its boot failed."""
    record = folder.get()
    _check_that_it_runs(folder, record, hypervisor)
    if record.life is Life.FAILED:
        raise MachineError(
            f'the machine "{folder.name}" does not answer, since its boot failed: {record.cause}',
            hint=f"flatkit console {folder.name}",
        )


def _check_that_it_runs(folder: Folder, record: Record, hypervisor: Hypervisor) -> None:
    """Raise MachineError if the domain is off, gone or paused.

    Nothing is raised while libvirt's daemon is away, because the machine may keep running.
    """
    try:
        name, status = record.spec.name, hypervisor.status(record.domain)
    except HostError:
        return
    if status.state is DomainState.PAUSED and not status.passing:
        raise paused(record, status, hypervisor)
    if status.state.is_active:
        return
    elsewhere = find_elsewhere(folder, record.domain, record, hypervisor)
    if elsewhere and not elsewhere.is_reachable:
        raise error_for(name, elsewhere)
    if not elsewhere:
        raise MachineError(f'the machine "{name}" does not run: {status.ending}', hint=f"flatkit up --name {name}")


def paused(record: Record, status: Status, hypervisor: Hypervisor) -> MachineError:
    """Return the error for a paused machine, with the way to continue."""
    name = record.spec.name
    if record.life is Life.READY:
        hint = f"flatkit up --name {name}   (it then continues, with its clock set)"
    else:
        hint = f"virsh -c {hypervisor.uri} resume {record.domain}, or: flatkit down {name}"
    return MachineError(f'the machine "{name}" is paused: {status.reason or "why is not known"}', hint=hint)
