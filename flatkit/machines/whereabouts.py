"""Machines that run where this flatkit's libvirt does not see them. Nothing of such a machine is started or removed.

The same user reaches different daemons with another XDG_RUNTIME_DIR, LIBVIRT_DEFAULT_URI or login. So /proc is asked for
the machine's QEMU before a machine that libvirt calls off is called stopped, started or removed.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass

from flatkit.accounts import my_uid, user_name
from flatkit.emulators import Emulator, find_emulator, is_disk_open
from flatkit.errors import HostError, MachineError
from flatkit.machines.daemon import UNKNOWN, Daemon, daemon_of, find_session
from flatkit.machines.hypervisor import Hypervisor
from flatkit.machines.records import Record
from flatkit.machines.store import Folder

# Longest time that a QEMU may take to end after libvirt has called its domain off, in seconds.
_ENDING = 0.5


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """The place where a machine runs: `words` as a clause, `way` the next command. `is_reachable`: its ports are on this host."""

    words: str
    way: str
    is_reachable: bool = True


def find_elsewhere(folder: Folder, domain: str, record: Record | None, hypervisor: Hypervisor) -> Elsewhere | None:
    """Return where a machine runs that this hypervisor calls off; None if it really is off, or runs here."""
    here = daemon_of(hypervisor.uri)
    known = record.daemon if record else UNKNOWN
    if known.uri and known.host != here.host:
        return _on_other_host(known)
    if here.host:
        return None  # this host's /proc and files show nothing of it
    uuid = record.uuid if record else ""
    runner = find_emulator(domain, uuid=uuid, folder=folder.path)
    disks = sorted(folder.path.glob("*.qcow2")) if runner is None else []
    if runner is None and not any(map(is_disk_open, disks)):
        return None
    if _is_here(hypervisor, domain) or _has_ended(folder, domain, uuid, may_wait=known.leads_to(here)):
        return None
    return _of_process(folder.name, domain, runner, known, here) if runner else _hidden(folder.name)


def refuse_elsewhere(folder: Folder, domain: str, record: Record | None, hypervisor: Hypervisor) -> None:
    """Raise MachineError for a machine that runs where this hypervisor does not see it."""
    if elsewhere := find_elsewhere(folder, domain, record, hypervisor):
        raise error_for(folder.name, elsewhere)


def error_for(name: str, elsewhere: Elsewhere) -> MachineError:
    """Return the error for a verb on a machine that runs elsewhere."""
    return MachineError(f'the machine "{name}" is left as it is: {elsewhere.words}', hint=elsewhere.way)


def _is_here(hypervisor: Hypervisor, domain: str) -> bool:
    try:
        return hypervisor.status(domain).state.is_active
    except HostError:
        return False


def _has_ended(folder: Folder, domain: str, uuid: str, *, may_wait: bool) -> bool:
    """Return True once no QEMU of the machine is left. Only a QEMU of this very daemon may be just ending."""
    deadline = time.monotonic() + (_ENDING if may_wait else 0)
    while True:
        is_open = any(map(is_disk_open, folder.path.glob("*.qcow2")))
        if not is_open and find_emulator(domain, uuid=uuid, folder=folder.path) is None:
            return True
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)


def _on_other_host(known: Daemon) -> Elsewhere:
    if known.host:
        words = f'it was made under libvirt at "{known.uri}", which is on another host'
    else:
        words = f'it was made under libvirt at "{known.uri}", on this host'
    return Elsewhere(words=words, way=known.way("flatkit list"), is_reachable=False)


def _of_process(name: str, domain: str, runner: Emulator, known: Daemon, here: Daemon) -> Elsewhere:
    """Return the whereabouts of a machine whose QEMU /proc shows."""
    process = f"process {runner.pid}"
    if runner.uid == my_uid() and my_uid() != 0:
        session = find_session(domain, runner.pid, known=known.runtime)
        daemon = session or (known if known.runtime and not known.leads_to(here) else None)
        if daemon and not daemon.leads_to(here):
            words = f"it runs under another libvirt daemon of yours (XDG_RUNTIME_DIR={daemon.runtime}; {process})"
            return Elsewhere(words=words, way=daemon.way("flatkit list"))
    elif known.uri and not known.runtime and not known.leads_to(here):
        words = f'it runs under libvirt at "{known.uri}" ({process})'
        return Elsewhere(words=words, way=known.way("flatkit list"))
    elif runner.uid != my_uid() and not (known.uri and known.leads_to(here)):
        user = user_name(runner.uid)
        command = shlex.quote(known.way("flatkit list") if known.runtime else "flatkit list")
        return Elsewhere(words=f'it runs as the user "{user}" ({process})', way=f"su {shlex.quote(user)} -c {command}")
    words = f"its QEMU runs ({process}), and libvirt does not know it any more"
    return Elsewhere(words=words, way=f"flatkit unplug {name}   (pulls its plug)")


def _hidden(name: str) -> Elsewhere:
    words = "its disk is open in a QEMU that this host does not show you (of a container, or of another user)"
    return Elsewhere(words=words, way=f"flatkit stop {name}   (where it was started)", is_reachable=False)
