"""The first boot of a machine: it continues a template if one fits, and boots from its firmware on otherwise.

The first machine of its kind becomes the template: it is saved where it waits for its config, and then continued like
all others. Whatever goes wrong with a template costs seconds only: the machine then boots from its firmware on.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace

from flatkit.errors import FlatkitError, HostError, MachineError, WaitTimeout
from flatkit.events import Observer, Said, phase
from flatkit.machines.accelerator import qemu_version
from flatkit.machines.checkpoints import check_saving_room
from flatkit.machines.console import ConsoleReader
from flatkit.machines.domain import snapshot_of
from flatkit.machines.power import Power, PoweredOn
from flatkit.machines.records import Record
from flatkit.machines.states import DomainState
from flatkit.machines.templates import CONTINUED, SNAPSHOT, WAITING, Library, Template, find_library, is_enabled
from flatkit.run import run
from flatkit.waiting import check_cancel

# Longest time until the guest prints the awaited line, in seconds with KVM.
_TO_WAITING = 30.0
_TO_CONTINUED = 30.0
_LOOK_EVERY = 0.02
_STATE_EVERY = 0.25


@dataclass(frozen=True, kw_only=True)
class FirstBoot:
    """The first boot of one machine, whose disks were just created. The caller holds the machine's lock."""

    power: Power
    observer: Observer
    cancel: threading.Event | None = None

    def start(self, record: Record, *, cold: bool = False) -> PoweredOn:
        """Start the machine; a `cold` one boots from its firmware on. Raises MachineError, HostError, Cancelled."""
        try:
            library = None if cold else self._library(record)
            if library is not None:
                return self._warm(record, library)
        except (HostError, MachineError, OSError) as error:
            why = error.message if isinstance(error, FlatkitError) else error.strerror or str(error)
            self.observer.notify(Said(text=f"no template is used, and the machine boots from its firmware on: {why}"))
            self._undo(record)
        return self.power.on(record)

    def _library(self, record: Record) -> Library | None:
        spec, hypervisor = record.spec, self.power.hypervisor
        if not is_enabled() or not self.power.place.has_templates:
            return None
        return find_library(spec, record.accelerator, versions=(qemu_version(spec.arch), *hypervisor.version()))

    def _warm(self, record: Record, library: Library) -> PoweredOn:
        offset = self.power.place.prepare_console()
        template = library.find()
        if template is None:
            with library.locked(self.cancel, waiting=self._say_waiting):
                template = library.find()
                if template is None:
                    return self._become_template(record, library, offset)
        try:
            self._take(record, template)
        except (MachineError, FileNotFoundError):
            # Torn, or removed meanwhile: the next machine makes another.
            library.discard()
            raise
        return self._continue(record, library, template, offset)

    def _say_waiting(self) -> None:
        self.observer.notify(
            Said(text="another machine makes the template, the kept boot that this one continues: waiting for it")
        )

    # Make a template

    def _become_template(self, record: Record, library: Library, offset: int) -> PoweredOn:
        template = self._make(record, library, offset)
        try:
            return self._continue(record, library, template, offset)
        except MachineError:
            # It cannot have been torn: this host cannot continue a template, and the next machine need not try.
            library.give_up()
            raise

    def _make(self, record: Record, library: Library, offset: int) -> Template:
        """Boot until the guest waits for its config, and save it there: in this machine's disk, and in the library."""
        hypervisor, place = self.power.hypervisor, self.power.place
        check_saving_room(record, place.room().disk_mib)
        with phase(
            self.observer,
            "template",
            "Making a template: a boot kept before it reads its config, which the next first boots continue",
        ):
            if self.power.on(record, as_template=True).record.accelerator is not record.accelerator:
                raise MachineError("the accelerator refuses, and the template would be another machine's")
            self._await(record, WAITING, offset, _TO_WAITING)
            hypervisor.save_snapshot(record.domain, SNAPSHOT)
            hypervisor.kill(record.domain)
            # Its disk is another machine's from now on: nothing that libvirt knows about it remains.
            hypervisor.undefine(record.domain)
            overlay = place.files(record.spec).overlay
            # Its QEMU did not end in order: clusters that it no longer counts right are only room that is lost.
            run(["qemu-img", "check", "-q", "-r", "leaks", "-f", "qcow2", str(overlay.absolute())])
            return library.add(overlay, self.power.folder.console.read_bytes()[offset:])

    # Continue a template

    def _take(self, record: Record, template: Template) -> None:
        place = self.power.place
        check_saving_room(record, place.room().disk_mib)
        template.copy_disk(place.files(record.spec).overlay)
        with self.power.folder.console.open("ab") as console:
            console.write(template.console)

    def _continue(self, record: Record, library: Library, template: Template, offset: int) -> PoweredOn:
        hypervisor = self.power.hypervisor

        def start(latest: Record) -> None:
            if latest.accelerator is not record.accelerator:
                raise MachineError("the template was saved under another accelerator")
            hypervisor.redefine_snapshot(latest.domain, snapshot_of(hypervisor.xml(latest.domain), SNAPSHOT))
            hypervisor.revert(latest.domain, SNAPSHOT)

        began = time.monotonic()
        with phase(
            self.observer, "continue", f"Continuing a boot that was kept before it read its config, {template.clock}"
        ):
            try:
                started = self.power.on(record, start)
                self._await(started.record, CONTINUED, offset, _TO_CONTINUED)
            except MachineError:
                # Whatever the reason was, the next machine makes another.
                library.discard()
                raise
        with suppress(MachineError):  # it only takes room
            hypervisor.remove_snapshot(record.domain, SNAPSHOT)
        lead = time.monotonic() - began
        return replace(started, console_offset=offset, template=template.made, lead=lead)

    def _await(self, record: Record, words: str, offset: int, seconds: float) -> None:
        """Wait until the guest prints a line with these words. Raises MachineError, WaitTimeout, Cancelled."""
        patience = seconds * record.accelerator.slowdown
        deadline = time.monotonic() + patience
        next_look = 0.0
        with ConsoleReader(self.power.folder.console, offset=offset) as reader:
            while True:
                check_cancel(self.cancel)
                if any(words in line.text for line in reader.read()):
                    return
                now = time.monotonic()
                if now >= next_look:
                    next_look = now + _STATE_EVERY
                    status = self.power.hypervisor.status(record.domain)
                    if status.state is not DomainState.RUNNING and not status.passing:
                        raise MachineError(f"it ended before it was as far as that: {status.ending}")
                if now > deadline:
                    raise WaitTimeout(f'it did not print "{words}" within {patience:g} s')
                time.sleep(_LOOK_EVERY)

    def _undo(self, record: Record) -> None:
        """Undo what was begun, so that the machine can boot from its firmware on."""
        hypervisor, place = self.power.hypervisor, self.power.place
        hypervisor.kill(record.domain)
        hypervisor.undefine(record.domain)
        place.make_disks_anew(record.spec)
