"""States of a domain, in flatkit's terms. Pure: libvirt's binding is passed in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import ModuleType


class DomainState(str, Enum):
    """State of a domain; UNDEFINED if libvirt has no domain of that name."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    CRASHED = "crashed"
    UNDEFINED = "undefined"

    def __str__(self) -> str:
        return self.value

    @property
    def is_active(self) -> bool:
        """True if a QEMU process exists for the domain."""
        return self in {DomainState.RUNNING, DomainState.PAUSED}


@dataclass(frozen=True, kw_only=True)
class Status:
    """A domain's state, with the reason in words; `passing` if it will leave that state by itself."""

    state: DomainState
    reason: str = ""
    passing: bool = False

    @property
    def is_of_disk(self) -> bool:
        """True for a machine that is paused because its disk refused what it wrote."""
        return self.state is DomainState.PAUSED and "disk" in self.reason

    @property
    def ending(self) -> str:
        """The reason why a domain does not run."""
        if self.state is DomainState.UNDEFINED:
            return "its domain was removed from outside"
        return self.reason or f"its domain is {self.state}"


def parse_state(libvirt: ModuleType, state: int, reason: int) -> Status:
    """Translate libvirt's numbers for a state and its reason."""
    states = {
        libvirt.VIR_DOMAIN_RUNNING: DomainState.RUNNING,
        libvirt.VIR_DOMAIN_BLOCKED: DomainState.RUNNING,
        libvirt.VIR_DOMAIN_SHUTDOWN: DomainState.RUNNING,
        libvirt.VIR_DOMAIN_PAUSED: DomainState.PAUSED,
        libvirt.VIR_DOMAIN_PMSUSPENDED: DomainState.PAUSED,
        libvirt.VIR_DOMAIN_CRASHED: DomainState.CRASHED,
    }
    found = states.get(state, DomainState.STOPPED)
    words = {
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN): "the guest switched itself off",
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED): "it was switched off from outside",
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED): "its QEMU process died",
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_FAILED): "it failed to start",
        (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_DAEMON): "libvirt's daemon ended it",
        (
            libvirt.VIR_DOMAIN_PAUSED,
            libvirt.VIR_DOMAIN_PAUSED_IOERROR,
        ): "writing to its disk failed (is the disk full?)",
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_USER): "it was paused from outside",
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_WATCHDOG): "its watchdog paused it",
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_CRASHED): "the guest crashed",
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_FROM_SNAPSHOT): "it was brought back and left paused",
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION): "it is being moved to another host",
        (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_DUMP): "its memory is being written out",
        (libvirt.VIR_DOMAIN_PMSUSPENDED, libvirt.VIR_DOMAIN_PMSUSPENDED_UNKNOWN): "the guest put itself to sleep",
    }
    at_work = {
        libvirt.VIR_DOMAIN_PAUSED_SNAPSHOT: "a checkpoint is being saved",
        libvirt.VIR_DOMAIN_PAUSED_SAVE: "it is being saved",
        libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: "it is being started",
    }
    if found is DomainState.PAUSED and reason in at_work:
        return Status(state=found, reason=at_work[reason], passing=True)
    return Status(state=found, reason=words.get((state, reason), ""))
