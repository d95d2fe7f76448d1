"""Backend for machines on this host: their disks and forwarded ports. remote_backend.py does the same for another host."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

from flatkit.events import Observer
from flatkit.files import save
from flatkit.machines.accelerator import Acceleration, choose_for
from flatkit.machines.access import Owner, close, make_private
from flatkit.machines.disks import Room, check_images, make_disks, measure_room, saved_memory_bytes
from flatkit.machines.domain import DomainFiles
from flatkit.machines.spec import Forward, MachineSpec
from flatkit.machines.store import Folder, make_folder
from flatkit.plain_names import forget, plain


class Backend:
    """Files, console and ports of one machine, on the host where its QEMU runs.

    All access to that host's files goes through this class.
    """

    # Address where QEMU listens for the forwarded ports.
    address = "127.0.0.1"
    # True if first boots may continue templates of this host's cache.
    has_templates = True

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def check_names(self) -> None:
        """Make sure that the machine's folder has, or gets, a name that libvirt takes. Raises HostError."""
        plain(self.folder.path)
        if not self.folder.exists():
            forget(self.folder.path)

    # Images

    def prepare(self, spec: MachineSpec, observer: Observer, cancel: threading.Event | None) -> None:  # noqa: ARG002
        """Make sure that the images which the machine boots from are available. Raises ImageError, HostError, Cancelled."""
        check_images(spec)

    def choose(self, spec: MachineSpec) -> Acceleration:
        """Choose the accelerator of that host. Raises MissingDependency."""
        return choose_for(spec)

    def room(self) -> Room:
        """Return the free memory and disk space of that host."""
        return measure_room(self.folder.path)

    def seen(self, spec: MachineSpec) -> MachineSpec:
        """Return the spec with the paths that its images have on that host."""
        return spec

    # The machine's own files

    def files(self, spec: MachineSpec) -> DomainFiles:
        """Return the paths of the domain's files on that host, as libvirt takes them. Raises HostError."""
        files = self.folder.files(spec)
        # The disks and the console may have any name: libvirt escapes these.
        config = files.ignition and plain(self.folder.path) / files.ignition.name
        return replace(files, ignition=config)

    def make(self, spec: MachineSpec) -> None:
        """Create the machine's folder, config and disks.

        Raises CommandFailed, MissingDependency, ImageError, HostError.
        """
        make_folder(self.folder.path, private=True)
        files = self.folder.files(spec)
        if files.ignition:
            save(files.ignition, spec.ignition, mode=0o600)
        make_disks(spec, files)

    def close_files(self, spec: MachineSpec, owner: Owner | None) -> None:
        """Keep other users of that host out of the machine's files. Raises OSError, HostError.

        `owner` is the user that QEMU runs as.
        """
        files = self.folder.files(spec)
        config = (files.ignition,) if files.ignition else ()
        close(self.folder.path, owner, for_qemu=(*config, files.console, files.overlay, *files.extra_disks))

    def has_disk(self, spec: MachineSpec) -> bool:
        """Return True if the machine's disk exists."""
        return self.folder.files(spec).overlay.exists()

    def make_disks_anew(self, spec: MachineSpec) -> None:
        """Delete the machine's disks, and re-create them as for a first boot."""
        files = self.folder.files(spec)
        for path in (files.overlay, *files.extra_disks):
            path.unlink(missing_ok=True)
        make_disks(spec, files)

    def saved_memory_bytes(self, spec: MachineSpec, snapshot: str) -> int:
        """Return the size of a snapshot's memory inside the disk, in bytes."""
        return saved_memory_bytes(self.folder.files(spec).overlay, snapshot)

    def remove(self) -> None:
        """Remove all files of the machine. Raises OSError, HostError."""
        self.folder.remove()
        forget(self.folder.path)

    # Console and ports

    def prepare_console(self) -> int:
        """Create the console file, and return the offset where new output begins in it."""
        # Created by us, so that we may read it: libvirt's log daemon would create it for its own user only.
        make_private(self.folder.console)
        return self.folder.console.stat().st_size

    def open_line(self, forwards: Sequence[Forward]) -> None:
        """Make sure that the ports lead to the machine and its console arrives here. Raises HostError."""

    def close_line(self) -> None:
        """Close what `open_line` opened."""

    def lend(self, port: int) -> None:
        """Let the machine reach a server on this host's port at 10.0.2.2. Raises HostError."""
