"""The only door to libvirt: a handful of verbs on domains, with errors a person can act on.

The binding is imported when it is first needed, so that everything else works without it. State is asked for, not
listened to: an answer takes a fraction of a millisecond, and a thread of libvirt's own inside a notebook's kernel would
outlive every cell.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from flatkit.errors import MachineError, MachineNotFound, MissingDependency
from flatkit.machines.access import Owner, parse_owner
from flatkit.machines.domain import METADATA_URI, Tag, parse_tag
from flatkit.machines.libvirt_errors import explain, unreachable
from flatkit.machines.processes import kill_process
from flatkit.machines.remote import RemoteHost, find_remote
from flatkit.machines.states import DomainState, Status, parse_state

DEFAULT_URI = "qemu:///session"

_KILL_SECONDS = 10.0

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Activity:
    """What a guest has used since it was switched on: seconds of processor time, bytes read from and written to disks."""

    cpu_seconds: float = 0.0
    disk_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class OwnedDomain:
    """A domain that carries flatkit's mark."""

    domain: str
    tag: Tag
    status: Status


@dataclass(frozen=True, kw_only=True)
class RunningGuest:
    """What a guest was promised of this host's memory, and what of it its QEMU holds already, in MiB."""

    memory_mib: int
    resident_mib: int


def load_binding() -> ModuleType:
    """Import libvirt's Python binding and silence its habit of printing. Raises MissingDependency."""
    try:
        import libvirt
    except ImportError as error:
        raise MissingDependency(
            f"the Python binding of libvirt cannot be imported: {error}",
            hint="make setup   (by hand: apt install python3-libvirt, or pip install 'flatkit[libvirt]')",
        ) from None
    # Every error is raised as well, so that what libvirt prints would be told twice.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    module: ModuleType = libvirt
    return module


def default_uri() -> str:
    """The hypervisor to use: LIBVIRT_DEFAULT_URI, else the person's own session."""
    return os.environ.get("LIBVIRT_DEFAULT_URI") or DEFAULT_URI


class Hypervisor:
    """A libvirt connection that is opened when first used and opened again when the daemon was restarted.

    Every method raises HostError when libvirt cannot be reached, and MachineError when it refuses.
    """

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri or default_uri()
        self._lock = threading.RLock()
        self._open: Any = None

    @property
    def remote(self) -> RemoteHost | None:
        """The other host that its machines run on; None for this one. Raises HostError where there is no way to it."""
        return find_remote(self.uri)

    def __repr__(self) -> str:
        return f"Hypervisor({self.uri!r})"

    def connect(self) -> None:
        """Open the connection now, to learn early what is wrong. Raises HostError."""
        self._call("connect", lambda _connection: None)

    def close(self) -> None:
        """Let the connection go; the next call opens another."""
        with self._lock:
            connection, self._open = self._open, None
            if connection is not None:
                self._quietly(connection.close)

    def version(self) -> tuple[str, str]:
        """The versions of libvirt's daemon and of the hypervisor (QEMU), such as ("9.0.0", "7.2.22")."""
        return self._call(
            "ask for versions",
            lambda connection: (_dotted(connection.getLibVersion()), _dotted(connection.getVersion())),
        )

    def qemu_owner(self) -> Owner | None:
        """The user that QEMU runs as; None where that is the user whose libvirt it is."""
        return self._call("ask for capabilities", lambda connection: parse_owner(connection.getCapabilities()))

    def define(self, xml: str) -> None:
        """Make a persistent domain, or replace the one of the same name and UUID."""
        self._call("define the domain", lambda connection: connection.defineXML(xml))

    def start(self, domain: str) -> None:
        """Power the domain on; nothing happens when it is on."""
        if not self.status(domain).state.is_active:
            self._on(domain, "start", lambda found: found.create())

    def shutdown(self, domain: str) -> None:
        """Press the power button: the guest may shut down in order, or not react at all."""
        self._on(domain, "shut down", lambda found: found.shutdown())

    def destroy(self, domain: str) -> None:
        """Switch the domain off; nothing happens when it is off or not there."""
        if self.status(domain).state.is_active:
            self._on(domain, "destroy", lambda found: found.destroy())

    def kill(self, domain: str) -> None:
        """Pull the plug: SIGKILL for its QEMU process. `destroy` would let QEMU write out what it still holds.

        Where the process is out of reach (another host, another user's), it is destroyed. Raises MachineError when libvirt
        still calls it running after some seconds.
        """
        if not kill_process(domain, remote=self.remote):
            self.destroy(domain)
        deadline = time.monotonic() + _KILL_SECONDS
        while self.status(domain).state.is_active:
            if time.monotonic() > deadline:
                raise MachineError(f'the domain "{domain}" was killed and runs on', hint="flatkit doctor")
            time.sleep(0.02)

    def undefine(self, domain: str) -> None:
        """Make libvirt forget the domain with all it keeps about it; nothing happens when it is not there."""
        if self.status(domain).state is DomainState.UNDEFINED:
            return
        libvirt = load_binding()
        every_driver = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        flags = every_driver | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM

        def undefine(found: Any) -> None:
            try:
                found.undefineFlags(flags)
            except libvirt.libvirtError as error:
                # Some drivers know fewer flags, and then have nothing that those would remove.
                unknown = {
                    libvirt.VIR_ERR_INVALID_ARG,
                    libvirt.VIR_ERR_NO_SUPPORT,
                    libvirt.VIR_ERR_ARGUMENT_UNSUPPORTED,
                }
                if error.get_error_code() not in unknown:
                    raise
                found.undefineFlags(every_driver)

        self._on(domain, "undefine", undefine)

    def status(self, domain: str) -> Status:
        """What the domain does now; UNDEFINED when there is none."""
        try:
            state, reason = self._on(domain, "look at", lambda found: found.state())
        except MachineNotFound:
            return Status(state=DomainState.UNDEFINED)
        return parse_state(load_binding(), state, reason)

    def activity(self, domain: str) -> Activity:
        """What the guest has used so far; nothing when it is off."""
        libvirt = load_binding()
        wanted = libvirt.VIR_DOMAIN_STATS_CPU_TOTAL | libvirt.VIR_DOMAIN_STATS_BLOCK

        def ask(connection: Any) -> dict[str, Any]:
            found = connection.domainListGetStats([connection.lookupByName(domain)], wanted, 0)
            return found[0][1] if found else {}

        try:
            stats = self._call(f'look at the domain "{domain}"', ask)
        except MachineNotFound:
            return Activity()
        moved = [value for key, value in stats.items() if re.fullmatch(r"block\.\d+\.(rd|wr)\.bytes", key)]
        return Activity(cpu_seconds=stats.get("cpu.time", 0) / 1e9, disk_bytes=sum(moved))

    def xml(self, domain: str) -> str:
        """The domain as libvirt sees it now. Raises MachineNotFound."""
        text: str = self._on(domain, "read", lambda found: found.XMLDesc(0))
        return text

    def save_snapshot(self, domain: str, name: str) -> str:
        """Save memory and disks inside the disks themselves; the guest stands still meanwhile. Returns libvirt's XML of it."""
        xml = f"<domainsnapshot><name>{name}</name></domainsnapshot>"

        def save(found: Any) -> str:
            text: str = found.snapshotCreateXML(xml, 0).getXMLDesc(0)
            return text

        return self._on(domain, f'save the checkpoint "{name}" of', save)

    def find_snapshot(self, domain: str, name: str) -> str | None:
        """libvirt's XML of a snapshot, None when it knows none of that name."""
        libvirt = load_binding()

        def look(found: Any) -> str | None:
            try:
                text: str = found.snapshotLookupByName(name).getXMLDesc(0)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT:
                    raise
                return None
            return text

        return self._on(domain, "look at", look)

    def redefine_snapshot(self, domain: str, xml: str) -> None:
        """Tell libvirt of a snapshot that the disks hold, or tell it anew; the disks are not touched."""
        flag = load_binding().VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        self._on(domain, "describe a checkpoint of", lambda found: found.snapshotCreateXML(xml, flag))

    def revert(self, domain: str, name: str) -> None:
        """Bring memory and disks back; a domain that is off is started with them."""
        self._on(
            domain,
            f'bring the checkpoint "{name}" back to',
            lambda found: found.revertToSnapshot(found.snapshotLookupByName(name), 0),
        )

    def remove_snapshot(self, domain: str, name: str) -> None:
        """Remove a snapshot from the disks; nothing happens when there is none of that name."""
        if self.find_snapshot(domain, name) is not None:
            self._on(
                domain, f'remove the checkpoint "{name}" of', lambda found: found.snapshotLookupByName(name).delete(0)
            )

    def running_guests(self) -> list[RunningGuest]:
        """Every guest that runs, whoever made it."""
        libvirt = load_binding()

        def ask(connection: Any) -> list[RunningGuest]:
            result = []
            for found in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                try:
                    promised = found.maxMemory()
                    held = found.memoryStats().get("rss", promised)
                except libvirt.libvirtError:
                    continue  # gone since the list was made
                result.append(RunningGuest(memory_mib=promised // 1024, resident_mib=held // 1024))
            return result

        return self._call("list domains", ask)

    def owned(self, owner: str | None = None) -> list[OwnedDomain]:
        """The domains that carry flatkit's mark, of one owner or of all, by name."""
        libvirt = load_binding()

        def ask(connection: Any) -> list[OwnedDomain]:
            result = []
            for found in connection.listAllDomains():
                try:
                    tag = parse_tag(found.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, METADATA_URI))
                    status = parse_state(libvirt, *found.state())
                    if owner is None or tag.owner == owner:
                        result.append(OwnedDomain(domain=found.name(), tag=tag, status=status))
                except (ValueError, libvirt.libvirtError):
                    continue  # not ours, or gone since the list was made
            return sorted(result, key=lambda domain: domain.domain)

        return self._call("list domains", ask)

    def _on(self, domain: str, verb: str, action: Callable[[Any], T]) -> T:
        return self._call(f'{verb} the domain "{domain}"', lambda connection: action(connection.lookupByName(domain)))

    def _call(self, what: str, action: Callable[[Any], T]) -> T:
        """Run an action on the connection, once more on a new one when the daemon went away below it."""
        libvirt = load_binding()
        for attempt in (1, 2):
            connection = self._connection()
            try:
                return action(connection)
            except libvirt.libvirtError as error:
                if attempt == 1 and not self._is_alive(connection):
                    self.close()
                    continue
                raise explain(libvirt, error, what) from None
        raise AssertionError("unreachable")

    def _connection(self) -> Any:
        remote = self.remote
        libvirt = load_binding()
        with self._lock:
            if self._open is None:
                try:
                    # Over SSH without a question that nobody would see.
                    quiet = "no_tty=1" if remote else ""
                    self._open = libvirt.open(
                        f"{self.uri}{'&' if '?' in self.uri else '?'}{quiet}" if quiet else self.uri
                    )
                except libvirt.libvirtError as error:
                    said = str(error)
                    if remote and remote.is_to_blame(said):
                        raise remote.unreachable(said) from None
                    raise unreachable(self.uri, said) from None
            return self._open

    @staticmethod
    def _is_alive(connection: Any) -> bool:
        libvirt = load_binding()
        try:
            return bool(connection.isAlive())
        except libvirt.libvirtError:
            return False

    @staticmethod
    def _quietly(action: Callable[[], Any]) -> None:
        libvirt = load_binding()
        try:
            action()
        except libvirt.libvirtError:
            return


def _dotted(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
