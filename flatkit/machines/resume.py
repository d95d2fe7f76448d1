"""Resume a machine after a rewind or a pause: connect to it again, set its clock, and renew its randomness.

The machine wakes up as it was saved. Its clock shows the time of the save, and two rewinds to one checkpoint would draw
the same "random" numbers. There is no agent in the guest, so flatkit fixes both over SSH, in one command.
"""

from __future__ import annotations

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from flatkit.errors import BootFailed, HostError, WaitTimeout
from flatkit.events import Observer, Said, phase
from flatkit.machines import ports
from flatkit.machines.banner import BannerProbe
from flatkit.machines.handle import Handle
from flatkit.machines.records import Record
from flatkit.machines.ssh import Connection
from flatkit.machines.states import DomainState, Status
from flatkit.usage import advise
from flatkit.waiting import check_cancel

# Longest time that the SSH server of a restored machine may take to answer, in seconds with KVM.
_PATIENCE = 30.0
_LOOK_EVERY = 0.05
_STATE_EVERY = 0.5
# Room that a machine which a full disk paused needs at least to go on, in MiB.
_ROOM_MIB = 64

# 0x5207 is RNDRESEEDCRNG (linux/random.h): the seed that was written above takes effect now, not within a minute.
# The login shell tells the time itself if it is bash: each process costs an emulated machine some 50 ms.
_MEND = """echo was=${{EPOCHREALTIME:-$(date +%s.%N)}}; sudo -n sh -c '
date -u -s @{now:.3f} >/dev/null && echo clock=set
echo {seed} >/dev/urandom && echo seed=written
socat -u OPEN:/dev/null OPEN:/dev/urandom,ioctl-void=0x5207 && echo seed=used'"""


@dataclass(frozen=True, kw_only=True)
class Mended:
    """Result of the fix: by how many seconds the clock was behind, and whether the random seed is used.

    `behind` is None if the clock could not be set.
    """

    behind: float | None
    reseeded: bool


@dataclass(frozen=True, kw_only=True)
class Rewound:
    """Result of a rewind: seconds to SSH ready and to the first answer; `checkpoint` is "" after a boot from the image.

    `behind` is by how many seconds the guest's clock was set forward, None if it could not be set. `reseeded` is True
    if the guest's random numbers are unique again at once.
    """

    checkpoint: str = ""
    ready_seconds: float = 0.0
    seconds: float = 0.0
    behind: float | None = None
    reseeded: bool = False

    def __str__(self) -> str:
        if not self.checkpoint:
            return f"booted again, {self.seconds:.1f} s"
        return f'back at "{self.checkpoint}" after {self.seconds:.1f} s; {self.clock}'

    @property
    def clock(self) -> str:
        """The change of the guest's clock, in words."""
        return clock_words(self.behind)


def clock_words(behind: float | None) -> str:
    """Describe by how many seconds a clock was put forward; None for one that could not be set."""
    if behind is None:
        return "its clock could not be set"
    return f"its clock was put forward by {behind:.0f} s" if behind >= 1 else "its clock is right"


def wait_for_banner(
    name: str,
    port: int,
    *,
    status: Callable[[], Status],
    timeout: float,
    cancel: threading.Event | None = None,
) -> socket.socket:
    """Wait for a connection whose server has sent its banner, still unread. Raises BootFailed, WaitTimeout, Cancelled."""
    deadline = time.monotonic() + timeout
    next_look = time.monotonic() + _STATE_EVERY
    # A guest that takes its time must not start one sshd after the other.
    with BannerProbe(port, patience=timeout / 6) as probe:
        while True:
            check_cancel(cancel)
            if connection := probe.poll(_LOOK_EVERY):
                return connection
            now = time.monotonic()
            if now < next_look:
                continue
            next_look = now + _STATE_EVERY
            found = status()
            if not found.state.is_active:
                raise BootFailed(
                    f'the machine "{name}" ended while it was brought back: {found.reason or found.state}',
                    hint=f"flatkit rewind {name}",
                )
            if now > deadline and found.state is DomainState.PAUSED and not found.passing:
                raise BootFailed(
                    f'the machine "{name}" is paused again: {found.reason or "why is not known"}',
                    hint=f"flatkit console {name}",
                )
            if now > deadline and found.state is DomainState.RUNNING:
                raise WaitTimeout(
                    f'the machine "{name}" is back, and its SSH server did not answer within {timeout:g} s',
                    hint=f"flatkit console {name}   shows its console; flatkit rewind {name}   tries again",
                )


def mend(connection: Connection, *, timeout: float = 60.0) -> Mended:
    """Set the guest's clock from this host's, and feed its random number generator. Raises MachineError, WaitTimeout."""
    connection.open(timeout=timeout)
    now = time.time()
    said = connection.run(_MEND.format(now=now, seed=secrets.token_hex(32)), timeout=timeout).stdout
    # bash writes the locale's decimal point.
    was = re.search(r"^was=(\d+[.,]\d+)$", said, re.MULTILINE)
    is_set = was is not None and "clock=set" in said
    return Mended(
        behind=now - float(was[1].replace(",", ".")) if was and is_set else None, reseeded="seed=used" in said
    )


def reach_again(
    machine: Handle,
    record: Record,
    checkpoint: str,
    *,
    began: float,
    observer: Observer,
    cancel: threading.Event | None = None,
) -> Rewound:
    """Log in to a restored machine, and fix its clock and random seed. Raises as its parts do."""
    with phase(observer, "ssh", "SSH: the server answers"):
        connection = wait_for_banner(
            machine.name,
            ports.ssh_port(record.forwards),
            status=lambda: machine.hypervisor.status(record.domain),
            timeout=_PATIENCE * record.accelerator.slowdown,
            cancel=cancel,
        )
    ready = time.monotonic() - began
    machine.connection().adopt(connection)
    with phase(observer, "login", "SSH: login, clock, random seed"):
        mended = mend(machine.connection())
    return Rewound(
        checkpoint=checkpoint,
        ready_seconds=ready,
        seconds=time.monotonic() - began,
        behind=mended.behind,
        reseeded=mended.reseeded,
    )


def wake(machine: Handle, record: Record, *, observer: Observer, cancel: threading.Event | None = None) -> None:
    """Resume a paused machine, and set its clock. Raises HostError if the disk that paused it is full still."""
    status = machine.hypervisor.status(record.domain)
    why = status.reason or "why is not known"
    observer.notify(Said(text=f'the machine "{machine.name}" is paused ({why}): it is resumed'))
    if status.is_of_disk and machine.place.room().disk_mib < _ROOM_MIB:
        raise HostError(
            f'the machine "{machine.name}" stays paused: the disk that it writes to is full',
            hint=advise(machine.folder.path, spare=machine.name),
        )
    began = time.monotonic()
    machine.hypervisor.resume(record.domain)
    woken = reach_again(machine, record, "", began=began, observer=observer, cancel=cancel)
    observer.notify(Said(text=f'the machine "{machine.name}" runs again; {woken.clock}'))
