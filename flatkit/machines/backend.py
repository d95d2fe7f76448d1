"""Where a machine's disks lie and its ports lead: this host. remote_backend.py is the same for another host."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from flatkit.events import Observer
from flatkit.machines.accelerator import Acceleration, choose_for
from flatkit.machines.access import Owner, close, make_private
from flatkit.machines.disks import Room, check_images, make_disks, measure_room, saved_memory_bytes
from flatkit.machines.domain import DomainFiles
from flatkit.machines.spec import Forward, MachineSpec
from flatkit.machines.store import Folder, make_folder, write_atomically


class Backend:
    """The files of one machine, where its QEMU runs. Everything that lies there is reached through this."""

    # Where QEMU listens for the forwarded ports.
    address = "127.0.0.1"

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    # Images

    def prepare(self, spec: MachineSpec, observer: Observer, cancel: threading.Event | None) -> None:  # noqa: ARG002
        """See to it that what the machine boots from is there. Raises ImageError, HostError, Cancelled."""
        check_images(spec)

    def choose(self, spec: MachineSpec) -> Acceleration:
        """The accelerator of that host, proved. Raises MissingDependency."""
        return choose_for(spec)

    def room(self) -> Room:
        """What is free there."""
        return measure_room(self.folder.path)

    def seen(self, spec: MachineSpec) -> MachineSpec:
        """The spec with its images' paths as they are there."""
        return spec

    # The machine's own files

    def files(self, spec: MachineSpec) -> DomainFiles:
        """Where the domain's files lie there."""
        return self.folder.files(spec)

    def make(self, spec: MachineSpec) -> None:
        """Make its folder, its config and its disks. Raises CommandFailed, MissingDependency, ImageError, HostError."""
        make_folder(self.folder.path, private=True)
        files = self.folder.files(spec)
        if files.ignition:
            write_atomically(files.ignition, spec.ignition, mode=0o600)
        make_disks(spec, files)

    def close_files(self, spec: MachineSpec, owner: Owner | None) -> None:
        """Keep other users of that host from its files; `owner` is the user that QEMU runs as. Raises OSError, HostError."""
        files = self.folder.files(spec)
        config = (files.ignition,) if files.ignition else ()
        close(self.folder.path, owner, for_qemu=(*config, files.console, files.overlay, *files.extra_disks))

    def has_disk(self, spec: MachineSpec) -> bool:
        """Whether its disk is there."""
        return self.folder.files(spec).overlay.exists()

    def make_disks_anew(self, spec: MachineSpec) -> None:
        """Throw its disks away, and make them as for a first boot."""
        files = self.folder.files(spec)
        for path in (files.overlay, *files.extra_disks):
            path.unlink(missing_ok=True)
        make_disks(spec, files)

    def saved_memory_bytes(self, spec: MachineSpec, snapshot: str) -> int:
        """What the memory of a snapshot takes inside the disk."""
        return saved_memory_bytes(self.folder.files(spec).overlay, snapshot)

    def remove(self) -> None:
        """Remove all that is there. Raises OSError, HostError."""
        self.folder.remove()

    # Console and ports

    def prepare_console(self) -> int:
        """Make the console's file; where what comes next will begin in it."""
        # Made by us, so that we may read it: libvirt's log daemon would make it for its own user alone.
        make_private(self.folder.console)
        return self.folder.console.stat().st_size

    def open_line(self, forwards: Sequence[Forward]) -> None:
        """See to it that the ports lead to the machine and its console comes here. Raises HostError."""

    def close_line(self) -> None:
        """What `open_line` opened is closed."""

    def lend(self, port: int) -> None:
        """Let the machine reach a server on this host's port as 10.0.2.2. Raises HostError."""
