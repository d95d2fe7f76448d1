"""Host ports on 127.0.0.1: find a free port, and say why one cannot be used.

A port is chosen below the range from which the kernel takes ports for outgoing connections (Linux: from 32768), so that
it is not taken by chance. Another program can still take it between choice and start. provision.py then chooses another
port.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterable
from dataclasses import replace
from itertools import chain

from flatkit.errors import HostError, MachineError
from flatkit.events import Observer, Said
from flatkit.listening import is_for_root, lowest_free_port, try_port
from flatkit.machines.spec import Forward
from flatkit.seat_env import is_seat

LOWEST, HIGHEST = 20000, 29999

# A guest port where nothing listens; see banner.py.
KNOCK = 1

# QEMU's message: ...: Could not set up host forwarding rule 'tcp:127.0.0.1:20022-:22'
_REFUSED = re.compile(r"host forwarding rule '\w+:[\d.]*:(\d+)-")


def is_free(port: int) -> bool:
    """Return True if a server could listen on the port now."""
    return try_port(port) is None


def find_free_port(taken: Collection[int] = ()) -> int:
    """Return a free port that is not in `taken`. Raises HostError if there is none, or if this host cannot listen at all."""
    start = random.randint(LOWEST, HIGHEST)  # noqa: S311  (only to keep two flatkits apart)
    for port in chain(range(start, HIGHEST + 1), range(LOWEST, start)):
        if port in taken:
            continue
        refusal = try_port(port)
        if refusal is None:
            return port
        if not refusal.is_of_port:
            raise HostError(f"no port of 127.0.0.1 can lead to a machine: {refusal.words}", hint=refusal.cure)
    raise HostError(
        f"no port from {LOWEST} to {HIGHEST} is free on 127.0.0.1",
        hint="ss -Hltnp   (shows the programs that hold them)",
    )


def check_free(wanted: Iterable[Forward]) -> None:
    """Raise HostError for a host port that the user chose and that no server can listen on. A seat gets another port."""
    for forward in wanted:
        if forward.host and not is_seat() and not is_free(forward.host):
            raise port_taken(forward)


def give_way(wanted: Iterable[Forward], observer: Observer) -> tuple[Forward, ...]:
    """Return the forwards; in a seat, a port that somebody else has is replaced by a free one, and the user is informed.

    Many seats run the same notebook, so a fixed port there is no wish for that very port.
    """
    return tuple(
        replace_taken(one, observer) if one.host and is_seat() and not is_free(one.host) else one for one in wanted
    )


def replace_taken(lost: Forward, observer: Observer, taken: Collection[int] = ()) -> Forward:
    """Return a forward from a free port to the same port of the guest, and tell the user."""
    other = replace(lost, host=find_free_port(taken))
    words = (
        f"port {lost.host} of this host is taken: port {other.host} leads to the machine's port {lost.guest} instead"
    )
    observer.notify(Said(text=words))
    return other


def resolve(wanted: Iterable[Forward], *, taken: Collection[int] = ()) -> tuple[Forward, ...]:
    """Return the forwards with actual host ports; one for SSH (guest port 22) and one to knock at are added.

    Raises HostError for a port that the user chose and another program uses.
    """
    forwards = list(wanted)
    check_free(forwards)
    if not any(forward.guest == 22 for forward in forwards):
        forwards.insert(0, Forward(host=0, guest=22))
    if not any(forward.guest == KNOCK for forward in forwards):
        forwards.append(Forward(host=0, guest=KNOCK))
    used = set(taken)
    used.update(forward.host for forward in forwards)
    result = []
    for forward in forwards:
        if forward.host == 0:
            forward = Forward(host=find_free_port(used), guest=forward.guest)
            used.add(forward.host)
        result.append(forward)
    return tuple(result)


def ssh_port(forwards: Iterable[Forward]) -> int:
    """Return the host port that leads to the guest's SSH server."""
    return next(forward.host for forward in forwards if forward.guest == 22)


def knock_port(forwards: Iterable[Forward]) -> int | None:
    """Return the host port that leads to the guest port where nothing listens; None if there is none."""
    return next((forward.host for forward in forwards if forward.guest == KNOCK), None)


def for_people(forwards: Iterable[Forward]) -> tuple[Forward, ...]:
    """Return the forwards without the one that only flatkit needs."""
    return tuple(forward for forward in forwards if forward.guest != KNOCK)


def port_taken(forward: Forward) -> HostError:
    """Return the error for a host port that QEMU cannot listen on, with the reason that the system gives."""
    refusal = try_port(forward.host)
    free = f"flatkit up --forward 0:{forward.guest}   (0 picks a free port)"
    if refusal is None:
        why = "QEMU was refused it, and it is free now"
        if is_for_root(forward.host):
            why = f"ports below {lowest_free_port()} are for root, and QEMU runs as a user of its own"
        return _cannot_forward(forward, why, free)
    if refusal.is_of_port:
        return _cannot_forward(forward, refusal.words, f"{free}, or {refusal.cure or 'end that program'}")
    return _cannot_forward(forward, refusal.words, refusal.cure or free)


def _cannot_forward(forward: Forward, why: str, hint: str) -> HostError:
    return HostError(f'port "{forward.host}" of this host cannot be forwarded to the machine: {why}', hint=hint)


def parse_refused_port(error: MachineError) -> int | None:
    """Return the port that QEMU could not bind, if this is why a machine did not start; else None."""
    found = _REFUSED.search(f"{error.message}\n{error.details}")
    return int(found[1]) if found else None
