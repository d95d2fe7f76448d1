"""A machine by its name: up, run, stop, down. Every verb can be repeated.

Creation is all or nothing: an error or Ctrl-C undoes it. Only a machine that started but did not become ready is kept,
so that the user can inspect it.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from flatkit.errors import (
    BootFailed,
    BootStalled,
    Cancelled,
    FlatkitError,
    HostError,
    KernelPanicked,
    MachineError,
    MachineNotFound,
    WaitTimeout,
)
from flatkit.events import Observer, Said, phase
from flatkit.machines import ports
from flatkit.machines.boot_times import BootKind
from flatkit.machines.checkpoints import FRESH, Checkpoint, Shelf, check_checkpoint_name, find_checkpoint
from flatkit.machines.creator import UNKNOWN_CREATOR, Creator
from flatkit.machines.handle import Handle, MachineState
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.keys import HostKey, load_host_keys, save_host_keys
from flatkit.machines.power import PoweredOn
from flatkit.machines.provision import Maker, in_one_line, remove
from flatkit.machines.ready import Booting, Patience, Ready, ReadyWait
from flatkit.machines.records import Life, Record
from flatkit.machines.resume import Rewound, clock_words, mend, reach_again, wake
from flatkit.machines.scheduler import turn
from flatkit.machines.spec import Accelerator, MachineSpec, difference
from flatkit.machines.ssh import preload
from flatkit.machines.states import DomainState
from flatkit.machines.store import locked
from flatkit.machines.whereabouts import error_for, refuse_elsewhere
from flatkit.waiting import wait_until

log = logging.getLogger(__name__)

# Longest wait of `up` for another flatkit that works on the same machine, in seconds.
_OTHER_BOOT = 900.0


@dataclass(frozen=True, kw_only=True)
class Booted:
    """Result of the last `up`: seconds to SSH ready, in total and by phase; none if it was already running."""

    seconds: float = 0.0
    phases: dict[str, float] | None = None
    was_running: bool = False
    is_first: bool = False


class Machine(Handle):
    """Handle to the machine with this name, which may not exist yet. Thread-safe: one verb at a time."""

    def __init__(self, name: str, *, hypervisor: Hypervisor | None = None) -> None:
        super().__init__(name, hypervisor=hypervisor)
        self.booted = Booted()

    # Verbs

    def up(
        self,
        spec: MachineSpec | None = None,
        *,
        observer: Observer | None = None,
        cancel: threading.Event | None = None,
        patience: Patience | None = None,
        accelerator: Accelerator | None = None,
        made_by: Creator = UNKNOWN_CREATOR,
        cold: bool = False,
    ) -> Machine:
        """Create the machine and wait until it is ready; start it if it is stopped, resume it if it is paused.

        `spec` may be omitted for a machine that exists. `accelerator` skips the KVM trial. A first boot continues a
        template if one fits, unless it is `cold`. `made_by` is stored with a new machine. Raises MachineError for a
        name that another machine has, HostError if this host cannot run it, BootFailed, WaitTimeout, Cancelled.
        """
        watcher = observer or Observer()
        # If another flatkit boots the same machine, wait for it: the machine then simply runs.
        with self._lock, locked(self.name, wait=_OTHER_BOOT, cancel=cancel):
            record = self._existing(spec, watcher)
            if record and self._is_paused(record):
                self._drop_connection()
                wake(self, record, observer=watcher, cancel=cancel)
                self.booted = Booted(was_running=True)
                return self
            if record and self._is_running(record):
                self.booted = Booted(was_running=True)
                watcher.notify(Said(text=f'the machine "{self.name}" is running already'))
                return self
            maker = Maker(
                folder=self.folder, hypervisor=self.hypervisor, place=self.place, observer=watcher, cancel=cancel
            )
            with turn(watcher, cancel):
                if record is None:
                    assert spec is not None
                    started = maker.make(spec, accelerator, made_by, cold=cold)
                else:
                    started = maker.restart(record)
                self._await_first(started, maker, patience or Patience())
        return self

    def stop(self, *, patience: float = 60.0) -> None:
        """Shut the machine down, and power it off after `patience` seconds; its disk is kept.

        Raises MachineNotFound, HostError.
        """
        with self._lock, locked(self.name):
            record = self.record
            if not self.hypervisor.status(record.domain).state.is_active:
                refuse_elsewhere(self.folder, record.domain, record, self.hypervisor)
                self._drop_connection()
                self.place.close_line()
                return
            if self.hypervisor.status(record.domain).state is DomainState.PAUSED:
                with suppress(FlatkitError):  # a paused guest hears nothing
                    self.hypervisor.resume(record.domain)
            if record.life is Life.READY:
                self._ask_to_power_off()
            self._drop_connection()
            try:
                self.hypervisor.shutdown(record.domain)
                self._wait_until_off(record.domain, patience)
            except MachineError as error:
                log.debug("no orderly shutdown of %s: %s", self.name, error)
            self.hypervisor.destroy(record.domain)
            self.place.close_line()

    def unplug(self) -> None:
        """Pull the plug: data that QEMU has not written yet is lost; the disk is kept.

        Raises MachineNotFound, HostError.
        """
        with self._lock, locked(self.name):
            record = self.record
            self._drop_connection()
            # Also under another daemon of this user: the process is found in /proc.
            self.hypervisor.kill(record.domain)
            refuse_elsewhere(self.folder, record.domain, record, self.hypervisor)
            self.place.close_line()

    def wait_for_boot(
        self, *, since: int, observer: Observer | None = None, cancel: threading.Event | None = None
    ) -> Machine:
        """Wait until a boot that the guest started itself is ready. Raises as `up`.

        `since` is the value of `console_size` from before that boot.
        """
        with self._lock, locked(self.name, wait=_OTHER_BOOT, cancel=cancel):
            self._drop_connection()
            self.attend()
            started = PoweredOn(record=self.record, console_offset=since)
            # Only a newly shown key counts: the server of the ending boot still answers with the old one.
            self._await_ready(started, observer or Observer(), cancel, Patience(), known_keys=())
        return self

    def checkpoint(self, name: str, *, observer: Observer | None = None) -> Checkpoint:
        """Save memory and disks of the running machine; a checkpoint with the same name is replaced.

        Raises UsageError for an invalid name, MachineNotFound, MachineError if the machine does not run or cannot be
        saved, HostError if the disk has no room.
        """
        check_checkpoint_name(name)
        watcher = observer or Observer()
        with self._lock, locked(self.name):
            record = self.record
            refuse_elsewhere(self.folder, record.domain, record, self.hypervisor)
            if record.life is not Life.READY or not self._is_running(record):
                raise MachineError(
                    f'the machine "{self.name}" is {self.state}, and only a running one can be saved',
                    hint=f"flatkit up --name {self.name}",
                )
            began = time.monotonic()
            with phase(watcher, "checkpoint", f'Saving the checkpoint "{name}"'):
                saved = Shelf(folder=self.folder, hypervisor=self.hypervisor, place=self.place).save(record, name)
            seconds = time.monotonic() - began
            watcher.notify(Said(text=f'checkpoint "{name}": {saved.bytes / 1e6:.0f} MB, saved in {seconds:.1f} s'))
            return saved

    def keep_fresh(self, *, observer: Observer | None = None) -> Checkpoint | None:
        """Save the checkpoint `fresh` after a first boot, if possible.

        If libvirt or the disk prevents it, the reason is reported, not raised.
        """
        try:
            return self.checkpoint(FRESH, observer=observer)
        except (HostError, MachineError) as error:
            why = f'no checkpoint "{FRESH}", so that a rewind boots the machine from its image: {error.message}'
            (observer or Observer()).notify(Said(text=why))
            return None

    def rewind(
        self,
        *,
        to: str | None = None,
        observer: Observer | None = None,
        cancel: threading.Event | None = None,
        patience: Patience | None = None,
    ) -> Rewound:
        """Go back to a checkpoint (by default `fresh`), whether the machine runs or not.

        The clock is set and the random seed renewed. A machine without checkpoints boots again from its image, and then
        has `fresh`. Raises MachineNotFound, MachineError for a missing checkpoint, HostError, BootFailed, WaitTimeout,
        Cancelled.
        """
        rewound = self._rewind(to, observer or Observer(), cancel, patience or Patience())
        if not rewound.checkpoint:
            self.keep_fresh(observer=observer)
        return rewound

    def _rewind(self, to: str | None, watcher: Observer, cancel: threading.Event | None, patience: Patience) -> Rewound:
        began = time.monotonic()
        preload()
        with self._lock, locked(self.name, wait=_OTHER_BOOT, cancel=cancel):
            record = self.record
            refuse_elsewhere(self.folder, record.domain, record, self.hypervisor)
            checkpoint = find_checkpoint(self.folder, to)
            has_disk = self.place.has_disk(record.spec)
            self._drop_connection()
            maker = Maker(
                folder=self.folder, hypervisor=self.hypervisor, place=self.place, observer=watcher, cancel=cancel
            )
            if checkpoint is None or not has_disk:
                why = "its disk is gone" if checkpoint else "it has no checkpoint"
                watcher.notify(Said(text=f'the machine "{self.name}" boots again from its image: {why}'))
                with turn(watcher, cancel):
                    self._await_first(maker.remake(record), maker, patience)
                return Rewound(ready_seconds=time.monotonic() - began, seconds=time.monotonic() - began)
            with phase(watcher, "rewind", f'Going back to the checkpoint "{checkpoint.name}"'):
                record = maker.bring_back(record, checkpoint)
            return reach_again(self, record, checkpoint.name, began=began, observer=watcher, cancel=cancel)

    def down(self) -> list[str]:
        """Remove the machine and all its files. Never raises: errors are logged and returned as text."""
        try:
            with self._lock, locked(self.name):
                return self._remove()
        except FlatkitError as error:
            log.warning("removing the machine %s: %s", self.name, error)
            return [in_one_line(error)]

    # Implementation

    def _existing(self, spec: MachineSpec | None, observer: Observer) -> Record | None:
        """Return the record of an intact machine, or None if there is no machine; leftovers are removed."""
        state = self.state
        if elsewhere := self.elsewhere if state is MachineState.ELSEWHERE else None:
            raise error_for(self.name, elsewhere)
        if state in {MachineState.LEFTOVER, MachineState.BOOTING}:
            # Nobody else holds the lock, so a machine that is still in creation is a leftover of a crash.
            observer.notify(Said(text=f'cleaning up what is left of an earlier "{self.name}"'))
            troubles = self._remove()
            if troubles:
                raise MachineError(
                    f'the leftovers of "{self.name}" cannot be removed: {troubles[0]}', hint="flatkit clean"
                )
            state = MachineState.ABSENT
        if state is MachineState.ABSENT:
            if spec is None:
                raise MachineNotFound(f'there is no machine named "{self.name}"', hint=f"flatkit up --name {self.name}")
            if spec.name != self.name:
                raise ValueError(f"the spec is for {spec.name!r}, not for {self.name!r}")
            return None
        record = self.record  # raises for a broken record
        if state is MachineState.FAILED:
            raise MachineError(
                f'the machine "{self.name}" failed to boot earlier and is kept so that you can inspect it: {record.cause}',
                hint=f"flatkit console {self.name}, then: flatkit down {self.name}",
            )
        if spec is not None and spec != record.spec:
            raise MachineError(
                f'a machine named "{self.name}" exists already, and is another one ({difference(spec, record.spec)})',
                hint=f"flatkit down {self.name}   removes it; or take another name: flatkit up --name {self.name}-2",
            )
        return record

    def set_clock(self, *, observer: Observer | None = None) -> None:
        """Set the guest's clock from this host's, and report by how much it was behind. Raises MachineError, WaitTimeout."""
        renewed = mend(self.connection())
        words = f'the machine "{self.name}": {clock_words(renewed.behind)}'
        (observer or Observer()).notify(Said(text=words))

    def _await_first(self, started: PoweredOn, maker: Maker, patience: Patience) -> None:
        """As `_await_ready`; a machine that panics or hangs after a template boots once more, without the template."""
        try:
            self._await_ready(started, maker.observer, maker.cancel, patience)
        except (KernelPanicked, BootStalled) as error:
            if not started.template:
                raise
            hangs = isinstance(error, BootStalled)
            what = f'"{self.name}" shows no activity' if hangs else f'the kernel of "{self.name}" panicked'
            words = f"{what} after it continued a template: it boots once more, without the template"
            maker.observer.notify(Said(text=words))
            started = maker.remake(self.record, cold=True)
            self._await_ready(started, maker.observer, maker.cancel, patience)

    def _await_ready(
        self,
        started: PoweredOn,
        observer: Observer,
        cancel: threading.Event | None,
        patience: Patience,
        known_keys: tuple[HostKey, ...] | None = None,
    ) -> None:
        """Wait until the machine is ready. A machine that fails is kept; a new one that the user cancels is removed."""
        record = started.record
        booting = Booting(
            name=self.name,
            console=self.folder.console,
            port=ports.ssh_port(record.forwards),
            knock_port=ports.knock_port(record.forwards),
            status=lambda: self.hypervisor.status(record.domain),
            activity=lambda: self.hypervisor.activity(record.domain),
            attend=lambda: self.place.open_line(record.forwards),
            offset=started.console_offset,
            known_keys=load_host_keys(self.folder.hostkeys) if known_keys is None else known_keys,
            kind=BootKind(
                image=record.spec.label,
                accelerator=record.accelerator,
                is_first=record.life is Life.MAKING,
                is_warm=bool(started.template),
            ),
            template=started.template,
            patience=patience,
        )
        is_new = record.life is Life.MAKING
        preload()
        try:
            ready = ReadyWait(booting, observer=observer, cancel=cancel).wait()
        except (BootFailed, WaitTimeout) as error:
            if is_new:
                # A machine that was ready before is not marked as failed: stop it, and try again.
                with suppress(HostError):  # the disk may be full, and that is then the reported cause
                    self.folder.update(record, life=Life.FAILED, cause=error.message)
            raise
        except BaseException as error:
            # Cancelled, or Ctrl-C: leave nothing half-created.
            if is_new:
                self._remove()
            else:
                self.hypervisor.destroy(record.domain)
            if isinstance(error, Cancelled):
                observer.notify(Said(text=f'cancelled; the machine "{self.name}" is off'))
            raise
        self._take_over(record, ready, observer, lead=started.lead)

    def _take_over(self, record: Record, ready: Ready, observer: Observer, *, lead: float) -> None:
        save_host_keys(self.folder.hostkeys, ready.host_keys)
        if ready.host_keys != ():
            # The next login writes it again from the server's key, which may be new.
            self.folder.known_hosts.unlink(missing_ok=True)
        is_first = record.life is Life.MAKING
        record = self.folder.update(record, life=Life.READY)
        self.connection().adopt(ready.connection)
        seconds = lead + ready.seconds
        self.booted = Booted(seconds=seconds, phases=ready.phases, is_first=is_first)
        port = ports.ssh_port(record.forwards)
        observer.notify(Said(text=f'the machine "{self.name}" is ready after {seconds:.1f} s (ssh on port {port})'))

    def _ask_to_power_off(self) -> None:
        """Power off over SSH: not every guest reacts to its power button."""
        try:
            connection = self.connection()
            connection.open(timeout=10)
            connection.run("sudo -n systemctl poweroff", timeout=10)
        except FlatkitError as error:
            log.debug("no power-off by SSH of %s: %s", self.name, error)

    def _wait_until_off(self, domain: str, patience: float) -> None:
        wait_until(lambda: not self.hypervisor.status(domain).state.is_active, seconds=patience, pause=0.1)

    def _remove(self) -> list[str]:
        self._drop_connection()
        return remove(self.place, self.hypervisor)


def get_machine(name: str, *, hypervisor: Hypervisor | None = None) -> Machine:
    """Return the machine with this name. Raises MachineNotFound if there is none."""
    machine = Machine(name, hypervisor=hypervisor)
    machine.folder.get()
    return machine
