"""Wrapper for libvirt: a few verbs on domains, with errors that a user can act on. No other module imports libvirt.

The binding is imported when it is first needed, so that everything else works without it. State is polled, not received
as events. A query takes a fraction of a millisecond, and a libvirt thread inside a notebook's kernel would outlive
every cell.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, TypeVar

from flatkit.errors import MachineError, MachineNotFound, MissingDependency
from flatkit.machines.access import Owner, parse_owner
from flatkit.machines.daemon import default_uri
from flatkit.machines.domain import METADATA_URI, Tag, parse_tag
from flatkit.machines.libvirt_errors import explain, unreachable
from flatkit.machines.processes import kill_process
from flatkit.machines.remote import RemoteHost, find_remote
from flatkit.machines.states import DomainState, Status, parse_state
from flatkit.plain_names import short_folders
from flatkit.waiting import wait_until

_KILL_SECONDS = 10.0

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Resources that a guest used since power-on: processor time in seconds, bytes read from and written to disks."""

    cpu_seconds: float = 0.0
    disk_bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class OwnedDomain:
    """A domain with flatkit's mark."""

    domain: str
    tag: Tag
    status: Status


@dataclass(frozen=True, kw_only=True)
class RunningGuest:
    """Memory that a guest was promised, and the part that its QEMU already uses, in MiB."""

    memory_mib: int
    resident_mib: int


def load_binding() -> ModuleType:
    """Import libvirt's Python binding and stop it from printing errors. Raises MissingDependency."""
    try:
        import libvirt
    except ImportError as error:
        raise MissingDependency(
            f"the Python binding of libvirt cannot be imported: {error}",
            hint="make setup   (by hand: apt install python3-libvirt, or pip install 'flatkit[libvirt]')",
        ) from None
    # Every error is raised as well, so what libvirt prints would be reported twice.
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    module: ModuleType = libvirt
    return module


class Hypervisor:
    """A libvirt connection that is opened on first use, and opened again after the daemon restarted.

    Every method raises HostError if libvirt cannot be reached, and MachineError if it refuses.
    """

    def __init__(self, uri: str | None = None) -> None:
        self.uri = uri or default_uri()
        self._lock = threading.RLock()
        self._open: Any = None

    @property
    def remote(self) -> RemoteHost | None:
        """The other host that the machines run on; None for this host. Raises HostError if SSH does not lead to it."""
        return find_remote(self.uri)

    def __repr__(self) -> str:
        return f"Hypervisor({self.uri!r})"

    def connect(self) -> None:
        """Open the connection now, to find errors early. Raises HostError."""
        self._call("connect", lambda _connection: None)

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        with self._lock:
            connection, self._open = self._open, None
            if connection is not None:
                self._quietly(connection.close)

    def version(self) -> tuple[str, str]:
        """Return the versions of libvirt's daemon and of the hypervisor (QEMU), such as ("9.0.0", "7.2.22")."""
        return self._call(
            "ask for versions",
            lambda connection: (_dotted(connection.getLibVersion()), _dotted(connection.getVersion())),
        )

    def qemu_owner(self) -> Owner | None:
        """Return the user that QEMU runs as; None if that is libvirt's own user."""
        return self._call("ask for capabilities", lambda connection: parse_owner(connection.getCapabilities()))

    def define(self, xml: str) -> None:
        """Create a persistent domain, or replace the one with the same name and UUID."""
        self._call("define the domain", lambda connection: connection.defineXML(xml))

    def start(self, domain: str) -> None:
        """Power on the domain; do nothing if it is on."""
        if not self.status(domain).state.is_active:
            self._on(domain, "start", lambda found: found.create())

    def resume(self, domain: str) -> None:
        """Let a paused domain continue, also one that the guest suspended."""
        asleep = load_binding().VIR_DOMAIN_PMSUSPENDED
        self._on(domain, "resume", lambda found: found.pMWakeup() if found.state()[0] == asleep else found.resume())

    def shutdown(self, domain: str) -> None:
        """Press the power button: the guest may shut down cleanly, or not react at all."""
        self._on(domain, "shut down", lambda found: found.shutdown())

    def destroy(self, domain: str) -> None:
        """Power off the domain; do nothing if it is off or missing."""
        if self.status(domain).state.is_active:
            self._on(domain, "destroy", lambda found: found.destroy())

    def kill(self, domain: str) -> None:
        """Pull the plug: kill the QEMU process with SIGKILL. `destroy` would let QEMU write out its buffers.

        If the process is out of reach (another host, another user), the domain is destroyed. Raises MachineError if
        libvirt still reports it as running after some seconds.
        """
        if not kill_process(domain, remote=self.remote):
            self.destroy(domain)
        if not wait_until(lambda: not self.status(domain).state.is_active, seconds=_KILL_SECONDS, pause=0.02):
            raise MachineError(f'the domain "{domain}" was killed and runs on', hint="flatkit doctor")

    def undefine(self, domain: str) -> None:
        """Remove the domain with its metadata from libvirt; do nothing if it is missing."""
        if self.status(domain).state is DomainState.UNDEFINED:
            return
        libvirt = load_binding()
        every_driver = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
        flags = every_driver | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_NVRAM

        def undefine(found: Any) -> None:
            try:
                found.undefineFlags(flags)
            except libvirt.libvirtError as error:
                # Some drivers know fewer flags. They then have nothing that those flags would remove.
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
        """Return the domain's current state; UNDEFINED if there is no domain."""
        try:
            state, reason = self._on(domain, "look at", lambda found: found.state())
        except MachineNotFound:
            return Status(state=DomainState.UNDEFINED)
        return parse_state(load_binding(), state, reason)

    def activity(self, domain: str) -> Activity:
        """Return the resources that the guest has used so far; zeros if there is no domain."""
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
        """Return the domain's current XML. Raises MachineNotFound."""
        text: str = self._on(domain, "read", lambda found: found.XMLDesc(0))
        return text

    def save_snapshot(self, domain: str, name: str) -> str:
        """Save memory and disks inside the disks, and return libvirt's XML of the snapshot.

        The guest is paused meanwhile.
        """
        xml = f"<domainsnapshot><name>{name}</name></domainsnapshot>"

        def save(found: Any) -> str:
            text: str = found.snapshotCreateXML(xml, 0).getXMLDesc(0)
            return text

        return self._on(domain, f'save the checkpoint "{name}" of', save)

    def find_snapshot(self, domain: str, name: str) -> str | None:
        """Return libvirt's XML of a snapshot; None if libvirt does not know it."""
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
        """Register a snapshot of the disks with libvirt, or update its XML; the disks stay unchanged."""
        flag = load_binding().VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
        self._on(domain, "describe a checkpoint of", lambda found: found.snapshotCreateXML(xml, flag))

    def revert(self, domain: str, name: str) -> None:
        """Restore memory and disks; a domain that is off is started from them."""
        self._on(
            domain,
            f'bring the checkpoint "{name}" back to',
            lambda found: found.revertToSnapshot(found.snapshotLookupByName(name), 0),
        )

    def remove_snapshot(self, domain: str, name: str) -> None:
        """Remove a snapshot from the disks, if it exists."""
        if self.find_snapshot(domain, name) is not None:
            self._on(
                domain, f'remove the checkpoint "{name}" of', lambda found: found.snapshotLookupByName(name).delete(0)
            )

    def running_guests(self) -> list[RunningGuest]:
        """Return every running guest, including those that flatkit did not create."""
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
        """Return the domains with flatkit's mark by name, of one owner or of all."""
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
        """Run an action on the connection, and once more on a new one if the daemon went away."""
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
                    # Over SSH, without a prompt that nobody would see.
                    quiet = "no_tty=1" if remote else ""
                    with short_folders(self.uri):
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
