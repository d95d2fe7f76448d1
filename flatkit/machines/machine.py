"""A machine by its name: up, run, stop, down. Every verb can be repeated.

Making one is all or nothing: on an error or Ctrl-C what was made is undone. Only a machine that started and did not
become ready is kept, for looking at.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

from flatkit.errors import BootFailed, Cancelled, FlatkitError, HostError, MachineError, MachineNotFound, WaitTimeout
from flatkit.events import Observer, Said, phase
from flatkit.machines import ports
from flatkit.machines.boot_times import BootKind
from flatkit.machines.checkpoints import FRESH, Checkpoint, Shelf, check_checkpoint_name, find_checkpoint
from flatkit.machines.handle import Handle, MachineState, paused
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.keys import HostKey, load_host_keys, save_host_keys
from flatkit.machines.provision import Maker, PoweredOn, in_one_line, remove
from flatkit.machines.ready import Booting, Patience, Ready, ReadyWait
from flatkit.machines.records import Life, Record
from flatkit.machines.resume import Rewound, reach_again
from flatkit.machines.scheduler import turn
from flatkit.machines.spec import Accelerator, MachineSpec
from flatkit.machines.states import DomainState
from flatkit.machines.store import locked

log = logging.getLogger(__name__)

# How long something of libvirt's own, such as saving a checkpoint, may keep a machine paused, in seconds.
_PASSING = 60.0
# How long `up` waits for another flatkit that is at work on the same machine, in seconds.
_OTHER_BOOT = 900.0


@dataclass(frozen=True, kw_only=True)
class Booted:
    """How the last `up` of a machine went: seconds to SSH ready, and by phase; none when it was running already."""

    seconds: float = 0.0
    phases: dict[str, float] | None = None
    was_running: bool = False
    is_first: bool = False


class Machine(Handle):
    """A handle on the machine of that name, which may not exist yet. Safe for several threads: one verb at a time."""

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
    ) -> Machine:
        """Make the machine and wait until it is ready; start it when it is stopped; return it when it runs.

        `spec` may be left out for a machine that exists. `accelerator` skips the proof. Raises MachineError for a
        name that another machine has, HostError when this host cannot, BootFailed, WaitTimeout, Cancelled.
        """
        watcher = observer or Observer()
        # Another flatkit that boots the same machine is waited for: then it is simply there.
        with self._lock, locked(self.name, wait=_OTHER_BOOT, cancel=cancel):
            record = self._existing(spec, watcher)
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
                    started = maker.make(spec, accelerator)
                else:
                    started = maker.restart(record)
                self._await_ready(started, watcher, cancel, patience or Patience())
        return self

    def stop(self, *, patience: float = 60.0) -> None:
        """Switch the machine off in order, and the hard way after `patience` seconds; its disk is kept.

        Raises MachineNotFound, HostError.
        """
        with self._lock, locked(self.name):
            record = self.record
            if not self.hypervisor.status(record.domain).state.is_active:
                self._drop_connection()
                self.place.close_line()
                return
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
        """Pull the plug: what QEMU has not written yet is lost; its disk is kept. Raises MachineNotFound, HostError."""
        with self._lock, locked(self.name):
            self._drop_connection()
            self.hypervisor.kill(self.record.domain)
            self.place.close_line()

    def wait_for_boot(
        self, *, since: int, observer: Observer | None = None, cancel: threading.Event | None = None
    ) -> Machine:
        """Wait until a boot that the guest began itself is ready; `since` is `console_size` from before. Raises as `up`."""
        with self._lock, locked(self.name, wait=_OTHER_BOOT, cancel=cancel):
            self._drop_connection()
            self.attend()
            started = PoweredOn(record=self.record, console_offset=since)
            # Only a key shown anew counts: the server of the boot that is ending still answers to the old one.
            self._await_ready(started, observer or Observer(), cancel, Patience(), known_keys=())
        return self

    def checkpoint(self, name: str, *, observer: Observer | None = None) -> Checkpoint:
        """Save memory and disks of the running machine under a name; one of the same name is replaced.

        Raises UsageError for a name that is none, MachineNotFound, MachineError when it does not run or cannot be saved,
        HostError when the disk has no room.
        """
        check_checkpoint_name(name)
        watcher = observer or Observer()
        with self._lock, locked(self.name):
            record = self.record
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
        """Save the checkpoint `fresh` after a first boot, where that is possible; why it is not is said, not raised."""
        try:
            return self.checkpoint(FRESH, observer=observer)
        except (HostError, MachineError) as error:
            why = f'no checkpoint "{FRESH}", so that a rewind boots the machine anew: {error.message}'
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
        """Go back to a checkpoint (`fresh`, unless named), running or not; the clock is set and the random seed renewed.

        A machine without checkpoints is booted anew from its image, and has `fresh` from then on. Raises MachineNotFound,
        MachineError for a checkpoint that is not there, HostError, BootFailed, WaitTimeout, Cancelled.
        """
        rewound = self._rewind(to, observer or Observer(), cancel, patience or Patience())
        if not rewound.checkpoint:
            self.keep_fresh(observer=observer)
        return rewound

    def _rewind(self, to: str | None, watcher: Observer, cancel: threading.Event | None, patience: Patience) -> Rewound:
        with self._lock, locked(self.name, wait=_OTHER_BOOT, cancel=cancel):
            record = self.record
            checkpoint = find_checkpoint(self.folder, to)
            has_disk = self.place.has_disk(record.spec)
            self._drop_connection()
            maker = Maker(
                folder=self.folder, hypervisor=self.hypervisor, place=self.place, observer=watcher, cancel=cancel
            )
            if checkpoint is None or not has_disk:
                why = "its disk is gone" if checkpoint else "it has no checkpoint"
                watcher.notify(Said(text=f'the machine "{self.name}" boots anew from its image: {why}'))
                began = time.monotonic()
                with turn(watcher, cancel):
                    self._await_ready(maker.remake(record), watcher, cancel, patience)
                return Rewound(ready_seconds=time.monotonic() - began, seconds=time.monotonic() - began)
            began = time.monotonic()
            with phase(watcher, "rewind", f'Going back to the checkpoint "{checkpoint.name}"'):
                record = maker.bring_back(record, checkpoint)
            rewound = reach_again(self, record, checkpoint.name, began=began, observer=watcher, cancel=cancel)
            watcher.notify(Said(text=f'the machine "{self.name}" is {rewound}'))
            return rewound

    def down(self) -> list[str]:
        """Remove the machine with all it has. Never raises: troubles are logged and returned as text."""
        try:
            with self._lock, locked(self.name):
                return self._remove()
        except FlatkitError as error:
            log.warning("removing the machine %s: %s", self.name, error)
            return [in_one_line(error)]

    # How it is done

    def _existing(self, spec: MachineSpec | None, observer: Observer) -> Record | None:
        """The record of a whole machine that may be used; leftovers are cleaned away."""
        state = self.state
        if state in {MachineState.LEFTOVER, MachineState.BOOTING}:
            # Nobody else holds the lock, so that a machine still in the making is what a crash left.
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
        record = self.record  # raises for a broken one
        if state is MachineState.FAILED:
            raise MachineError(
                f'the machine "{self.name}" failed to boot earlier and is kept for looking at: {record.cause}',
                hint=f"flatkit console {self.name}, then: flatkit down {self.name}",
            )
        if spec is not None and spec != record.spec:
            raise MachineError(
                f'a machine named "{self.name}" exists already, and is another one ({_difference(spec, record.spec)})',
                hint=f"flatkit down {self.name}   removes it; or take another name: flatkit up --name {self.name}-2",
            )
        return record

    def _is_running(self, record: Record) -> bool:
        deadline = time.monotonic() + _PASSING
        while (status := self.hypervisor.status(record.domain)).passing and time.monotonic() < deadline:
            # Somebody who was saving it has died, and libvirt finishes the work.
            time.sleep(0.05)
        if status.state is DomainState.PAUSED:
            raise paused(record, status, self.hypervisor)
        return status.state is DomainState.RUNNING

    def _await_ready(
        self,
        started: PoweredOn,
        observer: Observer,
        cancel: threading.Event | None,
        patience: Patience,
        known_keys: tuple[HostKey, ...] | None = None,
    ) -> None:
        """Wait; a machine that fails is kept, one that the person did not want to wait for is removed again."""
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
            kind=BootKind(image=record.spec.label, accelerator=record.accelerator, is_first=record.life is Life.MAKING),
            patience=patience,
        )
        is_new = record.life is Life.MAKING
        try:
            ready = ReadyWait(booting, observer=observer, cancel=cancel).wait()
        except (BootFailed, WaitTimeout) as error:
            if is_new:
                # One that was ready before keeps its disk and its chance: stop it, and try again.
                with suppress(HostError):  # the disk may be full, which is then the cause that is told
                    self.folder.update(record, life=Life.FAILED, cause=error.message)
            raise
        except BaseException as error:
            # Cancelled, or Ctrl-C: nothing half-made stays.
            if is_new:
                self._remove()
            else:
                self.hypervisor.destroy(record.domain)
            if isinstance(error, Cancelled):
                observer.notify(Said(text=f'cancelled; the machine "{self.name}" is off'))
            raise
        self._take_over(record, ready, observer)

    def _take_over(self, record: Record, ready: Ready, observer: Observer) -> None:
        save_host_keys(self.folder.hostkeys, ready.host_keys)
        if ready.host_keys != ():
            # Written again from the server's key at the next login: it may be a new one.
            self.folder.known_hosts.unlink(missing_ok=True)
        is_first = record.life is Life.MAKING
        record = self.folder.update(record, life=Life.READY)
        self.connection().adopt(ready.connection)
        self.booted = Booted(seconds=ready.seconds, phases=ready.phases, is_first=is_first)
        port = ports.ssh_port(record.forwards)
        observer.notify(
            Said(text=f'the machine "{self.name}" is ready after {ready.seconds:.1f} s (ssh on port {port})')
        )

    def _ask_to_power_off(self) -> None:
        """By SSH: not every guest listens to its power button."""
        try:
            connection = self.connection()
            connection.open(timeout=10)
            connection.run("sudo -n systemctl poweroff", timeout=10)
        except FlatkitError as error:
            log.debug("no power-off by SSH of %s: %s", self.name, error)

    def _wait_until_off(self, domain: str, patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline and self.hypervisor.status(domain).state.is_active:
            time.sleep(0.1)

    def _remove(self) -> list[str]:
        self._drop_connection()
        return remove(self.place, self.hypervisor)


def _difference(new: MachineSpec, old: MachineSpec) -> str:
    """Which fields differ, in words."""
    before, after = old.as_dict(), new.as_dict()
    names = [key for key in after if after[key] != before.get(key)]
    words = {"ignition": "config", "disk": "image", "boot": "image", "label": "image", "memory_mib": "memory"}
    return "other " + ", ".join(dict.fromkeys(words.get(name, name) for name in names))


def get_machine(name: str, *, hypervisor: Hypervisor | None = None) -> Machine:
    """The machine of that name. Raises MachineNotFound when there is none."""
    machine = Machine(name, hypervisor=hypervisor)
    machine.folder.get()
    return machine
